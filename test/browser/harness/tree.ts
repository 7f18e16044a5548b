/** A small folder with what a page may stumble over, and the comparison with what arrived. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Relative paths and sizes. No name of them is refused on Windows, whose rules a page keeps. */
const FILES: Record<string, number> = {
  'readme.txt': 1_000,
  'empty file': 0,
  'one/two/three/deep.bin': 300_000,
  'one/Größe № 1 — «draft».txt': 10,
  'ünïcödé/日本語のファイル.txt': 2_000,
  'ünïcödé/العربية.txt': 2_000,
  'ünïcödé/עברית.txt': 5,
  'ünïcödé/हिन्दी.txt': 5,
  'ünïcödé/👩‍👩‍👧 family.png': 70_000,
  'with space/100% #1&=+~.txt': 1,
  'with space/.hidden': 1,
};

/** Makes the folder `root`. Its paths, folders ending in '/'. */
export function makeMixedFolder(root: string): void {
  mkdirSync(root);
  for (const [path, size] of Object.entries(FILES)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), randomBytes(size));
  }
}

/** All below `root` as a map of relative paths; folders end in '/'. */
export function readFolder(root: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of readdirSync(root, { recursive: true }).map(String)) {
    if (statSync(join(root, entry)).isDirectory()) found.set(`${entry}/`, Buffer.alloc(0));
    else found.set(entry, readFileSync(join(root, entry)));
  }
  return found;
}

/** The same names, and the same bytes under each. */
export function assertSame(actual: Map<string, Buffer>, expected: Map<string, Buffer>): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [path, bytes] of expected)
    assert.ok(bytes.equals(actual.get(path)!), `${path} holds what was sent`);
}

/** `readFolder(root)` as it looks from the folder above. */
export function within(name: string, folder: Map<string, Buffer>): Map<string, Buffer> {
  const moved = [...folder].map(([path, bytes]): [string, Buffer] => [`${name}/${path}`, bytes]);
  return new Map([[`${name}/`, Buffer.alloc(0)], ...moved]);
}
