/** A disk that fails in the middle and then takes bytes again, in one run and the next. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs, { readdirSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { BeelineError } from '../../../src/base/errors.ts';
import { journalAt } from '../../../src/node/files/journal-file.ts';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { ByteSpace } from '../../../src/offer/space.ts';
import { Journal } from '../../../src/sync/store/journal.ts';
import { childModule } from '../../child.ts';
import { CHUNK, failure, file, hashOf, scratch, until } from './helpers.ts';
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
  reopen,
  sample,
  stagingOf,
} from './resuming.ts';

const RESUMING = childModule('test/node/files/resuming.ts');
const HELPERS = childModule('test/node/files/helpers.ts');

type Name =
  | 'write'
  | 'writeSync'
  | 'fdatasync'
  | 'fsync'
  | 'renameSync'
  | 'linkSync'
  | 'statfsSync'
  | 'ftruncateSync';

/** Replaces functions of node:fs; `heal` puts them back, which happens after the test in any case. */
function patch(t: TestContext, name: Name, make: (real: (...args: unknown[]) => unknown) => unknown) {
  const real = fs[name];
  Object.assign(fs, { [name]: make(real as (...args: unknown[]) => unknown) });
  syncBuiltinESMExports();
  const heal = () => {
    Object.assign(fs, { [name]: real });
    syncBuiltinESMExports();
  };
  t.after(heal);
  return heal;
}

const enospc = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });

/** ENOSPC for `times` calls from the `nth` on that `counts`. `failed`: how many did. */
function failing(t: TestContext, name: Name, nth: number, counts = (_: unknown[]) => true, times = 1) {
  let calls = 0;
  const heal = patch(t, name, (real) => (...args: unknown[]) => {
    if (!counts(args) || ++calls < nth || calls >= nth + times) return real(...args);
    const callback = args.at(-1);
    if (typeof callback !== 'function') throw enospc();
    setImmediate(() => callback(enospc()));
  });
  return { heal, failed: () => Math.max(0, Math.min(calls - nth + 1, times)) };
}

const large = (args: unknown[]) => args[3] === CHUNK;
const any = () => true;

/** As the engine: whatever fails, the sink is begun anew, and what it holds then is all that counts. */
async function stubborn(t: TestContext, to: string, files: Files, failed: () => number): Promise<number> {
  const session = await open(to, files);
  for (let failures = 0; ; ) {
    try {
      // Stops halfway until all is committed, or was to be.
      await move(session, (chunk) => chunk < 6);
      await until('a commit', async () => {
        const state = await Journal.read(journalAt(join(stagingOf(to), 'journal')));
        return state!.chunks.have.count >= 6 || failed() > failures;
      });
      await complete(session);
      return failures;
    } catch (error) {
      failure('DISK_FULL')(error as BeelineError);
      assert.ok(++failures < 5);
      assert.equal(await session.sink.ready(), true);
      t.diagnostic(`holds ${(await reopen(session)).length} chunks then`);
    }
  }
}

describe('a write that fails once', linux, () => {
  for (const [name, nth, counts] of [
    ['write', 1, large],
    ['write', 3, large],
    ['writeSync', 2, (args: unknown[]) => (args[1] as Uint8Array).length > 900],
    // The journal's beginning, a staged file, the journal, and then the second commit.
    ['fdatasync', 2, any],
    ['fdatasync', 3, any],
    ['fdatasync', 4, any],
    ['fsync', 2, any],
    ['fsync', 5, any],
    ['renameSync', 1, (args: unknown[]) => !String(args[0]).includes('journal')],
    ['ftruncateSync', 2, any],
  ] as const)
    test(`${name}, call ${nth}`, async (t) => {
      const to = scratch(t);
      const files = sample();
      const { heal, failed } = failing(t, name, nth, counts as (args: unknown[]) => boolean);
      const failures = await stubborn(t, to, files, failed);
      heal();
      assert.equal(failures, 1);
      assertTree(to, files);
    });

  test('in the middle of chunks that come side by side', async (t) => {
    const to = scratch(t);
    const files = new Files();
    for (const i of range(0, 6)) files.add(`f${i}`, noise(3 * CHUNK, `${i}`));
    const session = await open(to, files);
    const { failed } = failing(t, 'write', 7, large, 3);
    const results = await Promise.allSettled(
      range(0, 18).map((chunk) => move(session, (index) => index === chunk)),
    );
    assert.equal(results.filter(({ status }) => status === 'rejected').length, 3);
    assert.equal(failed(), 3);
    assert.ok((await reopen(session)).length <= 15);
    await complete(session);
    assertTree(to, files);
  });
});

