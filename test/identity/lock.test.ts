import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { isLocked, takeLock } from '../../src/identity/lock.ts';
import { Staging } from '../../src/node/files/staging.ts';
import { childModule } from '../child.ts';
import { failure, scratch } from '../node/files/helpers.ts';
import { on } from '../platform.ts';

const LOCK = childModule('src/identity/lock.ts');

/** Takes and keeps the lock of each folder that comes as a line; answers with what became of it. */
const CHILD = `
  import { createInterface } from 'node:readline';
  import { takeLock } from '${LOCK.url}';
  const locks = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const [at, folder] = line.split(' ');
    while (Date.now() < Number(at));
    try {
      locks.push(await takeLock(folder));
      console.log('won');
    } catch (error) {
      console.log(error.code);
    }
  }
`;

class Child {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(t: TestContext) {
    const args = [...LOCK.node, '--input-type=module', '-e', CHILD];
    this.process = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
    t.after(() => this.process.kill('SIGKILL'));
  }

  /** @param at ms since 1970 */
  async take(folder: string, at = 0): Promise<string> {
    this.process.stdin!.write(`${at} ${folder}\n`);
    return (await this.#lines.next()).value;
  }

  async kill(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }
}

const lockOf = (folder: string) => JSON.parse(readFileSync(`${folder}/lock`, 'utf8'));

/** Writes a lock that says what this process's would, but for some fields. */
async function plant(folder: string, fields: object, age = 0): Promise<void> {
  fs.rmSync(`${folder}/lock`, { force: true });
  const lock = await takeLock(folder);
  const text = JSON.stringify({ ...lockOf(folder), id: '00'.repeat(16), ...fields });
  lock.release();
  writeFileSync(`${folder}/lock`, text);
  utimesSync(`${folder}/lock`, new Date(), new Date(Date.now() - age));
}

async function taken(folder: string): Promise<void> {
  assert.equal(isLocked(folder), false);
  const lock = await takeLock(folder);
  assert.equal(lockOf(folder).pid, process.pid);
  assert.equal(isLocked(folder), true);
  assert.deepEqual(readdirSync(folder), ['lock']);
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
}

async function refused(folder: string): Promise<void> {
  const before = readFileSync(`${folder}/lock`);
  assert.equal(isLocked(folder), true);
  await assert.rejects(takeLock(folder), failure('LOCKED'));
  assert.deepEqual(readdirSync(folder), ['lock']);
  assert.deepEqual(readFileSync(`${folder}/lock`), before);
}

test('a second take, of the same process too, is LOCKED and names the holder; release lets go once', async (t) => {
  const folder = scratch(t);
  assert.equal(isLocked(folder), false);
  const lock = await takeLock(folder);
  assert.equal(fs.statSync(`${folder}/lock`).mode & 0o777, 0o600);
  await refused(folder);
  const { pid, host } = lockOf(folder);
  await assert.rejects(takeLock(folder), failure('LOCKED', `process ${pid} on ${host}`, `${folder}/lock`));
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
  const other = await takeLock(folder);
  lock.release();
  assert.equal(isLocked(folder), true);
  other.release();
});

test('release leaves a lock that is not its own, and does not mind a folder that is gone', async (t) => {
  const folder = scratch(t);
  const lock = await takeLock(folder);
  const other = JSON.stringify({ ...lockOf(folder), id: 'ff'.repeat(16) });
  writeFileSync(`${folder}/lock`, other);
  lock.release();
  assert.equal(readFileSync(`${folder}/lock`, 'utf8'), other);
  mkdirSync(`${folder}/sub`);
  const gone = await takeLock(`${folder}/sub`);
  fs.rmSync(`${folder}/sub`, { recursive: true });
  gone.release();
});

test('a holder killed by SIGKILL leaves a lock that is taken over', async (t) => {
  const folder = scratch(t);
  const child = new Child(t);
  assert.equal(await child.take(folder), 'won');
  assert.equal(lockOf(folder).pid, child.process.pid);
  await refused(folder);
  await child.kill();
  assert.equal(readdirSync(folder).length, 1);
  await taken(folder);
});

test('a process number used again, and another boot, are no holder', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const folder = scratch(t);
  await plant(folder, {});
  await refused(folder);
  await plant(folder, { start: '1' });
  await taken(folder);
  await plant(folder, { boot: 'another' });
  await taken(folder);
});

test('another machine, another pid namespace or a damaged lock: held until it is not touched for 2 minutes', async (t) => {
  const folder = scratch(t);
  const away = [{ host: 'elsewhere' }, { host: 'elsewhere', boot: 'another' }, { space: 'pid:[1]' }];
  for (const fields of [...away, { pid: 0 }, { pid: -1 }, { pid: 'x' }, { start: 1 }]) {
    await plant(folder, fields, 100_000);
    await refused(folder);
    await plant(folder, fields, 140_000);
    await taken(folder);
  }
  for (const text of ['', '{', 'null', '7', '[]', 'x'.repeat(10_000), '\0\xff']) {
    writeFileSync(`${folder}/lock`, text);
    await refused(folder);
    utimesSync(`${folder}/lock`, 0, 0);
    await taken(folder);
  }
});

test('a link or a folder in place of the lock is not followed', async (t) => {
  const folder = scratch(t);
  writeFileSync(`${folder}/victim`, 'victim');
  fs.symlinkSync('victim', `${folder}/lock`);
  await assert.rejects(takeLock(folder), failure('LOCKED'));
  fs.lutimesSync(`${folder}/lock`, 0, 0);
  (await takeLock(folder)).release();
  assert.deepEqual(readdirSync(folder), ['victim']);
  assert.equal(readFileSync(`${folder}/victim`, 'utf8'), 'victim');
  mkdirSync(`${folder}/lock`);
  await assert.rejects(takeLock(folder), failure('LOCKED'));
});

