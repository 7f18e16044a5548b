/**
 * The staging folder: unfinished data lives in it, beside where it will stand and in the same file system, with the
 * journal that says what of it is certain. A staged thing is named after its manifest path, so that a later run finds
 * it whatever else has changed in the manifest.
 */
import { hash, randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BeelineError } from '../protocol/errors.ts';
import { decodePage, type Entry } from '../protocol/manifest.ts';
import { STAGING_PREFIX } from '../protocol/names.ts';
import { codeOf } from './io.ts';
import { Journal, type JournalState } from './journal.ts';
import { type Lock, takeLock } from './lock.ts';

/** What this program itself puts beside the staged files. */
const OWN = /^(journal(\.next)?|lock(\..+)?|probe)$/;

/** What something staged for a manifest path is called. */
function stagedName(path: string): string {
  return hash('sha256', path, 'hex').slice(0, 32);
}

/** An earlier run's staging, its journal replayed. */
export interface Found {
  staging: Staging;
  state: JournalState;
  entries: Entry[];
}

export class Staging {
  readonly path: string;
  readonly #lock: Lock;

  private constructor(path: string, lock: Lock) {
    this.path = path;
    this.#lock = lock;
  }

  /** Makes a new one, for this user only. Node's error codes. */
  static create(root: string): Staging {
    const path = join(root, STAGING_PREFIX + randomBytes(8).toString('hex'));
    mkdirSync(path, 0o700);
    try {
      return new Staging(path, takeLock(path));
    } catch (error) {
      removeFolder(path);
      throw error;
    }
  }

  /**
   * The staging in `root` of a transfer with the same names at its top, if there is one, locked.
   * @throws BeelineError LOCKED if another receive is at work in it
   */
  static async find(root: string, entries: readonly Entry[]): Promise<Found | undefined> {
    await Staging.#sweep(root);
    const wanted = topNames(entries);
    let locked: BeelineError | undefined;
    for (const path of stagings(root)) {
      const before = await readStaging(path);
      if (!before || topNames(before.entries) !== wanted) continue;
      try {
        const staging = new Staging(path, takeLock(path));
        try {
          // Again behind the lock: whoever held it may have gone on.
          const found = await readStaging(path);
          if (found && topNames(found.entries) === wanted) return { staging, ...found };
        } catch (error) {
          staging.release();
          throw error;
        }
        staging.release();
      } catch (error) {
        if (!(error instanceof BeelineError) || error.code !== 'LOCKED') throw error;
        locked = error;
      }
    }
    if (locked) throw locked;
    return undefined;
  }

  /** Removes the remains of runs that were killed before they had anything. What cannot be removed is left. */
  static async #sweep(root: string): Promise<void> {
    for (const path of stagings(root)) {
      try {
        if (!(await isEmpty(path))) continue;
        const staging = new Staging(path, takeLock(path));
        // Again behind the lock.
        if (await isEmpty(path)) staging.remove([]);
        else staging.release();
      } catch {
        // Somebody's at work in it, or the disk's own matter: whoever needs it will be told.
      }
    }
  }

  get journal(): string {
    return join(this.path, 'journal');
  }

  /** A file that is written only to see whether writing works. */
  get probe(): string {
    return join(this.path, 'probe');
  }

  /** Where an entry's data (or link) is until it is whole; `path` as in the manifest. */
  file(path: string): string {
    return stagedFile(this.path, path);
  }

  /** True if the file system finds it under upper-case letters too. */
  foldsCase(): boolean {
    const upper = join(dirname(this.path), basename(this.path).toUpperCase());
    return lstatSync(upper, { throwIfNoEntry: false }) !== undefined;
  }

  /** Leaves it to a later run. */
  release(): void {
    this.#lock.release();
  }

  /** Removes it and what is staged for these manifest paths. Anything else in it stays, and this throws ENOTEMPTY. */
  remove(paths: Iterable<string>): void {
    try {
      emptyStaging(this.path, paths);
    } finally {
      this.#lock.release();
    }
    rmdirSync(this.path);
  }
}

/** Where what a staging has for a manifest path is. */
export function stagedFile(staging: string, path: string): string {
  return `${staging}/${stagedName(path)}`;
}

/** Folders in `root` that are this user's stagings, as far as can be seen from outside. */
export function stagings(root: string): string[] {
  const names = readdirSync(root).filter((name) => name.startsWith(STAGING_PREFIX));
  return names.map((name) => join(root, name)).filter(isOwn);
}

/** What its journal says, or undefined if it has none that can be read. */
export async function readStaging(
  path: string,
): Promise<{ state: JournalState; entries: Entry[] } | undefined> {
  const state = await Journal.read(join(path, 'journal'));
  if (!state) return undefined;
  try {
    return { state, entries: state.pages.flatMap(decodePage) };
  } catch (error) {
    if (error instanceof BeelineError) return undefined;
    throw error;
  }
}

/** Removes what a staging has for these manifest paths, and its journal; the lock stays. */
export function emptyStaging(path: string, paths: Iterable<string>): void {
  const names = readdirSync(path);
  const staged = new Set(names.filter((name) => !OWN.test(name)));
  if (staged.size > 0)
    for (const named of paths) {
      const name = stagedName(named);
      if (staged.delete(name)) rmSync(join(path, name), { force: true });
    }
  // The journal last: as long as anything is staged it says what that is.
  for (const name of names) if (OWN.test(name) && name !== 'lock') rmSync(join(path, name), { force: true });
}

/** Removes the folder if it is empty by now. */
export function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOENT')
      throw error;
  }
}

/** True if nothing in it could be of use to anybody. */
async function isEmpty(path: string): Promise<boolean> {
  return readdirSync(path).every((name) => OWN.test(name)) && !(await readStaging(path));
}

/** A real folder that nobody else can have put anything into. */
function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return false;
  return process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o077) === 0);
}

/** One text for all names without a `/`, with their kinds; no name has a line feed in it. */
function topNames(entries: readonly Entry[]): string {
  const tops = entries.filter((entry) => !entry.path.includes('/'));
  return tops
    .map((entry) => `${entry.kind} ${entry.path}`)
    .sort()
    .join('\n');
}
