/**
 * The staging folder: unfinished data lives in it, beside where it will stand and in the same file system, with the
 * journal that says what of it is certain. A staged thing is named after its manifest path, so that a later run finds
 * it whatever else has changed in the manifest.
 */
import { hash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdir,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BeelineError, codeOf, faultAt, unlessInterrupted } from '../../base/errors.ts';
import { CHEAP_STEPS, type Steps } from '../../base/slices.ts';
import { type Lock, takeLock } from '../../identity/lock.ts';
import { whenClosed } from '../../identity/open-elsewhere.ts';
import type { Entry } from '../../offer/manifest.ts';
import { nameProblem, STAGING_PREFIX } from '../../offer/names.ts';
import { Journal, type JournalDriver, manifestOf } from '../../sync/store/journal.ts';
import type { Choice, JournalState } from '../../sync/store/journal-records.ts';
import { diskError } from './disk-errors.ts';
import { HeldFolders } from './held-folders.ts';
import { CREATE_FLAGS, FOLDER_FLAGS, settled } from './io.ts';
import { journalAt } from './journal-file.ts';
import { FileSlices } from './slices.ts';

/** What this program itself puts beside the staged files. */
const OWN = /^(journal(\.next)?|lock(\..+)?|probe|trial)$/;
/** How the stagings are called that receives share: any of them goes on with what has the same names. */
const SHARED = /^[0-9a-f]{16}$/;
/** Why a folder that was listed cannot be held: gone, closed to us, or not a folder. */
const NOT_THERE = ['ENOENT', 'EACCES', 'UNSAFE_NAME'];

/** What something staged for a manifest path is called. */
function stagedName(path: string): string {
  return hash('sha256', path, 'hex').slice(0, 32);
}

/** What a journal says. */
export interface Recorded {
  state: JournalState;
  entries: Entry[];
}

/** An earlier run's staging, its journal replayed. */
export interface FoundStaging extends Recorded {
  staging: Staging;
}

/**
 * It is held open from the first look to the last, and everything in it is reached through that: in a folder that others
 * may write to somebody could rename it meanwhile, and put a link to another folder in its place.
 */
export class Staging {
  /** Where it is for people. */
  readonly path: string;
  readonly #name: string;
  readonly #held: HeldFolders;
  #lock: Lock | undefined;
  #closed = false;

  private constructor(path: string) {
    this.path = path;
    this.#name = basename(path);
    this.#held = new HeldFolders(dirname(path));
  }

