/** Each engine against a peer that does not play by the rules, message by message. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { TokenBucket } from '../../src/base/bucket.ts';
import { realClock } from '../../src/base/clock.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { BLOCK_BYTES, PROTOCOL_VERSION } from '../../src/base/limits.ts';
import { atOnce } from '../../src/base/slices.ts';
import { type Entry, encodePages, type OfferHeader } from '../../src/offer/manifest.ts';
import { ManifestPull } from '../../src/sync/manifest-pull.ts';
import { Origin, type ReceivingPeer } from '../../src/sync/origin.ts';
import type { Sink } from '../../src/sync/ports.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import { decodeAddress, formatAddress } from '../../src/wire/candidate.ts';
import type { BlockRange, Message } from '../../src/wire/messages.ts';
import { decodeHello } from '../../src/wire/signal.ts';
import { hashing } from '../hashing.ts';
import { helloOf } from '../hello.ts';
import { CHUNK, entry, FakeLane, MemorySink, MemorySource, Pair } from './harness.ts';

const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

const means = {
  ...hashing,
  allocate: (bytes: number) => new Uint8Array(bytes),
  limit: undefined,
  progress: () => {},
  awaits: () => {},
  resumed: () => {},
  kept: () => {},
  clock: realClock,
  random: () => 0,
};

interface Told {
  roots: Uint8Array[];
  errors: BeelineError[];
}

function receiverFor(sink: Sink, told: Told): Receiver {
  return new Receiver({
    ...means,
    open: async (_header, { entries, space, pages }) => {
      await sink.open(entries, space, 'sha256', pages);
      return sink;
    },
    gone: () => {},
    stalled: () => false,
    complete: ({ root }) => told.roots.push(root),
    fail: (error) => told.errors.push(error),
  });
}

function senderFor(source: MemorySource, told: Told): ReceivingPeer {
  return new Origin(source, CHUNK, { ...means, sha256: false, update: false, gone: () => {} }).peer({
    ...means,
    accepted: () => {},
    confirmed: () => {},
    complete: ({ root }) => told.roots.push(root),
    fail: (error) => told.errors.push(error),
  });
}

function offerOf(entries: Entry[], pages: number, more: Partial<OfferHeader> = {}): Message {
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  const fixed = {
    version: PROTOCOL_VERSION,
    kind: 'files' as const,
    chunkSize: CHUNK,
    hash: 'sha256' as const,
    sha256: false,
    update: false,
  };
  return { type: 'offer', ...fixed, entries: entries.length, pages, bytes, ...more };
}

/** A receiver that has been offered entries and has asked for chunks. */
async function offered(entries: Entry[], sink: Sink, told: Told, more: Partial<OfferHeader> = {}) {
  const receiver = receiverFor(sink, told);
  const lane = new FakeLane();
  receiver.addLane(lane);
  const pages = encodePages(entries);
  receiver.message(lane, offerOf(entries, pages.length, more));
  for (const [page, bytes] of pages.entries()) receiver.message(lane, { type: 'page', page, bytes });
  await turn();
  /** Up to which block a request was answered. */
  const answered = new Map<BlockRange, number>();
  /** Answers what was asked for of a chunk, up to a block, and goes on doing so until all of it has been. */
  const chunk = async (index: number, data: Uint8Array, blocks = Math.ceil(data.length / BLOCK_BYTES)) => {
    for (let idle = 0; idle < 2; idle++) {
      for (const range of lane.all('get').flatMap(({ ranges }) => ranges)) {
        const from = answered.get(range) ?? range.from;
        const to = Math.min(range.to, blocks);
        if (range.index !== index || from >= to) continue;
        answered.set(range, to);
        idle = 0;
        const offset = from * BLOCK_BYTES;
        const part = data.subarray(offset, to * BLOCK_BYTES);
        const { length } = data;
        const fixed = { index, length, form: 'data' as const, hash: sha256(data) };
        receiver.land(lane, { ...fixed, offset, bytes: part.length }).put(part);
      }
      await turn();
    }
  };
  return { receiver, lane, chunk };
}

