/** One sender and several receivers over loopback: one code, a session each. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { KnownDevices } from '../../src/identity/devices.ts';
import type { SendOptions, Transfer } from '../../src/node/api.ts';
import { send } from '../../src/node/send.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { failure, folder, meeting, start, until } from './meeting.ts';

const LIMIT = { timeout: 120_000 };
const random = randomFrom(seed);

async function sender(t: TestContext, options: SendOptions, bytes = 4_000_000) {
  const dir = folder(t);
  const content = randomBytes(random, bytes);
  writeFileSync(join(dir, 'data.bin'), content);
  const { sender, join: receiver } = await start(join(dir, 'data.bin'), options);
  const events: { event: string; peer?: number }[] = [];
  sender.subscribe((event) => events.push(event));
  const arrived = (to: string) => content.equals(readFileSync(join(dir, to, 'data.bin')));
  return { dir, sender, receiver, arrived, events };
}

test('three receivers of one code, each with a session of its own', LIMIT, async (t) => {
  const { dir, sender: sending, receiver, arrived, events } = await sender(t, { receivers: 3 });
  const { code } = await meeting(sending);
  assert.equal(code.split('-').length, 4, 'a nameplate and three words');
  const receiving = ['a', 'b', 'c'].map((to) => receiver({ to: join(dir, to) }));
  const [sent, ...received] = await Promise.all([sending.done, ...receiving.map(({ done }) => done)]);
  assert.deepEqual(
    received.map(({ root }) => root),
    [sent.root, sent.root, sent.root],
  );
  for (const to of ['a', 'b', 'c']) {
    assert.ok(arrived(to));
    assert.deepEqual(readdirSync(join(dir, to)), ['data.bin']);
  }
  const of = (name: string) => events.filter(({ event }) => event === name).map(({ peer }) => peer);
  assert.deepEqual(of('ended').sort(), [1, 2, 3]);
  assert.deepEqual([...new Set(of('progress'))].sort(), [1, 2, 3]);
});

test('one that comes late, and one that declines: the others have it all the same', LIMIT, async (t) => {
  const { dir, sender: sending, receiver, arrived } = await sender(t, { receivers: 3 });
  await receiver({ to: join(dir, 'first') }).done;
  assert.equal((await failure(receiver({ to: join(dir, 'no'), accept: () => false }))).code, 'REFUSED');
  await receiver({ to: join(dir, 'late') }).done;
  assert.equal((await failure(sending)).code, 'REFUSED');
  assert.ok(arrived('first') && arrived('late'));
});

test(
  'one that is interrupted and comes back goes on with what it has; nobody is counted twice',
  LIMIT,
  async (t) => {
    const { dir, sender: sending, receiver, arrived, events } = await sender(t, { receivers: 2, limit: 4e6 });
    const stop = new AbortController();
    const to = join(dir, 'back');
    const first = receiver({ to, signal: stop.signal });
    await until(first, 'progress');
    stop.abort();
    assert.equal((await failure(first)).code, 'INTERRUPTED');
    const [again, other] = [receiver({ to }), receiver({ to: join(dir, 'other') })];
    await Promise.all([again.done, other.done, sending.done]);
    assert.ok(arrived('back') && arrived('other'));
    // They help each other, and either may have it first.
    const ended = events.filter(({ event }) => event === 'ended').map(({ peer }) => peer);
    assert.deepEqual(ended.sort(), [1, 2]);
  },
);

for (const receivers of [1, 2])
  test(
    `strangers burn the code, and a receiver that is started again goes on all the same (${receivers})`,
    LIMIT,
    async (t) => {
      const { dir, sender: sending, receiver, arrived } = await sender(t, { receivers, limit: 4e6 });
      const { code } = await meeting(sending);
      const stop = new AbortController();
      const to = join(dir, 'back');
      const first = receiver({ to, signal: stop.signal });
      await until(first, 'progress');
      if (receivers === 1) {
        // There is one place at the mailbox, and the receiver has it.
        stop.abort();
        await failure(first);
      }
      const words = code.split('-').slice(2);
      for (let guess = receivers === 1 ? 2 : 0; guess < 3; guess++) {
        const error = await failure(
          receiver({ code: [code.split('-')[0], 'abacus', ...words].join('-'), to: join(dir, 'no') }),
        );
        assert.equal(error.reason, guess === 2 ? 'CODE_WRONG' : 'CODE_WRONG_YET');
      }
      stop.abort();
      await first.done.catch(() => {});
      assert.equal((await failure(receiver({ to: join(dir, 'new') }))).reason, 'CODE_BURNT');
      await receiver({ to }).done;
      assert.ok(arrived('back'));
      if (receivers === 1) await sending.done;
      else assert.equal((await failure(sending)).code, 'WRONG_CODE');
    },
  );

test(
  'who comes with the right code once it is burnt hears so, also while nobody is away',
  LIMIT,
  async (t) => {
    const { dir, sender: sending, receiver } = await sender(t, { receivers: 3, limit: 2e5 });
    const { code } = await meeting(sending);
    const first = receiver({ to: join(dir, 'first') });
    await until(first, 'progress');
    for (let guess = 0; guess < 3; guess++)
      await failure(receiver({ to: join(dir, 'no'), code: code.replace(/-[a-z]+$/, '-abacus') }));
    for (let late = 0; late < 3; late++)
      assert.equal((await failure(receiver({ to: join(dir, 'late') }))).reason, 'CODE_BURNT');
    sending.cancel();
    await Promise.all([failure(sending), failure(first)]);
  },
);

test(
  'one that has everything and is started again has an answer at once, and takes nobody’s place',
  LIMIT,
  async (t) => {
    const { dir, sender: sending, receiver, arrived, events } = await sender(t, { receivers: 2 });
    const to = join(dir, 'a');
    await receiver({ to }).done;
    await until(sending, 'ended');
    assert.equal((await failure(receiver({ to }))).code, 'EXISTS');
    assert.equal((await receiver({ to, overwrite: 'update' }).done).bytes, 0);
    await until(sending, 'ended', ({ peer }) => peer === 4);
    // Killed while its person is asked: it is not waited for.
    const asked = receiver({ to, accept: () => new Promise<boolean>(() => {}) });
    await until(asked, 'manifest');
    for (const { lanes } of sending.sessions) for (const lane of [...lanes]) lane.close();
    await until(sending, 'ended', ({ peer }) => peer === 5);
    asked.cancel();
    await failure(asked);
    await receiver({ to: join(dir, 'b') }).done;
    const { receivers } = await sending.done;
    assert.ok(arrived('a') && arrived('b'));
    assert.deepEqual(
      receivers?.map(({ ok, bytes }) => [ok, bytes]),
      [
        [true, 4_000_000],
        [true, 4_000_000],
      ],
    );
    const ended = events.filter(({ event }) => event === 'ended') as { again?: true; ok?: boolean }[];
    assert.deepEqual(
      ended.map(({ ok, again }) => [ok, again]),
      [
        [true, undefined],
        [false, true],
        [true, true],
        [false, true],
        [true, undefined],
      ],
    );
  },
);

test(
  'when the time is up its person is told, who comes late hears why, and who is under way goes on',
  LIMIT,
  async (t) => {
    const {
      dir,
      sender: sending,
      receiver,
      arrived,
    } = await sender(t, { receivers: 'any', until: 3, limit: 3e5 });
    const first = receiver({ to: join(dir, 'a') });
    await until(sending, 'warning', ({ reason }) => reason === 'TIME_UP');
    assert.equal((await failure(receiver({ to: join(dir, 'late') }))).reason, 'OFFER_CLOSED');
    await Promise.all([first.done, sending.done]);
    assert.ok(arrived('a'));
  },
);

test('any number come until it is cancelled, and each has it', LIMIT, async (t) => {
  const { dir, sender: sending, receiver, arrived } = await sender(t, { receivers: 'any' }, 100_000);
  for (const to of ['a', 'b', 'c', 'd']) {
    await receiver({ to: join(dir, to) }).done;
    assert.ok(arrived(to));
  }
  sending.cancel();
  assert.equal((await sending.done).receivers?.length, 4, 'all that came have it');
});

test('a stream for two begins when both are there, and each gets all of it', LIMIT, async (t) => {
  const dir = folder(t);
  const content = randomBytes(random, 20_000_000);
  const stdin = new PassThrough();
  const sending = send(['-'], { lan: false, at: '127.0.0.1:0', receivers: 2, stdin });
  const { code, port } = await meeting(sending);
  stdin.end(content);
  const { receive } = await import('../../src/node/receive.ts');
  const join2 = (to: string) => receive({ accept: 'all', lan: false, code, at: `127.0.0.1:${port}`, to });
  const first = join2(join(dir, 'a'));
  await until(first, 'manifest');
  const second = join2(join(dir, 'b'));
  await Promise.all([sending.done, first.done, second.done]);
  for (const to of ['a', 'b']) assert.ok(content.equals(readFileSync(join(dir, to, 'stdin'))));
});

test('of a stream for two, one that stops leaves the other to have all of it', LIMIT, async (t) => {
  const dir = folder(t);
  const content = randomBytes(random, 40_000_000);
  const stdin = new PassThrough();
  const sending = send(['-'], { lan: false, at: '127.0.0.1:0', receivers: 2, stdin, limit: 20e6 });
  const { code, port } = await meeting(sending);
  stdin.end(content);
  const { receive } = await import('../../src/node/receive.ts');
  const at = `127.0.0.1:${port}`;
  const stop = new AbortController();
  const [gone, stays] = ['a', 'b'].map((to) =>
    receive({
      ...{ accept: 'all', lan: false, code, at, to: join(dir, to) },
      ...(to === 'a' && { signal: stop.signal }),
    }),
  );
  await new Promise<void>((resolve) => {
    stays!.subscribe((event) => event.event === 'progress' && event.bytes > 12_000_000 && resolve());
  });
  stop.abort();
  assert.equal((await failure(gone!)).code, 'INTERRUPTED');
  await stays!.done;
  assert.ok(content.equals(readFileSync(join(dir, 'b', 'stdin'))));
  await failure(sending);
});

test('two trusted devices are met each under a secret of its own', LIMIT, async (t) => {
  const { dir, sender: other, receiver, arrived } = await sender(t, {}, 100_000);
  other.cancel();
  await failure(other);
  const [own, ...theirs] = await Promise.all(
    ['own', 'anna', 'bert'].map((name) => KnownDevices.open(join(dir, `config-${name}`))),
  );
  for (const [index, name] of ['anna', 'bert'].entries()) {
    await own!.add(name, theirs[index]!.own.publicKey);
    await theirs[index]!.add('sender', own!.own.publicKey);
  }
  const options = { lan: false, at: '127.0.0.1:0', configDir: join(dir, 'config-own') };
  const sending = send([join(dir, 'data.bin')], { ...options, device: ['anna', 'bert'] });
  const events: { event: string }[] = [];
  sending.subscribe((event) => events.push(event));
  const at = `127.0.0.1:${await listening(sending)}`;
  const both = ['anna', 'bert'].map((name) =>
    receiver({
      ...{ to: join(dir, name), code: undefined, at },
      ...{ device: 'sender', configDir: join(dir, `config-${name}`) },
    }),
  );
  await Promise.all([sending.done, ...both.map(({ done }) => done)]);
  assert.ok(arrived('anna') && arrived('bert'));
  const named = events.flatMap((event) => ('name' in event && event.event === 'peer' ? [event.name] : []));
  assert.deepEqual(named.sort(), ['anna', 'bert']);
  assert.equal(events.filter(({ event }) => event === 'listening').length, 1);
});

test('a pre-shared key for two', LIMIT, async (t) => {
  const psk = randomBytes(random, 32);
  const { dir, sender: other, receiver, arrived } = await sender(t, {}, 100_000);
  other.cancel();
  await failure(other);
  const keyed = send([join(dir, 'data.bin')], { lan: false, at: '127.0.0.1:0', psk, receivers: 2 });
  const at = `127.0.0.1:${await listening(keyed)}`;
  const both = ['a', 'b'].map((to) => receiver({ to: join(dir, to), code: undefined, psk, at }));
  await Promise.all([keyed.done, ...both.map(({ done }) => done)]);
  assert.ok(arrived('a') && arrived('b'));
});

test('a code of two words is not enough for several', LIMIT, async (t) => {
  const { dir, sender: other } = await sender(t, {}, 10);
  other.cancel();
  await failure(other);
  const error = await failure(send([join(dir, 'data.bin')], { code: '7-two-words', receivers: 2 }));
  assert.deepEqual([error.code, error.reason], ['USAGE', 'CODE_TOO_SHORT']);
});

function listening(transfer: Transfer): Promise<number> {
  return new Promise((resolve) => {
    transfer.subscribe((event) => event.event === 'listening' && resolve(event.port));
  });
}