  /**
   * Makes a new one, for this user only, locked. UNSAFE_NAME if somebody puts something else in its place; Node's error codes.
   * @param own what it is called, if it is for one transfer alone; see `stagingOf`
   */
  static async create(root: string, own?: string): Promise<Staging> {
    const staging = new Staging(stagingOf(root, own ?? randomBytes(8).toString('hex')));
    let made = false;
    try {
      mkdirSync(staging.#held.at(staging.#name), 0o700);
      if (!staging.#isOwn() || staging.#names().length > 0) throw swapped(staging.path);
      made = true;
      await staging.lock();
      return staging;
    } catch (error) {
      if (made) staging.discard();
      else staging.release();
      throw error;
    }
  }

  /** Holds one that is there, not locked. Undefined if it is a link, or not this user's alone. Node's error codes. */
  static open(path: string): Staging | undefined {
    const staging = new Staging(path);
    try {
      if (staging.#isOwn()) return staging;
    } catch (error) {
      if (!NOT_THERE.includes(codeOf(error))) throw error;
    }
    staging.release();
    return undefined;
  }

  /**
   * The staging in `root` of a transfer with the same names at its top, if there is one, locked.
   * @param own the name of the only one that may be it
   * @throws BeelineError LOCKED if another receive is at work in it
   */
  static async find(
    root: string,
    entries: readonly Entry[],
    own?: string,
  ): Promise<FoundStaging | undefined> {
    if (own === undefined) await Staging.#sweep(root);
    const slices = new FileSlices();
    let locked: BeelineError | undefined;
    for (const path of own === undefined ? sharedStagings(root) : [stagingOf(root, own)]) {
      const staging = Staging.open(path);
      if (!staging) continue;
      try {
        const fits = async (recorded: Recorded | undefined) =>
          recorded && (own !== undefined || (await slices.run(sameTops(recorded.entries, entries))));
        if (await fits(await staging.read())) {
          await staging.lock();
          // Again behind the lock: whoever held it may have gone on.
          const found = await staging.read();
          if (found && (await fits(found))) return { staging, ...found };
        }
      } catch (error) {
        staging.release();
        if (!(error instanceof BeelineError)) throw error;
        // Whoever was at work in it has finished since the look at it, and removed it.
        if (error.reason === 'FOLDER_GONE') continue;
        if (error.code !== 'LOCKED') throw error;
        locked = error;
      }
      staging.release();
    }
    if (locked) throw locked;
    return undefined;
  }

  /** Removes the remains of runs that were killed before they had anything. What cannot be removed is left. */
  static async #sweep(root: string): Promise<void> {
    for (const path of stagings(root)) {
      const staging = Staging.open(path);
      try {
        if (!staging || !(await staging.#isEmpty())) continue;
        await staging.lock();
        // Again behind the lock.
        if (await staging.#isEmpty()) await staging.remove([]);
      } catch {
        // Somebody's at work in it, or the disk's own matter: whoever needs it will be told.
      } finally {
        staging?.release();
      }
    }
  }

  get journal(): JournalDriver {
    return journalAt(this.#at('journal'));
  }

  /** A file that is written only to see whether writing works. */
  get probe(): string {
    return this.#at('probe');
  }

  /** True if the destination is where it was. */
  get stands(): boolean {
    return this.#held.rootStands();
  }

  /**
   * Holds it by its path again: after a disk has failed, the drive may be another mount by then. What is held stays if
   * something else stands at the path.
   * @throws BeelineError LOCKED; UNSAFE_NAME if that is not this user's alone; Node's error codes
   */
  async holdAgain(): Promise<void> {
    const now = lstatSync(this.path, { throwIfNoEntry: false });
    const held = statSync(this.#at('.'));
    if (now?.dev !== held.dev || now.ino !== held.ino) return;
    this.#lock?.release();
    this.#lock = undefined;
    this.#held.begin();
    if (!this.#isOwn()) throw swapped(this.path);
    await this.lock();
  }

  /** A folder in which is tried out what this file system can hold. */
  get trial(): string {
    return this.#at('trial');
  }

  /** Where an entry's data (or link) is until it is whole, for use at once; `path` as in the manifest. */
  file(path: string): string {
    return this.#at(stagedName(path));
  }

  /** True if the file system finds it under upper-case letters too. */
  foldsCase(): boolean {
    return lstatSync(this.#held.at(this.#name.toUpperCase()), { throwIfNoEntry: false }) !== undefined;
  }

  /** @throws BeelineError LOCKED; for a failing disk what diskError says */
  async lock(): Promise<void> {
    try {
      this.#lock = await takeLock(this.#at('.'), { shown: this.path });
    } catch (error) {
      throw diskError(error, `${this.#name}/lock`);
    }
  }

  /** What its journal says, or undefined if it has none that can be read. */
  async read(): Promise<Recorded | undefined> {
    const state = await Journal.read(this.journal);
    const entries = state && manifestOf(state);
    return entries && [...state.choices.values()].every(isWritable) ? { state, entries } : undefined;
  }

  /** Leaves it to a later run. Nothing in it may be in use any more. */
  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
    this.#closed = true;
    this.#held.close();
  }

  /** Removes what is staged for these manifest paths, and the journal; the lock stays. */
  async empty(paths: Iterable<string>, signal?: AbortSignal): Promise<void> {
    const slices = new FileSlices();
    const names = this.#names();
    const staged = new Set(names.filter((name) => !OWN.test(name)));
    if (staged.size > 0)
      for (const named of paths) {
        if (staged.size === 0) break;
        if (slices.over()) await slices.next();
        unlessInterrupted(signal, 'all was removed');
        const name = stagedName(named);
        if (staged.delete(name)) rmSync(this.#at(name), { force: true });
      }
    // The journal last: as long as anything is staged it says what that is.
    for (const name of names)
      if (OWN.test(name) && name !== 'lock')
        rmSync(this.#at(name), { force: true, recursive: name === 'trial' });
  }

  /** Names in it that are nobody's lock. */
  strangers(): string[] {
    return this.#names().filter((name) => !/^lock(\.|$)/.test(name));
  }

  /** Removes it and what is staged for these manifest paths. Anything else in it stays, and this throws ENOTEMPTY. */
  async remove(paths: Iterable<string>): Promise<void> {
    try {
      await this.empty(paths);
      await this.removeFolder();
    } finally {
      this.release();
    }
  }

  /** Removes it, in which nothing has ever been. */
  discard(): void {
    try {
      rmdirSync(this.#letGo());
    } finally {
      this.release();
    }
  }

  /** Removes the folder, which must be empty, but for the lock. Node's error codes; UNSAFE_NAME if another stands there. */
  async removeFolder(): Promise<void> {
    // One that had hundreds of thousands of names takes as many milliseconds.
    const path = this.#letGo();
    await whenClosed(() => settled((done) => rmdir(path, done)));
  }

  /** Where the folder is, which is not locked any more. */
  #letGo(): string {
    this.#lock?.release();
    this.#lock = undefined;
    if (!this.#held.isAt(this.#name)) throw swapped(this.path);
    return this.#held.at(this.#name);
  }

  #at(name: string): string {
    if (this.#closed) throw new BeelineError('INTERNAL', 'The staging folder is closed.');
    return `${this.#held.inside(this.#name)}/${name}`;
  }

  #names(): string[] {
    return readdirSync(this.#at('.'));
  }

  #isOwn(): boolean {
    return isOwn(statSync(this.#at('.')), () => looksOf(this.#held));
  }

  /** True if nothing in it could be of use to anybody. */
  async #isEmpty(): Promise<boolean> {
    return this.#names().every((name) => OWN.test(name)) && !(await this.read());
  }
}

/** Where a staging is that has this name. @param own nothing that `SHARED` matches */
export const stagingOf = (root: string, own: string): string => join(root, STAGING_PREFIX + own);

function sharedStagings(root: string): string[] {
  return stagings(root).filter((path) => SHARED.test(basename(path).slice(STAGING_PREFIX.length)));
}

/** Folders in `root` that are this user's stagings, as far as can be seen from outside. */
export function stagings(root: string): string[] {
  const names = readdirSync(root).filter((name) => name.startsWith(STAGING_PREFIX));
  let looks: Looks | undefined;
  const held = new HeldFolders(root);
  try {
    return names
      .map((name) => join(root, name))
      .filter((path) => {
        const found = lstatSync(path, { throwIfNoEntry: false });
        if (!found) return false;
        return isOwn(found, () => {
          looks ??= looksOf(held);
          return looks;
        });
      });
  } finally {
    held.close();
  }
}

/** How a folder that this user has just made for itself alone looks: whose it is, and who else may enter or write. */
interface Looks {
  uid: number;
  others: number;
}

/**
 * A real folder that nobody else can have put anything into. Where a file system keeps no modes or owners (FAT, exFAT, NTFS by
 * FUSE, SMB) it is one that looks as our own do there: whoever else may write there may change what is finished as well.
 */
function isOwn(found: Stats, looks: () => Looks): boolean {
  if (!found.isDirectory()) return false;
  if (process.getuid === undefined) return true;
  if (found.uid === process.getuid() && (found.mode & 0o077) === 0) return true;
  try {
    const { uid, others } = looks();
    return found.uid === uid && (found.mode & 0o077 & ~others) === 0;
  } catch {
    // Who cannot make anything there has nothing of its own there.
    return false;
  }
}

/**
 * Found out by making a file and a folder. The file says whose they are: it is looked at through the very descriptor that
 * made it. What others may do to a folder counts only if it stays so when it is forbidden, through a descriptor too: a folder
 * of this user's that somebody puts in its place would take the new mode where modes are kept. Node's error codes.
 */
function looksOf(held: HeldFolders): Looks {
  const name = STAGING_PREFIX + randomBytes(8).toString('hex');
  const fd = openSync(held.at(`${name}.trial`), CREATE_FLAGS, 0o600);
  let file: Stats;
  try {
    file = fstatSync(fd);
  } finally {
    closeSync(fd);
    unlinkSync(held.at(`${name}.trial`));
  }
  mkdirSync(held.at(name), 0o700);
  let folder: Stats;
  try {
    folder = closed(openSync(held.at(name), FOLDER_FLAGS));
  } finally {
    rmdirSync(held.at(name));
  }
  return { uid: file.uid, others: folder.uid === file.uid ? folder.mode & 0o077 : 0 };
}

/** How a folder looks that was closed to others, if that is kept. Closes the descriptor. */
function closed(fd: number): Stats {
  try {
    try {
      fchmodSync(fd, 0o700);
    } catch {
      // FAT refuses modes that its mount does not have; what it has is what counts.
    }
    return fstatSync(fd);
  } finally {
    closeSync(fd);
  }
}

function swapped(path: string): BeelineError {
  return faultAt('STAGING_REPLACED', path);
}

/** Whether an entry may be written under the other name that a journal has for it. */
function isWritable({ choice, as }: { choice: Choice; as: string }): boolean {
  const windows = process.platform === 'win32';
  return !windows || choice !== 'rename' || nameProblem(as, 'windows') === undefined;
}

/** Whether the names without a `/` are the same, with their kinds: no manifest has one twice. */
export function* sameTops(some: readonly Entry[], others: readonly Entry[]): Steps<boolean> {
  const names = new Set<string>();
  for (let i = 0; i < some.length; i++) {
    if (i % CHEAP_STEPS === 0) yield;
    const entry = some[i]!;
    if (isTop(entry)) names.add(`${entry.kind} ${entry.path}`);
  }
  let count = 0;
  for (let i = 0; i < others.length; i++) {
    if (i % CHEAP_STEPS === 0) yield;
    const entry = others[i]!;
    if (!isTop(entry)) continue;
    count++;
    if (!names.has(`${entry.kind} ${entry.path}`)) return false;
  }
  return count === names.size;
}

const isTop = ({ path }: Entry): boolean => !path.includes('/');
