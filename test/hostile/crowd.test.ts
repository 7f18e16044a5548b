/** What one of many receivers may ask, claim and say without end, at the engines of the sender and of the other receivers. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { BeelineError } from '../../src/base/errors.ts';
import { BLOCK_BYTES } from '../../src/base/limits.ts';
import type { Extent } from '../../src/offer/space.ts';
import type { Helper } from '../../src/sync/helper.ts';
import { Origin, type ReceivingPeer } from '../../src/sync/origin.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import { hashing } from '../hashing.ts';
import { CHUNK, FakeLane, hashOf, MemorySink, MemorySource, wired } from '../sync/harness.ts';
import { VirtualClock } from '../virtual-clock.ts';

const COUNT = 16;
const CONTENT = new Uint8Array(COUNT * CHUNK).map((_, at) => (at >> 14) + (at >> 20) * 7 + 1);

class Readable extends MemorySink {
  async read(_chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    for (const { entry, offset, length, at } of extents)
      into.set(this.files[entry]!.subarray(offset, offset + length), at);
    return extents.reduce((sum, { length }) => sum + length, 0);
  }
}

/** An origin of `COUNT` chunks that gives at most `limit` bytes a second, and receivers that share. */
function offer(limit?: number) {
  const clock = new VirtualClock();
  const allocate = (bytes: number) => new Uint8Array(bytes);
  const means = { ...hashing, allocate, clock, limit: undefined };
  const nothing = () => {};
  const progress = { awaits: nothing, progress: nothing, resumed: nothing, kept: nothing };
  const met: number[] = [];
  const origin = new Origin(new MemorySource({ f: CONTENT }), CHUNK, {
    ...{ ...means, limit, sha256: false, update: false, gone: nothing, swarm: { random: () => 0 } },
  });
  const peer = (errors: BeelineError[] = []): ReceivingPeer =>
    origin.peer({
      ...{ ...progress, accepted: nothing, confirmed: nothing, complete: nothing },
      fail: (error) => void errors.push(error),
    });
  /** A receiver with a lane to the origin. */
  const join = async () => {
    const sink = new Readable();
    const number = met.push(0) - 1;
    const told = { complete: 0 };
    const receiver = new Receiver({
      ...{ ...means, ...progress, gone: nothing, stalled: () => false, random: () => 0 },
      open: async (_header, { entries }) => {
        await sink.open(entries);
        return sink;
      },
      complete: () => void told.complete++,
      fail: (error) => assert.fail(error),
      meet: () => {
        met[number]!++;
        return { hear: nothing, forget: nothing, end: nothing };
      },
    });
    const served = peer();
    const { cut } = wired(1, served, receiver);
    return { receiver, served, sink, told, cut, met: () => met[number]! };
  };
  return { clock, origin, peer, join };
}

/** One more receiver as another sees it, whose lane the test speaks on. */
function linked(receiver: Receiver, lane = new FakeLane(7)) {
  const errors: BeelineError[] = [];
  const helper: Helper = receiver.helper({
    ...{ asks: () => {}, content: () => {}, ended: () => {} },
    fail: (error) => {
      errors.push(error);
      helper.stop();
    },
  });
  helper.addLane(lane);
  return { helper, lane, errors };
}

const whole = { from: 0, to: CHUNK / BLOCK_BYTES };
/** A map that claims all chunks. */
const ALL = { type: 'holds' as const, first: 0, bits: new Uint8Array(COUNT / 8).fill(0xff) };

/** Takes what comes, and does not keep it. */
class Counting extends FakeLane {
  came = 0;
  override async send(message: Parameters<FakeLane['send']>[0]): Promise<void> {
    if (message.type === 'blocks') this.came += message.bytes;
    else await super.send(message);
  }
}

it('protects from: a member that asks another one for every chunk again and again', async () => {
  const { clock, join } = offer();
  const { receiver, told } = await join();
  await clock.pass(30_000);
  assert.equal(told.complete, 1);
  const { helper, lane, errors } = linked(receiver, new Counting(7));
  for (let round = 1; round <= 10 && errors.length === 0; round++) {
    for (let index = 0; index < COUNT; index++)
      helper.message(lane, { type: 'get', spare: false, ranges: [{ index, ...whole }] });
    await clock.pass(500);
    // What died with its lanes may well be asked for again.
    if (round <= 3) assert.deepEqual([errors, (lane as Counting).came], [[], round * CONTENT.length]);
  }
  assert.deepEqual(
    errors.map(({ code, reason }) => [code, reason]),
    [['PROTOCOL', 'PEER_MISBEHAVES']],
  );
  assert.ok(
    (lane as Counting).came < 7 * CONTENT.length,
    `${(lane as Counting).came / CONTENT.length} copies`,
  );
  await receiver.stop();
});

