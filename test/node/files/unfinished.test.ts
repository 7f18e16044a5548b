/** What is listed of unfinished receives, and that giving one up removes what its journal names and nothing else. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { takeLock } from '../../../src/identity/lock.ts';
import { journalAt } from '../../../src/node/files/journal-file.ts';
import { Staging } from '../../../src/node/files/staging.ts';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { discard, type UnfinishedTransfer, unfinished } from '../../../src/node/files/unfinished.ts';
import { type Entry, encodePages } from '../../../src/offer/manifest.ts';
import { Journal } from '../../../src/sync/store/journal.ts';
import type { JournalRecord } from '../../../src/sync/store/journal-records.ts';
import { CHUNK, failure, file, folder, link, opened, scratch, spaceOf } from './helpers.ts';

const SHA = new Uint8Array(32);
const POSIX = { skip: process.platform === 'win32' };

/** A receive that was stopped after these chunks. */
async function interrupted(to: string, entries: readonly Entry[], ...chunks: number[]): Promise<string> {
  const sink = new StagingSink({ to, overwrite: 'skip' });
  const { write } = await opened(sink, entries);
  for (const chunk of chunks) await write(chunk, 7);
  await sink.close('keep');
  return join(to, readdirSync(to).find((name) => name.startsWith('.beeline-'))!);
}

/** A staging whose journal says just this. */
async function staged(
  t: TestContext,
  entries: readonly Entry[],
  stream: boolean,
  more: readonly JournalRecord[],
): Promise<{ root: string; path: string }> {
  const root = scratch(t);
  const staging = await Staging.create(root);
  const pages = encodePages(entries).map((bytes, page): JournalRecord => ({ type: 'page', page, bytes }));
  const begin = {
    type: 'begin',
    created: 1_700_000_000_000,
    chunkSize: CHUNK,
    pages: pages.length,
    stream,
    hash: 'sha256',
  } as const;
  const journal = await Journal.replace(staging.journal, [begin, ...pages, ...more]);
  await journal.close();
  staging.release();
  return { root, path: staging.path };
}

const journaled = (t: TestContext, entries: readonly Entry[], ...more: JournalRecord[]) =>
  staged(t, entries, false, more);

const chunks = (...indexes: number[]): JournalRecord => ({
  type: 'chunks',
  chunks: indexes.map((index) => ({ index, hash: SHA })),
});

async function only(root: string): Promise<UnfinishedTransfer> {
  const [found, ...more] = await unfinished(root);
  assert.equal(more.length, 0);
  return found!.transfer!;
}

