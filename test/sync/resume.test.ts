/** What the engines make of chunks that are there already: held, guessed, and gone again with a new process. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { realClock } from '../../src/base/clock.ts';
import { BLOCK_BYTES } from '../../src/base/limits.ts';
import { encodePages } from '../../src/offer/manifest.ts';
import type { ChunkHash } from '../../src/offer/merkle.ts';
import { ChunkHashes } from '../../src/offer/merkle.ts';
import type { Extent } from '../../src/offer/space.ts';
import { Origin } from '../../src/sync/origin.ts';
import type { LanePort } from '../../src/sync/ports.ts';
import type { Message } from '../../src/wire/messages.ts';
import { hashing } from '../hashing.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { CHUNK, FakeLane, hashOf, MemorySink, MemorySource, Pair } from './harness.ts';

const random = randomFrom(seed);

/** What a MemorySink had from before, chunk by chunk: certain, or worth a guess. */
class HoldingSink extends MemorySink {
  certain: ChunkHash[] = [];
  readonly guesses = new Map<number, Uint8Array>();
  readonly kept: number[] = [];
  readonly written: number[] = [];

  *held(): Generator<ChunkHash> {
    yield* this.certain;
  }
  comparable(chunk: number): boolean {
    return this.guesses.has(chunk);
  }
  async guess(chunk: number): Promise<Uint8Array | undefined> {
    return this.guesses.get(chunk);
  }
  async keep(chunk: number): Promise<void> {
    this.kept.push(chunk);
  }
  override async write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
  ): Promise<void> {
    this.written.push(chunk);
    await super.write(chunk, extents, data);
  }
}

describe('a receiver that has something already', () => {
  const file = randomBytes(random, 6 * CHUNK);
  const part = (chunk: number) => hashOf(file.subarray(chunk * CHUNK, (chunk + 1) * CHUNK));

  test('what is held does not move, what is guessed right does not either, and the roots are equal', async () => {
    const source = new MemorySource({ a: file });
    const sink = new HoldingSink();
    sink.certain = [0, 3].map((index) => ({ index, hash: part(index) }));
    sink.guesses.set(1, part(1));
    sink.guesses.set(5, part(4));
    const pair = new Pair(source, sink);
    pair.connect();
    await pair.done;
    assert.equal(pair.outcome.error, undefined);
    assert.deepEqual(pair.outcome.sent, pair.outcome.received);
    assert.deepEqual(sink.kept, [1]);
    assert.deepEqual(sink.written.sort(), [2, 4, 5]);
    assert.equal(source.reads, 4, 'what is held is not even read');
  });

  test('whatever is held, and whenever lanes die', async () => {
    for (let round = 0; round < 10; round++) {
      const sink = new HoldingSink();
      for (let chunk = 0; chunk < 6; chunk++) {
        const dice = random();
        if (dice < 0.3) sink.certain.push({ index: chunk, hash: part(chunk) });
        else if (dice < 0.6) sink.guesses.set(chunk, random() < 0.5 ? part(chunk) : part((chunk + 1) % 6));
      }
      const pair = new Pair(new MemorySource({ a: file }), sink);
      const faulty = () =>
        pair.connect(pair.opened < 8 ? { cutAfter: Math.floor(random() * 4 * CHUNK) } : {});
      pair.onLost = faulty;
      faulty();
      await pair.done;
      assert.equal(pair.outcome.error, undefined, `round ${round}`);
      assert.deepEqual(pair.outcome.sent, pair.outcome.received);
    }
  });

  test('what is held and is not what the sender has sent before is no success', async () => {
    const source = new MemorySource({ a: file });
    const first = new HoldingSink();
    const pair = new Pair(source, first);
    pair.connect();
    await pair.done;
    assert.equal(pair.outcome.error, undefined);
    const { lane, sender, told } = senderOf(source);
    sender.message(lane, { type: 'get', spare: false, ranges: whole(0, 1, 2, 3, 4, 5) });
    await settled();
    sender.removeLane(lane);
    sender.restart();
    const next = new FakeLane();
    sender.addLane(next);
    const wrong = Array.from({ length: 6 }, (_, index) => ({ index, hash: part(0) }));
    sender.message(next, { type: 'have', chunks: wrong });
    sender.message(next, { type: 'finish', root: rootOf(source, wrong), gone: [] });
    await settled();
    assert.equal(told.completed, 0);
    assert.equal(told.errors[0], 'VERIFICATION');
  });
});

