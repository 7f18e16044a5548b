/**
 * Items as a manifest: every folder an entry before what is in it, siblings in the order of their names' bytes, so
 * that the same choice has the same manifest whatever order a browser lists it in, and a receiver can go on with it.
 */
import { utf8Encode } from '../../base/bytes.ts';
import { fault, faultAt } from '../../base/errors.ts';
import { MAX_ENTRIES } from '../../base/limits.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import { nameProblem, STAGING_PREFIX } from '../../offer/names.ts';
import type { Item } from './items.ts';

export interface Layout {
  entries: Entry[];
  /** By entry index; undefined for folders. */
  files: (File | undefined)[];
}

interface Node {
  file?: File;
  children: Map<string, Node>;
}

const SURROGATE = /[\ud800-\udfff]/;
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;
/** File.lastModified is in milliseconds, Entry.mtime in microseconds. */
const MICROS = 1000;

/** @throws BeelineError USAGE or UNSAFE_NAME, naming the path. */
export function layOut(items: readonly Item[]): Layout {
  if (items.length === 0) throw fault('NOTHING_TO_SEND');
  const root: Node = { children: new Map() };
  for (const item of items) add(root, item);
  const layout: Layout = { entries: [], files: [] };
  // Browsers do not tell a folder's own time: that of the newest file in it, or else of all, is stable at least.
  const newest = items.reduce((time, { file }) => Math.max(time, file?.lastModified ?? 0), 0);
  walk(layout, root, '', newest);
  return layout;
}

function add(root: Node, { path, file }: Item): void {
  const problem = nameProblem(path, 'posix');
  if (problem) throw fault('NAME_NOT_TAKEN', { name: quoted(path), problem }, { paths: [path] });
  const names = path.split('/');
  if (names.some((name) => name.startsWith(STAGING_PREFIX))) throw faultAt('STAGING_CHOSEN', path);
  const last = names.pop()!;
  let folder = root;
  for (const name of names) {
    folder = folder.children.get(name) ?? grow(folder, name);
    if (folder.file) throw faultAt('FILE_FOR_FOLDER', path);
  }
  const twin = folder.children.get(last);
  if (twin && (file || twin.file))
    throw fault('NAMES_COLLIDE', { paths: 'Two of what was chosen', name: quoted(path) }, { paths: [path] });
  if (file) grow(folder, last).file = file;
  else if (!twin) grow(folder, last);
}

function grow(folder: Node, name: string): Node {
  const node: Node = { children: new Map() };
  folder.children.set(name, node);
  return node;
}

/** Depth is bounded by the check of names. Returns the newest time in it, if it has any. */
function walk(layout: Layout, folder: Node, prefix: string, fallback: number): number | undefined {
  let newest: number | undefined;
  for (const name of [...folder.children.keys()].sort(byBytes)) {
    const node = folder.children.get(name)!;
    const path = prefix + name;
    const entry = push(layout, path, node.file);
    const time = node.file ? node.file.lastModified : walk(layout, node, `${path}/`, fallback);
    entry.mtime = (time ?? fallback) * MICROS;
    if (time !== undefined) newest = Math.max(newest ?? time, time);
  }
  return newest;
}

function push({ entries, files }: Layout, path: string, file: File | undefined): Entry {
  if (entries.length >= MAX_ENTRIES) {
    throw fault('TOO_MANY_ENTRIES', { most: MAX_ENTRIES });
  }
  const kind = file ? 'file' : 'folder';
  const mode = file ? FILE_MODE : FOLDER_MODE;
  const entry: Entry = { path, kind, size: file?.size ?? 0, mode, mtime: 0, target: '', version: '' };
  entries.push(entry);
  files.push(file);
  return entry;
}

/** The order of UTF-8 bytes is that of code points; that of UTF-16 units differs only where there are surrogates. */
function byBytes(a: string, b: string): number {
  if (!SURROGATE.test(a) && !SURROGATE.test(b)) return a < b ? -1 : 1;
  const [x, y] = [utf8Encode(a), utf8Encode(b)];
  for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!;
  return x.length - y.length;
}
