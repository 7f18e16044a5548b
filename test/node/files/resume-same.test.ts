/** A later run with the very same manifest: nothing is asked for again. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { ByteSpace, chooseChunkSize } from '../../../src/offer/space.ts';
import { CHUNK, failure, file, folder, hashOf, scratch, spaceOf, staged } from './helpers.ts';
import {
  assertTree,
  complete,
  crashed,
  Files,
  held,
  interrupted,
  journaled,
  linux,
  move,
  noise,
  open,
  range,
  receive,
  sample,
  stagingOf,
} from './resuming.ts';

describe('the same manifest', linux, () => {
  const files = sample();
  const { chunks } = spaceOf(files.entries);

  test('wherever the first run was suspended, the second moves the rest and nothing else', async (t) => {
    for (const stop of range(1, chunks + 1)) {
      const to = scratch(t);
      const first = await interrupted(to, files, (chunk) => chunk < stop);
      assert.deepEqual(first.written, range(0, stop));
      const second = await receive(to, files);
      assert.deepEqual(second, { held: range(0, stop), guessed: [], kept: [], written: range(stop, chunks) });
      assertTree(to, files);
    }
  });

  test('after a crash too, and again after another', async (t) => {
    let to = scratch(t);
    for (let stop = 2; stop < chunks; stop += 2) {
      const session = await open(to, files);
      assert.deepEqual(session.log.held, range(0, stop - 2));
      await move(session, (chunk) => chunk < stop);
      await journaled(to, stop);
      const copy = crashed(t, to);
      await session.sink.close('discard');
      to = copy;
    }
    await receive(to, files);
    assertTree(to, files);
  });

  test('every other chunk, the last ones first', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk % 2 === 1);
    const second = await receive(to, files);
    assert.deepEqual(
      second.written,
      range(0, chunks).filter((chunk) => chunk % 2 === 0),
    );
    assertTree(to, files);
  });

  test('everything came, and only the end is missing', async (t) => {
    for (const ended of [false, true]) {
      const to = scratch(t);
      const first = await open(to, files);
      await move(first);
      if (ended) await first.sink.finish();
      await first.sink.close('keep');
      const second = await receive(to, files);
      assert.deepEqual(second, { held: range(0, chunks), guessed: [], kept: [], written: [] });
      assertTree(to, files);
    }
  });

  test('files without bytes are known again too', async (t) => {
    const to = scratch(t);
    const empty = new Files().other(folder('d')).add('d/e', Buffer.alloc(0)).add('f', Buffer.alloc(0));
    const first = await open(to, empty);
    await first.sink.finish();
    await first.sink.close('keep');
    await receive(to, empty);
    assertTree(to, empty);
  });

  test('nothing down leaves nothing behind', async (t) => {
    const to = join(scratch(t), 'made');
    const first = await open(to, files);
    await first.sink.close('keep');
    await first.sink.close('keep');
    assert.ok(!existsSync(to));
  });

  test('a whole file of the first run stays as it is, also its inode', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk < chunks - 1);
    const { ino } = statSync(join(to, 'top/big'));
    await receive(to, files);
    assert.equal(statSync(join(to, 'top/big')).ino, ino);
  });

  test('100,000 chunks of a sparse file', async (t) => {
    const to = scratch(t);
    const size = 100_001 * CHUNK;
    assert.equal(chooseChunkSize(size), CHUNK);
    const space = new ByteSpace([size], CHUNK);
    const entries = [file('huge', size)];
    const zeros = hashOf(Buffer.alloc(CHUNK));
    const first = new StagingSink({ to, overwrite: 'ask' });
    await first.open(entries, space, 'sha256');
    for (let chunk = 0; chunk < 100_000; chunk++)
      await first.write(chunk, space.extents(chunk), undefined, zeros);
    await first.close('keep');
    const second = new StagingSink({ to, overwrite: 'ask' });
    const began = performance.now();
    await second.open(entries, space, 'sha256');
    t.diagnostic(`open() with 100,000 journaled chunks: ${(performance.now() - began).toFixed(0)} ms`);
    assert.equal([...second.held()].length, 100_000);
    const last = noise(CHUNK, 'last');
    await second.write(100_000, space.extents(100_000), last, hashOf(last));
    await second.finish();
    await second.close('done');
    assert.deepEqual(readdirSync(to), ['huge']);
    const stat = statSync(join(to, 'huge'));
    assert.equal(stat.size, size);
    assert.ok(stat.blocks * 512 < 4 * CHUNK);
  });
});

describe('what the person does in between', linux, () => {
  const files = sample();

  test('a file that was deleted comes again', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk < 6);
    for (const name of ['big', 'b']) unlinkSync(join(to, 'top', name));
    const second = await receive(to, files);
    assert.deepEqual(second.held, [5]);
    assert.deepEqual(second.written, [0, 1, 2, 3, 4, 6, 7, 8]);
    assertTree(to, files);
  });

  test('a file that was edited is left alone, with a warning', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk < 6);
    writeFileSync(join(to, 'top/big'), 'mine');
    const second = await open(to, files);
    assert.equal(second.warnings.length, 1);
    assert.match(second.warnings[0]!, /^EXISTS 'top\/big' was changed here since it arrived/);
    await complete(second);
    assert.equal(readFileSync(join(to, 'top/big'), 'utf8'), 'mine');
    assertTree(to, files.without('top/big'), ['top/big']);
  });

  test('a link that was changed or deleted', async (t) => {
    for (const target of [undefined, 'elsewhere']) {
      const to = scratch(t);
      const first = await open(to, files);
      await move(first);
      await first.sink.finish();
      await first.sink.close('keep');
      unlinkSync(join(to, 'top/link'));
      if (target) symlinkSync(target, join(to, 'top/link'));
      if (!target) await receive(to, files);
      else {
        await assert.rejects(receive(to, files), failure('EXISTS', "'top/link'"));
        await receive(to, files, { overwrite: 'replace' });
      }
      assertTree(to, files);
    }
  });

  test('a whole folder that was deleted', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk < 7);
    rmSync(join(to, 'top'), { recursive: true });
    await receive(to, files);
    assertTree(to, files);
  });

  test('a staged file that was deleted or cut comes again', async (t) => {
    for (const spoil of [unlinkSync, (path: string) => writeFileSync(path, 'short')]) {
      const to = scratch(t);
      await interrupted(to, files, (chunk) => chunk < 3);
      const staging = stagingOf(to);
      const data = readdirSync(staging).filter((name) => name !== 'journal');
      assert.equal(data.length, 1);
      spoil(join(staging, data[0]!));
      const second = await receive(to, files);
      assert.deepEqual(second.held, [0]);
      assertTree(to, files);
    }
  });

  test('a staging that was deleted while it is worked in fails, and leaves the next run a clean start', async (t) => {
    const to = scratch(t);
    const first = await open(to, files);
    await move(first, (chunk) => chunk < 2);
    rmSync(stagingOf(to), { recursive: true });
    await assert.rejects(complete(first));
    await first.sink.close('keep');
    rmSync(join(to, 'top'), { recursive: true, force: true });
    const second = await receive(to, files);
    assert.equal(second.held.length, 0);
    assertTree(to, files);
  });

  test('folders of before keep mode and time, folders of the first run get theirs at the end', async (t) => {
    const to = scratch(t);
    mkdirSync(join(to, 'top'), { mode: 0o711 });
    chmodSync(join(to, 'top'), 0o711);
    const first = await open(to, files);
    await move(first, (chunk) => chunk < 8);
    await first.sink.close('keep');
    assert.equal(statSync(join(to, 'top/sub')).mode & 0o777, 0o700, 'not complete yet');
    await receive(to, files);
    assert.equal(statSync(join(to, 'top')).mode & 0o777, 0o711);
    assert.notEqual(Math.round(statSync(join(to, 'top')).mtimeMs), 1_600_000_000_000);
    assertTree(to, files.without('top'), ['top']);
  });
});

describe('two at once', linux, () => {
  const files = sample();

  test('LOCKED while the first lives, and no longer', async (t) => {
    const to = scratch(t);
    const first = await open(to, files);
    await move(first, (chunk) => chunk < 3);
    await assert.rejects(open(to, files), failure('LOCKED', `process ${process.pid}`));
    const changed = files.with('top/a', () => noise(900, 'other'));
    await assert.rejects(open(to, changed), failure('LOCKED'), 'the same names at the top');
    await first.sink.close('keep');
    const second = await open(to, files);
    assert.deepEqual(second.log.held, [0, 1, 2]);
    await complete(second);
    assertTree(to, files);
  });

  test('other names go side by side, and each finds its own again', async (t) => {
    const to = scratch(t);
    const other = new Files().add('else', noise(2 * CHUNK, 'else'));
    const [one, two] = [await open(to, files), await open(to, other)];
    await move(one, (chunk) => chunk < 3);
    await move(two, (chunk) => chunk < 1);
    assert.equal(staged(to).length, 2);
    await two.sink.close('keep');
    await one.sink.close('keep');
    assert.deepEqual((await receive(to, other)).held, [0]);
    assert.equal(staged(to).length, 1);
    assert.deepEqual((await receive(to, files)).held, [0, 1, 2]);
    rmSync(join(to, 'else'));
    assertTree(to, files);
  });
});

describe('a file that the sender could not deliver', linux, () => {
  test('its chunks do not count in a later run', async (t) => {
    for (const crash of [false, true]) {
      let to = scratch(t);
      const files = sample();
      const first = await open(to, files);
      await move(first, (chunk) => [1, 2].includes(chunk));
      await journaled(to, 2);
      await first.sink.drop(files.index('top/big'));
      await first.sink.drop(files.index('top/a'));
      // Chunk 0 comes with zeros in place of `a`.
      const data = files.chunk(first.space, 0).fill(0, 0, 1000);
      await first.sink.write(0, first.space.extents(0), data, hashOf(data));
      await move(first, (chunk) => chunk === 5);
      await journaled(to, 4);
      if (crash) to = crashed(t, to);
      else await first.sink.close('keep');
      const second = await open(to, files);
      assert.deepEqual(second.log.held, [5]);
      await complete(second);
      assert.deepEqual(second.log.written, [0, 1, 2, 3, 4, 6, 7, 8]);
      assertTree(to, files);
      if (crash) await first.sink.close('discard');
    }
  });

  test('again not delivered, the rest is right and nothing is left', async (t) => {
    const to = scratch(t);
    const files = sample();
    await interrupted(to, files, (chunk) => chunk < 3);
    const second = await open(to, files);
    await second.sink.drop(files.index('top/big'));
    await complete(second);
    assertTree(to, files.without('top/big'));
    assert.deepEqual(held(second.sink, files, second.space), [0, 1, 2]);
  });
});
