/** A token bucket: how many packets may go where nobody has yet asked for them. A peer's word must not make this side flood a third. */
export class Allowance {
  readonly #most: number;
  /** A millisecond. */
  readonly #rate: number;
  #left: number;
  #at = performance.now();

  /** @param most at once. @param rate a second, afterwards. */
  constructor(most: number, rate: number) {
    this.#most = most;
    this.#rate = rate / 1000;
    this.#left = most;
  }

  /** False: not now. */
  take(): boolean {
    const now = performance.now();
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) * this.#rate);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
