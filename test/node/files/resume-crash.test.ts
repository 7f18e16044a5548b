/** What a crash can leave between any two steps, and what somebody else may have put there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fromMicros } from '../../../src/node/files/io.ts';
import { journalAt } from '../../../src/node/files/journal-file.ts';
import { encodePages } from '../../../src/offer/manifest.ts';
import { Journal } from '../../../src/sync/store/journal.ts';
import type { JournalRecord } from '../../../src/sync/store/journal-records.ts';
import { childModule } from '../../child.ts';
import { CHUNK, failure, file, folder, hashOf, link, scratch, spaceOf, staged } from './helpers.ts';
import {
  assertTree,
  complete,
  Files,
  interrupted,
  journaled,
  linux,
  move,
  noise,
  open,
  range,
  receive,
  sample,
  stagedName,
  stagingOf,
} from './resuming.ts';

const two = () =>
  new Files()
    .other(folder('top'))
    .add('top/a', noise(5000, 'a'))
    .add('top/big', noise(2 * CHUNK, 'big'));

/** A staging as a crashed run leaves it, built by hand. */
async function built(to: string, files: Files, more: JournalRecord[]): Promise<string> {
  const path = join(to, '.beeline-0123456789abcdef');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const pages = encodePages(files.entries);
  const journal = await Journal.replace(journalAt(join(path, 'journal')), [
    { type: 'begin', created: 1, chunkSize: CHUNK, pages: pages.length, stream: false, hash: 'sha256' },
    ...pages.map((bytes, page): JournalRecord => ({ type: 'page', page, bytes })),
    ...more,
  ]);
  await journal.close();
  return path;
}

function chunks(files: Files, ...indexes: number[]): JournalRecord {
  const space = spaceOf(files.entries);
  return {
    type: 'chunks',
    chunks: indexes.map((index) => ({ index, hash: hashOf(files.chunk(space, index)) })),
  };
}

/** A file as a run leaves it, with mode and time. */
function put(path: string, files: Files, name: string): void {
  const { entry, bytes } = files.all[files.index(name)]!;
  writeFileSync(path, bytes);
  chmodSync(path, entry.mode);
  utimesSync(path, 1, fromMicros(entry.mtime));
}

