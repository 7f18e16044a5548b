import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BeelineError } from '../../../src/base/errors.ts';
import { walk } from '../../../src/node/files/walk.ts';
import { childModule } from '../../child.ts';
import { failure, scratch } from './helpers.ts';

const strict = { onUnreadable: 'fail' } as const;

test('a tree comes depth first, in the order of name bytes, folders before their content', async (t) => {
  const dir = scratch(t);
  // U+FF5E sorts behind U+1F600 in UTF-16 and before it in UTF-8.
  for (const name of ['b', 'a', 'a.txt', 'Z', 'é', '\uff5e', '😀'])
    mkdirSync(join(dir, 'top', name), { recursive: true });
  writeFileSync(join(dir, 'top/a/inner'), 'hello', { mode: 0o640 });
  chmodSync(join(dir, 'top/a/inner'), 0o4640);
  utimesSync(join(dir, 'top/a/inner'), 1_600_000_000.123457, 1_600_000_000.123457);
  symlinkSync('../nowhere', join(dir, 'top/b/link'));
  lutimesSync(join(dir, 'top/b/link'), 5, 5);
  const { entries, absolute, stats } = await walk([`${dir}/top/`], strict);
  assert.deepEqual(
    entries.map((entry) => entry.path),
    [
      'top',
      'top/Z',
      'top/a',
      'top/a/inner',
      'top/a.txt',
      'top/b',
      'top/b/link',
      'top/é',
      'top/\uff5e',
      'top/😀',
    ],
  );
  // How exactly utimes takes a double is Node's matter.
  const { nanos: _, ...inner } = entries[3]!;
  assert.deepEqual(
    { ...inner, mtime: 0 },
    { path: 'top/a/inner', kind: 'file', size: 5, mode: 0o640, mtime: 0, target: '', version: '' },
  );
  assert.ok(Math.abs(inner.mtime - 1_600_000_000_123_457) <= 1);
  assert.deepEqual(entries[6], {
    path: 'top/b/link',
    kind: 'link',
    size: 0,
    mode: 0o777,
    mtime: 5_000_000,
    target: '../nowhere',
    version: '',
  });
  assert.equal(absolute[3], join(dir, 'top/a/inner'));
  assert.equal(stats.at(3).size, 5n);
  for (const [i, path] of absolute.entries()) assert.ok(stats.same(i, lstatSync(path, { bigint: true })));
  assert.ok(!stats.same(2, lstatSync(absolute[3]!, { bigint: true })));
  assert.equal(entries.length, absolute.length);
});

describe('what a named path is called', () => {
  const name = async (path: string) => (await walk([path], strict)).entries[0]!;
  test('with and without a slash, by dots, and through a link', async (t) => {
    const dir = scratch(t);
    mkdirSync(join(dir, 'real/sub'), { recursive: true });
    symlinkSync('real', join(dir, 'alias'));
    assert.equal((await name(join(dir, 'real'))).path, 'real');
    assert.equal((await name(`${dir}/real//`)).path, 'real');
    assert.equal((await name(`${dir}/real/.`)).path, 'real');
    assert.equal((await name(`${dir}/real/sub/..`)).path, 'real');
    assert.equal((await name(`${dir}/alias/sub/..`)).path, 'real');
    const followed = await name(join(dir, 'alias'));
    assert.deepEqual([followed.path, followed.kind], ['alias', 'folder']);
  });
  test("'.' is the working folder's real name", async (t) => {
    const dir = scratch(t);
    mkdirSync(join(dir, 'work'));
    const { url, node } = childModule('src/node/files/walk.ts');
    const script = `import(${JSON.stringify(url)}).then(async ({ walk }) =>
      console.log((await walk(['.'], { onUnreadable: 'fail' })).entries[0].path))`;
    const out = execFileSync(process.execPath, [...node, '-e', script], { cwd: join(dir, 'work') });
    assert.equal(out.toString().trim(), 'work');
  });
  test('a named link to a file is followed; its place is the real one', async (t) => {
    const dir = scratch(t);
    writeFileSync(join(dir, 'data'), '12345');
    symlinkSync('data', join(dir, 'alias'));
    const { entries, absolute } = await walk([join(dir, 'alias')], strict);
    assert.deepEqual([entries[0]!.path, entries[0]!.kind, entries[0]!.size], ['alias', 'file', 5]);
    assert.equal(absolute[0], join(dir, 'data'));
  });
  test('two of one name', async (t) => {
    const dir = scratch(t);
    for (const sub of ['one', 'two']) mkdirSync(join(dir, sub, 'same'), { recursive: true });
    const [one, two] = [join(dir, 'one/same'), join(dir, 'two/same')];
    await assert.rejects(walk([one, two], strict), failure('USAGE', one, two));
  });
  test('the root of the file system', () => assert.rejects(walk(['/'], strict), failure('USAGE')));
});