test('the holder touches its lock, and only its own', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const folder = scratch(t);
  const lock = await takeLock(folder);
  const text = readFileSync(`${folder}/lock`, 'utf8');
  utimesSync(`${folder}/lock`, 0, 0);
  t.mock.timers.tick(20_000);
  assert.ok(Date.now() - fs.statSync(`${folder}/lock`).mtimeMs < 60_000);
  assert.equal(readFileSync(`${folder}/lock`, 'utf8'), text);
  fs.unlinkSync(`${folder}/lock`);
  writeFileSync(`${folder}/lock`, 'other');
  t.mock.timers.tick(20_000);
  assert.equal(readFileSync(`${folder}/lock`, 'utf8'), 'other');
  lock.release();
  t.mock.timers.tick(60_000);
});

test('where there are no links the lock is made in place, and taken over as well', async (t) => {
  const folder = scratch(t);
  t.mock.method(fs, 'linkSync', () => {
    throw Object.assign(new Error('no links'), { code: 'EPERM' });
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  await taken(folder);
  const lock = await takeLock(folder);
  await refused(folder);
  lock.release();
  await plant(folder, { host: 'elsewhere' }, 140_000);
  await taken(folder);
});

test('a full disk is DISK_FULL and leaves nothing', async (t) => {
  const folder = scratch(t);
  t.mock.method(fs, 'fdatasyncSync', () => {
    throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  try {
    await assert.rejects(takeLock(folder), { code: 'ENOSPC' });
    await assert.rejects(Staging.create(folder), failure('DISK_FULL', 'lock'));
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.deepEqual(readdirSync(folder), []);
});

/** Lets a call of the file system be refused, as where somebody else has the file open. */
function refuses(
  t: TestContext,
  name: 'openSync' | 'renameSync',
  times: number,
  which: (args: unknown[]) => boolean,
) {
  const real = fs[name] as (...args: unknown[]) => unknown;
  let left = times;
  t.mock.method(fs, name, (...args: unknown[]) => {
    if (which(args) && left-- > 0) throw Object.assign(new Error('open elsewhere'), { code: 'EBUSY' });
    return real(...args);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

const reopens = ([, flags]: unknown[]) => flags === 'r+';

test('on Windows a lock that somebody looks at is opened, or put in the place of a stale one, a moment later', async (t) => {
  const folder = scratch(t);
  refuses(t, 'openSync', 3, reopens);
  await on('win32', () => taken(folder));
  await plant(folder, { host: 'elsewhere' }, 140_000);
  refuses(t, 'renameSync', 3, () => true);
  await on('win32', () => taken(folder));
});

test('on Windows a lock that can never be opened again is held by nobody', async (t) => {
  const folder = scratch(t);
  refuses(t, 'openSync', Number.POSITIVE_INFINITY, reopens);
  await assert.rejects(
    on('win32', () => takeLock(folder)),
    { code: 'EBUSY' },
  );
  assert.deepEqual(readdirSync(folder), []);
});

test('of many contenders for one lock, free or stale, exactly one wins, and no litter is left', async (t) => {
  const root = scratch(t);
  const children = Array.from({ length: 5 }, () => new Child(t));
  mkdirSync(`${root}/warm`);
  await Promise.all(children.map((child) => child.take(`${root}/warm`)));
  for (let round = 0; round < 60; round++) {
    const folder = `${root}/${round}`;
    mkdirSync(folder);
    if (round % 4 > 0) await plant(folder, { host: 'elsewhere' }, 140_000);
    // What a contender left that was killed in the middle.
    if (round % 4 > 1) fs.copyFileSync(`${folder}/lock`, `${folder}/lock.${'0'.repeat(32)}`);
    if (round % 4 > 1) utimesSync(`${folder}/lock.${'0'.repeat(32)}`, 0, 0);
    const at = Date.now() + 10;
    const answers = await Promise.all(children.map((child) => child.take(folder, at)));
    assert.deepEqual(answers.sort(), ['LOCKED', 'LOCKED', 'LOCKED', 'LOCKED', 'won'], `round ${round}`);
    assert.deepEqual(readdirSync(folder), ['lock']);
  }
});

test('who waits for another contender does not hold the event loop', async (t) => {
  const folder = scratch(t);
  await plant(folder, { host: 'elsewhere' }, 140_000);
  const lock = readFileSync(`${folder}/lock`);
  // Another contender that lives, goes first, and is slow: this very process.
  const rival = `${folder}/lock.${'0'.repeat(32)}`;
  await plant(folder, {});
  fs.renameSync(`${folder}/lock`, rival);
  writeFileSync(`${folder}/lock`, lock);
  utimesSync(`${folder}/lock`, 0, 0);
  let turns = 0;
  const turning = setInterval(() => turns++, 1);
  setTimeout(() => fs.unlinkSync(rival), 300);
  const taken = await takeLock(folder);
  clearInterval(turning);
  assert.ok(turns >= 10, `${turns} turns`);
  taken.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('who has patience waits for a holder, and for no dead one', async (t) => {
  const folder = scratch(t);
  const first = await takeLock(folder);
  await assert.rejects(takeLock(folder, { patience: 20 }), failure('LOCKED'));
  setTimeout(() => first.release(), 50);
  const second = await takeLock(folder, { patience: 60_000 });
  assert.deepEqual(readdirSync(folder), ['lock']);
  second.release();
  const child = new Child(t);
  assert.equal(await child.take(folder), 'won');
  await child.kill();
  (await takeLock(folder, { patience: 60_000 })).release();
  assert.deepEqual(readdirSync(folder), []);
});
