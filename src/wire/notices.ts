/** What a receiver's person is told of single entries, bounded whatever a sender offers. Pure. */
import { type BeelineError, fault } from '../base/errors.ts';

/** How many entries with the same trouble are told by name. */
const NAMED = 20;

/** Tells of the first entries by name, and of the others by their number. */
export class Notices {
  readonly #warn: (warning: BeelineError) => void;
  readonly #counts = new Map<string, number>();

  constructor(warn: (warning: BeelineError) => void) {
    this.#warn = warn;
  }

  /** @param trouble the same for all entries that have it */
  add(trouble: string, told: BeelineError): void {
    const count = (this.#counts.get(trouble) ?? 0) + 1;
    this.#counts.set(trouble, count);
    if (count > NAMED) return;
    this.#warn(told);
  }

  end(): void {
    for (const [trouble, count] of this.#counts)
      if (count > NAMED) this.#warn(fault('MORE_ENTRIES', { count: count - NAMED, trouble }));
    this.#counts.clear();
  }
}
