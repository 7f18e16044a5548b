/** Links between receivers of one offer: how they come up, when they are given up, and how long one that has everything serves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { every } from '../../src/base/clock.ts';
import type { Hello } from '../../src/wire/signal.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { introduce, LinkedProcess, type Places } from './links.ts';

function world() {
  const clock = new VirtualClock();
  const places: Places = new Map();
  const process = (name: string) => new LinkedProcess(name, clock, places);
  return { clock, process };
}

/** So long is over, and what is on the pipes has come. */
async function flow(clock: VirtualClock, ms: number) {
  for (let at = 0; at < ms; at += 250) {
    await clock.pass(Math.min(250, ms - at));
    for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('two receivers that the origin introduces', () => {
  it('are linked by lanes, and tell each other no more than they need for that', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    introduce(one, other);
    await flow(clock, 1000);
    assert.deepEqual([one.neighbours.up, other.neighbours.up], [1, 1]);
    for (const { said, fingerprint } of [one, other])
      for (const body of said) {
        const { agent, hosts, lanes, ...rest } = JSON.parse(body) as Hello;
        assert.deepEqual([agent, hosts, lanes], ['', [], 0]);
        assert.equal(rest.fingerprint, fingerprint);
      }
    for (const { neighbours } of [one, other]) neighbours.end();
    await flow(clock, 250);
    assert.deepEqual([one.networks, other.networks], Array(2).fill({ open: 1, closed: 1 }));
    assert.deepEqual([one.refused, other.refused, clock.waiting], [0, 0, 0]);
  });

  it('are given up after half a minute if no lane comes up, and the origin hears it', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    other.deaf = true;
    introduce(one, other);
    await flow(clock, 29_000);
    assert.deepEqual([one.refused, one.networks.closed], [0, 0]);
    assert.ok(one.dials > 3 && one.dials < 40, `${one.dials} dials`);
    await flow(clock, 2_000);
    assert.deepEqual([one.refused, other.refused, one.networks.closed], [1, 1, 1]);
    // It could not be reached: that is no offence.
    assert.deepEqual([one.warned, clock.waiting], [[], 0]);
  });

  it('begin with near ways, and open those that cost more once no lane came by them, or none is left', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    introduce(one, other);
    await flow(clock, 10_000);
    assert.deepEqual([one.neighbours.up, one.widened, other.widened], [1, 0, 0]);
    other.deaf = true;
    for (const pipe of one.dialled) pipe.cut();
    await flow(clock, 1_000);
    assert.deepEqual([one.widened, other.widened], [0, 0]);
    await flow(clock, 1_000);
    assert.deepEqual([one.widened, other.widened], [1, 1]);
    for (const { neighbours } of [one, other]) neighbours.end();
    assert.equal(clock.waiting, 0);
  });

  it('come together again when every lane has died, or are given up', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    introduce(one, other);
    await flow(clock, 1000);
    for (const pipe of one.dialled) pipe.cut();
    await flow(clock, 2000);
    assert.deepEqual([one.neighbours.up, other.neighbours.up], [1, 1]);
    other.deaf = true;
    for (const pipe of one.dialled) pipe.cut();
    await flow(clock, 32_000);
    assert.deepEqual([one.refused, other.refused, clock.waiting], [1, 1, 0]);
  });

  it('stay linked when the origin names them no more, until that link breaks', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    const [near, far] = introduce(one, other);
    await flow(clock, 1000);
    near.forget();
    far.forget();
    await flow(clock, 60_000);
    assert.equal(one.neighbours.up, 1);
    for (const pipe of one.dialled) pipe.cut();
    await flow(clock, 1000);
    assert.deepEqual([one.neighbours.up, one.refused, one.networks.closed, clock.waiting], [0, 0, 1, 0]);
  });

  it('are one link, however often they are introduced', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    introduce(one, other);
    await flow(clock, 1000);
    // What works is not given up for what is said.
    introduce(one, other);
    await flow(clock, 1000);
    assert.deepEqual([one.neighbours.up, one.networks], [1, { open: 2, closed: 1 }]);
    // One of the two comes back, and knows nothing of a link.
    other.neighbours.end();
    await flow(clock, 500);
    introduce(one, other);
    await flow(clock, 1000);
    assert.deepEqual([one.neighbours.up, one.networks], [1, { open: 3, closed: 2 }]);
    for (const { neighbours } of [one, other]) neighbours.end();
    assert.equal(clock.waiting, 0);
  });
});

