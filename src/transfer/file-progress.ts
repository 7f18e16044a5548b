/** How many files are done, from the extents that moved: the same count on either side. */
import type { Entry } from '../protocol/manifest.ts';
import type { Extent } from './ports.ts';

export class FileProgress {
  readonly #left: Float64Array;
  #done: number;

  constructor(entries: readonly Entry[]) {
    this.#left = Float64Array.from(entries, (entry) => entry.size);
    this.#done = entries.filter((entry) => entry.kind === 'file' && entry.size === 0).length;
  }

  get done(): number {
    return this.#done;
  }

  /** Bytes of this entry that have not moved. */
  left(entry: number): number {
    return this.#left[entry] ?? 0;
  }

  add(extents: readonly Extent[]): void {
    for (const { entry, length } of extents) {
      const left = this.#left[entry]! - length;
      this.#left[entry] = left;
      if (left === 0) this.#done++;
    }
  }
}
