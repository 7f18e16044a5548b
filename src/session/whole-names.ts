/** Which names at the top are whole, for whoever ticks them off a list: the first of them, since no list that people read has more. */
import type { Entry } from '../offer/manifest.ts';

/** Names that are told of in one transfer. */
export const MOST_TOLD = 400;

interface Top {
  /** As it is told. */
  readonly name: string;
  /** Files of it that are not whole. */
  left: number;
}

export class WholeNames {
  readonly #entries: readonly Entry[];
  /** By its name. What is in a folder may stand anywhere behind it. */
  readonly #tops = new Map<string, Top>();
  readonly #fresh: string[] = [];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
    for (const { kind, path } of entries) {
      if (!path.includes('/') && this.#tops.size < MOST_TOLD)
        this.#tops.set(path, { name: kind === 'folder' ? `${path}/` : path, left: 0 });
      const top = kind === 'file' ? this.#topOf(path) : undefined;
      if (top) top.left++;
    }
  }

  /** This entry is whole; said once of each. */
  done(entry: number): void {
    const { kind, path } = this.#entries[entry] ?? {};
    const top = kind === 'file' ? this.#topOf(path!) : undefined;
    if (top && --top.left === 0) this.#fresh.push(top.name);
  }

  /** Those that have become whole since it was asked last. */
  take(): string[] {
    return this.#fresh.splice(0);
  }

  #topOf(path: string): Top | undefined {
    const slash = path.indexOf('/');
    return this.#tops.get(slash < 0 ? path : path.slice(0, slash));
  }
}
