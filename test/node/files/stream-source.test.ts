import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { realClock } from '../../../src/base/clock.ts';
import { MAX_TEXT, STREAM_WINDOW } from '../../../src/base/limits.ts';
import { StreamSource } from '../../../src/node/files/stream-source.ts';
import { textSource } from '../../../src/session/text-source.ts';
import { failure } from './helpers.ts';

const options = { chunkSize: 16, sha256: true };

async function* pieces(list: Iterable<Uint8Array>, taken = { count: 0 }): AsyncGenerator<Uint8Array> {
  for (const piece of list) {
    taken.count++;
    yield piece;
  }
}

async function read(source: StreamSource, chunk: number): Promise<Buffer> {
  const into = new Uint8Array(options.chunkSize);
  return Buffer.from(into.subarray(0, await source.read(chunk, [], into)));
}

test('whatever the pieces, the chunks are the stream', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 }), async (list) => {
      const whole = Buffer.concat(list);
      const source = new StreamSource(pieces(list), 'in', options);
      const got: Buffer[] = [];
      for (let chunk = 0; ; chunk++) {
        const [one, again] = await Promise.all([read(source, chunk), read(source, chunk)]);
        assert.deepEqual(one, again);
        got.push(one);
        if (one.length < options.chunkSize) break;
        if (chunk % 3 === 2) source.release(chunk - 1);
      }
      assert.ok(Buffer.concat(got).equals(whole));
      assert.equal(source.length, whole.length);
      assert.equal((await read(source, 1000)).length, 0);
      assert.equal((await source.digests()).get(0), createHash('sha256').update(whole).digest('hex'));
      await source.close();
    }),
  );
});

test('no more is taken than there is room for, and confirmed chunks make room', async () => {
  const taken = { count: 0 };
  const list = Array.from({ length: 100 }, (_, i) => new Uint8Array(16).fill(i));
  const source = new StreamSource(pieces(list, taken), 'in', options);
  const far = read(source, STREAM_WINDOW + 1);
  for (let i = 0; i < 50; i++) await tick();
  assert.equal(taken.count, STREAM_WINDOW);
  assert.equal((await read(source, 0))[0], 0);
  source.release(2);
  assert.equal((await far)[0], STREAM_WINDOW + 1);
  for (let i = 0; i < 50; i++) await tick();
  assert.equal(taken.count, STREAM_WINDOW + 2);
  assert.equal((await read(source, 0)).length, 0, 'a confirmed chunk is gone');
  assert.equal((await read(source, 2))[0], 2, 'one that is not stays');
  // A peer cannot confirm what was never read.
  source.release(Number.MAX_SAFE_INTEGER);
  assert.equal((await read(source, STREAM_WINDOW + 2))[0], STREAM_WINDOW + 2);
  await source.close();
});

test('a stream that fails, and one that is closed while it is waited for', async () => {
  const failing = Readable.from(
    (async function* () {
      yield Buffer.from('abc');
      throw new Error('broken pipe');
    })(),
  );
  await assert.rejects(
    read(new StreamSource(failing, 'in', options), 0),
    failure('UNREADABLE', 'broken pipe'),
  );

  const silent = new Readable({ read() {} });
  const source = new StreamSource(silent, 'in', options);
  const waiting = read(source, 0);
  await tick();
  await source.close();
  await assert.rejects(waiting, failure('CANCELLED'));
  assert.ok(silent.destroyed);
});

test('names that cannot be sent', () => {
  for (const name of ['', '..', 'a/b', 'a\nb'])
    assert.throws(() => new StreamSource(pieces([]), name, options), failure('USAGE'));
});

test('a text is its UTF-8 bytes, up to a limit', async () => {
  const source = textSource('grüße', realClock);
  const into = new Uint8Array(20);
  const length = await source.read(0, [{ entry: 0, offset: 0, length: 7, at: 0 }], into);
  assert.equal(Buffer.from(into.subarray(0, length)).toString(), 'grüße');
  assert.deepEqual([source.kind, source.length, source.entries[0]!.size], ['text', 7, 7]);
  assert.throws(() => textSource('x'.repeat(MAX_TEXT + 1), realClock), failure('USAGE'));
});