describe('files: what is unfinished', () => {
  it('is left as it is where the look, or the removal, is told to end; what was not removed goes later', async (t) => {
    const root = scratch(t);
    const entries = Array.from({ length: 6 }, (_, at) => file(`f${at}`, 2 * CHUNK));
    const path = await interrupted(root, entries, 0, 2, 4, 6, 8, 10);
    const before = readdirSync(path).sort();
    const signal = AbortSignal.abort();
    await assert.rejects(unfinished(root, { signal }), failure('INTERRUPTED'));
    await assert.rejects(discard({ path }, { signal }), failure('INTERRUPTED'));
    assert.deepEqual(readdirSync(path).sort(), before);
    // In the midst of it.
    const ending = new AbortController();
    const midway = {
      get aborted() {
        if (before.length - readdirSync(path).length >= 2) ending.abort();
        return ending.signal.aborted;
      },
    } as AbortSignal;
    await assert.rejects(discard({ path }, { signal: midway }), failure('INTERRUPTED'));
    const left = readdirSync(path).length;
    assert.ok(left < before.length && left > 2, `${left} of ${before.length} are left`);
    const [found] = await unfinished(root);
    assert.deepEqual([found!.active, found!.transfer!.files], [false, 6]);
    assert.equal((await discard(found!)).removed, true);
    assert.deepEqual(readdirSync(root), []);
  });

  it('is what an interrupted receive was to bring, and how much of it is here', async (t) => {
    const root = scratch(t);
    const before = Date.now();
    const entries = [
      folder('a\u202eb'),
      file('a\u202eb/large', 3 * CHUNK + 5),
      file('small', 10),
      link('l', 'small'),
    ];
    const path = await interrupted(root, entries, 1, 3);
    const [found, ...more] = await unfinished(root);
    assert.deepEqual(more, []);
    const { transfer, changed, ...rest } = found!;
    assert.deepEqual(rest, { path, active: false });
    assert.ok(changed >= before - 1000 && changed <= Date.now() + 1000, String(changed));
    const { created, ...counts } = transfer!;
    assert.ok(created >= before && created <= Date.now());
    // Chunk 3 is the large file's end and the small one.
    assert.deepEqual(counts, {
      names: ['a\\u{202e}b/', 'small', 'l'],
      files: 2,
      folders: 1,
      links: 1,
      bytes: 3 * CHUNK + 15,
      here: CHUNK + 15,
    });
  });

  it('is nothing in a folder without any, and after a receive that was finished', async (t) => {
    const root = scratch(t);
    assert.deepEqual(await unfinished(root), []);
    const sink = new StagingSink({ to: root, overwrite: 'skip' });
    const { write } = await opened(sink, [file('a', 5)]);
    await write(0, 1);
    await sink.finish();
    await sink.close('done');
    assert.deepEqual(await unfinished(root), []);
  });

  it('does not count what was lost, nor what is skipped', async (t) => {
    const entries = [file('skipped', 3 * CHUNK), file('a', 100), file('b', 200), file('c', 2 * CHUNK)];
    const lost = await journaled(
      t,
      entries,
      { type: 'plan', choices: [{ entry: 0, choice: 'skip', as: '' }] },
      chunks(0, 3, 4),
      { type: 'lost', entries: [2] },
    );
    // Chunk 3 has a and b: a comes again with b.
    assert.deepEqual(await only(lost.root).then(({ files, bytes, here }) => [files, bytes, here]), [
      3,
      300 + 2 * CHUNK,
      CHUNK,
    ]);
  });

  it('knows a stream, of which the size is not known', async (t) => {
    const { root } = await staged(t, [file('stdin')], true, []);
    const { bytes, here } = await only(root);
    assert.deepEqual([bytes, here], [null, 0]);
    const empty = await journaled(t, [folder('d'), file('d/empty')]);
    assert.equal((await only(empty.root)).bytes, 0);
  });

  it('counts any set of chunks as the byte space has it', async (t) => {
    const { root, path } = await journaled(t, []);
    const sizes = fc.array(fc.nat(3 * CHUNK), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.uniqueArray(fc.nat(20)), async (sizes, indexes) => {
        const entries = sizes.map((size, i) => file(`f${i}`, size));
        const pages = encodePages(entries).map(
          (bytes, page): JournalRecord => ({ type: 'page', page, bytes }),
        );
        const begin = {
          type: 'begin',
          created: 0,
          chunkSize: CHUNK,
          pages: pages.length,
          stream: false,
          hash: 'sha256',
        } as const;
        await (
          await Journal.replace(journalAt(join(path, 'journal')), [begin, ...pages, chunks(...indexes)])
        ).close();
        const space = spaceOf(entries);
        const valid = indexes.filter((index) => index < space.chunks);
        const { bytes, here } = await only(root);
        assert.equal(
          here,
          valid.reduce((sum, index) => sum + space.length(index), 0),
        );
        if (space.chunks > 0) assert.equal(bytes, space.bytes);
      }),
      { numRuns: 50 },
    );
  });

  it('is active while it is locked', async (t) => {
    const { root, path } = await journaled(t, [file('a', 5)]);
    const lock = await takeLock(path);
    assert.equal((await unfinished(root))[0]!.active, true);
    lock.release();
    assert.equal((await unfinished(root))[0]!.active, false);
  });

  it('is told also where the journal is missing or damaged, the latest first', async (t) => {
    const { root, path } = await journaled(t, [file('a', 5)]);
    const without = await Staging.create(root);
    without.release();
    utimesSync(join(path, 'journal'), 1, 1);
    const damaged = await Staging.create(root);
    writeFileSync(join(damaged.path, 'journal'), 'no journal');
    damaged.release();
    utimesSync(join(damaged.path, 'journal'), 2, 2);
    const found = await unfinished(root);
    assert.deepEqual(
      found.map(({ path, transfer }) => [path, transfer !== undefined]),
      [
        [without.path, false],
        [damaged.path, false],
        [path, true],
      ],
    );
    assert.equal(found[2]!.changed, 1000);
  });

  it('is only what is this user’s own, in real folders', POSIX, async (t) => {
    const { root, path } = await journaled(t, [file('a', 5)]);
    const elsewhere = scratch(t);
    symlinkSync(path, join(elsewhere, basename(path)));
    assert.deepEqual(await unfinished(elsewhere), []);
    chmodSync(path, 0o755);
    assert.deepEqual(await unfinished(root), []);
  });

  it('cannot be told of what is no folder', async (t) => {
    const root = scratch(t);
    writeFileSync(join(root, 'file'), '');
    await assert.rejects(unfinished(join(root, 'none')), failure('NO_SUCH_PATH', 'There is no folder'));
    await assert.rejects(unfinished(join(root, 'file')), failure('NO_SUCH_PATH', 'is not a folder'));
  });
});

