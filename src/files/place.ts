/** The one way to a final name: a whole file, renamed from the staging. The final path is never opened. */
import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import type { Entry } from '../protocol/manifest.ts';
import { FreeNames, type Overwrite, type Plan } from './conflicts.ts';
import { diskError } from './disk-errors.ts';
import type { Folders } from './folders.ts';
import { codeOf } from './io.ts';

/** File systems without hard links answer one of these. */
const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES', 'EINVAL']);

export interface Places {
  /** Real path of the destination. */
  root: string;
  entries: readonly Entry[];
  folders: Folders;
  plan: Plan;
  overwrite: Overwrite;
}

export class Placer {
  readonly #places: Places;
  #hardLinks = process.platform !== 'win32';

  constructor(places: Places) {
    this.#places = places;
  }

  /** Where an entry stands, or will. */
  path(entry: number): string {
    return `${this.#places.root}/${this.relative(entry)}`;
  }

  /** Puts what is staged in place, its folders made before it. EXISTS if something appeared there meanwhile. */
  put(entry: number, staged: string): void {
    const { root, entries, folders, plan, overwrite } = this.#places;
    const replace = overwrite === 'replace' || plan.replaced.has(entry);
    for (;;) {
      const relative = this.relative(entry);
      const ours = folders.ensureParent(relative);
      try {
        // In a folder of our own nothing can stand in the way: one rename, and no second look.
        this.#move(staged, folders.at(relative), replace || ours, entries[entry]!.kind === 'link');
        return;
      } catch (error) {
        // Conflicts were settled before; only `rename` has an answer to a later one.
        if (codeOf(error) !== 'EEXIST' || overwrite !== 'rename')
          throw diskError(error, this.relative(entry));
        plan.renamed.set(entry, new FreeNames(root, entries).free(entries[entry]!.path));
      }
    }
  }

  /** The same below the destination. */
  relative(entry: number): string {
    return this.#places.plan.renamed.get(entry) ?? this.#places.entries[entry]!.path;
  }

  #move(staged: string, final: string, replace: boolean, isLink: boolean): void {
    if (!replace) {
      // link(2) refuses in one step what rename(2) would overwrite; POSIX leaves open whether it follows a link.
      if (this.#hardLinks && !isLink && this.#linked(staged, final)) return;
      if (lstatSync(final, { throwIfNoEntry: false }))
        throw Object.assign(new Error('something stands there'), { code: 'EEXIST' });
    }
    renameSync(staged, final);
  }

  #linked(staged: string, final: string): boolean {
    try {
      linkSync(staged, final);
    } catch (error) {
      if (!NO_HARD_LINKS.has(codeOf(error))) throw error;
      this.#hardLinks = false;
      return false;
    }
    unlinkSync(staged);
    return true;
  }
}
