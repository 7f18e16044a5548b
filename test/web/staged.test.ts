import assert from 'node:assert/strict';
import test from 'node:test';
import { kindOf, openAs } from '../../web/model/kinds.ts';
import { appended, joined, tops, without } from '../../web/model/staged.ts';
import { shortName } from '../../web/model/words.ts';

const file = (name: string, bytes = 1, lastModified = 1) =>
  new File(['x'.repeat(bytes)], name, { lastModified });
const item = (path: string, bytes?: number, at?: number) => ({
  path,
  file: file(path.split('/').at(-1)!, bytes, at),
});

test('what was chosen is told by what stands at the top', () => {
  const list = tops([item('a.txt', 3), { path: 'f' }, item('f/b', 2), item('f/g/c', 5), item('h/d', 1)]);
  assert.deepEqual(
    list.map(({ name, folder, files, bytes }) => [name, folder, files, bytes]),
    [
      ['a.txt', false, 1, 3],
      ['f', true, 2, 7],
      ['h', true, 1, 1],
    ],
  );
  assert.ok(list[0]!.file);
});

test('the same file is there once, another of its name has a number, and a folder is taken away whole', () => {
  const first = [item('a.txt', 3), item('f/b', 2)];
  assert.deepEqual(joined(first, [first[0]!]).length, 2);
  const more = joined(first, [item('a.txt', 4), item('f/b', 9), item('f/c', 1)]);
  assert.deepEqual(
    more.map(({ path, file }) => [path, file?.size]),
    [
      ['a.txt', 3],
      ['f/b', 9],
      ['a (2).txt', 4],
      ['f/c', 1],
    ],
  );
  assert.deepEqual(
    without(more, 'f').map(({ path }) => path),
    ['a.txt', 'a (2).txt'],
  );
});

test('what is pasted comes behind what was typed', () => {
  assert.equal(appended('', 'pasted'), 'pasted');
  assert.equal(appended('typed', 'pasted'), 'typed\npasted');
});

test('kinds are known by the ending, and nothing that could be a page of this site is opened', () => {
  assert.deepEqual(['a.JPG', 'b.tar.gz', 'c/', 'd', 'e.mkv'].map(kindOf), [
    ...['image', 'archive', 'folder', 'file', 'video'],
  ]);
  for (const name of ['a.html', 'a.htm', 'a.svg', 'a.xhtml', 'a.xml', 'a.js', 'a.pdf', 'a', 'a.txt.html'])
    assert.equal(openAs(name), undefined, name);
  assert.equal(openAs('a.html.PNG'), 'image/png');
});

test('a name that is cut keeps its end, where its kind stands', () => {
  const cut = shortName(`${'a'.repeat(200)}photo.jpg.exe`);
  assert.ok(cut.length <= 80 && cut.endsWith('.jpg.exe'), cut);
  assert.equal(shortName('a\u202eb'), 'a\\u{202e}b');
});
