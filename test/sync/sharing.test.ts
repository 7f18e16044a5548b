/** An origin and receivers that share, with lanes that lose nothing: who is introduced when. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Introduction } from '../../src/sync/members.ts';
import { Origin, type ReceivingPeer } from '../../src/sync/origin.ts';
import type { LanePort } from '../../src/sync/ports.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import type { Message } from '../../src/wire/messages.ts';
import { hashing } from '../hashing.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, MemorySink, MemorySource } from './harness.ts';

/** Can be read back, as sharing needs, and holds its chunks up: nobody is done in these tests. */
class Readable extends MemorySink {
  override write(): Promise<void> {
    return new Promise(() => {});
  }
  async read(): Promise<number> {
    return 0;
  }
}

interface Met extends Introduction {
  heard: string[];
  end?: 'forgotten' | 'ended';
}

class Pair {
  readonly peer: ReceivingPeer;
  readonly receiver: Receiver;
  readonly met: Met[] = [];
  /** Messages that reached the receiver, by type. */
  readonly #heard = new Map<string, number>();
  readonly #ends: [LanePort, LanePort][] = [];

  constructor(
    origin: Origin,
    clock: VirtualClock,
    { shares = true, sink = new Readable() as MemorySink } = {},
  ) {
    const means = {
      ...hashing,
      allocate: (bytes: number) => new Uint8Array(bytes),
      clock,
      limit: undefined,
    };
    const nothing = () => {};
    const fail = (error: Error) => {
      throw error;
    };
    const progress = {
      awaits: nothing,
      progress: nothing,
      resumed: nothing,
      kept: nothing,
      complete: nothing,
      fail,
    };
    this.peer = origin.peer({ ...progress, accepted: nothing, confirmed: nothing });
    this.receiver = new Receiver({
      ...{ ...means, ...progress, gone: nothing, stalled: () => false, random: () => 0 },
      open: async (_header, { entries }) => {
        await sink.open(entries);
        return sink;
      },
      meet: shares ? (introduction) => this.#meet(introduction) : undefined,
    });
  }

  /** One more lane between the two. */
  connect(): void {
    let open = true;
    const end = (id: number, to: () => (message: Message) => void): LanePort => ({
      ...{ id, kind: 'fake', close: () => {} },
      send: async (message) => {
        await Promise.resolve();
        if (open && message.type !== 'blocks') to()(message);
      },
    });
    const id = this.#ends.length;
    const far: LanePort = end(id, () => (message) => {
      this.#heard.set(message.type, this.heard(message.type) + 1);
      this.receiver.message(near, message);
    });
    const near: LanePort = end(id, () => (message) => this.peer.message(far, message));
    this.#ends.push([far, near]);
    this.peer.addLane(far);
    this.receiver.addLane(near);
    this.cut = () => {
      open = false;
      this.peer.removeLane(far);
      this.receiver.removeLane(near);
    };
  }

  cut = () => {};

  heard(type: Message['type']): number {
    return this.#heard.get(type) ?? 0;
  }

  #meet(introduction: Introduction) {
    const one: Met = { ...introduction, heard: [] };
    this.met.push(one);
    return {
      hear: (body: string) => void one.heard.push(body),
      forget: () => {
        one.end = 'forgotten';
      },
      end: () => {
        one.end = 'ended';
      },
    };
  }

  get known(): Met[] {
    return this.met.filter(({ end }) => end === undefined);
  }
}

function offer(swarm = true) {
  const clock = new VirtualClock();
  const origin = new Origin(new MemorySource({ a: new Uint8Array(3 * CHUNK).fill(7) }), CHUNK, {
    ...{ ...hashing, allocate: (bytes: number) => new Uint8Array(bytes), clock, limit: undefined },
    ...{ sha256: false, update: false, gone: () => {}, swarm: swarm ? { random: () => 0.5 } : undefined },
  });
  const join = async (options: ConstructorParameters<typeof Pair>[2] = {}) => {
    const pair = new Pair(origin, clock, options);
    pair.connect();
    await clock.pass(1000);
    return pair;
  };
  return { clock, origin, join };
}

describe('receivers that share', () => {
  it('are introduced once they have somewhere to put it, and what they say reaches the other', async () => {
    const { clock, join } = offer();
    const [one, other] = [await join(), await join()];
    assert.deepEqual([one.known.length, other.known.length], [1, 1]);
    assert.notEqual(one.known[0]!.dials, other.known[0]!.dials);
    one.known[0]!.say('here');
    await clock.pass(10);
    assert.deepEqual(other.known[0]!.heard, ['here']);
  });

  it('are those who can give: not one that does not want to, nor one that cannot read again what it wrote', async () => {
    const { join } = offer();
    const one = await join();
    const [silent, writer] = [await join({ shares: false }), await join({ sink: new MemorySink() })];
    assert.deepEqual(
      [one, silent, writer].map(({ met }) => met.length),
      [0, 0, 0],
    );
    const apart = offer(false);
    const two = [await apart.join(), await apart.join()];
    assert.deepEqual(
      two.map(({ met }) => met.length),
      [0, 0],
    );
  });

  it('know that they share the line of the origin for as long as somebody else is there', async () => {
    const { clock, join } = offer();
    const one = await join();
    await clock.pass(5_000);
    assert.deepEqual([one.receiver.shared, one.heard('given')], [false, 0], 'nobody else');
    const other = await join();
    assert.deepEqual([one.receiver.shared, other.receiver.shared], [true, true]);
    assert.ok(one.heard('given') > 0 && other.heard('given') > 0);
    other.peer.stop();
    await clock.pass(1000);
    assert.equal(one.receiver.shared, false);
  });

  it('part for a pause of either side, and are introduced anew after it', async () => {
    const { clock, join } = offer();
    const [one, other] = [await join(), await join()];
    for (const engine of [one.receiver, one.peer]) engine.rest();
    await clock.pass(1000);
    assert.deepEqual([one.met[0]!.end, other.met[0]!.end], ['ended', 'forgotten']);
    for (const engine of [one.peer, one.receiver]) engine.run();
    await clock.pass(1000);
    assert.deepEqual([one.known.length, other.known.length], [1, 1]);
  });

  it('stay so while one has no lane to the origin, and hear afterwards what was said meanwhile', async () => {
    const { clock, join } = offer();
    const [one, other] = [await join(), await join()];
    one.cut();
    other.known[0]!.say('moved');
    const third = await join();
    assert.deepEqual([one.known.length, other.known.length, third.known.length], [1, 2, 2]);
    one.connect();
    await clock.pass(1000);
    assert.equal(one.known.length, 2);
    assert.deepEqual(one.known[0]!.heard, ['moved']);
  });

  it('are introduced as others when one is a new process, or has ended', async () => {
    const { clock, join } = offer();
    const [one, other] = [await join(), await join()];
    one.peer.restart();
    await clock.pass(10);
    assert.equal(other.met[0]!.end, 'forgotten');
    const third = await join();
    assert.equal(other.known.length, 1);
    third.peer.stop();
    await clock.pass(10);
    assert.equal(other.known.length, 0);
  });
});
