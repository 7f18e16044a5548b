/** What every store of a server of several instances does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  type MeetingRecord,
  type MeetingStore,
  type Place,
  pairName,
  type StoreEvents,
} from '../../src/server/meeting-store.ts';
import { keyOf } from '../../src/server/places.ts';

export interface StoreWorld {
  open(options?: { url?: string; load?: () => number }): Promise<MeetingStore>;
  close(): Promise<void>;
}

const random = (bytes: number) => randomBytes(bytes).toString('hex');

function record(change: Partial<MeetingRecord> = {}): MeetingRecord {
  return { meeting: random(8), owner: '192.0.2.1', host: random(16), hosted: true, last: 3, ...change };
}

function place(change: Partial<Place> = {}): Place {
  const meeting = random(8);
  return { nameplate: '7', meeting, owner: '192.0.2.1', side: 'guest', guest: 4, kept: true, ...change };
}

/** What a store tells, and a way to wait for it. */
export function listen(store: MeetingStore) {
  const told: string[] = [];
  let wake = () => {};
  const tell = (what: string) => {
    told.push(what);
    wake();
  };
  const events: StoreEvents = {
    heard: (from, message) => tell(`heard ${from} ${JSON.stringify(message)}`),
    gone: (instance) => tell(`gone ${instance}`),
    away: () => tell('away'),
    back: () => tell('back'),
    homeLost: (nameplate) => tell(`homeLost ${nameplate}`),
    pairLost: (pair) => tell(`pairLost ${pair}`),
  };
  store.attach(events);
  return {
    told,
    async until(which: (what: string) => boolean): Promise<string> {
      for (let at = 0; ; at++) {
        while (told.length <= at)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        if (which(told[at]!)) return told[at]!;
      }
    },
  };
}

