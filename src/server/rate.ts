/** A rate that several share: each is told how long to stop reading, so that all together keep to it. */

/** Milliseconds of bytes that may pass at once, before anyone has to wait. */
const BURST = 100;

export class SharedRate {
  readonly #rate: number;
  /** When everything counted so far has had its time. */
  #until = 0;

  /** @param rate bytes a second; 0: no limit. */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Counts bytes that have come, and returns the milliseconds until their reader may read on. */
  take(bytes: number, now: number): number {
    if (this.#rate === 0) return 0;
    this.#until = Math.max(now, this.#until) + (bytes / this.#rate) * 1000;
    return Math.max(0, this.#until - now - BURST);
  }
}