it('protects from: a receiver that asks the sender for a chunk, its hash or a page again and again', async () => {
  for (const what of ['chunk', 'page', 'chunk of each new process'] as const) {
    const { clock, peer } = offer();
    const errors: BeelineError[] = [];
    const one = peer(errors);
    const lane = new Counting(1);
    one.addLane(lane);
    let asked = 0;
    try {
      for (; asked < 1000 && errors.length === 0; asked++) {
        if (what === 'page') one.message(lane, { type: 'get-page', page: 0 });
        else one.message(lane, { type: 'get', spare: false, ranges: [{ index: 3, ...whole }] });
        await clock.pass(50);
        if (what === 'chunk of each new process' && asked % 3 === 2) one.restart();
      }
    } catch (thrown) {
      errors.push(thrown as BeelineError);
    }
    assert.deepEqual(
      errors.map(({ reason }) => reason),
      ['PEER_MISBEHAVES'],
    );
    assert.ok(asked > 30 && asked < 200, `asked ${asked} times for a ${what}`);
    one.stop();
  }
});

it('protects from: a member that says what it has without end', async () => {
  const { clock, join } = offer();
  const { receiver, cut } = await join();
  cut();
  await clock.pass(100);
  const { helper, lane } = linked(receiver);
  const honest = linked(receiver, new FakeLane(8));
  honest.helper.addLane(new FakeLane(9));
  // As it is told of on two lanes, chunk by chunk.
  const bits = new Uint8Array(COUNT / 8);
  for (let index = 0; index < COUNT; index++) {
    bits[index >> 3]! |= 1 << (index & 7);
    for (let lanes = 0; lanes < 2; lanes++)
      honest.helper.message(honest.lane, { ...ALL, bits: bits.slice() });
  }
  let said = 0;
  assert.throws(
    () => {
      for (; said < 10_000; said++) helper.message(lane, ALL);
    },
    { reason: 'PEER_MISBEHAVES' },
  );
  assert.ok(said > 15 && said < 200, `said ${said} times`);
  await receiver.stop();
});

it('protects from: a receiver that comes and goes without end, so that others meet nobody else', async () => {
  const { clock, join } = offer(CHUNK / 8);
  const [restless, other] = [await join(), await join()];
  await clock.pass(100);
  const met = other.met();
  for (let at = 0; at < 300; at++) {
    restless.served.rest();
    restless.served.run();
    await clock.pass(100);
  }
  assert.ok(other.met() - met <= 12, `met ${other.met() - met} times in 30 s`);
  restless.served.rest();
  await clock.pass(100);
  const before = other.met();
  restless.served.run();
  await join();
  await clock.pass(5_000);
  assert.ok(other.met() > before, 'a newcomer is met');
  await clock.pass(20_000);
  assert.ok(restless.met() > 0);
  for (const { receiver, served } of [restless, other]) {
    await receiver.stop();
    served.stop();
  }
});

for (const how of [
  'never answers',
  'answers a byte at a time',
  'says each time that it lacks what it was asked for',
])
  it(`protects from: a member that claims every chunk and ${how}`, async () => {
    // A chunk in eight seconds.
    const { clock, join } = offer(CHUNK / 8);
    const { receiver, sink, told } = await join();
    const { helper, lane, errors } = linked(receiver);
    const say = () => {
      try {
        helper.message(lane, ALL);
      } catch (thrown) {
        errors.push(thrown as BeelineError);
        helper.stop();
      }
    };
    const asked: number[] = [];
    let landing: { put: (bytes: Uint8Array) => void } | undefined;
    let seconds = 0;
    for (; seconds < 400 && told.complete === 0; seconds++) {
      await clock.pass(1000);
      if (errors.length > 0) continue;
      if (seconds % 5 === 0) say();
      for (let round = 0; round < 50 && errors.length === 0; round++)
        for (const { index, from, to } of lane.asked()) {
          asked.push(index);
          if (how.includes('lacks')) {
            helper.message(lane, { type: 'lacks', index, from, to });
            say();
          }
          if (!how.includes('byte') || landing) continue;
          const hash = hashOf(CONTENT.subarray(index * CHUNK, (index + 1) * CHUNK));
          const part = { offset: from * BLOCK_BYTES, bytes: BLOCK_BYTES };
          landing = helper.land(lane, { index, length: CHUNK, form: 'data', hash, ...part });
        }
      landing?.put(CONTENT.subarray(0, 1));
    }
    assert.equal(told.complete, 1, 'its chunks are taken over');
    assert.ok(seconds < 160, `${seconds} s`);
    assert.equal(Buffer.compare(sink.files[0]!, CONTENT), 0);
    if (how.includes('lacks')) assert.equal(asked.length, new Set(asked).size, 'it is asked once for each');
    else
      assert.deepEqual(
        errors.map(({ reason }) => reason),
        ['MEMBER_SILENT'],
      );
    await receiver.stop();
  });
