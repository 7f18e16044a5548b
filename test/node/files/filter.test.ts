import assert from 'node:assert/strict';
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Filter, type FilterOptions } from '../../../src/node/files/filter.ts';
import { walk } from '../../../src/node/files/walk.ts';
import { failure, scratch } from './helpers.ts';

/** Makes files (with their names in them, or the text given) and tells what is walked of `top`. */
function tree(t: TestContext, files: Record<string, string>) {
  const dir = scratch(t);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const walked = async (options: FilterOptions & { links?: 'follow' }, ...paths: string[]) => {
    const named = (paths.length > 0 ? paths : ['top']).map((path) => join(dir, path));
    const { entries, leftOut } = await walk(named, { onUnreadable: 'fail', ...options });
    return { paths: entries.map(({ path }) => path).join(' '), leftOut };
  };
  return { dir, walked };
}

describe('node: filters', () => {
  it('leave out what --exclude matches, with what is in it, and do not read it', async (t) => {
    const { dir, walked } = tree(t, {
      'top/a.log': '',
      'top/b': '',
      'top/sub/c.log': '',
      'top/node_modules/x/y': '',
    });
    // Reading this one would fail.
    symlinkSync('nowhere', join(dir, 'top/node_modules/loop'));
    assert.deepEqual(await walked({ exclude: ['*.log', 'node_modules/'] }), {
      paths: 'top top/b top/sub',
      leftOut: 3,
    });
    assert.deepEqual(await walked({ exclude: ['/sub', '/b', 'x'] }), {
      paths: 'top top/a.log top/node_modules top/node_modules/loop',
      leftOut: 3,
    });
    assert.equal(
      (await walked({ exclude: ['*.log', '!a.log', 'node_modules'] })).paths,
      'top top/a.log top/b top/sub',
    );
  });

  it('send with --include only what matches, and the folders that it needs', async (t) => {
    const { walked } = tree(t, {
      'top/a.jpg': '',
      'top/empty/none.txt': '',
      'top/one/two/b.jpg': '',
      'top/one/c.txt': '',
      'top/whole/d.txt': '',
      'top/whole/sub/e': '',
    });
    assert.equal(
      (await walked({ include: ['*.jpg'] })).paths,
      'top top/a.jpg top/one top/one/two top/one/two/b.jpg',
    );
    assert.equal(
      (await walked({ include: ['*.jpg', 'whole/'], exclude: ['/one/two', 'e'] })).paths,
      'top top/a.jpg top/whole top/whole/d.txt top/whole/sub',
    );
    // A folder that is named and matches is sent whole.
    assert.match((await walked({ include: ['one'] }, 'top/one')).paths, /one\/c\.txt/);
  });

  it('look at what is named too, by patterns that match anywhere', async (t) => {
    const { walked } = tree(t, { 'a.tmp': '', 'b.txt': '', 'top/c': '' });
    assert.equal((await walked({ exclude: ['*.tmp'] }, 'a.tmp', 'b.txt')).paths, 'b.txt');
    assert.equal((await walked({ include: ['*.txt'] }, 'a.tmp', 'b.txt')).paths, 'b.txt');
    // From the top of a folder that is named: it is not in itself.
    assert.equal((await walked({ exclude: ['/top'] })).paths, 'top top/c');
  });

  it('do what .gitignore files say: of each folder, and of the repository above', async (t) => {
    const { walked } = tree(t, {
      '.gitignore': '*.outside',
      'repo/.git/config': '',
      'repo/.gitignore': '\ufeff# made\n/build\n*.o\nsecret/\n',
      'repo/build/x': '',
      'repo/src/.gitignore': '!keep.o\nlocal\r\n',
      'repo/src/a.c': '',
      'repo/src/a.o': '',
      'repo/src/keep.o': '',
      'repo/src/local': '',
      'repo/src/build': '',
      'repo/src/x.outside': '',
      'repo/secret/keep.o': '',
    });
    assert.equal(
      (await walked({ gitignore: true }, 'repo')).paths,
      'repo repo/.gitignore repo/src repo/src/.gitignore repo/src/a.c repo/src/build repo/src/keep.o repo/src/x.outside',
    );
    assert.equal(
      (await walked({ gitignore: true }, 'repo/src')).paths,
      'src src/.gitignore src/a.c src/build src/keep.o src/x.outside',
    );
    assert.match((await walked({}, 'repo')).paths, /repo\/build\/x/);
  });

  it('do not follow a .gitignore that is a link, nor read one without end', async (t) => {
    const { dir, walked } = tree(t, { list: '*', 'top/a': '', 'big/b': '' });
    symlinkSync(join(dir, 'list'), join(dir, 'top/.gitignore'));
    assert.equal((await walked({ gitignore: true })).paths, 'top top/.gitignore top/a');
    const refused = (text: string, why: string) => {
      writeFileSync(join(dir, 'big/.gitignore'), text);
      return assert.rejects(walked({ gitignore: true }, 'big'), failure('UNREADABLE', why));
    };
    await refused('x\n'.repeat(40_000), 'larger than 64 KiB');
    await refused('x'.repeat(5000), 'a line of it has more than 4096 characters');
    await refused('x\n'.repeat(2001), 'more than 2000 patterns');
  });

  it('count the patterns of all .gitignore files on the way together', async (t) => {
    const list = 'x\n'.repeat(700);
    const { walked } = tree(t, {
      'top/.gitignore': list,
      'top/one/.gitignore': list,
      'top/one/a': '',
      'top/two/.gitignore': list,
      'top/one/deep/.gitignore': '',
    });
    assert.match((await walked({ gitignore: true })).paths, /top\/two/);
    const { dir, walked: more } = tree(t, { 'top/one/deep/.gitignore': list, 'top/one/.gitignore': list });
    writeFileSync(join(dir, 'top/.gitignore'), list);
    await assert.rejects(more({ gitignore: true }), failure('UNREADABLE', 'with those above it'));
  });

  it('refuse typed patterns that match nothing', async (t) => {
    const { walked } = tree(t, { 'top/a': '', 'top/[x': '' });
    for (const [pattern, why] of [
      ['[x', 'ends within a ['],
      ['a\\', 'behind a'],
      ['#a', 'a comment'],
      ['/', 'empty'],
      ['!', 'empty'],
      ['./', 'empty'],
      ['a'.repeat(5000), 'more than 4096 characters'],
    ] as const)
      for (const name of ['exclude', 'include'] as const)
        await assert.rejects(walked({ [name]: [pattern] }), failure('USAGE', why), pattern);
    await assert.rejects(walked({ exclude: Array(2001).fill('x') }), failure('USAGE', 'more than 2000'));
  });

  it('take a leading ./ for the top, and an include back where it was typed so', async (t) => {
    const { walked } = tree(t, {
      'top/a.c': '',
      'top/old/a.c': '',
      'top/src/a.c': '',
      'top/src/a.o': '',
      'top/src/build/b.c': '',
      'top/build/c.c': '',
    });
    assert.equal(
      (await walked({ exclude: ['./build', './/old'] })).paths,
      'top top/a.c top/src top/src/a.c top/src/a.o top/src/build top/src/build/b.c',
    );
    assert.equal(
      (await walked({ include: ['*.c', '!old', '!./build/'] })).paths,
      'top top/a.c top/src top/src/a.c top/src/build top/src/build/b.c',
    );
    // Of a folder that is included.
    assert.equal((await walked({ include: ['src', '!*.o', '!build'] })).paths, 'top top/src top/src/a.c');
    await assert.rejects(walked({ include: ['!a.c'] }), failure('USAGE', 'filters leave nothing'));
  });

  it('match names as the system does', () => {
    for (const [platform, folds] of [
      ['linux', false],
      ['darwin', true],
      ['win32', true],
    ] as const) {
      const filter = new Filter({ exclude: ['*.LOG', 'caf\u00e9', '[[:upper:]][A-Z]'] }, platform);
      for (const name of ['a.log', 'A.Log', 'cafe\u0301', 'CAF\u00c9', 'ab'])
        assert.equal(filter.verdict(undefined, name, false), folds ? 'out' : 'in', `${platform}: ${name}`);
      assert.equal(filter.verdict(undefined, 'a.LOG', false), 'out');
      assert.equal(filter.verdict(undefined, 'other', false), 'in');
    }
  });

  it('read nothing above that is no repository, or one of somebody else', async (t) => {
    const { dir, walked } = tree(t, { 'repo/.git/config': '', 'repo/.gitignore': 'a', 'repo/top/a': '' });
    assert.equal((await walked({ gitignore: true }, 'repo/top')).leftOut, 1);
    // Above the repository: it would end the send if it were read.
    writeFileSync(join(dir, '.gitignore'), 'x'.repeat(5000));
    assert.equal((await walked({ gitignore: true }, 'repo/top')).leftOut, 1);
    if (process.getuid?.() !== 0) return;
    chownSync(join(dir, 'repo/.git'), 12_345, 12_345);
    assert.equal((await walked({ gitignore: true }, 'repo/top')).leftOut, 0);
  });

  it('see links that are followed as what they point to', async (t) => {
    const { dir, walked } = tree(t, { 'top/a': '', 'there/skip.log': '', 'there/b': '' });
    symlinkSync(join(dir, 'there'), join(dir, 'top/linked'));
    assert.equal(
      (await walked({ exclude: ['*.log'], links: 'follow' })).paths,
      'top top/a top/linked top/linked/b',
    );
    assert.equal((await walked({ exclude: ['linked/'], links: 'follow' })).paths, 'top top/a');
    assert.equal((await walked({ exclude: ['linked/'] })).paths, 'top top/a top/linked');
  });

  it('say so when they leave nothing', async (t) => {
    const { walked } = tree(t, { 'top/a': '' });
    await assert.rejects(walked({ include: ['*.jpg'] }), failure('USAGE', 'filters leave nothing'));
    await assert.rejects(walked({ exclude: ['*'] }), failure('USAGE', 'filters leave nothing'));
  });
});