test('a new receiver that skips what the one before was sent agrees with the sender', async () => {
  const file = randomBytes(random, 2 * CHUNK);
  const source = new MemorySource({ a: file.subarray(0, CHUNK), b: file.subarray(CHUNK) });
  const { lane, sender, told } = senderOf(source);
  sender.message(lane, { type: 'get', spare: false, ranges: whole(0, 1) });
  await settled();
  sender.removeLane(lane);
  sender.restart();
  const next = new FakeLane();
  sender.addLane(next);
  sender.message(next, { type: 'get', spare: false, ranges: whole(1) });
  await settled();
  const root = rootOf(source, [{ index: 1, hash: hashOf(file.subarray(CHUNK)) }]);
  sender.message(next, { type: 'finish', root, gone: [] });
  await settled();
  assert.deepEqual(told.errors, []);
  assert.equal(told.completed, 1);
});

test('a hash that was not asked for ends the lane', async () => {
  const sink = new HoldingSink();
  const pair = new Pair(new MemorySource({ a: new Uint8Array(CHUNK).fill(1) }), sink);
  const honest = pair.sender.message.bind(pair.sender);
  let said = false;
  pair.sender.message = (lane: LanePort, message: Message) => {
    if (message.type !== 'get' || said) return honest(lane, message);
    said = true;
    lane.send({ type: 'hash', index: 0, length: CHUNK, hash: hashOf(new Uint8Array(CHUNK).fill(1)) });
  };
  pair.onLost = () => pair.connect();
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  assert.equal(pair.opened, 2, 'the lane that lied is gone');
  assert.deepEqual(sink.kept, []);
});

test('what lies here never leaves: the sender hears which chunks are asked for, and no hash of them', async () => {
  const file = randomBytes(random, 3 * CHUNK);
  const sink = new HoldingSink();
  for (const chunk of [0, 1, 2]) sink.guesses.set(chunk, hashOf(randomBytes(random, 32)));
  const pair = new Pair(new MemorySource({ a: file }), sink);
  const honest = pair.sender.message.bind(pair.sender);
  const heard: Message[] = [];
  pair.sender.message = (lane: LanePort, message: Message) => {
    heard.push(message);
    honest(lane, message);
  };
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  const said = JSON.stringify(heard, (_key, value) =>
    value instanceof Uint8Array ? [...value].join() : value,
  );
  for (const guess of sink.guesses.values()) assert.ok(!said.includes([...guess].join()));
});

/** All blocks of chunks that are full. */
const whole = (...chunks: number[]) => chunks.map((index) => ({ index, from: 0, to: CHUNK / BLOCK_BYTES }));

function senderOf(source: MemorySource) {
  const told = { completed: 0, errors: [] as string[] };
  const origin = new Origin(source, CHUNK, {
    ...hashing,
    allocate: (bytes) => new Uint8Array(bytes),
    clock: realClock,
    limit: undefined,
    sha256: false,
    update: false,
    gone: () => {},
  });
  const sender = origin.peer({
    progress: () => {},
    awaits: () => {},
    resumed: () => {},
    kept: () => {},
    accepted: () => {},
    confirmed: () => {},
    complete: () => told.completed++,
    fail: (error) => told.errors.push(error.code),
  });
  const lane = new FakeLane();
  sender.addLane(lane);
  return { sender, lane, told };
}

/** The root of a transfer in which only these chunks moved. */
function rootOf(source: MemorySource, chunks: readonly ChunkHash[]): Uint8Array {
  const hashes = new ChunkHashes();
  for (const { index, hash } of chunks) hashes.set(index, hash);
  const count = Math.ceil(source.length / CHUNK);
  return hashes.root('sha256', encodePages(source.entries), count, () => false);
}

/** Lets everything that is ready run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}
