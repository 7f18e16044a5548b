/** What was decided about existing files, in a later run; and files that are refreshed. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { OnConflict } from '../../../src/node/files/conflicts.ts';
import { fromMicros } from '../../../src/node/files/io.ts';
import { CHUNK, failure, folder, link, scratch, until } from './helpers.ts';
import {
  assertFile,
  assertTree,
  complete,
  crashed,
  Files,
  interrupted,
  journaled,
  linux,
  move,
  noise,
  open,
  range,
  receive,
} from './resuming.ts';

const never: OnConflict = async (path) => {
  throw new Error(`asked about ${path}`);
};

/** Three files of two chunks each and a last one, so that a run can stop before, in and behind each. */
const policies = new Files()
  .add('rename', noise(2 * CHUNK, 'rename'))
  .add('replace', noise(2 * CHUNK, 'replace'))
  .add('skip', noise(2 * CHUNK, 'skip'))
  .add('z', noise(2 * CHUNK, 'z'));

const choose: OnConflict = async (path) => path as 'rename' | 'replace' | 'skip';

function existing(to: string, text = 'old'): void {
  for (const name of ['rename', 'replace', 'skip']) writeFileSync(join(to, name), text);
}

function assertChosen(to: string): void {
  assert.deepEqual(readdirSync(to).sort(), ['rename', 'rename (1)', 'replace', 'skip', 'z']);
  for (const name of ['rename', 'skip']) assert.equal(readFileSync(join(to, name), 'utf8'), 'old');
  for (const { entry, bytes } of policies.all)
    if (entry.path !== 'skip')
      assertFile(join(to, entry.path === 'rename' ? 'rename (1)' : entry.path), entry, bytes);
}

