/**
 * How much a transport may hold unsent: what it sends in HORIZON_S at its measured rate. A new control message waits
 * behind that, and must not wait longer on a slow path. On a fast path it must be enough until a late timer.
 */

import type { Clock } from './clock.ts';

/** Seconds. */
const HORIZON_S = 0.4;
/** Bytes that it may hold however slow it is. */
export const LEAST_HELD = 128 * 1024;
/** And however fast. */
export const MOST_HELD = 2 * 1024 * 1024;
/** Milliseconds over which its rate is taken. */
const SAMPLE_MS = 200;
/** Weight of what was seen before, where it has become slower. */
const MEMORY = 0.6;

export class Horizon {
  readonly #clock: Clock;
  #rate = 0;
  #since: number;
  /** Bytes that had left by then. */
  #left = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /**
   * Bytes that it may hold now.
   * @param given to it since the beginning. @param held of these
   */
  most(given: number, held: number): number {
    const now = this.#clock.now();
    const seconds = (now - this.#since) / 1000;
    const left = given - held;
    const rate = (left - this.#left) / Math.max(seconds, 0.001);
    if (seconds * 1000 >= SAMPLE_MS) {
      // With nothing left to send, the rate shows what it was given, not what it can send.
      if (held > 0 || rate > this.#rate) this.#rate = Math.max(rate, MEMORY * this.#rate);
      this.#since = now;
      this.#left = left;
    }
    return Math.min(MOST_HELD, Math.max(LEAST_HELD, HORIZON_S * this.#rate));
  }
}
