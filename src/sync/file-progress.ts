/** How many files are done, from the extents that moved: the same count on either side. */
import type { Entry } from '../offer/manifest.ts';
import type { Extent } from '../offer/space.ts';

export class FileProgress {
  readonly #left: Float64Array;
  readonly #whole: (entry: number) => void;
  #done: number;

  /** @param whole is told of each file once all of it has moved, as an empty one has at once */
  constructor(entries: readonly Entry[], whole: (entry: number) => void = () => {}) {
    this.#whole = whole;
    this.#left = new Float64Array(entries.length);
    this.#done = 0;
    for (let i = 0; i < entries.length; i++) {
      const { kind, size } = entries[i]!;
      this.#left[i] = size;
      if (kind === 'file' && size === 0) this.#isDone(i);
    }
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
      if (left === 0) this.#isDone(entry);
    }
  }

  #isDone(entry: number): void {
    this.#done++;
    this.#whole(entry);
  }
}
