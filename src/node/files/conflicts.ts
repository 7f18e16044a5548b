/** Decides for every entry what to do if the destination has something already. This happens before anything is written. */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { type BeelineError, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import { foldKey, numbered } from '../../offer/names.ts';
import { diskError } from './disk-errors.ts';
import { DestinationLinks } from './links.ts';
import { FileSlices } from './slices.ts';

/** `update` replaces files that differ, moving only what differs in them, and leaves those of equal size and time. */
export type Overwrite = 'ask' | 'skip' | 'rename' | 'replace' | 'update';
export type OnConflict = (path: string) => Promise<Exclude<Overwrite, 'ask'>>;
/** What an earlier run of the same transfer decided, or did: `ours` is what it put there itself. */
export interface Decided {
  choice: 'ours' | 'skip' | 'replace' | 'rename';
  /** The other relative path of `rename`, else ''. */
  as: string;
  /** What stands there by now is this transfer's own. */
  stands: boolean;
  /** It was decided for the very same manifest. */
  same: boolean;
}

export interface Plan {
  /** Entries that are not written: the policy skips them, the very same stands there, or it is a folder of before. */
  skipped: Set<number>;
  /** Entries that replace what stands there. */
  replaced: Set<number>;
  /** Entries written under another relative path. */
  renamed: Map<number, string>;
  /** Of those that are replaced, the ones whose old content is worth comparing. */
  updated: Set<number>;
  /** Of the entries that are not written, those that cannot be here or that nobody wants. A later run decides anew. */
  left: Set<number>;
}

/** What is to be settled, by what the destination can hold. */
export interface ConflictQuestion {
  overwrite: Overwrite;
  /** For `ask`: called once for each existing file. Absent: EXISTS. */
  onConflict?: OnConflict | undefined;
  decided?: ReadonlyMap<number, Decided>;
  /** Entries that are not written whatever stands there. */
  left?: ReadonlySet<number>;
  /** Times that are less than so many microseconds apart may be one. */
  step?: number;
  /** Links may lead out of the destination. */
  outward?: boolean;
  /** Told of links that leave the destination through one that is there. */
  onLeft?: (entry: Entry) => void;
}

export function emptyPlan(): Plan {
  return { skipped: new Set(), replaced: new Set(), renamed: new Map(), updated: new Set(), left: new Set() };
}

/** How many conflicting names an error lists. */
const NAMED = 3;

/**
 * @param root the real path of the destination
 * @throws BeelineError EXISTS, UNSAFE_NAME (a link stands where a folder is needed), WRITE_FAILED
 */
export async function settle(
  root: string,
  entries: readonly Entry[],
  question: ConflictQuestion,
): Promise<Plan> {
  const { overwrite, onConflict, decided, left = new Set(), step = 2, outward, onLeft } = question;
  const plan = emptyPlan();
  const leave = (index: number) => {
    plan.left.add(index);
    plan.skipped.add(index);
  };
  for (const index of left) leave(index);
  const slices = new FileSlices();
  const rootStat = lstat(root, '.');
  const there = new Set<string>();
  const free = freeNames(root, entries);
  const refused: string[] = [];
  const links = new DestinationLinks(root);
  for (const [index, entry] of entries.entries()) {
    if (slices.over()) await slices.next();
    const { path, kind } = entry;
    const cut = path.lastIndexOf('/');
    const before = decided?.get(index);
    if (left.has(index)) continue;
    if (kind === 'link' && !outward && !links.contains(path.slice(0, Math.max(cut, 0)), entry.target)) {
      leave(index);
      onLeft?.(entry);
      continue;
    }
    if (before?.choice === 'skip' && kind !== 'folder') plan.skipped.add(index);
    if (before?.choice === 'rename') {
      const taken = !before.stands && lstat(`${root}/${before.as}`, before.as);
      plan.renamed.set(index, taken ? free(path) : before.as);
      if (before.stands) plan.replaced.add(index);
    }
    // Only inside folders that exist can anything exist.
    if (cut >= 0 && !there.has(path.slice(0, cut))) continue;
    const found = lstat(`${root}/${path}`, path);
    if (kind === 'folder') {
      if (!found) continue;
      checkFolder(path, found, rootStat);
      there.add(path);
      // What is refreshed gets modes and times too, as its files do.
      if (before?.choice !== 'ours' && overwrite !== 'update') plan.skipped.add(index);
      continue;
    }
    if (!found || (before && before.choice !== 'replace')) continue;
    if (found.isDirectory()) throw faultAt('OTHER_KIND_HERE', path, { here: 'folder', there: kind });
    if (kind === 'link' && found.isSymbolicLink() && readlinkSync(`${root}/${path}`) === entry.target) {
      plan.skipped.add(index);
      continue;
    }
    const then = before && stillHolds(before, overwrite) ? before.choice : undefined;
    const choice = then ?? (overwrite === 'ask' ? await onConflict?.(path) : overwrite);
    if (choice === 'skip' || (choice === 'update' && unchanged(entry, found, step))) plan.skipped.add(index);
    else if (choice === 'replace' || choice === 'update') plan.replaced.add(index);
    else if (choice === 'rename') plan.renamed.set(index, free(path));
    else refused.push(path);
    // The journal does not say whether `replace` was said by `update`.
    const compared = choice === 'update' || before?.choice === 'replace';
    if (compared && kind === 'file' && found.isFile()) plan.updated.add(index);
  }
  if (refused.length > 0) throw exists(refused);
  return plan;
}

/**
 * What is said now outranks what was said then. An agreement to replace something holds for that very manifest, since another
 * one may be another sender's; what the transfer itself put there it may replace, and an update replaces what differs.
 */
function stillHolds({ stands, same }: Decided, overwrite: Overwrite): boolean {
  return overwrite === 'update' || (overwrite === 'ask' && (stands || same));
}

/** As far as can be told without reading it. */
function unchanged(entry: Entry, found: Stats, step: number): boolean {
  if (entry.kind !== 'file' || !found.isFile() || found.size !== entry.size) return false;
  // What Node gives as a double is a quarter of a microsecond off, or more where years have five digits.
  return Math.abs(found.mtimeMs * 1000 - entry.mtime) < step;
}

function checkFolder(path: string, found: Stats, root: Stats | undefined): void {
  if (found.isSymbolicLink()) throw faultAt('LINK_IN_THE_WAY', path);
  if (!found.isDirectory()) throw faultAt('OTHER_KIND_HERE', path, { here: 'file', there: 'folder' });
  // A finished file is renamed from the staging, which works inside one file system only.
  if (found.dev !== root?.dev) throw faultAt('OTHER_FILE_SYSTEM', path);
}

function exists(paths: readonly string[]): BeelineError {
  const list = paths
    .slice(0, NAMED)
    .map((path) => quoted(path))
    .join(', ');
  const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : '';
  const verb = paths.length > 1 ? 'exist' : 'exists';
  return fault('FILES_EXIST', { list: `${list}${more} ${verb}` }, { paths });
}

/** Finds `name (1).ext`, free on the disk, in the manifest, and among the names given out before. */
export function freeNames(root: string, entries: readonly Entry[]): (path: string) => string {
  let taken: Set<string> | undefined;
  return (path) => {
    taken ??= new Set(entries.map((entry) => foldKey(entry.path)));
    for (let n = 1; n < 10_000; n++) {
      const candidate = numbered(path, n);
      const key = foldKey(candidate);
      if (taken.has(key) || lstat(`${root}/${candidate}`, candidate)) continue;
      taken.add(key);
      return candidate;
    }
    throw fault('TOO_MANY_COPIES', { name: quoted(path) }, { paths: [path] });
  };
}

function lstat(absolute: string, path: string): Stats | undefined {
  try {
    return lstatSync(absolute, { throwIfNoEntry: false });
  } catch (error) {
    throw diskError(error, path);
  }
}