describe('decisions of the first run', linux, () => {
  // Chunks 0-1 rename, 2-3 replace, 4-5 skip, 6-7 z.
  for (const [when, moved] of [
    ['before anything is whole', [0, 2]],
    ['when all but the last is in place', [0, 1, 2, 3]],
    ['when only the last came', [6]],
    ['when everything came', [0, 1, 2, 3, 6, 7]],
  ] as const)
    test(`need not be made again, ${when}`, async (t) => {
      for (const later of [{}, { onConflict: never }]) {
        const to = scratch(t);
        existing(to);
        await interrupted(to, policies, (chunk) => moved.some((m) => m === chunk), { onConflict: choose });
        const second = await open(to, policies, later);
        assert.equal(second.sink.wants(policies.index('skip')), false);
        await complete(second);
        assert.deepEqual(second.log.held, moved);
        assertChosen(to);
      }
    });

  test('are outranked by what is said now', async (t) => {
    const to = scratch(t);
    existing(to);
    await interrupted(to, policies, (chunk) => chunk === 0 || chunk === 2, { onConflict: choose });
    await receive(to, policies, { overwrite: 'skip' });
    assert.equal(readFileSync(join(to, 'replace'), 'utf8'), 'old');
  });

  test('to replace something do not hold for another manifest', async (t) => {
    const to = scratch(t);
    existing(to);
    await interrupted(to, policies, (chunk) => chunk === 0 || chunk === 2, { onConflict: choose });
    const others = policies.with('z', (bytes) => bytes.fill(9));
    await assert.rejects(open(to, others), failure('EXISTS', "'replace' exists"));
    assert.equal(readFileSync(join(to, 'replace'), 'utf8'), 'old');
  });

  test('survive a crash, too', async (t) => {
    const to = scratch(t);
    existing(to);
    const first = await open(to, policies, { onConflict: choose });
    await move(first, (chunk) => chunk < 3);
    await journaled(to, 3);
    const copy = crashed(t, to);
    await receive(copy, policies);
    assertChosen(copy);
    await first.sink.close('discard');
  });

  test('a conflict that is new is asked about, and only that', async (t) => {
    const to = scratch(t);
    existing(to);
    await interrupted(to, policies, (chunk) => chunk < 3, { onConflict: choose });
    writeFileSync(join(to, 'z'), 'meanwhile');
    await assert.rejects(open(to, policies), failure('EXISTS', "'z' exists"));
    const asked: string[] = [];
    const onConflict: OnConflict = async (path) => {
      asked.push(path);
      return 'replace';
    };
    assert.deepEqual((await receive(to, policies, { onConflict })).held, [0, 1, 2]);
    assert.deepEqual(asked, ['z']);
    assertChosen(to);
  });

  test('a new conflict with a file that is half here already may be skipped or renamed', async (t) => {
    for (const overwrite of ['skip', 'rename'] as const)
      for (const moved of [1, 2]) {
        const to = scratch(t);
        const files = new Files().add('f', noise(2 * CHUNK, 'f')).add('g', noise(2 * CHUNK, 'g'));
        const first = await open(to, files);
        await move(first, (chunk) => chunk < moved);
        if (moved === 2) {
          // Whole, journaled, and in place; taken away again, and something else put there.
          await until('f is in place', () => readdirSync(to).includes('f'));
          unlinkSync(join(to, 'f'));
        }
        await first.sink.close('keep');
        writeFileSync(join(to, 'f'), 'mine', { flag: 'wx' });
        if (moved === 2) {
          // What was placed and then edited is left alone.
          await receive(to, files, { overwrite });
          assert.deepEqual(readdirSync(to).sort(), ['f', 'g']);
        } else {
          await receive(to, files, { overwrite });
          assert.deepEqual(readdirSync(to).sort(), overwrite === 'skip' ? ['f', 'g'] : ['f', 'f (1)', 'g']);
          if (overwrite === 'rename') assertFile(join(to, 'f (1)'), files.entries[0]!, files.all[0]!.bytes);
        }
        assert.equal(readFileSync(join(to, 'f'), 'utf8'), 'mine');
        assertFile(join(to, 'g'), files.entries[1]!, files.all[1]!.bytes);
      }
  });

  test('a whole staged file that is skipped now does not get in the way', async (t) => {
    const to = scratch(t);
    const files = new Files().add('f', noise(2 * CHUNK, 'f')).add('g', noise(2 * CHUNK, 'g'));
    const first = await open(to, files);
    await move(first, (chunk) => chunk < 2);
    // In the way of placing: the run ends, with everything of it staged.
    writeFileSync(join(to, 'f'), 'mine');
    await assert.rejects(first.sink.finish());
    await first.sink.close('keep');
    await receive(to, files, { overwrite: 'skip' });
    assert.deepEqual(readdirSync(to).sort(), ['f', 'g']);
    assert.equal(readFileSync(join(to, 'f'), 'utf8'), 'mine');
  });

  test('the name a file was renamed to is taken meanwhile', async (t) => {
    const to = scratch(t);
    existing(to);
    await interrupted(to, policies, (chunk) => chunk < 1, { onConflict: choose });
    writeFileSync(join(to, 'rename (1)'), 'mine');
    await receive(to, policies);
    const { entry, bytes } = policies.all[0]!;
    assertFile(join(to, 'rename (2)'), entry, bytes);
    rmSync(join(to, 'rename (2)'));
    assert.equal(readFileSync(join(to, 'rename (1)'), 'utf8'), 'mine');
  });

  test('a file that was renamed on placing is found under that name', async (t) => {
    const to = scratch(t);
    const files = new Files().add('f', noise(CHUNK, 'f')).add('g', noise(2 * CHUNK, 'g'));
    const first = await open(to, files, { overwrite: 'rename' });
    writeFileSync(join(to, 'f'), 'mine');
    await move(first, (chunk) => chunk < 1);
    await first.sink.close('keep');
    const second = await receive(to, files, { onConflict: never });
    assert.deepEqual(second, { held: [0], guessed: [], kept: [], written: [1, 2] });
    assert.deepEqual(readdirSync(to).sort(), ['f', 'f (1)', 'g']);
    assert.equal(readFileSync(join(to, 'f'), 'utf8'), 'mine');
  });

  test('renamed, in place, and then changed by the sender: the copy is replaced, not doubled', async (t) => {
    const to = scratch(t);
    existing(to);
    await interrupted(to, policies, (chunk) => chunk < 2, { onConflict: choose });
    const now = policies.with('rename', (bytes) => bytes.fill(9, CHUNK));
    const second = await receive(to, now, { onConflict: choose });
    assert.deepEqual(second.kept, [0]);
    const { entry, bytes } = now.all[0]!;
    assertFile(join(to, 'rename (1)'), entry, bytes);
    assert.deepEqual(readdirSync(to).sort(), ['rename', 'rename (1)', 'replace', 'skip', 'z']);
    assert.equal(readFileSync(join(to, 'rename'), 'utf8'), 'old');
  });

  test('a link that was renamed stays there', async (t) => {
    const to = scratch(t);
    symlinkSync('mine', join(to, 'l'));
    const files = new Files().other(link('l', 'z')).add('z', noise(10, 'z'));
    const first = await open(to, files, { overwrite: 'rename' });
    await move(first);
    await first.sink.finish();
    await first.sink.close('keep');
    await receive(to, files);
    assert.deepEqual(readdirSync(to).sort(), ['l', 'l (1)', 'z']);
    assert.deepEqual(
      ['l', 'l (1)'].map((name) => readlinkSync(join(to, name))),
      ['mine', 'z'],
    );
  });

  test('a skipped file whose folder is gone stays skipped', async (t) => {
    const to = scratch(t);
    const files = new Files()
      .other(folder('d'))
      .add('d/f', noise(CHUNK, 'f'))
      .add('d/g', noise(2000, 'g'))
      .add('z', noise(2 * CHUNK, 'z'));
    mkdirSync(join(to, 'd'));
    writeFileSync(join(to, 'd/f'), 'old');
    await interrupted(to, files, (chunk) => chunk < 2, { overwrite: 'skip' });
    rmSync(join(to, 'd'), { recursive: true });
    await receive(to, files);
    assert.deepEqual(readdirSync(join(to, 'd')), ['g']);
  });
});