describe('events about other receivers', () => {
  it('have their numbers, from 2 on, and tell their lanes and when they come and go', async () => {
    const { clock, process } = world();
    const [one, two, three] = [process('a'), process('b'), process('c')];
    introduce(one, two);
    await flow(clock, 1000);
    introduce(one, three);
    await flow(clock, 1000);
    const told = (peer: number) =>
      one.events.flatMap((event) => {
        if (!('peer' in event) || event.peer !== peer) return [];
        return [event.event === 'lane' ? `${event.status} ${event.kind} ${event.id}` : event.event];
      });
    assert.deepEqual([told(1), told(4)], [[], []]);
    for (const peer of [2, 3]) assert.deepEqual(told(peer), ['peer', 'open memory 1']);
    const named = one.events.flatMap((event) => (event.event === 'peer' ? [event.fingerprint] : []));
    assert.deepEqual(named, [two.fingerprint, three.fingerprint]);
    two.neighbours.end();
    await flow(clock, 250);
    // The same process, introduced again.
    introduce(one, two);
    await flow(clock, 1000);
    assert.deepEqual(told(2).slice(2), ['closed memory 1', 'peer', 'open memory 1']);
    for (const { neighbours } of [one, two, three]) neighbours.end();
    assert.deepEqual(told(3).slice(2), ['closed memory 1']);
    await flow(clock, 250);
    assert.equal(clock.waiting, 0);
  });
});

describe('a receiver that has everything', () => {
  it('has nobody to wait for if nobody is linked', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    other.deaf = true;
    introduce(one, other);
    await flow(clock, 1000);
    assert.equal(one.neighbours.serve(), undefined);
    other.neighbours.end();
    assert.equal(clock.waiting, 0);
  });

  it('serves until those that are linked leave, or ask for nothing for a minute', async () => {
    for (const leaves of [true, false]) {
      const { clock, process } = world();
      const [one, other] = [process('a'), process('b')];
      introduce(one, other);
      await flow(clock, 1000);
      let served = false;
      const serving = one.neighbours.serve();
      assert.ok(serving);
      void serving.then(() => {
        served = true;
      });
      await flow(clock, 50_000);
      assert.equal(served, false);
      if (leaves) other.neighbours.end();
      await flow(clock, leaves ? 1000 : 12_000);
      assert.deepEqual([served, one.networks.closed], [true, 1]);
      other.neighbours.end();
      assert.equal(clock.waiting, 0);
    }
  });

  it('serves for a day at most (here: five minutes), whoever goes on asking', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    introduce(one, other);
    await flow(clock, 1000);
    let served = false;
    one.neighbours.servesMs = 300_000;
    void one.neighbours.serve()!.then(() => {
      served = true;
    });
    const ask = every(clock, 50_000, () => one.asks());
    await flow(clock, 290_000);
    assert.equal(served, false);
    await flow(clock, 11_000);
    assert.equal(served, true);
    ask();
    other.neighbours.end();
    assert.equal(clock.waiting, 0);
  });

  it('stops at once when it is told to', async () => {
    const { clock, process } = world();
    const [one, other] = [process('a'), process('b')];
    introduce(one, other);
    await flow(clock, 1000);
    const serving = one.neighbours.serve();
    one.neighbours.end();
    await serving;
    other.neighbours.end();
    assert.equal(clock.waiting, 0);
  });
});
