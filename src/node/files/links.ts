/** The destination's own links, through which links of the manifest may lead. The manifest cannot know them. */

import { lstatSync, realpathSync } from 'node:fs';
import { sep } from 'node:path';
import { codeOf } from '../../base/errors.ts';
import { diskError } from './disk-errors.ts';

/** Names that are remembered at a time. */
const MAX_KNOWN = 100_000;

/** Something that is on the disk, below the destination or the destination itself. */
interface Place {
  readonly absolute: string;
  /** Undefined for the destination. */
  readonly above: Place | undefined;
  /** What was looked up in it; `leads`: where that is, behind all links. */
  readonly below: Map<string, Child>;
}

/** A name in a folder: nothing, what is there, or a link out of the destination. */
type Child = 'nothing' | 'outside' | Place;

/** Looks at each name once, so that many links with long targets cost no more than their length. */
export class DestinationLinks {
  readonly #root: string;
  #top: Place;
  #known = 0;

  /** @param root real path of the destination */
  constructor(root: string) {
    this.#root = root.endsWith(sep) ? root.slice(0, -1) : root;
    this.#top = { absolute: this.#root, above: undefined, below: new Map() };
  }

  /**
   * True if a link in `folder` (a relative path) to `target` stays inside the destination, following what is on the disk
   * now. What does not exist yet counts as a plain folder; the manifest's check covers that.
   */
  contains(folder: string, target: string): boolean {
    if (this.#known > MAX_KNOWN) {
      this.#top = { ...this.#top, below: new Map() };
      this.#known = 0;
    }
    let at = this.#top;
    /** Folders below `at` that do not exist. */
    let missing = 0;
    for (const path of [folder, target])
      for (const part of path.split('/')) {
        if (part === '' || part === '.') continue;
        if (part === '..') {
          if (missing > 0) missing--;
          else if (!at.above) return false;
          else at = at.above;
        } else if (missing > 0) missing++;
        else {
          const next = this.#child(at, part);
          if (next === 'outside') return false;
          if (next === 'nothing') missing++;
          else at = next;
        }
      }
    return true;
  }

  #child(folder: Place, name: string): Child {
    const known = folder.below.get(name);
    if (known) return known;
    const found = this.#look(folder, name);
    folder.below.set(name, found);
    this.#known++;
    return found;
  }

  #look(folder: Place, name: string): Child {
    const absolute = `${folder.absolute}${sep}${name}`;
    let stat: ReturnType<typeof lstatSync> | undefined;
    try {
      stat = lstatSync(absolute, { throwIfNoEntry: false });
    } catch (error) {
      if (codeOf(error) !== 'ENAMETOOLONG') throw diskError(error, absolute);
    }
    if (!stat) return 'nothing';
    if (!stat.isSymbolicLink()) return { absolute, above: folder, below: new Map() };
    let real: string;
    try {
      real = realpathSync(absolute);
    } catch {
      // It leads nowhere now. If it is written later, its own check decides.
      return 'nothing';
    }
    if (real === this.#root) return this.#top;
    if (!real.startsWith(this.#root + sep)) return 'outside';
    let at: Child = this.#top;
    for (const part of real.slice(this.#root.length + 1).split(sep))
      if (typeof at !== 'string') at = this.#child(at, part);
    return at;
  }
}
