/** Folders at the destination: made on the way, real ones only, and given their modes and times at the end. */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  utimesSync,
} from 'node:fs';
import { codeOf, faultAt } from '../../base/errors.ts';
import type { Entry } from '../../offer/manifest.ts';
import { diskError } from './disk-errors.ts';
import { HeldFolders } from './held-folders.ts';
import { FOLDER_FLAGS, fromMicros } from './io.ts';
import type { Job } from './job.ts';
import { FileSlices } from './slices.ts';

export class Folders {
  readonly #job: Job;
  readonly #held: HeldFolders;
  /** Relative paths of folders that this run made or found to be real ones. */
  readonly #known = new Set<string>(['']);
  readonly #made = new Set<string>();

  constructor(job: Job) {
    this.#job = job;
    this.#held = new HeldFolders(job.root);
  }

  /** Makes sure that a relative path and all above it are real folders, never links. EXISTS, UNSAFE_NAME. */
  ensure(path: string): void {
    if (this.#known.has(path)) return;
    this.ensureParent(path);
    const at = this.#held.at(path);
    try {
      // Nobody else looks in before it is complete.
      mkdirSync(at, 0o700);
      this.#made.add(path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw diskError(error, path);
      checkReal(at, path);
    }
    this.#held.inside(path);
    this.#known.add(path);
  }

  /** Where something below the destination is reached, for use at once: through the very folder that `ensure` saw. */
  at(path: string): string {
    return this.#held.at(path);
  }

  close(): void {
    this.#held.close();
  }

  /** True if this run made the folder, which nobody else may enter before it is complete. */
  ensureParent(path: string): boolean {
    const cut = path.lastIndexOf('/');
    if (cut < 0) return false;
    const parent = path.slice(0, cut);
    this.ensure(parent);
    return this.#made.has(parent);
  }

  /** Where these folders are. */
  absolute(folders: ReadonlySet<string>): string[] {
    const { root } = this.#job;
    return [...folders].map((path) => (path ? `${root}/${path}` : root));
  }

  /** Modes and times of the folders made for this transfer, deepest first; others keep theirs. */
  async finish(): Promise<void> {
    const { entries, plan } = this.#job;
    const slices = new FileSlices();
    // The manifest has a folder before what is in it, so that backwards is deepest first.
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i]!;
      if (entry.kind !== 'folder' || plan.skipped.has(i)) continue;
      this.#settle(entry);
      if (slices.over()) await slices.next();
    }
    this.#held.checkAll();
  }

  #settle(entry: Entry): void {
    const { attributes } = this.#job;
    const absolute = this.#held.at(entry.path);
    const time = fromMicros(entry.mtime);
    // Windows opens no folders this way, and has no modes to protect there.
    if (process.platform === 'win32') {
      attributes.attempt(entry.path, () => utimesSync(absolute, time, time));
      attributes.mode(entry, (mode) => chmodSync(absolute, mode));
      return;
    }
    try {
      const fd = openSync(absolute, FOLDER_FLAGS);
      try {
        attributes.attempt(entry.path, () => futimesSync(fd, time, time));
        attributes.mode(entry, (mode) => fchmodSync(fd, mode));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw diskError(error, entry.path);
    }
  }
}

function checkReal(absolute: string, path: string): void {
  const found = lstatSync(absolute, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  if (found?.isSymbolicLink()) throw faultAt('LINK_APPEARED', path);
  throw faultAt('OTHER_KIND_HERE', path, { here: 'file', there: 'folder' });
}
