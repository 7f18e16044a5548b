/** The one way to a final name: a whole file, renamed from the staging. The final path is never opened. */

import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { Bitfield } from '../../base/bitfield.ts';
import { codeOf } from '../../base/errors.ts';
import type { Entry } from '../../offer/manifest.ts';
import { FreeNames, type Overwrite, type Plan } from './conflicts.ts';
import { diskError } from './disk-errors.ts';
import type { Folders } from './folders.ts';

/** File systems without hard links answer one of these. */
const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES', 'EINVAL']);

export interface Places {
  /** Real path of the destination. */
  root: string;
  entries: readonly Entry[];
  folders: Folders;
  plan: Plan;
  overwrite: Overwrite;
  /** Told of names that this file system takes for one, and under which the second is put. */
  onTwin: (path: string, as: string) => void;
}

export class Placer {
  /** Entries that stand under their final names. */
  readonly placed = new Bitfield();
  readonly #places: Places;
  #hardLinks = process.platform !== 'win32';

  constructor(places: Places, placed: Iterable<number>) {
    this.#places = places;
    for (const entry of placed) this.placed.add(entry);
  }

  /** Where an entry stands, or will. */
  path(entry: number): string {
    return `${this.#places.root}/${this.relative(entry)}`;
  }

  /** Puts what is staged in place, its folders made before it. EXISTS if something appeared there meanwhile. */
  put(entry: number, staged: string): void {
    const { root, entries, folders, plan, overwrite } = this.#places;
    for (;;) {
      const relative = this.relative(entry);
      const ours = folders.ensureParent(relative);
      // In a folder of our own there is nothing to replace.
      const replace = !ours && (overwrite === 'replace' || plan.replaced.has(entry));
      try {
        this.#move(staged, folders.at(relative), replace, ours || entries[entry]!.kind === 'link');
        this.placed.add(entry);
        return;
      } catch (error) {
        // Conflicts were settled before; only `rename` has an answer to a later one. In a folder of our own nobody but this
        // transfer has put anything: there it is a name that this file system takes for the same.
        if (codeOf(error) !== 'EEXIST' || (overwrite !== 'rename' && !ours))
          throw diskError(error, this.relative(entry));
        const { path } = entries[entry]!;
        const free = new FreeNames(root, entries).free(path);
        plan.renamed.set(entry, free);
        if (ours) this.#places.onTwin(path, free);
      }
    }
  }

  /** The same below the destination. */
  relative(entry: number): string {
    return this.#places.plan.renamed.get(entry) ?? this.#places.entries[entry]!.path;
  }

  /** @param alone nobody else puts anything there, or it is a link */
  #move(staged: string, final: string, replace: boolean, alone: boolean): void {
    if (!replace) {
      // link(2) refuses in one step what rename(2) would overwrite; POSIX leaves open whether it follows a link.
      if (this.#hardLinks && !alone && this.#linked(staged, final)) return;
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
