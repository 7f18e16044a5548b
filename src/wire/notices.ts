/** What a receiver's person is told of single entries, bounded whatever a sender offers. Pure. */
import { type BeelineError, fault } from '../base/errors.ts';

/** How many entries with the same trouble are told by name. */
const NAMED = 20;

/** Tells of the first entries by name, and of the others by their number. */
export class Notices {
  readonly #warn: (warning: BeelineError) => void;
  readonly #counts = new Map<string, { count: number; like: BeelineError }>();

  constructor(warn: (warning: BeelineError) => void) {
    this.#warn = warn;
  }

  /** @param trouble the same for all entries that have it */
  add(trouble: string, told: BeelineError): void {
    const { count, like } = this.#counts.get(trouble) ?? { count: 0, like: told };
    this.#counts.set(trouble, { count: count + 1, like });
    if (count < NAMED) this.#warn(told);
  }

  end(): void {
    for (const [trouble, { count, like }] of this.#counts) {
      // A sentence in another language is made for the reason of those that were named.
      const values = { like: like.reason ?? '' };
      if (count > NAMED) this.#warn(fault('MORE_ENTRIES', { count: count - NAMED, trouble }, { values }));
    }
    this.#counts.clear();
  }
}
