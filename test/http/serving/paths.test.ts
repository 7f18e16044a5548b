/** The path of a request names one thing below what is served, on each platform. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathText, readPath } from '../../../src/http/serving/paths.ts';
import { on } from '../../platform.ts';

const namesOf = (text: string) => readPath(text)?.names;

test('names are decoded once, and none leads elsewhere', () => {
  assert.deepEqual(readPath('/'), { names: [], folder: true });
  assert.deepEqual(readPath('/a%20b/c%252F/'), { names: ['a b', 'c%2F'], folder: true });
  for (const text of ['/..', '/%2e%2e', '/a/./b', '/a//b', '/a%2Fb', '/a%00', '/%'])
    assert.equal(readPath(text), undefined, text);
});

test('what separates names or streams on Windows is part of a name elsewhere, and of none there', async () => {
  for (const text of ['/C:', '/a:stream', '/..%5C..%5Cetc', '/a%5Cb']) {
    assert.equal(await on('win32', () => namesOf(text)), undefined, text);
    for (const platform of ['linux', 'darwin'] as const)
      assert.deepEqual(await on(platform, () => namesOf(text)), [decodeURIComponent(text.slice(1))]);
  }
});

test('a path that is made of names is read as them', () => {
  for (const names of [['a'], ['a b', 'c%2F'], ['ü', '#?']])
    assert.deepEqual(namesOf(pathText(names)), names);
});