describe('update', linux, () => {
  const update = { overwrite: 'update' as const };
  const files = new Files()
    .other(folder('d', 0o755))
    .add('d/big', noise(5 * CHUNK + 20_000, 'big'))
    .add('d/equal', noise(2 * CHUNK, 'equal'))
    .add('d/small', noise(3000, 'small'))
    .add('d/tiny', noise(30, 'tiny'));

  /** A destination that has all of them, the big one and the small one in other versions. */
  function before(to: string): Buffer {
    mkdirSync(join(to, 'd'));
    for (const { entry, bytes } of files.all) {
      if (entry.kind !== 'file') continue;
      writeFileSync(join(to, entry.path), bytes, { mode: entry.mode });
      utimesSync(join(to, entry.path), 1, fromMicros(entry.mtime));
    }
    const old = Buffer.from(files.all[1]!.bytes);
    old[2 * CHUNK + 7]! ^= 1;
    writeFileSync(join(to, 'd/big'), old);
    writeFileSync(join(to, 'd/small'), 'old');
    return old;
  }

  function assertUpdated(to: string): void {
    assertTree(to, files);
  }

  test('equal ones are skipped, others compared, and only what differs is moved', async (t) => {
    const to = scratch(t);
    const old = before(to);
    const { ino } = statSync(join(to, 'd/equal'));
    const session = await open(to, files, update);
    assert.deepEqual(
      files.entries.map((_, entry) => session.sink.wants(entry)),
      [true, true, false, true, false],
    );
    await move(session, (chunk) => chunk < 5);
    await journaled(to, 5);
    assert.ok(readFileSync(join(to, 'd/big')).equals(old), 'the old one is whole until the end');
    await complete(session);
    assert.deepEqual(session.log, { held: [], guessed: range(0, 6), kept: [0, 1, 3, 4, 5], written: [2, 8] });
    assert.equal(statSync(join(to, 'd/equal')).ino, ino);
    assertUpdated(to);
  });

  test('interrupted, it goes on comparing', async (t) => {
    for (const later of [update, {}]) {
      const to = scratch(t);
      const old = before(to);
      await interrupted(to, files, (chunk) => chunk < 3, update);
      assert.ok(readFileSync(join(to, 'd/big')).equals(old));
      const second = await receive(to, files, later);
      assert.deepEqual(second, { held: [0, 1, 2], guessed: [3, 4, 5], kept: [3, 4, 5], written: [8] });
      assertUpdated(to);
    }
  });

  test('interrupted before the file was begun', async (t) => {
    const to = scratch(t);
    before(to);
    await interrupted(to, files, (chunk) => chunk === 8, update);
    const second = await receive(to, files, update);
    assert.deepEqual(second, { held: [8], guessed: range(0, 6), kept: [0, 1, 3, 4, 5], written: [2] });
    assertUpdated(to);
  });

  test('half staged already, and then something that is right in the other half appears', async (t) => {
    const to = scratch(t);
    const f = new Files().add('f', noise(4 * CHUNK, 'f'));
    await interrupted(to, f, (chunk) => chunk < 2);
    const other = Buffer.from(f.all[0]!.bytes).fill(0, 0, 2 * CHUNK);
    writeFileSync(join(to, 'f'), other);
    const second = await receive(to, f, update);
    assert.deepEqual(second, { held: [0, 1], guessed: [2, 3], kept: [2, 3], written: [] });
    assertTree(to, f);
  });

  test('a file that was equal is not any more', async (t) => {
    const to = scratch(t);
    before(to);
    await interrupted(to, files, (chunk) => chunk < 3, update);
    const now = files.with('d/equal', (bytes) => bytes.fill(3, CHUNK));
    const second = await receive(to, now, update);
    assert.deepEqual(second.held, [0, 1, 2]);
    assert.deepEqual(second.kept, [3, 4, 5, 6]);
    assert.deepEqual(second.written, [7, 8]);
    assertTree(to, now);
  });

  test('a file that cannot be read for comparing comes whole', async (t) => {
    const to = scratch(t);
    const f = new Files().add('f', noise(2 * CHUNK, 'f'));
    writeFileSync(join(to, 'f'), 'short');
    const session = await open(to, f, update);
    unlinkSync(join(to, 'f'));
    await complete(session);
    assert.deepEqual(session.log.written, [0, 1]);
    assertTree(to, f);
  });

  test('twice in a row: the second moves nothing', async (t) => {
    const to = scratch(t);
    await receive(to, files, update);
    const second = await receive(to, files, update);
    assert.deepEqual(second, { held: [], guessed: [], kept: [], written: [] });
    assertTree(to, files);
  });
});

/** Three runs with `update`, of which the middle one has another file under the name, and brings nothing. */
async function modeAfter(to: string, others: (run: number) => Files): Promise<number> {
  const bytes = noise(70_000, 'c');
  const runs = [
    others(0).add('z', bytes, 0o644),
    others(1).add('z', Buffer.alloc(0), 0o644, 1_600_000_000_000_000),
    others(2).add('z', bytes, 0o755),
  ];
  for (const [run, files] of runs.entries())
    await interrupted(to, files, () => run === 0, { overwrite: 'update' });
  await receive(to, runs[2]!, { overwrite: 'update' });
  return statSync(join(to, 'z')).mode & 0o777;
}

// Shrunk from seed 1191730327 of resume-random.
test('a changed mode alone counts only from a sender that is known again', linux, async (t) => {
  const stays = () => new Files().add('a', noise(10, 'a'));
  assert.equal(await modeAfter(scratch(t), stays), 0o755);
  const changes = (run: number) => new Files().add('a', noise(10 + run, 'a'));
  assert.equal(await modeAfter(scratch(t), changes), 0o644, 'a stranger is held to what an update promises');
});
