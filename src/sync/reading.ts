/** Reading chunks from a source whose files may change meanwhile: those are declared gone, and read as zeros. */
import { asBeelineError, type BeelineError, fault, retold } from '../base/errors.ts';
import { MAX_GONE } from '../base/limits.ts';
import { escapeName } from '../base/printable.ts';
import type { Offer } from '../offer/offer.ts';
import type { Extent } from '../offer/space.ts';
import { GoneNews } from './gone.ts';
import type { Source } from './ports.ts';

export class Reading {
  readonly news = new GoneNews();
  readonly #source: Source;
  readonly #offer: Offer;
  readonly #onGone: (path: string, error: BeelineError) => void;

  constructor(source: Source, offer: Offer, onGone: (path: string, error: BeelineError) => void) {
    this.#source = source;
    this.#offer = offer;
    this.#onGone = onGone;
  }

  /** Resolves with the number of bytes. @throws BeelineError what the source throws of no file by name, or of too many */
  async read(index: number, extents: Extent[], into: Uint8Array): Promise<number> {
    for (;;) {
      const { gone } = this.#offer;
      const alive = gone.size === 0 ? extents : extents.filter((extent) => !gone.has(extent.entry));
      for (const { entry, at, length } of extents) if (gone.has(entry)) into.fill(0, at, at + length);
      try {
        if (alive.length > 0) {
          const length = await this.#source.read(index, alive, into);
          if (this.#source.kind === 'stream') return length;
        }
        return extents.reduce((sum, extent) => sum + extent.length, 0);
      } catch (thrown) {
        const error = asBeelineError(thrown, 'UNREADABLE');
        const entries = alive.map((extent) => extent.entry);
        const named = entries.filter((entry) => error.paths.includes(this.#source.entries[entry]!.path));
        if (this.#source.kind !== 'files' || named.length === 0 || gone.size + named.length > MAX_GONE)
          throw error;
        for (const entry of named) this.declareGone(entry, this.#ofOne(entry, error));
      }
    }
  }

  /** An error about several files, in the words of the first, as one about this one. */
  #ofOne(entry: number, error: BeelineError): BeelineError {
    if (error.paths.length < 2) return error;
    const { path } = this.#source.entries[entry]!;
    const text = `'${escapeName(path)}' changed while it was being sent, or cannot be read.`;
    return retold(error, text, [path]);
  }

  /** Of these paths, the files that are not known to be gone yet. */
  declareChanged(paths: readonly string[]): void {
    const changed = new Set(paths);
    for (const [entry, { path }] of changed.size > 0 ? this.#source.entries.entries() : []) {
      if (!changed.has(path) || this.#offer.gone.size >= MAX_GONE) continue;
      const values = { path: `'${escapeName(path)}'`, what: 'changed', again: 'Send' };
      this.declareGone(entry, fault('SOURCE_CHANGED_MEANWHILE', values));
    }
  }

  declareGone(entry: number, error: BeelineError): void {
    // Two chunks of one file are read at a time.
    if (this.#offer.gone.has(entry)) return;
    this.#offer.gone.add(entry);
    this.news.declare(entry, error);
    this.#onGone(this.#source.entries[entry]!.path, error);
  }
}