describe('a crash between two steps of placing', linux, () => {
  test('renamed and not recorded', async (t) => {
    const to = scratch(t);
    const files = two();
    await built(to, files, [chunks(files, 0)]);
    mkdirSync(join(to, 'top'), { mode: 0o700 });
    put(join(to, 'top/a'), files, 'top/a');
    const { ino } = statSync(join(to, 'top/a'));
    const log = await receive(to, files);
    assert.deepEqual(log, { held: [0], guessed: [], kept: [], written: [1, 2] });
    assert.equal(statSync(join(to, 'top/a')).ino, ino);
    assertTree(to, files);
  });

  test('not journaled, and the same stands there: that is somebody else’s', async (t) => {
    const to = scratch(t);
    const files = two();
    await built(to, files, [chunks(files, 1)]);
    mkdirSync(join(to, 'top'), { mode: 0o700 });
    put(join(to, 'top/a'), files, 'top/a');
    await assert.rejects(open(to, files), failure('EXISTS', "'top/a'"));
    assert.ok(existsSync(join(to, 'top/a')));
  });

  test('replaced and not recorded, and about to be replaced', async (t) => {
    for (const replaced of [true, false]) {
      const to = scratch(t);
      const files = two();
      const choices = [{ entry: files.index('top/big'), choice: 'replace' as const, as: '' }];
      const staging = await built(to, files, [{ type: 'plan', choices }, chunks(files, 1, 2)]);
      mkdirSync(join(to, 'top'), { mode: 0o700 });
      put(join(to, 'top/big'), files, 'top/big');
      if (!replaced) {
        renameSync(join(to, 'top/big'), join(staging, stagedName('top/big')));
        writeFileSync(join(to, 'top/big'), 'the old one');
      }
      const log = await receive(to, files);
      assert.deepEqual(log, { held: [1, 2], guessed: [], kept: [], written: [0] });
      assertTree(to, files);
    }
  });

  test('linked and not unlinked: two names', async (t) => {
    for (const recorded of [false, true]) {
      const to = scratch(t);
      const files = two();
      const placed: JournalRecord = { type: 'placed', entries: [files.index('top/big')] };
      const staging = await built(to, files, [chunks(files, 1, 2), ...(recorded ? [placed] : [])]);
      mkdirSync(join(to, 'top'), { mode: 0o700 });
      put(join(staging, stagedName('top/big')), files, 'top/big');
      linkSync(join(staging, stagedName('top/big')), join(to, 'top/big'));
      const log = await receive(to, files);
      assert.deepEqual(log, { held: [1, 2], guessed: [], kept: [], written: [0] });
      assertTree(to, files);
    }
  });

  test('two names, of which the person has moved the final one: it is never written to', async (t) => {
    const to = scratch(t);
    const files = two();
    const staging = await built(to, files, [chunks(files, 1, 2)]);
    put(join(staging, stagedName('top/big')), files, 'top/big');
    linkSync(join(staging, stagedName('top/big')), join(to, 'mine'));
    const now = files.with('top/big', (bytes) => bytes.fill(1));
    const log = await receive(to, now);
    assert.deepEqual(log.held, []);
    assert.ok(readFileSync(join(to, 'mine')).equals(noise(2 * CHUNK, 'big')));
    assertTree(to, now, ['mine']);
  });

  test('whole in the staging, journaled, not placed', async (t) => {
    const to = scratch(t);
    const files = two();
    const staging = await built(to, files, [chunks(files, 0, 1, 2)]);
    for (const name of ['top/a', 'top/big']) put(join(staging, stagedName(name)), files, name);
    const log = await receive(to, files);
    assert.deepEqual(log, { held: [0, 1, 2], guessed: [], kept: [], written: [] });
    assertTree(to, files);
  });

  test('written and not journaled, then zeros come: nothing of it shows through', async (t) => {
    const to = scratch(t);
    const files = new Files().add('f', Buffer.concat([noise(CHUNK, 'one'), Buffer.alloc(2 * CHUNK)]));
    const staging = await built(to, files, [chunks(files, 0)]);
    const path = join(staging, stagedName('f'));
    writeFileSync(path, Buffer.concat([noise(CHUNK, 'one'), noise(CHUNK, 'torn'), Buffer.alloc(CHUNK)]));
    const log = await receive(to, files);
    assert.deepEqual(log.written, [1, 2]);
    assertTree(to, files);
  });

  test('a link placed and not recorded', async (t) => {
    const to = scratch(t);
    const files = two().other(link('top/link', 'a'));
    await built(to, files, [chunks(files, 0)]);
    mkdirSync(join(to, 'top'), { mode: 0o700 });
    put(join(to, 'top/a'), files, 'top/a');
    symlinkSync('a', join(to, 'top/link'));
    await receive(to, files);
    assertTree(to, files.without('top/link'), ['top/link']);
  });

  test('a link placed and not recorded, which leads elsewhere by now', async (t) => {
    for (const ours of [true, false]) {
      const to = scratch(t);
      const files = two().other(link('top/link', 'a'));
      await built(to, files, [chunks(files, 0)]);
      mkdirSync(join(to, 'top'), { mode: 0o700 });
      put(join(to, 'top/a'), files, 'top/a');
      symlinkSync('a', join(to, 'top/link'));
      const time = fromMicros(files.entries[files.index('top/link')]!.mtime);
      if (ours) lutimesSync(join(to, 'top/link'), time, time);
      const now = two().other(link('top/link', 'big'));
      if (!ours) await assert.rejects(open(to, now), failure('EXISTS', "'top/link'"));
      else {
        await receive(to, now);
        assertTree(to, now);
      }
    }
  });

  test('before the journal began: the remains go', async (t) => {
    for (const remains of [[], ['lock.0123'], ['journal.next', 'probe']]) {
      const to = scratch(t);
      const path = join(to, '.beeline-0123456789abcdef');
      mkdirSync(path, { mode: 0o700 });
      for (const name of remains) writeFileSync(join(path, name), 'half');
      await receive(to, two());
      assertTree(to, two());
    }
  });

  test('while a probe was written: it is in nobody’s way', async (t) => {
    const to = scratch(t);
    const files = two();
    const staging = await built(to, files, [chunks(files, 1)]);
    put(join(staging, stagedName('top/big')), files, 'top/big');
    writeFileSync(join(staging, 'probe'), '');
    const session = await open(to, files);
    assert.equal(await session.sink.ready(), true);
    await complete(session);
    assertTree(to, files);
  });
});

