/** Who hears of a change at once, unless it changes again and again: then what has become of it, at the next sweep. */
import { TokenBucket } from '../base/bucket.ts';

/** Changes of one thing that one listener hears of: at once after a pause, and a second afterwards. */
const NOTICES = 16;
const NOTICES_PER_S = 0.2;

export class Steady<T extends object> {
  readonly #clock: { now(): number };
  readonly #tell: (about: T) => void;
  /** Made at the first change: most see few. */
  readonly #rates = new WeakMap<T, TokenBucket>();
  /** Changed, perhaps back again, and not told. */
  readonly #behind = new Set<T>();

  /** @param tell says how it is now */
  constructor(clock: { now(): number }, tell: (about: T) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  changed(about: T): void {
    const rate = this.#rates.get(about) ?? new TokenBucket(NOTICES_PER_S, NOTICES, this.#clock);
    this.#rates.set(about, rate);
    if (!this.#behind.has(about) && rate.take()) this.#tell(about);
    else this.#behind.add(about);
  }

  forget(about: T): void {
    this.#behind.delete(about);
  }

  sweep(): void {
    // What is told may end a listener that comes later.
    for (const about of [...this.#behind]) if (this.#behind.delete(about)) this.#tell(about);
  }
}