describe('after a failure', linux, () => {
  test('held() is what the journal says and no more, and the rest comes again', async (t) => {
    const to = scratch(t);
    const files = sample();
    const session = await open(to, files);
    await move(session, (chunk) => chunk < 2);
    await journaled(to, 2);
    const { heal } = failing(t, 'fdatasync', 1, any, Number.POSITIVE_INFINITY);
    await move(session, (chunk) => chunk === 2);
    await assert.rejects(session.sink.finish());
    await assert.rejects(session.sink.reopen(), failure('DISK_FULL'));
    heal();
    assert.deepEqual(await reopen(session), [0, 1]);
    await complete(session);
    assertTree(to, files);
  });

  test('opening fails: nothing new is left behind, and nothing of an earlier run is lost', async (t) => {
    const to = scratch(t);
    const files = sample();
    for (const [name, count] of [
      ['write', 0],
      ['fdatasync', 0],
      ['fsync', 0],
      ['fdatasync', 2],
    ] as const) {
      if (count > 0) await interrupted(to, files, (chunk) => chunk < count);
      const { heal, failed } = failing(t, name, 1, any, Number.POSITIVE_INFINITY);
      await assert.rejects(open(to, files), failure('DISK_FULL'));
      heal();
      assert.ok(failed() > 0);
      if (count === 0) assert.deepEqual(readdirSync(to), []);
    }
    assert.deepEqual((await receive(to, files)).held, [0, 1]);
    assertTree(to, files);
  });

  test('suspended instead, the next run goes on with what was journaled', async (t) => {
    const to = scratch(t);
    const files = sample();
    const session = await open(to, files);
    await move(session, (chunk) => chunk < 2);
    await journaled(to, 2);
    const { heal } = failing(t, 'write', 1, any, Number.POSITIVE_INFINITY);
    await assert.rejects(
      move(session, (chunk) => chunk === 2),
      failure('DISK_FULL', "'top/big'"),
    );
    await session.sink.close('keep');
    heal();
    const second = await receive(to, files);
    assert.deepEqual(second.held, [0, 1]);
    assertTree(to, files);
  });

  test('ready() is false while writing fails or too little is free, and leaves nothing', async (t) => {
    const to = scratch(t);
    const session = await open(to, sample());
    await move(session, (chunk) => chunk === 1);
    const names = readdirSync(stagingOf(to)).sort();
    assert.equal(await session.sink.ready(), true);
    for (const [name, make] of [
      [
        'writeSync',
        () => () => {
          throw enospc();
        },
      ],
      ['fsync', () => (_: number, done: (error: Error) => void) => done(enospc())],
      ['statfsSync', () => () => ({ bavail: 1000, bsize: 4096 })],
    ] as const) {
      const heal = patch(t, name, make as never);
      assert.equal(await session.sink.ready(), false, name);
      heal();
      assert.equal(await session.sink.ready(), true);
    }
    // Less than there is to come, but plenty.
    const heal = patch(t, 'statfsSync', () => () => ({ bavail: 2 ** 20, bsize: 4096 }));
    assert.equal(await session.sink.ready(), true);
    heal();
    assert.deepEqual(readdirSync(stagingOf(to)).sort(), names);
    await session.sink.close('discard');
    assert.equal(await session.sink.ready(), false);
  });

  test('a file that vanishes at the sender meanwhile is not placed full of zeros', async (t) => {
    const to = scratch(t);
    const files = new Files().add('f', noise(CHUNK, 'f')).add('g', noise(2 * CHUNK, 'g'));
    const session = await open(to, files);
    // `f` is whole, and its placing fails.
    const { failed } = failing(t, 'linkSync', 1);
    await move(session, (chunk) => chunk === 0);
    await until('placing fails', () => failed() === 1);
    await session.sink.drop(0);
    assert.deepEqual(await reopen(session), [0]);
    await complete(session);
    assertTree(to, files);
  });

  test('while updating: what was kept and what is to be compared is not mixed up', async (t) => {
    const to = scratch(t);
    const files = new Files().add('f', noise(6 * CHUNK, 'f'));
    const old = Buffer.from(files.all[0]!.bytes);
    old[3 * CHUNK]! ^= 1;
    fs.writeFileSync(join(to, 'f'), old);
    const session = await open(to, files, { overwrite: 'update' });
    await move(session, (chunk) => chunk < 2);
    await journaled(to, 2);
    failing(t, 'write', 1, large);
    await assert.rejects(
      move(session, (chunk) => chunk === 2),
      failure('DISK_FULL'),
    );
    assert.deepEqual(await reopen(session), [0, 1]);
    await complete(session);
    assert.deepEqual(session.log.kept, [0, 1, 2, 4, 5]);
    assert.deepEqual(session.log.written, [3]);
    assertTree(to, files);
  });
});

