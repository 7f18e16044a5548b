/** What stands where the receipt has something: kinds, sizes and targets, by one lstat each. */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { codeOf, fault } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import { nameProblem } from '../../offer/names.ts';
import type { Receipt } from '../../offer/receipt.ts';
import type { ByteSpace } from '../../offer/space.ts';
import { realPath } from './named-path.ts';
import { FileSlices } from './slices.ts';

/** A difference between the receipt and what stands here. */
export interface Problem {
  /** As in the receipt, unescaped; of a group the first. */
  path: string;
  problem: 'missing' | 'size' | 'content' | 'kind' | 'target' | 'unreadable';
  /** In words, to follow the path. It may quote names: escape it too. */
  detail: string;
}

/** The absolute path of an entry. */
export type TreePlace = (path: string) => string;

export interface Located {
  /** A real path that is in the file system of what is checked. */
  folder: string;
  place: TreePlace;
}

/** Of an entry, after the survey. */
export const FINE = 0;
/** Reported, and not to be read. */
export const BAD = 1;
/** Reported, but its first bytes can be read, to check what shares their chunk. */
export const GROWN = 2;

/**
 * Where entries are under the PATH that a person gave: the folder received into, or the one thing received itself.
 * @throws BeelineError NO_SUCH_PATH, UNREADABLE, USAGE
 */
export function locateTree(entries: readonly Entry[], path: string): Located {
  const top = entries.filter((entry) => !entry.path.includes('/'));
  // Under a name that Windows does not take nothing stands there.
  const only =
    top.length === 1 && (process.platform !== 'win32' || !nameProblem(top[0]!.path, 'windows'))
      ? top[0]
      : undefined;
  const named = resolve(path);
  if (only?.kind === 'link' && basename(named) === only.path && kindAt(named) === 'link')
    return inside(realPath(dirname(named)));
  const absolute = realPath(path);
  const isFolder = kindAt(absolute) === 'folder';
  if (only) {
    const alike = basename(named) === only.path || basename(absolute) === only.path;
    const itself = isFolder
      ? only.kind === 'folder' && alike && !kindAt(join(absolute, only.path))
      : only.kind === 'file' || alike;
    if (itself) {
      const below = (entry: string) => absolute + entry.replace(/^[^/]*/, '');
      return { folder: isFolder ? absolute : dirname(absolute), place: below };
    }
  }
  if (!isFolder) throw fault('VERIFY_NO_FOLDER', { path: quoted(path) });
  return inside(absolute);
}

function inside(folder: string): Located {
  return { folder, place: (entry) => join(folder, entry) };
}

function kindAt(path: string): Entry['kind'] | 'other' | undefined {
  try {
    return kindOf(lstatSync(path));
  } catch {
    return undefined;
  }
}

function kindOf(stat: Stats): Entry['kind'] | 'other' {
  if (stat.isSymbolicLink()) return 'link';
  if (stat.isDirectory()) return 'folder';
  return stat.isFile() ? 'file' : 'other';
}

/** What is to stand here, and what does. */
export interface Tree {
  receipt: Receipt;
  space: ByteSpace;
  /** The receipt's, under the same names; times and targets are those that they have here. */
  entries: readonly Entry[];
  place: TreePlace;
  /** Entries that were left out where they were received: not there, and no problem. */
  left: ReadonlySet<number>;
  /** Of each entry: FINE, BAD or GROWN. */
  states: Uint8Array;
}

/** Sets the states, and reports what is not fine. @param check called now and then; what it throws ends the survey */
export async function survey(
  tree: Tree,
  report: (problem: Problem) => void,
  check: () => void,
): Promise<void> {
  const { receipt, entries, place, left, states } = tree;
  const badFolders = new Map<string, Found>();
  const slices = new FileSlices();
  for (const [index, entry] of entries.entries()) {
    if (slices.over()) {
      check();
      await slices.next();
    }
    const size = receipt.kind === 'stream' ? receipt.bytes : entry.size;
    const above = badFolders.get(dirname(entry.path));
    const found = above ?? look(place(entry.path), entry, size);
    if (!found || (found.problem === 'size' && !moved(index, tree))) continue;
    states[index] = found.grown ? GROWN : BAD;
    if (!above && found.problem === 'missing' && left.has(index)) continue;
    if (entry.kind === 'folder') badFolders.set(entry.path, found);
    const detail = above ? `is in a folder that ${found.detail}` : found.detail;
    report({ path: entry.path, problem: found.problem, detail });
  }
}

/** A file of which nothing moved was skipped, because one stood there: what is in that one nobody has said. */
function moved(entry: number, tree: Tree): boolean {
  const { first, end } = chunksOf(entry, tree);
  if (first === end) return true;
  for (let chunk = first; chunk < end; chunk++) if (tree.receipt.chunks[chunk]) return true;
  return false;
}

/** An entry's chunks. */
export function chunksOf(
  entry: number,
  { receipt: { kind, chunks }, space }: Pick<Tree, 'receipt' | 'space'>,
): { first: number; end: number } {
  return kind === 'stream' ? { first: 0, end: chunks.length } : space.chunksOf(entry);
}

type Found = Omit<Problem, 'path'> & { grown?: boolean };

function look(absolute: string, entry: Entry, size: number): Found | undefined {
  try {
    const stat = lstatSync(absolute);
    const kind = kindOf(stat);
    if (kind !== entry.kind)
      return { problem: 'kind', detail: `is ${KINDS[kind]} instead of ${KINDS[entry.kind]}` };
    if (kind === 'file' && stat.size !== size) {
      const detail = `has ${stat.size} bytes instead of ${size}`;
      return { problem: 'size', detail, grown: stat.size > size };
    }
    if (kind !== 'link') return undefined;
    const target = readlinkSync(absolute);
    const stored = sep === '\\' ? target.replaceAll('\\', '/') : target;
    if (stored === entry.target) return undefined;
    return { problem: 'target', detail: `points to '${stored}' instead of '${entry.target}'` };
  } catch (error) {
    return trouble(error);
  }
}

const KINDS = { file: 'a file', folder: 'a folder', link: 'a link', other: 'a device, pipe or socket' };

/** What a system error on the way to an entry says about it. */
export function trouble(error: unknown): Omit<Problem, 'path'> {
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return { problem: 'missing', detail: 'is not there' };
  if (code === 'ELOOP') return { problem: 'kind', detail: 'is no plain file any more' };
  return { problem: 'unreadable', detail: `cannot be read (${code || String(error)})` };
}