export function storeContract(name: string, skip: string | false, make: () => Promise<StoreWorld>): void {
  const check = (what: string, run: (world: StoreWorld) => Promise<void>) =>
    test(`${name}: ${what}`, { skip, timeout: 60_000 }, async () => {
      const world = await make();
      try {
        await run(world);
      } finally {
        await world.close();
      }
    });

  /** The name by which others know an instance. */
  const nameOf = async (store: MeetingStore, other: MeetingStore) => {
    const nameplate = random(8);
    assert.equal((await store.claim(nameplate)).here, true);
    const claim = await other.claim(nameplate);
    store.release(nameplate);
    return claim.here ? assert.fail('two have one nameplate') : claim.home;
  };

  check('a nameplate has one home, until it is released', async ({ open }) => {
    const [a, b] = [await open(), await open()];
    const all = await Promise.all([a.claim('7'), b.claim('7'), a.claim('7'), b.claim('7')]);
    const here = all.map((claim) => claim.here);
    assert.ok(here[0] === here[2] && here[1] === here[3] && here[0] !== here[1], String(here));
    const [home, other] = here[0] ? [a, b] : [b, a];
    assert.equal(await home.find('7'), undefined, 'a home knows its own');
    const name = await other.find('7');
    assert.equal(name, await nameOf(home, other));
    other.release('7');
    assert.equal(await other.find('7'), name, 'only its home can release it');
    home.release('7');
    await home.find('7');
    assert.equal(await other.find('7'), undefined);
    assert.equal((await other.claim('7')).here, true);
  });

  check('of many nameplates the first free one is taken, once', async ({ open }) => {
    const [a, b] = [await open(), await open()];
    await a.claim('1');
    const free = await Promise.all([a.claimFree(['1', '2', '3']), b.claimFree(['1', '2', '3'])]);
    assert.deepEqual(free.sort(), ['2', '3']);
    assert.equal(await b.claimFree(['1', '2', '3']), undefined);
  });

  check('what is kept of a mailbox goes to the next home when the first has gone', async ({ open }) => {
    const [a, b] = [await open(), await open()];
    const heard = listen(b);
    const name = await nameOf(a, b);
    const kept = record();
    assert.deepEqual(await a.claim('7'), { here: true, record: undefined });
    a.keep('7', kept);
    await a.find('7');
    assert.equal(await b.find('7'), name);
    a.leave();
    a.release('7');
    a.forget('anything');
    await heard.until((what) => what === `gone ${name}`);
    assert.equal(await b.find('7'), undefined);
    assert.deepEqual(await b.hosted(['7']), []);
    assert.deepEqual(await b.claim('7'), { here: true, record: kept });
  });

  check('a home whose nameplate has another one hears so', async ({ open }) => {
    const [a, b] = [await open(), await open()];
    const heard = listen(b);
    await a.claim('7');
    b.keep('7', record());
    await heard.until((what) => what === 'homeLost 7');
    assert.equal((await a.claim('7')).here, true);
  });

  check('which nameplates have a host', async ({ open }) => {
    const [a, b] = [await open(), await open()];
    for (const nameplate of ['1', '2', '3']) await a.claim(nameplate);
    a.keep('1', record());
    a.keep('2', record({ hosted: false }));
    await a.find('1');
    assert.deepEqual(await b.hosted(['3', '2', '1', '4']), ['1']);
    assert.deepEqual(await b.hosted([]), []);
    a.keep('1', record({ hosted: false }));
    a.keep('2', record());
    await a.find('1');
    assert.deepEqual(await b.hosted(['1', '2', '3', '4']), ['2']);
  });

  check(
    'places are found by the keys of their tokens at every instance, until they are forgotten',
    async ({ open }) => {
      const [a, b] = [await open(), await open()];
      const key = keyOf(random(16));
      const mine = place();
      a.remember(key, mine);
      await a.find('7');
      assert.deepEqual(await b.placeOf(key), mine);
      const host = place({ side: 'host', guest: 0, kept: false });
      a.remember(key, host);
      await a.find('7');
      assert.deepEqual(await b.placeOf(key), host);
      assert.equal(await b.placeOf(keyOf(random(16))), undefined);
      a.forget(key);
      await a.find('7');
      assert.equal(await b.placeOf(key), undefined);
    },
  );

  check('what an address does is counted over all instances, each thing for itself', async ({ open }) => {
    const [a, b] = [await open(), await open()];
    const counts: number[] = [];
    for (const store of [a, b, a])
      for (const [what, address] of [
        ['joins', '192.0.2.1'],
        ['joins', '2001:db8::/64'],
        ['watches', '192.0.2.1'],
      ] as const) {
        const { count, wait } = await store.hit(what, address);
        counts.push(count);
        assert.ok(wait > 0 && wait <= 3_600_000, String(wait));
      }
    assert.deepEqual(counts, [1, 1, 1, 2, 2, 2, 3, 3, 3]);
    for (const other of ['created', 'pageWatches'] as const)
      assert.equal((await a.hit(other, '192.0.2.1')).count, 1);
  });

  check('a pair has one carrier, that with the least to carry', async ({ open }) => {
    const urls = ['https://a.example', 'https://b.example/b'];
    const [a, b] = [
      await open({ url: urls[0]!, load: () => 5 }),
      await open({ url: urls[1]!, load: () => 1 }),
    ];
    const neither = await open();
    const pair = pairName(place());
    // An instance knows the loads of others when they have given a sign of life.
    const seen = async (store: MeetingStore) => {
      for (;;) {
        const carrier = await store.carrier(pairName(place()));
        if (carrier && !carrier.here && carrier.url === urls[1]) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await Promise.all([seen(a), seen(neither)]);
    const chosen = await neither.carrier(pair);
    assert.ok(chosen && !chosen.here);
    assert.equal(chosen.url, urls[1]);
    assert.deepEqual(await a.carrier(pair), chosen);
    assert.deepEqual(await b.carrier(pair), { here: true });
    const heard = listen(a);
    a.hold(pair);
    await heard.until((what) => what === `pairLost ${pair}`);
    const left = listen(neither);
    const gone = await nameOf(b, neither);
    b.leave();
    await left.until((what) => what === `gone ${gone}`);
    const after = await neither.carrier(pair);
    assert.ok(after && !after.here);
    assert.equal(after.url, urls[0], 'one that leaves carries nothing new');
    const told = listen(neither);
    const name = await nameOf(a, neither);
    await a.close();
    await told.until((what) => what === `gone ${name}`);
    assert.equal(await neither.carrier(pair), undefined);
  });

  check('who waits for a pair is its carrier, if it has none', async ({ open }) => {
    const urls = ['https://a.example', 'https://b.example'];
    const [a, b] = [await open({ url: urls[0]!, load: () => 9 }), await open({ url: urls[1]! })];
    const pair = pairName(place());
    a.hold(pair);
    assert.deepEqual(await a.carrier(pair), { here: true });
    const carrier = await b.carrier(pair);
    assert.ok(carrier && !carrier.here);
    assert.equal(carrier.url, urls[0]);
  });

  check('a ticket is good once, and at the instance that it is for', async ({ open }) => {
    const [a, b, c] = [await open({ url: 'https://a.example' }), await open(), await open()];
    const name = await nameOf(a, b);
    const mine = place();
    const ticket = await b.ticket(name, mine);
    assert.match(ticket, /^[0-9a-f]{32}$/);
    assert.deepEqual(await a.redeem(ticket), mine);
    assert.equal(await a.redeem(ticket), undefined, 'replayed');
    const other = await b.ticket(name, mine);
    assert.equal(await c.redeem(other), undefined, 'shown elsewhere');
    assert.equal(await a.redeem(random(16)), undefined, 'made up');
  });

  check('instances speak to one and to all, and hear who speaks', async ({ open }) => {
    const [a, b, c] = [await open(), await open(), await open()];
    const [name, own] = [await nameOf(b, a), await nameOf(a, b)];
    const [first, second, third] = [listen(a), listen(b), listen(c)];
    for (let n = 1; n <= 100; n++) assert.equal(a.post(name, { n }), true);
    a.broadcast({ to: 'all' });
    await second.until((what) => what === `heard ${own} {"to":"all"}`);
    await third.until((what) => what === `heard ${own} {"to":"all"}`);
    assert.deepEqual(
      second.told.filter((what) => what.includes('"n"')),
      Array.from({ length: 100 }, (_, i) => `heard ${own} {"n":${i + 1}}`),
    );
    assert.deepEqual(third.told, [`heard ${own} {"to":"all"}`]);
    assert.deepEqual(first.told, []);
    await b.close();
    if (a.post(name, { n: 0 })) await first.until((what) => what === `gone ${name}`);
  });

  check('an instance that has left writes nothing', async ({ open }) => {
    const [a, b] = [await open(), await open()];
    a.leave();
    const key = keyOf(random(16));
    a.remember(key, place());
    a.keep('7', record());
    a.broadcast({});
    await a.close();
    assert.equal(await b.placeOf(key), undefined);
    assert.deepEqual(await b.claim('7'), { here: true, record: undefined });
  });
}