test('a full disk that is given room', { ...linux, ...namespaces() }, async (t) => {
  const dir = scratch(t);
  const script = `
    const { open, move, complete, reopen, noise, Files, assertTree } = await import(${JSON.stringify(RESUMING.url)});
    const fs = await import('node:fs');
    fs.mkdirSync('${dir}/to');
    fs.writeFileSync('${dir}/ballast', Buffer.alloc(3 << 20));
    const files = new Files().add('big', noise(4 * 1048576, 'big')).add('small', noise(2 * 1048576 + 5, 'small'));
    const session = await open('${dir}/to', files);
    let code;
    try { await move(session); await session.sink.finish(); } catch (error) { code = error.code; }
    const before = await session.sink.ready();
    fs.rmSync('${dir}/ballast');
    const after = await session.sink.ready();
    await reopen(session);
    await complete(session);
    assertTree('${dir}/to', files);
    console.log(code, before, after);`;
  const out = execFileSync(
    'unshare',
    [
      '-rm',
      'sh',
      '-c',
      `mount -t tmpfs -o size=8m none ${dir} && exec "$0" "$@"`,
      process.execPath,
      ...RESUMING.node,
      '--input-type=module',
      '-e',
      script,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  assert.equal(out.toString().trim(), 'DISK_FULL false true');
});

test('modes that forbid their own user to read, as an ordinary user', linux, (t) => {
  const dir = scratch(t);
  // Root without the right to read everything is refused like anybody.
  const ordinary =
    process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [];
  const script = `
    const { openSync } = await import('node:fs');
    const { Files, receive, noise } = await import(${JSON.stringify(RESUMING.url)});
    const { folder } = await import(${JSON.stringify(HELPERS.url)});
    const files = new Files().other(folder('d', 0o300)).add('d/f', noise(1048581, 'f'), 0).add('d/g', noise(9, 'g'), 0o200);
    await receive(process.argv[1], files);
    try { openSync(process.argv[1] + '/d/f'); } catch ({ code }) { console.log(code); }`;
  const node = [process.execPath, ...RESUMING.node, '--input-type=module'];
  const [command = '', ...rest] = [...ordinary, ...node, '-e', script, dir];
  const { stdout, stderr } = spawnSync(command, rest, {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: dir },
    timeout: 60_000,
  });
  assert.equal(stdout.trim(), 'EACCES', stderr);
  assert.equal(statSync(join(dir, 'd')).mode & 0o777, 0o300);
  if (ordinary.length === 0) return;
  assert.deepEqual(
    ['f', 'g'].map((name) => statSync(join(dir, 'd', name)).mode & 0o777),
    [0, 0o200],
  );
});

test('a stream leaves nothing to go on with', async (t) => {
  const to = join(scratch(t), 'to');
  const space = new ByteSpace([0], CHUNK, true);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  await sink.open([file('in')], space, 'sha256');
  const data = noise(CHUNK, 'in');
  await sink.write(0, space.extents(0), data, hashOf(data));
  assert.deepEqual([...sink.held()], []);
  await sink.close('keep');
  await sink.close('keep');
  assert.equal(fs.existsSync(to), false);
});

test('a stream after a stream that was killed starts over', linux, async (t) => {
  const to = scratch(t);
  const first = new Files().add('in', noise(10, 'x'));
  await interrupted(to, new Files().add('in', noise(2 * CHUNK, 'x')), (chunk) => chunk === 0);
  const space = new ByteSpace([0], CHUNK, true);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  await sink.open([file('in')], space, 'sha256');
  assert.deepEqual([...sink.held()], []);
  space.end(10);
  await sink.write(0, space.extents(0), first.all[0]!.bytes, hashOf(first.all[0]!.bytes));
  await sink.finish();
  await sink.close('done');
  assert.deepEqual(readdirSync(to), ['in']);
  assert.ok(fs.readFileSync(join(to, 'in')).equals(first.all[0]!.bytes));
});

function namespaces(): { skip?: string } {
  try {
    execFileSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return {};
  } catch {
    return { skip: 'no mount namespaces here' };
  }
}
