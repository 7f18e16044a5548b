import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { MAX_TEXT, STREAM_WINDOW } from '../../../src/base/limits.ts';
import { StdoutSink } from '../../../src/node/files/stdout-sink.ts';
import { TextSink } from '../../../src/session/text-sink.ts';
import { CHUNK, failure, file, folder, opened, spaceOf } from './helpers.ts';

/** Keeps the first byte of each piece (copied late, as a slow pipe would), and writes only when let. */
class Slow extends Writable {
  readonly firsts: number[] = [];
  readonly hash = createHash('sha256');
  #next: (() => void) | undefined;
  constructor(readonly gated = false) {
    super({ highWaterMark: 1 });
  }
  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    const take = () => {
      this.firsts.push(piece[0]!);
      this.hash.update(piece);
      done();
    };
    if (this.gated) this.#next = take;
    else setImmediate(take);
  }
  let(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }
}

test('chunks leave in order, whatever order they come in within the window', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(STREAM_WINDOW - 1), { minLength: 12, maxLength: 12 }), async (picks) => {
      const out = new Slow();
      const sink = new StdoutSink(out, { sha256: true });
      const { space, write } = await opened(sink, [file('f', 11 * CHUNK + 9)]);
      const left = Array.from({ length: space.chunks }, (_, i) => i);
      const done: Promise<void>[] = [];
      for (const pick of picks) {
        // What an engine does: nothing further ahead than the window from the first chunk that is missing.
        const near = left.filter((chunk) => chunk < left[0]! + STREAM_WINDOW);
        const chunk = near[pick % near.length]!;
        left.splice(left.indexOf(chunk), 1);
        const promise = write(chunk, chunk + 1);
        done.push(promise);
        if (chunk < (left[0] ?? Number.POSITIVE_INFINITY)) await Promise.all(done);
      }
      await Promise.all(done);
      await sink.finish();
      assert.deepEqual(
        out.firsts,
        Array.from({ length: space.chunks }, (_, i) => i + 1),
      );
      assert.equal((await sink.digests()).get(0), out.hash.digest('hex'));
    }),
    { numRuns: 10 },
  );
});

test('the write waits for the pipe, and early chunks may be scribbled over', async () => {
  const out = new Slow(true);
  const sink = new StdoutSink(out);
  const entries = [file('f', 3 * CHUNK)];
  const space = spaceOf(entries);
  await sink.open(entries, space);
  const buffer = new Uint8Array(CHUNK).fill(2);
  await sink.write(1, space.extents(1), buffer);
  buffer.fill(1);
  let settled = false;
  const first = sink.write(0, space.extents(0), buffer).then(() => {
    settled = true;
  });
  for (let i = 0; i < 10; i++) await tick();
  assert.equal(settled, false);
  await sink.write(2, space.extents(2), undefined);
  for (let i = 0; i < 10; i++) {
    out.let();
    await tick();
  }
  await first;
  await sink.finish();
  assert.deepEqual(out.firsts, [1, 2, 0]);
});

test('a chunk beyond the window is an error, not memory', async () => {
  const sink = new StdoutSink(new Slow());
  const { write } = await opened(sink, [file('f', 40 * CHUNK)]);
  await assert.rejects(write(STREAM_WINDOW + 1, 1), failure('INTERNAL'));
  await assert.rejects(sink.finish(), failure('INTERNAL'));
});

describe('what cannot go to a pipe', () => {
  for (const entries of [[file('a', 1), file('b', 1)], [folder('d')], [folder('d'), file('d/f', 1)]])
    test(entries.map((entry) => entry.path).join(' '), () =>
      assert.rejects(opened(new StdoutSink(new Slow()), entries), failure('USAGE', 'Only a single file')),
    );
});

test('a reader that goes away, and giving up on one that takes nothing', async () => {
  const broken = new Writable({
    write: (_piece, _encoding, done) => done(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })),
  });
  const sink = new StdoutSink(broken);
  const { write } = await opened(sink, [file('f', 2 * CHUNK)]);
  await assert.rejects(write(0, 1), failure('WRITE_FAILED', 'stopped reading'));
  await assert.rejects(write(1, 1), failure('WRITE_FAILED'));

  const stuck = new StdoutSink(new Slow(true));
  const { write: writeStuck } = await opened(stuck, [file('f', 2 * CHUNK)]);
  const waiting = writeStuck(0, 1);
  await tick();
  await stuck.close();
  await assert.rejects(waiting, failure('CANCELLED'));
});

test("a stream that is not the process's own is ended, and `finish` waits until it has taken everything", async () => {
  const out = new Slow(true);
  const sink = new StdoutSink(out, { end: true });
  const { write } = await opened(sink, [file('f', 3)]);
  const written = write(0, 1);
  await tick();
  out.let();
  await written;
  let flushed = false;
  out._final = (done) =>
    setImmediate(() => {
      flushed = true;
      done();
    });
  await sink.finish();
  assert.ok(flushed && out.writableFinished);

  const full = new Writable({
    write: (_piece, _encoding, done) => done(),
    final: (done) => done(new Error('no room for the rest')),
  });
  const failing = new StdoutSink(full, { end: true });
  const { write: writeFull } = await opened(failing, [file('f', 3)]);
  await writeFull(0, 1);
  await assert.rejects(failing.finish(), failure('WRITE_FAILED', 'no room'));

  const open = new Slow();
  const staying = new StdoutSink(open);
  const { write: writeOpen } = await opened(staying, [file('f', 3)]);
  await writeOpen(0, 1);
  await staying.finish();
  assert.equal(open.writableEnded, false);
});

describe('a text', () => {
  test('arrives whole', async () => {
    const got: string[] = [];
    const sink = new TextSink((text) => got.push(text));
    const { write } = await opened(sink, [file('text', 3)]);
    await write(0, 65);
    await sink.finish();
    assert.deepEqual(got, ['AAA']);
    assert.equal((await sink.digests()).get(0), createHash('sha256').update('AAA').digest('hex'));
  });
  test('is refused if absurd', async () => {
    const sink = () => new TextSink(() => assert.fail('nothing to show'));
    for (const entries of [[file('text', MAX_TEXT + 1)], [file('a', 1), file('b', 1)], [folder('d')]])
      await assert.rejects(opened(sink(), entries), failure('BAD_MANIFEST'));
    const broken = sink();
    const { write } = await opened(broken, [file('text', 3)]);
    await write(0, 0xff);
    await assert.rejects(broken.finish(), failure('PROTOCOL', 'UTF-8'));
    await assert.rejects(
      broken.write(0, [{ entry: 0, offset: 2, length: 9, at: 0 }], new Uint8Array(9)),
      failure('PROTOCOL'),
    );
  });
});
