import assert from 'node:assert/strict';
import test from 'node:test';
import type { BeelineError } from '../../src/base/errors.ts';
import { fittedPaths, type Named, warnOfMisfits } from '../../src/browser/files/fitted.ts';

const entries: Named[] = [
  { path: 'notes', kind: 'folder' },
  { path: 'notes/why?.txt', kind: 'file' },
  { path: 'notes/why*.txt', kind: 'file' },
  { path: 'a:b', kind: 'folder' },
  { path: 'a:b/c', kind: 'file' },
  { path: 'README', kind: 'link' },
  { path: 'readme', kind: 'file' },
  { path: 'Readme', kind: 'file' },
  { path: 'con', kind: 'file' },
  { path: 'ends.', kind: 'file' },
  { path: 'plain', kind: 'file' },
];

test('what some system cannot hold gets another name, and no two the same', async () => {
  assert.deepEqual(await fittedPaths(entries), [
    ...['notes', 'notes/why_.txt', 'notes/why_ (1).txt', 'a_b', 'a_b/c'],
    ...['README', 'readme', 'Readme (1)', 'con_', 'ends_', 'plain'],
  ]);
});

test('links, and each name that changes, are told of, and not what only lies below it', async () => {
  const told: BeelineError[] = [];
  warnOfMisfits(entries, await fittedPaths(entries), (warning) => told.push(warning));
  assert.deepEqual(
    told.map(({ paths: [path] }) => path),
    ['README', 'notes/why?.txt', 'notes/why*.txt', 'a:b', 'Readme', 'con', 'ends.'],
  );
  assert.match(told[0]!.message, /^A browser cannot make links: 'README' will be missing/);
  assert.match(
    told[2]!.message,
    /^'notes\/why\*\.txt' will be saved as 'why_ \(1\)\.txt': not every system /,
  );
});

test('of many names that change, some are told of and the rest are counted', async () => {
  const many = Array.from({ length: 5000 }, (_, i): Named => ({ path: `${i}?`, kind: 'file' }));
  const told: BeelineError[] = [];
  warnOfMisfits(many, await fittedPaths(many), (warning) => told.push(warning));
  assert.equal(told.length, 21);
  assert.match(told[20]!.message, /^4980 more entries: saved under another name/);
  const { count, like } = told[20]!.values!;
  assert.deepEqual([count, like], [4980, 'NAME_FITTED_FOR_ALL']);
});