describe('what cannot be sent', () => {
  test('no such path, whatever is asked about unreadable ones', async (t) => {
    const dir = scratch(t);
    symlinkSync('gone', join(dir, 'dangling'));
    for (const path of ['missing', 'dangling', ''])
      for (const onUnreadable of ['fail', 'skip'] as const)
        await assert.rejects(walk([path && join(dir, path)], { onUnreadable }), failure('NO_SUCH_PATH'));
  });

  test('sockets and pipes are left out with a warning, and refused when named', async (t) => {
    const dir = scratch(t);
    mkdirSync(join(dir, 'd'));
    writeFileSync(join(dir, 'd/file'), '');
    execFileSync('mkfifo', [join(dir, 'd/pipe')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(dir, 'd/socket'), resolve));
    t.after(() => server.close());
    const skipped: string[] = [];
    const onSkip = (path: string, error: BeelineError) => skipped.push(`${error.code} ${path}`);
    const { entries } = await walk([join(dir, 'd')], { ...strict, onSkip });
    assert.deepEqual(
      entries.map((entry) => entry.path),
      ['d', 'd/file'],
    );
    assert.deepEqual(skipped, ['UNREADABLE d/pipe', 'UNREADABLE d/socket']);
    await assert.rejects(walk([join(dir, 'd/pipe')], strict), failure('UNREADABLE', 'pipe'));
  });

  for (const [what, name, code] of [
    ['names that are not UTF-8', Buffer.from([0x62, 0xff, 0x1b]), 'UNREADABLE'],
    ['names that no receiver takes', Buffer.from('bad\nname'), 'UNSAFE_NAME'],
  ] as const) {
    test(what, { skip: process.platform !== 'linux' && 'only Linux takes such names' }, async (t) => {
      const dir = scratch(t);
      writeFileSync(join(dir, 'ok\ufffd'), '');
      writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), name]), '');
      const skipped: BeelineError[] = [];
      const { entries } = await walk([dir], {
        onUnreadable: 'skip',
        onSkip: (_, error) => skipped.push(error),
      });
      assert.deepEqual(
        entries.slice(1).map((entry) => entry.path.split('/')[1]),
        ['ok\ufffd'],
      );
      assert.deepEqual(
        skipped.map((error) => error.code),
        [code],
      );
      assert.doesNotMatch(skipped[0]!.message, /[\x00-\x1f]/);
      await assert.rejects(walk([dir], strict), failure(code));
    });
  }

  test('files and folders that this user may not read', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const dir = scratch(t);
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'tree/locked'), { recursive: true });
    writeFileSync(join(dir, 'tree/open'), '');
    writeFileSync(join(dir, 'tree/secret'), '');
    linkSync(join(dir, 'tree/open'), join(dir, 'tree/twin'));
    chmodSync(join(dir, 'tree/secret'), 0o600);
    chmodSync(join(dir, 'tree/locked'), 0o700);
    const { url, node } = childModule('src/node/files/walk.ts');
    const script = `import(${JSON.stringify(url)}).then(async ({ walk }) => {
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const skipped = [];
      const onSkip = (path, error) => skipped.push(error.code + ' ' + path);
      const { entries } = await walk([${JSON.stringify(join(dir, 'tree'))}], { onUnreadable: 'skip', onSkip });
      const fail = await walk([${JSON.stringify(join(dir, 'tree'))}], { onUnreadable: 'fail' }).catch((error) => error.message);
      console.log(JSON.stringify({ paths: entries.map((entry) => entry.path), skipped, fail }));
    })`;
    const out = execFileSync(process.execPath, [...node, '-e', script]);
    assert.deepEqual(JSON.parse(out.toString()), {
      paths: ['tree', 'tree/open', 'tree/twin'],
      skipped: ['UNREADABLE tree/locked', 'UNREADABLE tree/secret'],
      fail: "'tree/locked' cannot be read: this user may not.",
    });
  });

  test('nothing left', async (t) => {
    const dir = scratch(t);
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    await assert.rejects(
      walk([join(dir, 'pipe')], { onUnreadable: 'skip' }),
      failure('UNREADABLE', 'Nothing'),
    );
  });
});

test('unfinished data of a receive is left out and named, wherever it is', async (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, 'top/in/.beeline-0123456789abcdef'), { recursive: true });
  writeFileSync(join(dir, 'top/in/.beeline-0123456789abcdef/journal'), 'x');
  writeFileSync(join(dir, 'top/in/f'), 'f');
  const skipped: string[] = [];
  const { entries } = await walk([join(dir, 'top')], {
    onUnreadable: 'fail',
    onSkip: (path) => skipped.push(path),
  });
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['top', 'top/in', 'top/in/f'],
  );
  assert.deepEqual(skipped, ['top/in/.beeline-0123456789abcdef']);
});

test('a version changes with the content, also when its editor puts the time back', async (t) => {
  const path = join(scratch(t), 'image');
  writeFileSync(path, 'one');
  utimesSync(path, 1_600_000_000, 1_600_000_000);
  const look = async (key: number) => {
    const { entries } = await walk([path], {
      onUnreadable: 'fail',
      versionKey: new Uint8Array(32).fill(key),
    });
    return entries[0]!.version;
  };
  const before = await look(1);
  assert.match(before, /^[0-9a-f]{16}$/);
  assert.equal(await look(1), before);
  assert.notEqual(await look(2), before, 'another machine says something else');
  // The clock of file times may stand still for some milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 20));
  writeFileSync(path, 'two');
  utimesSync(path, 1_600_000_000, 1_600_000_000);
  assert.notEqual(await look(1), before);
});

test('it tells how many files it has found whenever a slice is over', async (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, 'top'));
  for (const name of ['a', 'c', 'd', 'f']) writeFileSync(join(dir, 'top', name), '');
  for (const name of ['b', 'e']) execFileSync('mkfifo', [join(dir, 'top', name)]);
  const found: number[] = [];
  const { entries } = await walk([join(dir, 'top')], {
    ...strict,
    // Each takes longer than a slice.
    onSkip() {
      const until = performance.now() + 50;
      while (performance.now() < until);
    },
    onFound: (files) => found.push(files),
  });
  assert.equal(entries.length, 5);
  // A slow machine has more slices.
  for (const files of [1, 3]) assert.ok(found.includes(files), String(found));
  assert.deepEqual(
    found,
    found.toSorted((a, b) => a - b),
  );
});
