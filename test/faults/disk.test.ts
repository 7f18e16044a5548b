/** Faults, processes and the patch itself; what a power loss does is in power.test.ts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs, {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  write,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { writeFully } from '../../src/node/files/io.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { Crash, FaultyDisk } from './disk.ts';
import { inventory, linux, made, put, syncAll, syncFolder, well } from './helpers.ts';

describe('faults', linux, () => {
  test('short writes say so, and what writes fully does', async (t) => {
    const { dir, disk, random } = made(t);
    const data = randomBytes(random, 30_000);
    const life = await disk.run({ shortWrites: 1 }, async () => {
      const fd = openSync(join(dir, 'f'), 'w');
      const took = writeSync(fd, data, 0, data.length, 0);
      assert.ok(took > 0 && took < data.length);
      assert.equal(fstatSync(fd).size, took);
      await writeFully(fd, data, 0);
      closeSync(fd);
    });
    well(life);
    assert.ok(life.operations.length > 3);
    assert.deepEqual(readFileSync(join(dir, 'f')), data);
    disk.check();
  });

  test('come once, for a while or for good, and for the operations meant', async (t) => {
    const codes = async (fault: object) => {
      const { dir, disk } = made(t);
      const seen: string[] = [];
      const life = await disk.run({ faults: [{ code: 'ENOSPC', from: 2, ...fault }] }, () =>
        put(join(dir, 'f'), 'start', (fd) => {
          for (let i = 0; i < 4; i++)
            try {
              writeSync(fd, 'x');
              ftruncateSync(fd, 3);
              seen.push('');
            } catch (error) {
              seen.push((error as NodeJS.ErrnoException).code!);
            }
        }),
      );
      well(life);
      return seen.join();
    };
    assert.equal(await codes({ from: 3 }), 'ENOSPC,,,');
    assert.equal(await codes({ kinds: ['write'] }), 'ENOSPC,,,');
    assert.equal(await codes({ kinds: ['write'], from: 3, to: 4 }), ',ENOSPC,ENOSPC,');
    assert.equal(await codes({ kinds: ['truncate'], code: 'EIO', to: Infinity }), ',EIO,EIO,EIO');
  });

  test('a crash at each operation leaves what was done before it, and nothing works after', async (t) => {
    const script = (dir: string) => [
      () => mkdirSync(join(dir, 'd')),
      () => closeSync(openSync(join(dir, 'd/f'), 'w')),
      () => fs.appendFileSync(join(dir, 'd/f'), 'one'),
      () => fs.appendFileSync(join(dir, 'd/f'), 'two'),
      () => syncFolder(join(dir, 'd')),
      () => renameSync(join(dir, 'd/f'), join(dir, 'g')),
      () => linkSync(join(dir, 'g'), join(dir, 'd/h')),
      () => fs.chmodSync(join(dir, 'g'), 0o600),
      () => unlinkSync(join(dir, 'g')),
    ];
    const total = script('').length;
    for (let n = 1; n <= total + 1; n++) {
      const { dir, disk } = made(t);
      const life = await disk.run({ crashAt: n }, () => {
        for (const step of script(dir)) step();
      });
      assert.equal(life.crashed, n <= total);
      assert.equal(life.operations.length, Math.min(n, total));
      assert.equal(life.error instanceof Crash, n <= total);
      const { dir: other } = made(t);
      for (const step of script(other).slice(0, n - 1)) step();
      assert.deepEqual(inventory(dir), inventory(other));
      disk.check();
    }
    const { dir, disk } = made(t);
    const life = await disk.run({ crashAt: 1 }, async () => {
      assert.throws(() => mkdirSync(join(dir, 'd')), Crash);
      assert.throws(() => mkdirSync(join(dir, 'd')), Crash);
      assert.throws(() => readdirSync(dir), Crash);
      await assert.rejects(promisify(fs.stat)(dir), Crash);
      await assert.rejects(fs.promises.stat(dir), Crash);
      await assert.rejects(syncAll(dir));
    });
    well(life);
  });
});

describe('processes', linux, () => {
  test('that are over have no effect any more', async (t) => {
    const { dir, disk } = made(t);
    const late: unknown[] = [];
    let fd = -1;
    const life = await disk.run({}, () => {
      fd = openSync(join(dir, 'f'), 'w');
      const attempt = (work: () => unknown) => {
        try {
          work();
          late.push('done');
        } catch (error) {
          late.push(error);
        }
      };
      setImmediate(() => setImmediate(attempt, () => writeFileSync(join(dir, 'g'), '')));
      setImmediate(() => setImmediate(attempt, () => writeSync(fd, 'late')));
      setImmediate(() => setImmediate(attempt, () => closeSync(fd)));
    });
    assert.deepEqual(life.leftOpen, ['f']);
    const reused = openSync(join(dir, 'f'), 'r');
    assert.equal(reused, fd, 'the end of the process closed it');
    while (late.length < 3) await promisify(setImmediate)();
    assert.ok(late[0] instanceof Crash && late[1] instanceof Crash && late[2] === 'done');
    fstatSync(reused);
    closeSync(reused);
    assert.deepEqual(readdirSync(dir), ['f']);
    assert.equal(readFileSync(join(dir, 'f'), 'utf8'), '');
  });

  test('that die leave to the next what the system still has in memory, and a power loss takes it', async (t) => {
    const seen = new Set<string>();
    // Each is what a power loss leaves in more than a quarter of all rounds.
    for (let i = 0; i < 1000 && !(seen.has('a') && seen.has('ad')); i++) {
      const { dir, disk } = made(t, randomFrom(seed + i));
      await disk.run({ crashAt: 4 }, () =>
        put(join(dir, 'f'), 'a', (fd) => {
          fsyncSync(fd);
          writeSync(fd, 'b');
        }),
      );
      await disk.run({ crashAt: 3 }, () => put(join(dir, 'g'), 'c', fsyncSync));
      assert.equal(readFileSync(join(dir, 'f'), 'utf8'), 'a');
      well(await disk.run({}, () => fs.appendFileSync(join(dir, 'f'), 'd')));
      const next = await disk.run({}, () => readFileSync(join(dir, 'f'), 'utf8'));
      assert.equal(well(next), 'ad');
      disk.losePower();
      seen.add(readFileSync(join(dir, 'f'), 'utf8'));
      disk.dispose();
    }
    assert.ok(seen.has('a') && seen.has('ad'), [...seen].join());
  });

  test('may not change the folder in ways that the model does not know', async (t) => {
    const { dir, disk } = made(t);
    const life = await disk.run({}, async () => {
      assert.throws(() => fs.copyFileSync('/etc/hostname', join(dir, 'f')), /does not know fs.copyFile/);
      await assert.rejects(fs.promises.writeFile(join(dir, 'f'), ''), /does not know fs.promises.writeFile/);
      writeFileSync(join(tmpdir(), 'beeline-faults-elsewhere'), '');
      rmSync(join(tmpdir(), 'beeline-faults-elsewhere'));
    });
    well(life);
    assert.deepEqual(life.operations, [], 'other folders are not counted');
    assert.deepEqual(readdirSync(dir), []);
  });
});

test('after dispose the functions are Node’s own again', linux, async () => {
  const childProcess = await import('node:child_process');
  const promises = await import('node:fs/promises');
  const all = () => [
    ...Object.values(fs),
    ...Object.values(promises),
    ...Object.values(childProcess.default),
    ...[openSync, renameSync, write, execFile, promises.writeFile, childProcess.spawn],
  ];
  const before = all();
  const dir = mkdtempSync(join(tmpdir(), 'beeline-faults-'));
  const [one, two] = [new FaultyDisk(dir, randomFrom(1)), new FaultyDisk(dir, randomFrom(1))];
  const patched = all().filter((value, i) => value !== before[i]).length;
  assert.ok(patched > 60, `${patched} patched`);
  one.dispose();
  one.dispose();
  assert.notDeepEqual(all(), before, 'another disk is in use');
  two.dispose();
  for (const [i, value] of all().entries()) assert.ok(value === before[i], `${i}`);
  rmSync(dir, { recursive: true });
});
