/** The sender's process ends and another one of the same secret comes: what the receiver has made of the first stays. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { CHUNK, MemorySink, MemorySource, Pair } from './harness.ts';

const random = randomFrom(seed);
const files = () => ({
  'big.bin': randomBytes(random, 9 * CHUNK + 12345),
  small: randomBytes(random, 4096),
  zeros: new Uint8Array(2 * CHUNK),
});

function same(source: MemorySource, sink: MemorySink): void {
  for (const [i, bytes] of source.files.entries()) assert.ok(Buffer.from(bytes).equals(sink.files[i]!));
}

/** Resolves once so many writes have begun. */
function writes(sink: MemorySink, count: number): Promise<void> {
  const write = sink.write.bind(sink);
  return new Promise((resolve) => {
    sink.write = (...args) => {
      if (sink.writes + 1 >= count) setImmediate(resolve);
      return write(...args);
    };
  });
}

test('a sender that is started again at any moment, over and over, changes no byte', async () => {
  for (let round = 0; round < 6; round++) {
    const content = files();
    const sink = new MemorySink();
    sink.delay = round % 3;
    const pair = new Pair(new MemorySource(content), sink);
    for (let count = 1; count <= 4; count++) {
      const then = writes(sink, count * 2);
      pair.connect({ piece: 1 + Math.floor(random() * 70_000) });
      await Promise.race([then, pair.done]);
      pair.restartSender(new MemorySource(content));
    }
    pair.connect();
    await pair.done;
    assert.equal(pair.outcome.error, undefined, `round ${round}`);
    assert.deepEqual(pair.outcome.sent, pair.outcome.received);
    same(new MemorySource(content), sink);
  }
});

test('what the first sender had brought does not move again', async () => {
  const content = { file: randomBytes(random, 8 * CHUNK) };
  const sink = new MemorySink();
  const pair = new Pair(new MemorySource(content), sink);
  const some = writes(sink, 5);
  pair.connect();
  await some;
  const here = sink.writes;
  const second = new MemorySource(content);
  pair.restartSender(second);
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  assert.equal(sink.writes, 8, 'each chunk was written once');
  assert.ok(second.reads <= 8 - here + 1, `${second.reads} reads after ${here} writes`);
});

test('a sender that is started again before the last word says it', async () => {
  const content = files();
  const sink = new MemorySink();
  const pair = new Pair(new MemorySource(content), sink);
  const message = pair.receiver.message.bind(pair.receiver);
  const last = new Promise<void>((resolve) => {
    pair.receiver.message = (lane, word) => (word.type === 'finished' ? resolve() : message(lane, word));
  });
  pair.connect();
  await last;
  assert.ok(pair.receiver.arrived);
  pair.receiver.message = message;
  pair.outcome.sent = undefined;
  pair.restartSender(new MemorySource(content));
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  assert.deepEqual(pair.outcome.sent, pair.outcome.received);
});

test('a sender that is started again with another offer ends the transfer, and hears nothing of what is here', async () => {
  const content = files();
  const others: Record<string, Uint8Array>[] = [
    { ...content, small: randomBytes(random, 4097) },
    { ...content, more: new Uint8Array(1) },
    // The same sizes and counts: only the names differ.
    { 'big.bin': content['big.bin'], smell: content.small, zeros: content.zeros },
  ];
  for (const other of others) {
    const sink = new MemorySink();
    const pair = new Pair(new MemorySource(content), sink);
    const some = writes(sink, 3);
    pair.connect();
    await some;
    pair.restartSender(new MemorySource(other));
    const said: string[] = [];
    const message = pair.sender.message.bind(pair.sender);
    pair.sender.message = (lane, word) => {
      said.push(word.type);
      message(lane, word);
    };
    pair.connect();
    await pair.done;
    assert.equal(pair.outcome.error?.code, 'SOURCE_CHANGED');
    assert.deepEqual(new Set([...said, 'get-page']), new Set(['get-page']));
    assert.equal(sink.finished, false);
  }
});

test('a sender that is started again before its offer was whole is asked anew', async () => {
  const content = files();
  const sink = new MemorySink();
  const pair = new Pair(new MemorySource({ other: new Uint8Array(1) }), sink);
  const message = pair.receiver.message.bind(pair.receiver);
  const offered = new Promise<void>((resolve) => {
    pair.receiver.message = (lane, word) => {
      if (word.type !== 'page') return message(lane, word);
      pair.receiver.message = message;
      resolve();
    };
  });
  pair.connect();
  await offered;
  pair.restartSender(new MemorySource(content));
  pair.connect();
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  same(new MemorySource(content), sink);
});