test('a stream that is ended early does not count chunks past its end for missing ones', async () => {
  const told: Told = { roots: [], errors: [] };
  const sink = new MemorySink();
  sink.write = async () => {};
  const { lane, chunk } = await offered([entry('s', 0)], sink, told, { kind: 'stream', bytes: undefined });
  const asked = () => lane.all('get').flatMap(({ ranges }) => ranges.map(({ index }) => index));
  const full = new Uint8Array(CHUNK).fill(1);
  // Chunk 0 never comes whole; as many others do as the shortened stream has chunks.
  const short = full.subarray(0, 10);
  for (const index of [0, 1, 3]) {
    while (!asked().includes(index)) await turn();
    await chunk(index, full, 60);
    // A lane is asked for more once its rate is known.
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  while (!asked().includes(4)) await turn();
  for (const [index, data] of [
    [1, full],
    [3, full],
    [4, full],
    [2, short],
  ] as const) {
    assert.ok(asked().includes(index), `chunk ${index} was not asked for`);
    await chunk(index, data);
  }
  await turn();
  assert.equal(lane.all('finish').length, 0);
  assert.ok(!sink.finished);
});

test('finished on every lane ends a transfer once', async () => {
  const told: Told = { roots: [], errors: [] };
  const { receiver, lane, chunk } = await offered([entry('a', 10)], new MemorySink(), told);
  await chunk(0, new Uint8Array(10).fill(7));
  const root = lane.all('finish')[0]!.root;
  for (let i = 0; i < 4; i++) receiver.message(lane, { type: 'finished', root, started: 0, ended: 0 });
  assert.equal(told.roots.length, 1);
});

test('finish on every lane ends a transfer once, and a wrong root is no success', async () => {
  for (const right of [true, false]) {
    const told: Told = { roots: [], errors: [] };
    const sender = senderFor(new MemorySource({ a: new Uint8Array(10).fill(7) }), told);
    const lane = new FakeLane();
    sender.addLane(lane);
    sender.message(lane, { type: 'get', spare: false, ranges: [{ index: 0, from: 0, to: 1 }] });
    await turn();
    // What an honest receiver would compute is what the sender answers.
    sender.message(lane, { type: 'finish', root: new Uint8Array(32), gone: [] });
    await turn();
    assert.equal(told.roots.length, 0);
    assert.equal(told.errors[0]?.code, 'VERIFICATION');
    if (!right) continue;
    const root = lane.all('finished')[0]!.root;
    const again: Told = { roots: [], errors: [] };
    const honest = senderFor(new MemorySource({ a: new Uint8Array(10).fill(7) }), again);
    const lanes = [new FakeLane(), new FakeLane()];
    honest.addLane(lanes[0]!);
    honest.message(lanes[0]!, { type: 'get', spare: false, ranges: [{ index: 0, from: 0, to: 1 }] });
    await turn();
    for (let i = 0; i < 4; i++) honest.message(lanes[0]!, { type: 'finish', root, gone: [] });
    await turn();
    assert.equal(again.roots.length, 1);
    assert.equal(lanes[0]!.all('finished').length, 4);
  }
});

test('a receiver cannot declare files gone that the sender has', () => {
  const told: Told = { roots: [], errors: [] };
  const sender = senderFor(new MemorySource({ a: new Uint8Array(10) }), told);
  const lane = new FakeLane();
  sender.addLane(lane);
  const finish = { type: 'finish' as const, root: new Uint8Array(32), gone: [0] };
  assert.throws(() => sender.message(lane, finish), { code: 'PROTOCOL' });
});

test('thousands of files that vanish at once fit any lane, and arrive before their zeros', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [`f${i}`, new Uint8Array(100).fill(1)]),
  );
  const source = new MemorySource(files);
  source.onRead = (extents) => {
    const paths = extents.map((extent) => source.entries[extent.entry]!.path);
    throw new BeelineError('SOURCE_CHANGED', 'all changed', { paths });
  };
  const sink = new MemorySink();
  const pair = new Pair(source, sink);
  pair.connect();
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  assert.equal(pair.opened, 2);
  assert.equal(pair.outcome.gone.length, 3000);
  assert.equal(sink.dropped.size, 3000);
});

test('a write that never ends does not keep a receiver from stopping', async () => {
  const told: Told = { roots: [], errors: [] };
  const sink = new MemorySink();
  let giveUp = () => {};
  sink.write = () =>
    new Promise((_resolve, reject) => {
      giveUp = () => reject(new BeelineError('CANCELLED', 'given up'));
    });
  sink.close = async () => giveUp();
  const { receiver, chunk } = await offered([entry('a', 10)], sink, told);
  await chunk(0, new Uint8Array(10));
  await receiver.stop();
});

test('a page that holds more entries than were offered is refused before the next is decoded', () => {
  const many = encodePages(Array.from({ length: 20_000 }, (_, i) => entry(`f${i}`, 0)));
  assert.ok(many.length > 1);
  const offer = {
    version: 1,
    kind: 'files' as const,
    entries: 10,
    bytes: 0,
    chunkSize: CHUNK,
    hash: 'sha256' as const,
    sha256: false,
    update: false,
  };
  const pull = new ManifestPull({ ...offer, pages: 2 });
  pull.take(0, many[0]!);
  // Not a page at all: reaching it would end in PROTOCOL.
  pull.take(1, new Uint8Array([255]));
  assert.throws(() => atOnce(pull.decoding()), { code: 'BAD_MANIFEST' });
});

test('a file of absurd size is refused before anything is kept for its chunks', () => {
  const entries = [entry('a', 2 ** 52)];
  const offer = {
    version: 1,
    kind: 'files' as const,
    entries: 1,
    bytes: 2 ** 52,
    chunkSize: CHUNK,
    hash: 'sha256' as const,
  };
  const pull = new ManifestPull({ ...offer, pages: 1, sha256: false, update: false });
  pull.take(0, encodePages(entries)[0]!);
  assert.throws(() => atOnce(pull.decoding()), { code: 'BAD_MANIFEST' });
});

test('an address in a hello is one: a name spelled in hex digits is none', () => {
  for (const host of [
    'bad.cafe',
    'dead.beef.de',
    'a.b',
    '1.1',
    'abc',
    '1.2.3.4.5',
    'a:b',
    '[a:b]',
    'dead.beef',
  ])
    assert.equal(decodeAddress(`${host}:1`), undefined, host);
  for (const host of ['10.0.0.1', '::1', 'fd00::7', '2001:db8:0:0:0:0:0:1'])
    assert.deepEqual(decodeAddress(formatAddress({ host, port: 65535 })), { host, port: 65535 });
  for (const odd of [7, null, '', '10.0.0.1', '10.0.0.1:0', '10.0.0.1:65536', '::1:80', '[::1]', '[::1]:x'])
    assert.equal(decodeAddress(odd), undefined, String(odd));
  for (const host of ['bad.cafe', 'dead.beef.de', 'a:b', 7])
    assert.throws(() => decodeHello(JSON.stringify({ ...helloOf(), hosts: [host] })), { code: 'PROTOCOL' });
});

test('a limit does not make a small transfer wait, and is kept all the same', () => {
  const bucket = new TokenBucket(1000, 200, { now: () => 0 });
  assert.equal(bucket.pass(5000), 0);
  assert.equal(bucket.pass(200), 5000);
});
