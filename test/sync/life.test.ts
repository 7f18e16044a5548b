/** A chunk has one life: whatever comes twice, late, or in the middle of a write, it is written once and from one copy. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { BLOCK_BYTES, PROTOCOL_VERSION } from '../../src/base/limits.ts';
import { encodePages } from '../../src/offer/manifest.ts';
import type { Extent } from '../../src/offer/space.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import type { BlocksHeader } from '../../src/wire/messages.ts';
import { hashing } from '../hashing.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, entry, FakeLane, MemorySink } from './harness.ts';

const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
const turn = () => new Promise((resolve) => setImmediate(resolve));
const turns = async (count = 20) => {
  for (let i = 0; i < count; i++) await turn();
};

/** Writes end when the test says so. */
class SlowSink extends MemorySink {
  readonly begun: number[] = [];
  readonly ends: (() => void)[] = [];
  override async write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
  ): Promise<void> {
    this.begun.push(chunk);
    await new Promise<void>((resolve) => this.ends.push(resolve));
    await super.write(chunk, extents, data);
  }
}

/** A receiver with lanes whose time and answers are the test's. */
async function world(sizes: number[], lanes: number) {
  const sink = new SlowSink();
  const clock = new VirtualClock();
  const roots: Uint8Array[] = [];
  const errors: string[] = [];
  const progress: number[] = [];
  const receiver = new Receiver({
    ...hashing,
    allocate: (bytes) => new Uint8Array(bytes),
    clock,
    random: () => 0,
    limit: undefined,
    progress: (bytes) => progress.push(bytes),
    awaits: () => {},
    resumed: () => {},
    kept: () => {},
    open: async (_header, { entries, space }) => {
      await sink.open(entries);
      assert.ok(space.chunks > 0);
      return sink;
    },
    gone: () => {},
    stalled: () => false,
    complete: ({ root }) => roots.push(root),
    fail: (error) => errors.push(error.code),
  });
  const all = Array.from({ length: lanes }, (_, id) => new FakeLane(id));
  for (const lane of all) receiver.addLane(lane);
  const entries = sizes.map((size, i) => entry(`f${i}`, size));
  const pages = encodePages(entries);
  const fixed = {
    version: PROTOCOL_VERSION,
    kind: 'files' as const,
    chunkSize: CHUNK,
    hash: 'sha256' as const,
    sha256: false,
    update: false,
  };
  const bytes = sizes.reduce((a, b) => a + b, 0);
  receiver.message(all[0]!, { type: 'offer', ...fixed, entries: entries.length, pages: pages.length, bytes });
  for (const [page, body] of pages.entries()) receiver.message(all[0]!, { type: 'page', page, bytes: body });
  await turns();
  /** Lets so much time pass, and everybody look who waited for it. */
  const pass = async (seconds: number) => {
    await clock.pass(seconds * 1000);
    await turns();
  };
  /** Ranges that were asked for on a lane and not taken from here yet. */
  const taken = new Set<object>();
  const asked = (lane: FakeLane) =>
    lane.sent
      .flatMap((message) => (message.type === 'get' ? message.ranges : []))
      .filter((range) => !taken.has(range));
  /** Answers all that a lane was asked for, with these bytes of the chunk. */
  const answer = async (lane: FakeLane, data: Uint8Array) => {
    for (const range of asked(lane)) {
      taken.add(range);
      const offset = range.from * BLOCK_BYTES;
      const part = data.subarray(offset, range.to * BLOCK_BYTES);
      const header: BlocksHeader = {
        index: range.index,
        length: data.length,
        form: 'data',
        hash: sha256(data),
        offset,
        bytes: part.length,
      };
      receiver.land(lane, header).put(part);
    }
    await turns();
  };
  return { receiver, sink, lanes: all, pass, asked, answer, roots, errors, progress };
}

