/** Two things never share a name: who reads one outside of its file knows which one it is. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

test('no two files export a type, an interface or a class of one name', () => {
  const places = new Map<string, string[]>();
  for (const root of ['src', 'web'])
    for (const name of readdirSync(root, { recursive: true }).map(String)) {
      if (!/\.tsx?$/.test(name)) continue;
      const file = join(root, name);
      const text = readFileSync(file, 'utf8');
      const declared = text.matchAll(/^export (?:abstract )?(?:class|interface|type) (\w+)/gm);
      for (const [, type] of declared) places.set(type!, [...(places.get(type!) ?? []), file]);
    }
  assert.ok(places.size > 300, 'the sources are found');
  const shared = [...places].filter(([, files]) => files.length > 1);
  assert.deepEqual(shared, []);
});
