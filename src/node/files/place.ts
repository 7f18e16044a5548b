/** The only way to a final name: a whole file is renamed from the staging folder. The final path is never opened. */

import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { Bitfield } from '../../base/bitfield.ts';
import { codeOf, fault } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { freeNames } from './conflicts.ts';
import { diskError } from './disk-errors.ts';
import type { Folders } from './folders.ts';
import type { Job } from './job.ts';
import type { RenameNew } from './rename-new.ts';

/** File systems without hard links answer one of these. */
const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES', 'EINVAL']);

export class Placer {
  /** Entries that stand under their final names. */
  readonly placed = new Bitfield();
  readonly #job: Job;
  readonly #folders: Folders;
  /** Until it has not worked once. */
  #renameNew: RenameNew | undefined;
  #hardLinks = process.platform !== 'win32';

  constructor(job: Job, folders: Folders, placed: Iterable<number>, renameNew?: RenameNew) {
    this.#job = job;
    this.#folders = folders;
    this.#renameNew = renameNew;
    for (const entry of placed) this.placed.add(entry);
  }

  /** Where an entry stands, or will. */
  path(entry: number): string {
    return `${this.#job.root}/${this.relative(entry)}`;
  }

  /** Puts what is staged in place, its folders made before it. EXISTS if something appeared there meanwhile. */
  put(entry: number, staged: string): void {
    const { root, entries, plan, overwrite, warn } = this.#job;
    for (;;) {
      const relative = this.relative(entry);
      const ours = this.#folders.ensureParent(relative);
      // In a folder of our own there is nothing to replace.
      const replace = !ours && (overwrite === 'replace' || plan.replaced.has(entry));
      try {
        this.#move(staged, this.#folders.at(relative), replace, ours || entries[entry]!.kind === 'link');
        this.placed.add(entry);
        return;
      } catch (error) {
        // Conflicts were settled before; only `rename` has an answer to a later one. In a folder of our own nobody but this
        // transfer has put anything: there it is a name that this file system takes for the same.
        if (codeOf(error) !== 'EEXIST' || (overwrite !== 'rename' && !ours))
          throw diskError(error, this.relative(entry));
        const { path } = entries[entry]!;
        const free = freeNames(root, entries)(path);
        plan.renamed.set(entry, free);
        if (ours) warn(fault('NAME_IS_ANOTHER', { path: quoted(path), as: quoted(free) }));
      }
    }
  }

  /** The same below the destination. */
  relative(entry: number): string {
    return this.#job.plan.renamed.get(entry) ?? this.#job.entries[entry]!.path;
  }

  /** @param alone nobody else puts anything there, or it is a link */
  #move(staged: string, final: string, replace: boolean, alone: boolean): void {
    if (!replace) {
      const done = this.#renameNew?.(staged, final);
      if (done === 'renamed') return;
      if (done === 'exists') throw taken();
      this.#renameNew = undefined;
      // link(2) refuses in one step what rename(2) would overwrite; POSIX leaves open whether it follows a link.
      if (this.#hardLinks && !alone && this.#linked(staged, final)) return;
      if (lstatSync(final, { throwIfNoEntry: false })) throw taken();
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

function taken(): Error {
  return Object.assign(new Error('something stands there'), { code: 'EEXIST' });
}