describe('damaged journals', linux, () => {
  const files = sample();

  /** None of them makes a file whole. */
  const moved = [1, 2, 3, 5, 7];

  /** A suspended run with these chunks, each in a record of its own, and where its journal is. */
  async function first(to: string): Promise<string> {
    const session = await open(to, files);
    for (const [i, chunk] of moved.entries()) {
      await move(session, (index) => index === chunk);
      await journaled(to, i + 1);
    }
    await session.sink.close('keep');
    return join(stagingOf(to), 'journal');
  }

  test('whatever is cut off its end, and whatever follows, the rest counts', async (t) => {
    let before = moved.length;
    for (const cut of [0, 1, 40, 90, 140]) {
      const to = scratch(t);
      const journal = await first(to);
      truncateSync(journal, statSync(journal).size - cut);
      appendFileSync(journal, Buffer.alloc(cut % 7, 0x17));
      const log = await receive(to, files);
      assert.deepEqual(log.held, moved.slice(0, log.held.length));
      assert.ok(log.held.length <= before && log.held.length >= 1);
      before = log.held.length;
      assertTree(to, files);
    }
    assert.ok(before < moved.length - 1, 'something was cut');
  });

  test('one flipped bit: what is behind it does not count', async (t) => {
    const to = scratch(t);
    const journal = await first(to);
    const bytes = readFileSync(journal);
    bytes[bytes.length - 100]! ^= 4;
    writeFileSync(journal, bytes);
    const log = await receive(to, files);
    assert.deepEqual(log.held, moved.slice(0, 2));
    assertTree(to, files);
  });

  test('its beginning is damaged: a fresh start, and what is staged stays', async (t) => {
    const to = scratch(t);
    const small = new Files().other(folder('top')).add('top/big', noise(3 * CHUNK, 'big'));
    await interrupted(to, small, (chunk) => chunk < 2);
    const staging = stagingOf(to);
    const bytes = readFileSync(join(staging, 'journal'));
    bytes[12]! ^= 1;
    writeFileSync(join(staging, 'journal'), bytes);
    const before = readdirSync(staging);
    assert.equal(before.length, 2);
    const log = await receive(to, small);
    assert.deepEqual(log.held, []);
    assert.equal(stagingOf(to), staging);
    assert.deepEqual(readdirSync(staging), before);
    rmSync(staging, { recursive: true });
    assertTree(to, small);
  });
});

