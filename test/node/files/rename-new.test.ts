/** The call that gives a file its name, and never takes one from another. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { renameNewFor } from '../../../src/node/files/rename-new.ts';
import { scratch } from './helpers.ts';

test('renames to a free name only', async (t) => {
  const rename = await renameNewFor(2_000);
  if (!rename) return t.skip('koffi is not here, or this is no Linux');
  const folder = scratch(t);
  const at = (name: string) => join(folder, name);
  writeFileSync(at('from'), 'new');
  writeFileSync(at('file'), 'old');
  mkdirSync(at('folder'));
  symlinkSync('nowhere', at('link'));
  for (const name of ['file', 'folder', 'link', 'from'])
    assert.equal(rename(at('from'), at(name)), 'exists', name);
  assert.equal(readFileSync(at('file'), 'utf8'), 'old');
  assert.ok(lstatSync(at('link')).isSymbolicLink());
  assert.equal(rename(at('missing'), at('to')), undefined, 'another failure is for the usual call to tell');
  const name = 'n\u00e9 \u{1f680}';
  assert.equal(rename(at('from'), at(name)), 'renamed');
  assert.equal(readFileSync(at(name), 'utf8'), 'new');
  assert.deepEqual(readdirSync(folder).sort(), ['file', 'folder', 'link', name].sort());
});

test('a few files are not worth loading it', async () => {
  assert.equal(await renameNewFor(10), undefined);
});
