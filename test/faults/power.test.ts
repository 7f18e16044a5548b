/** What a power loss may take, and what not. */
import assert from 'node:assert/strict';
import fs, {
  closeSync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  write,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { writeFully } from '../../src/node/files/io.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { inventory, linux, made, put, syncAll, syncFolder, well } from './helpers.ts';

/** What is left after each of many power losses behind the same work, as text; undefined is no file. */
async function outcomes(t: TestContext, work: (dir: string) => unknown, name: string) {
  const seen = new Set<string | undefined>();
  const times = new Set<number | undefined>();
  for (let i = 0; i < 150; i++) {
    const { dir, disk } = made(t, randomFrom(seed + i));
    well(await disk.run({}, () => work(dir)));
    disk.losePower();
    const there = lstatSync(join(dir, name), { throwIfNoEntry: false });
    seen.add(there && readFileSync(join(dir, name), 'utf8'));
    times.add(there?.mtimeMs);
    disk.dispose();
  }
  return { seen, times };
}

/** Random operations, of which some fail because nothing is there; synchronous and asynchronous ones. */
async function scribble(dir: string, random: () => number, steps: number): Promise<void> {
  const below = (n: number) => Math.floor(random() * n);
  const path = () => join(dir, ['', 'd0/', 'd1/', 'd0/d2/'][below(4)]! + ['a', 'b', 'c'][below(3)]);
  const open = (flags: string, work: (fd: number) => unknown) => {
    const fd = openSync(path(), flags);
    return Promise.resolve(work(fd)).finally(() => closeSync(fd));
  };
  const data = () => randomBytes(random, 1 + below(9000));
  const all = [
    () => mkdirSync(join(dir, ['d0', 'd1', 'd0/d2'][below(3)]!)),
    () => open('w', (fd) => writeSync(fd, data())),
    () => open('a', (fd) => writeFully(fd, data(), 0)),
    () => open('r+', (fd) => writeFully(fd, data(), below(9000))),
    () => open('r+', (fd) => ftruncateSync(fd, below(9000))),
    () => open('r', (fd) => promisify(fsync)(fd)),
    () => open('r+', (fd) => futimesSync(fd, 1, below(1e9))),
    () => renameSync(path(), path()),
    () => linkSync(path(), path()),
    () => symlinkSync('nowhere', path()),
    () => unlinkSync(path()),
    () => rmSync(join(dir, ['d1', 'd0/d2', 'd0/a'][below(3)]!), { recursive: true }),
    () => writeFileSync(path(), data()),
  ];
  for (let i = 0; i < steps; i++) {
    try {
      await all[below(all.length)]!();
    } catch (error) {
      if (!/ENOENT|EEXIST|EISDIR|ENOTDIR|ENOTEMPTY/.test(String((error as { code?: string }).code)))
        throw error;
    }
  }
}

describe('a power loss', linux, () => {
  test('is the real folder, and synced all of it survives', async (t) => {
    for (let i = 0; i < 40; i++) {
      const { dir, disk, random } = made(t, randomFrom(seed + i));
      well(await disk.run({ shortWrites: i % 2 ? 0.5 : 0 }, () => scribble(dir, random, 60)));
      disk.check();
      const before = inventory(dir);
      well(await disk.run({}, () => syncAll(dir)));
      disk.losePower();
      assert.deepEqual(inventory(dir), before);
      disk.dispose();
    }
  });

  test('survives power losses in the middle, and goes on from what is left', async (t) => {
    const { dir, disk, random } = made(t);
    for (let i = 0; i < 40; i++) {
      well(await disk.run({}, () => scribble(dir, random, 20)));
      disk.check();
      disk.losePower();
      disk.check();
    }
  });

  test('without a sync a file may vanish, be empty, torn or whole', async (t) => {
    const { seen } = await outcomes(t, (dir) => put(join(dir, 'f'), 'x'.repeat(20_000)), 'f');
    const kinds = new Set([...seen].map((text) => text?.replace(/\0+/g, '0').replace(/x+/g, 'x')));
    for (const kind of [undefined, '', '0', 'x']) assert.ok(kinds.has(kind), `never ${kind}`);
    assert.ok(
      [...kinds].some((text) => text?.includes('x') && text.includes('0')),
      'never torn',
    );
  });

  test('what is synced stays, also its name, and what follows may not', async (t) => {
    for (const sync of ['fsyncSync', 'fdatasyncSync'] as const) {
      const work = (dir: string) =>
        put(join(dir, 'f'), 'old', (fd) => {
          fs[sync](fd);
          writeSync(fd, 'new', 0);
        });
      const { seen } = await outcomes(t, work, 'f');
      assert.deepEqual([...seen].sort(), ['new', 'old']);
    }
  });

  test('a rename leaves the old or the new, never neither', async (t) => {
    const work = (dir: string) => {
      put(join(dir, 'f'), 'old', fsyncSync);
      put(join(dir, 'g'), 'new', fsyncSync);
      renameSync(join(dir, 'g'), join(dir, 'f'));
    };
    assert.deepEqual([...(await outcomes(t, work, 'f')).seen].sort(), ['new', 'old']);
    const folderSynced = (dir: string) => {
      work(dir);
      syncFolder(dir);
    };
    assert.deepEqual([...(await outcomes(t, folderSynced, 'f')).seen], ['new']);
  });

  test('a rename of bytes that are not synced may leave neither', async (t) => {
    const work = (dir: string) => {
      put(join(dir, 'f'), 'old', fsyncSync);
      put(join(dir, 'g'), 'new');
      renameSync(join(dir, 'g'), join(dir, 'f'));
      syncFolder(dir);
    };
    const { seen } = await outcomes(t, work, 'f');
    assert.ok(seen.has('new') && seen.has('') && !seen.has('old'), [...seen].join());
  });

  test('fdatasync keeps neither a rename nor a time; fsync keeps both', async (t) => {
    const work = (sync: 'fsyncSync' | 'fdatasyncSync') => (dir: string) => {
      put(join(dir, 'g'), 'new', (fd) => {
        fdatasyncSync(fd);
        futimesSync(fd, 1000, 1000);
        renameSync(join(dir, 'g'), join(dir, 'f'));
        fs[sync](fd);
      });
    };
    const data = await outcomes(t, work('fdatasyncSync'), 'f');
    assert.deepEqual(data.seen, new Set(['new', undefined]));
    const early = await outcomes(t, work('fdatasyncSync'), 'g');
    assert.ok(early.times.has(1_000_000) && early.times.size > 2, 'a time is kept with luck only');
    const full = await outcomes(t, work('fsyncSync'), 'f');
    assert.deepEqual([full.seen, full.times], [new Set(['new']), new Set([1_000_000])]);
  });

  test('a sync in one folder may or may not keep what came before it in another', async (t) => {
    const work = (dir: string) => {
      put(join(dir, 'f'), 'old', fsyncSync);
      mkdirSync(join(dir, 'd'));
      mkdirSync(join(dir, 'e'));
      syncFolder(dir);
      renameSync(join(dir, 'f'), join(dir, 'd/f'));
      put(join(dir, 'e/g'), '', fsyncSync);
    };
    assert.deepEqual((await outcomes(t, work, 'e/g')).seen, new Set(['']));
    assert.deepEqual((await outcomes(t, work, 'd/f')).seen, new Set(['old', undefined]));
    // What a synced file is in, is kept with it.
    const nested = (dir: string) => {
      mkdirSync(join(dir, 'd'));
      mkdirSync(join(dir, 'd/e'));
      put(join(dir, 'd/e/g'), '', fsyncSync);
    };
    assert.deepEqual((await outcomes(t, nested, 'd/e/g')).seen, new Set(['']));
  });

  test('a sync does not cover a write that is still under way', async (t) => {
    const work = async (dir: string) => {
      const fd = openSync(join(dir, 'f'), 'w');
      fsyncSync(fd);
      const writing = promisify(write)(fd, Buffer.from('text'), 0, 4, 0);
      fsyncSync(fd);
      await writing;
      closeSync(fd);
    };
    const { seen } = await outcomes(t, work, 'f');
    assert.ok(seen.has('text') && seen.has(''), [...seen].join());
  });

  test('what a failed sync was to keep, no later sync does', async (t) => {
    const { dir, disk } = made(t);
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const life = await disk.run({ faults: [{ code: 'EIO', from: 1, kinds: ['fsync'] }] }, () =>
        put(join(dir, 'f'), 'text', (fd) => {
          assert.throws(() => fsyncSync(fd), { code: 'EIO', syscall: 'fsync' });
          fsyncSync(fd);
        }),
      );
      well(life);
      disk.losePower();
      seen.add(readFileSync(join(dir, 'f'), 'utf8'));
    }
    assert.ok(seen.has('text') && seen.has(''));
  });

  test('sync as a command counts, and its failure too', async (t) => {
    const work = async (dir: string) => {
      put(join(dir, 'f'), 'text');
      await syncAll(dir);
    };
    assert.deepEqual((await outcomes(t, work, 'f')).seen, new Set(['text']));
    const { dir, disk } = made(t);
    const life = await disk.run({ faults: [{ code: 'EIO', from: 1, kinds: ['syncfs'] }] }, () =>
      syncAll(dir),
    );
    assert.match(String(life.error), /Command failed: sync/);
    const owed = await disk.run({ faults: [{ code: 'EIO', from: 1, kinds: ['syncfs'] }] }, async () => {
      put(join(dir, 'f'), 'text');
      await assert.rejects(syncAll(dir));
      const fd = openSync(join(dir, 'f'), 'r');
      assert.throws(() => fsyncSync(fd), { code: 'EIO' }, 'each file’s own failure is still told');
      fsyncSync(fd);
      closeSync(fd);
    });
    well(owed);
  });
});