describe('files: giving up what is unfinished', () => {
  it('removes the staging and nothing that stands', async (t) => {
    const root = scratch(t);
    await interrupted(root, [file('done', CHUNK), file('half', 2 * CHUNK)], 0, 1);
    assert.ok(existsSync(join(root, 'done')));
    const [found] = await unfinished(root);
    assert.deepEqual(await discard(found!), { removed: true, damaged: false, left: [] });
    assert.deepEqual(readdirSync(root), ['done']);
    assert.deepEqual(await unfinished(root), []);
    // Again: it is gone, as it was to be.
    assert.equal((await discard(found!)).removed, true);
  });

  it('leaves what the journal does not name, and says so', async (t) => {
    const root = scratch(t);
    const path = await interrupted(root, [file('half', 2 * CHUNK)], 0);
    mkdirSync(join(path, 'mine'));
    writeFileSync(join(path, 'thesis.txt'), 'mine too');
    const { removed, damaged, left } = await discard({ path });
    assert.deepEqual([removed, damaged, left.sort()], [false, false, ['mine', 'thesis.txt']]);
    assert.deepEqual(readdirSync(path).sort(), ['mine', 'thesis.txt']);
  });

  it('touches nothing of what has no journal', async (t) => {
    const root = scratch(t);
    const path = await interrupted(root, [file('half', 2 * CHUNK)], 0);
    rmSync(join(path, 'journal'));
    const before = readdirSync(path);
    const result = await discard({ path });
    assert.deepEqual(result, { removed: false, damaged: true, left: before });
    assert.deepEqual(readdirSync(path), before);
  });

  it('does not disturb a receive that is at work', async (t) => {
    const root = scratch(t);
    const sink = new StagingSink({ to: root, overwrite: 'skip' });
    const { write } = await opened(sink, [file('half', 2 * CHUNK)]);
    await write(0, 7);
    const [found] = await unfinished(root);
    assert.equal(found!.active, true);
    await assert.rejects(discard(found!), failure('LOCKED'));
    await write(1, 7);
    await sink.finish();
    await sink.close('done');
    assert.deepEqual(readdirSync(root), ['half']);
  });

  it('refuses a folder that is no staging, however it is called', async (t) => {
    const root = scratch(t);
    for (const name of ['photos', '.beeline-photos']) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'journal'), 'diary');
      chmodSync(join(root, name), 0o755);
    }
    await assert.rejects(discard({ path: join(root, 'photos') }), failure('USAGE', 'is not a folder of'));
    if (process.platform !== 'win32')
      await assert.rejects(discard({ path: join(root, '.beeline-photos') }), failure('USAGE'));
    assert.deepEqual(readdirSync(join(root, 'photos')), ['journal']);
  });
});
