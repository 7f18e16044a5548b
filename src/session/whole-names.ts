/** Which names at the top are whole, for whoever ticks them off a list: the first of them, since no list that people read has more. */
import type { Entry } from '../offer/manifest.ts';

/** Names that are told of in one transfer. */
export const MOST_TOLD = 400;

export class WholeNames {
  readonly #entries: readonly Entry[];
  /** The first entry of each name, in order. What is in a folder follows it. */
  readonly #starts: number[] = [];
  /** Files of each that are not whole. */
  readonly #left: number[] = [];
  /** Entries from here on are not told of. */
  readonly #end: number;
  readonly #fresh: string[] = [];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
    let index = 0;
    for (; index < entries.length; index++) {
      const { kind, path } = entries[index]!;
      if (!path.includes('/')) {
        if (this.#starts.length === MOST_TOLD) break;
        this.#starts.push(index);
        this.#left.push(0);
      }
      if (kind === 'file') this.#left[this.#left.length - 1]!++;
    }
    this.#end = index;
  }

  /** This entry is whole; said once of each. */
  done(entry: number): void {
    if (entry >= this.#end || this.#entries[entry]!.kind !== 'file') return;
    const top = this.#topOf(entry);
    if (--this.#left[top]! > 0) return;
    const { kind, path } = this.#entries[this.#starts[top]!]!;
    this.#fresh.push(kind === 'folder' ? `${path}/` : path);
  }

  /** Those that have become whole since it was asked last. */
  take(): string[] {
    return this.#fresh.splice(0);
  }

  /** The last one that begins at the entry or before it. */
  #topOf(entry: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle]! <= entry) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
