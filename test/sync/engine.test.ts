import assert from 'node:assert/strict';
import test from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, MemorySink, MemorySource, Pair, wired } from './harness.ts';

function same(source: MemorySource, sink: MemorySink): void {
  for (const [i, bytes] of source.files.entries()) {
    assert.ok(
      Buffer.from(bytes).equals(Buffer.from(sink.files[i]!)),
      `file ${source.entries[i]!.path} differs`,
    );
  }
}

const random = randomFrom(seed);
const mixed = () =>
  new MemorySource({
    'big.bin': randomBytes(random, 5 * CHUNK + 12345),
    empty: new Uint8Array(0),
    'small-1': randomBytes(random, 4096),
    'small-2': randomBytes(random, 70_000),
    zeros: new Uint8Array(3 * CHUNK),
    exact: randomBytes(random, CHUNK),
    tail: randomBytes(random, 1),
  });

test('a mixed tree arrives over one lane, and over several', async () => {
  for (const lanes of [1, 4]) {
    const source = mixed();
    const sink = new MemorySink();
    const pair = new Pair(source, sink);
    for (let i = 0; i < lanes; i++) pair.connect({ piece: 1 + Math.floor(random() * 70_000) });
    await pair.done;
    assert.equal(pair.outcome.error, undefined);
    assert.deepEqual(pair.outcome.sent, pair.outcome.received);
    assert.ok(sink.finished);
    same(source, sink);
  }
});

test('killing lanes at random through a transfer never changes a byte', async () => {
  for (let round = 0; round < 25; round++) {
    const source = mixed();
    const sink = new MemorySink();
    const pair = new Pair(source, sink);
    // Every lane dies after a random number of bytes and is replaced, until enough have died.
    const faulty = () => ({
      cutAfter: pair.opened < 40 ? Math.floor(random() * 1.5 * CHUNK) : undefined,
      piece: 1 + Math.floor(random() * 100_000),
    });
    pair.onLost = () => setImmediate(() => pair.connect(faulty()));
    for (let i = 0; i < 3; i++) pair.connect(faulty());
    await pair.done;
    assert.equal(pair.outcome.error, undefined, `round ${round}`);
    assert.ok(pair.opened > 3, 'no lane died');
    assert.deepEqual(pair.outcome.sent, pair.outcome.received);
    same(source, sink);
  }
});

test('a lane that stalls holds nothing back: an idle one takes over what it owes', async () => {
  const source = new MemorySource({ file: randomBytes(random, 12 * CHUNK) });
  const sink = new MemorySink();
  const clock = new VirtualClock();
  const pair = new Pair(source, sink, undefined, clock);
  const stalled = pair.connect();
  stalled.pause(); // the sender's end never hears its requests
  pair.connect();
  let over = false;
  void pair.done.then(() => {
    over = true;
  });
  while (!over && clock.now() < 60_000) {
    // The pipes are this process's own, and take its turns.
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    await clock.pass(100);
  }
  assert.ok(over, 'it does not end');
  assert.equal(pair.outcome.error, undefined);
  same(source, sink);
});

test('a slow disk slows the network: no more than the pool is ever in memory', async () => {
  const source = new MemorySource({ file: randomBytes(random, 40 * CHUNK) });
  const sink = new MemorySink();
  sink.delay = 5;
  const pair = new Pair(source, sink);
  for (let i = 0; i < 4; i++) pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  same(source, sink);
});

test('a file that changes under the sender is named and dropped, the rest arrives, roots agree', async () => {
  const source = mixed();
  let reads = 0;
  source.onRead = (extents) => {
    const touched = extents.some((extent) => source.entries[extent.entry]!.path === 'big.bin');
    if (touched && ++reads >= 2)
      throw new BeelineError('SOURCE_CHANGED', 'big.bin changed', { paths: ['big.bin'] });
  };
  const sink = new MemorySink();
  const pair = new Pair(source, sink);
  pair.connect();
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  assert.deepEqual(pair.outcome.gone, ['big.bin']);
  assert.deepEqual([...sink.dropped], [0]);
  assert.deepEqual(pair.outcome.sent, pair.outcome.received);
  for (let i = 1; i < source.files.length; i++) {
    assert.ok(Buffer.from(source.files[i]!).equals(Buffer.from(sink.files[i]!)), source.entries[i]!.path);
  }
});

test('skipped files are never asked for', async () => {
  const source = new MemorySource({ a: randomBytes(random, 3 * CHUNK), b: randomBytes(random, 2 * CHUNK) });
  const sink = new MemorySink();
  sink.skipped.add(0);
  const pair = new Pair(source, sink);
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  assert.equal(sink.writes, 2);
  assert.deepEqual(pair.outcome.sent, pair.outcome.received);
});

test('a failing disk ends the transfer with its own error', async () => {
  const source = new MemorySource({ a: randomBytes(random, 3 * CHUNK) });
  const sink = new MemorySink();
  sink.write = async () => {
    throw new BeelineError('DISK_FULL', 'full');
  };
  const pair = new Pair(source, sink);
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error?.code, 'DISK_FULL');
});

test('two transfers of the same tree have the same root, and of another byte another', async () => {
  const root = async (files: Record<string, Uint8Array>) => {
    const pair = new Pair(new MemorySource(files), new MemorySink());
    pair.connect();
    await pair.done;
    return Buffer.from(pair.outcome.received!).toString('hex');
  };
  const bytes = randomBytes(random, CHUNK + 5);
  const other = Buffer.from(bytes);
  other[CHUNK] = other[CHUNK]! ^ 1;
  const first = await root({ a: bytes });
  assert.equal(await root({ a: bytes }), first);
  assert.notEqual(await root({ a: other }), first);
  assert.notEqual(await root({ b: bytes }), first);
});

test('a lane that is spared is asked for nothing, and is asked again once it is not, though nothing else has come', async () => {
  const clock = new VirtualClock();
  const source = mixed();
  const sink = new MemorySink();
  const pair = new Pair(source, sink, undefined, clock);
  pair.sender.heard(pair.receiver.hashes());
  const lane = wired(1, pair.receiver, pair.sender).end as { spared?: boolean };
  lane.spared = true;
  for (let i = 0; i < 100; i++) await clock.pass(100);
  assert.equal(pair.outcome.received, undefined);
  lane.spared = false;
  let over = false;
  void pair.done.then(() => {
    over = true;
  });
  for (let i = 0; i < 100 && !over; i++) await clock.pass(100);
  assert.deepEqual(pair.outcome.received, pair.outcome.sent);
  assert.ok(over);
  same(source, sink);
});