describe('planted stagings are not used, and not touched', linux, () => {
  const files = two();
  const forged = () => [chunks(files, 0, 1, 2), { type: 'placed' as const, entries: [1, 2] }];

  /** Opens a new one beside whatever was planted. */
  async function ignored(to: string, planted: string): Promise<void> {
    const before = readdirSync(planted).sort();
    const session = await open(to, files);
    assert.deepEqual(session.log.held, []);
    await complete(session);
    assert.deepEqual(readdirSync(planted).sort(), before);
    rmSync(planted, { recursive: true });
    for (const name of staged(to)) rmSync(join(to, name), { recursive: true });
    assertTree(to, files);
  }

  test('a link to one', async (t) => {
    const [to, outside] = [scratch(t), scratch(t)];
    const path = await built(outside, files, forged());
    symlinkSync(path, join(to, '.beeline-fedcba9876543210'));
    await ignored(to, path);
  });

  for (const mode of [0o755, 0o770, 0o701])
    test(`one that others may enter: ${mode.toString(8)}`, async (t) => {
      const to = scratch(t);
      const path = await built(to, files, forged());
      chmodSync(path, mode);
      await ignored(to, path);
    });

  test('a link, and a second name, in place of its journal', async (t) => {
    for (const plant of [symlinkSync, linkSync]) {
      const [to, outside] = [scratch(t), scratch(t)];
      const path = await built(outside, files, forged());
      const planted = join(to, '.beeline-fedcba9876543210');
      mkdirSync(planted, { mode: 0o700 });
      plant(join(path, 'journal'), join(planted, 'journal'));
      writeFileSync(join(planted, stagedName('top/a')), 'forged');
      const journal = readFileSync(join(path, 'journal'));
      await ignored(to, planted);
      assert.ok(readFileSync(join(path, 'journal')).equals(journal));
    }
  });

  test('a link in place of a staged file: nothing is written through it', async (t) => {
    const [to, outside] = [scratch(t), scratch(t)];
    const path = await built(to, files, [chunks(files, 1)]);
    writeFileSync(join(outside, 'victim'), Buffer.alloc(2 * CHUNK, 7));
    symlinkSync(join(outside, 'victim'), join(path, stagedName('top/big')));
    const log = await receive(to, files);
    assert.deepEqual(log.held, []);
    assert.ok(readFileSync(join(outside, 'victim')).every((byte) => byte === 7));
    assertTree(to, files);
  });

  test('a journal with a name that leaves the destination', async (t) => {
    const to = scratch(t);
    // Not even the journal's own encoder writes it; so by hand, into a manifest that was never checked.
    const evil = new Files().other(folder('top'));
    evil.all.push({ entry: file('../../escape', 5), bytes: Buffer.from('12345') });
    const path = await built(to, evil, [
      { type: 'chunks', chunks: [{ index: 0, hash: hashOf(Buffer.from('12345')) }] },
      { type: 'placed', entries: [1] },
    ]);
    writeFileSync(join(path, stagedName('../../escape')), '12345');
    await receive(to, files);
    assertTree(to, files);
  });
});

test('killed for real, wherever it is, again and again', linux, async (t) => {
  const to = scratch(t);
  const files = sample();
  const { url, node } = childModule('test/node/files/resuming.ts');
  const script = `
    const { open, move, sample, complete } = await import(${JSON.stringify(url)});
    const session = await open(process.argv[1], sample());
    process.stdout.write('held ' + session.log.held.join() + '\\n');
    for (let chunk = 0; chunk < session.space.chunks - 1; chunk++) {
      await move(session, (index) => index === chunk);
      process.stdout.write('moved\\n');
    }
    await new Promise((resolve) => setTimeout(resolve, 60_000));`;
  let most = 0;
  for (const round of range(0, 5)) {
    const child = spawn(process.execPath, [...node, '--input-type=module', '-e', script, to], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    t.after(() => child.kill('SIGKILL'));
    let heard = '';
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.stdout.on('data', (data) => {
        heard += data;
        // Later in each round; in the last ones a commit's time after the last chunk.
        if (heard.split('moved').length > 2 * round + 1)
          setTimeout(resolve, round > 3 ? 120 * (round - 3) : 0);
        else if (heard.split('moved').length > 8) setTimeout(resolve, 150 * (round - 2));
      });
    });
    child.kill('SIGKILL');
    await exited;
    const held = /held (.*)/.exec(heard)?.[1]?.split(',').filter(Boolean).length ?? 0;
    assert.ok(held >= most, 'what was down stays down');
    most = held;
  }
  const last = await open(to, files);
  assert.ok(last.log.held.length >= most);
  await complete(last);
  assertTree(to, files);
});
