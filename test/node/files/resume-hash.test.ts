/** A later run whose chunks are hashed otherwise: what is here is read, not moved. */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { HashName } from '../../../src/offer/hashing.ts';
import { CHUNK, failure, scratch, spaceOf } from './helpers.ts';
import {
  assertTree,
  complete,
  crashed,
  type Files,
  journaled,
  linux,
  move,
  open,
  range,
  sample,
  stagedName,
  stagingOf,
} from './resuming.ts';

const ways: [HashName, HashName][] = [
  ['sha256', 'blake3'],
  ['blake3', 'sha256'],
];

describe('another hash than in the run before', linux, () => {
  const files = sample();
  const { chunks } = spaceOf(files.entries);
  const big = files.chunksOf('top/big');

  /** What a run leaves that moves only some chunks. */
  async function left(t: TestContext, hash: HashName, only: (chunk: number) => boolean): Promise<string> {
    const to = scratch(t);
    const session = await open(to, files, {}, CHUNK, hash);
    await move(session, only);
    await session.sink.close('keep');
    return to;
  }
  const receive = async (to: string, what: Files, hash: HashName) =>
    complete(await open(to, what, {}, CHUNK, hash));

  for (const [before, now] of ways) {
    test(`${now} after ${before}: what came does not move again, in the staging or in its place`, async (t) => {
      for (const stop of [1, 3, chunks]) {
        const to = await left(t, before, (chunk) => chunk < stop);
        const log = await receive(to, files, now);
        assert.deepEqual(log, { held: range(0, stop), guessed: [], kept: [], written: range(stop, chunks) });
        assertTree(to, files);
      }
    });

    test(`${now} after ${before}: and after a crash, and back again`, async (t) => {
      const to = await left(t, before, (chunk) => chunk < 2);
      const session = await open(to, files, {}, CHUNK, now);
      assert.deepEqual(session.log.held, [0, 1]);
      await move(session, (chunk) => chunk < 4);
      await journaled(to, 4);
      const copy = crashed(t, to);
      await session.sink.close('discard');
      const log = await receive(copy, files, before);
      assert.deepEqual([log.held, log.written], [range(0, 4), range(4, chunks)]);
      assertTree(copy, files);
    });

    test(`${now} after ${before}: bytes that are not what they were do not count`, async (t) => {
      const to = await left(t, before, (chunk) => chunk === big[0] || chunk === big[1]);
      const at = join(stagingOf(to), stagedName('top/big'));
      const fd = openSync(at, 'r+');
      writeSync(fd, Buffer.from([1, 2, 3]), 0, 3, 10);
      closeSync(fd);
      const log = await receive(to, files, now);
      assert.deepEqual(log.held, [big[1]]);
      assert.ok(log.written.includes(big[0]!));
      assertTree(to, files);
    });

    test(`${now} after ${before}: of a file that changed, what stayed is found by a comparison`, async (t) => {
      const to = await left(t, before, (chunk) => big.includes(chunk));
      const changed = files.with('top/big', (bytes) => bytes.fill(9, 0, 10));
      const log = await receive(to, changed, now);
      assert.deepEqual(
        big.filter((chunk) => log.kept.includes(chunk) || log.held.includes(chunk)),
        big.slice(1),
      );
      assertTree(to, changed);
    });
  }

  test('whoever gives up meanwhile is not kept waiting, and loses nothing', async (t) => {
    const to = await left(t, 'sha256', (chunk) => chunk < 4);
    const warnings: string[] = [];
    const { StagingSink } = await import('../../../src/node/files/staging-sink.ts');
    const sink = new StagingSink({
      to,
      overwrite: 'ask',
      onWarning: (warning) => warnings.push(warning.code),
    });
    const opening = assert.rejects(
      sink.open(files.entries, spaceOf(files.entries), 'blake3'),
      failure('CANCELLED', 'given up'),
    );
    await sink.close('keep');
    await opening;
    const log = await receive(to, files, 'sha256');
    assert.deepEqual(log.held, range(0, 4));
    assertTree(to, files);
  });
});