test('a chunk that takes seconds to be written is not asked for again, and nothing ends before it is down', async () => {
  const sizes = Array.from({ length: 200 }, () => 4096);
  const { sink, lanes, pass, asked, answer, errors, progress } = await world(sizes, 3);
  const data = new Uint8Array(200 * 4096).fill(7);
  for (let i = 0; i < 10 && sink.begun.length === 0; i++) {
    for (const lane of lanes) await answer(lane, data);
    await pass(0.1);
  }
  assert.deepEqual(sink.begun, [0]);
  for (let i = 0; i < 30; i++) await pass(0.5);
  for (const lane of lanes) assert.deepEqual(asked(lane), [], 'it was asked for again while it is written');
  assert.ok(!sink.finished, 'the end began before the chunk was written');
  assert.ok(Math.max(...progress.slice(-5)) <= data.length);
  sink.ends[0]!();
  await turns();
  assert.deepEqual(sink.begun, [0]);
  assert.ok(sink.finished);
  assert.deepEqual(errors, []);
});

test('protects from: one chunk three times with different content while it is being written', async () => {
  const { receiver, sink, lanes, pass, asked, answer, errors } = await world([1000], 3);
  const copies = [1, 2, 3].map((fill) => new Uint8Array(1000).fill(fill));
  // The first lane is silent until others were asked for the same.
  for (let i = 0; i < 10 && asked(lanes[1]!).length === 0; i++) await pass(0.5);
  const owing = lanes.filter((lane) => asked(lane).length > 0);
  assert.ok(owing.length >= 2, 'nobody was asked in place of the silent lane');
  await answer(owing[0]!, copies[0]!);
  assert.deepEqual(sink.begun, [0]);
  // Asked for on this lane too, so that the lane may live; but what it brings is too late.
  await answer(owing[1]!, copies[1]!);
  // Not asked for at all.
  const header = { index: 0, length: 1000, form: 'data' as const, offset: 0, bytes: 1000 };
  for (const lane of lanes)
    assert.throws(() => receiver.land(lane, { ...header, hash: sha256(copies[2]!) }), { code: 'PROTOCOL' });
  sink.ends[0]!();
  await turns();
  assert.deepEqual(sink.begun, [0], 'another copy was written');
  assert.deepEqual(sink.files[0], copies[0]);
  const finish = lanes.flatMap(({ sent }) => sent).find((message) => message.type === 'finish');
  assert.ok(finish, 'it is over');
  assert.deepEqual(errors, []);
});

test('what arrived of a chunk is not lost with its lane', async () => {
  const { receiver, sink, lanes, pass, asked, answer } = await world([CHUNK], 2);
  const data = new Uint8Array(CHUNK).fill(9);
  const [first, second] = lanes as [FakeLane, FakeLane];
  const range = asked(first)[0]!;
  const header = { index: 0, length: CHUNK, form: 'data' as const, hash: sha256(data), offset: 0 };
  const landing = receiver.land(first, { ...header, bytes: range.to * BLOCK_BYTES });
  // Two blocks and a half, and the lane is dead.
  landing.put(data.subarray(0, 2.5 * BLOCK_BYTES));
  landing.cut();
  receiver.removeLane(first);
  await turns();
  const again = () => asked(second).filter(({ from }) => from < range.to);
  for (let i = 0; i < 10 && sink.begun.length === 0; i++) {
    for (const { from } of again()) assert.ok(from >= 2, 'a block that was here is asked for again');
    await answer(second, data);
    await pass(0.1);
  }
  sink.ends[0]!();
  await turns();
  assert.deepEqual(sink.files[0], data);
});

test('blocks of one chunk come over several lanes', async () => {
  const { sink, lanes, pass, asked, answer } = await world([CHUNK], 3);
  const shares = lanes.map((lane) => asked(lane).map(({ index, from }) => `${index}:${from}`));
  assert.equal(new Set(shares.flat()).size, 3, 'each lane was asked for another part');
  const data = new Uint8Array(CHUNK).fill(5);
  for (let i = 0; i < 20 && sink.begun.length === 0; i++) {
    for (const lane of lanes) await answer(lane, data);
    await pass(0.1);
  }
  sink.ends[0]!();
  await turns();
  assert.deepEqual(sink.files[0], data);
});
