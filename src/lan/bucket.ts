/** A token bucket: so many a second, and as many at once. */
export class Bucket {
  readonly #rate: number;
  #tokens: number;
  #at: number;
  readonly #clock: () => number;

  constructor(perSecond: number, clock: () => number = () => performance.now()) {
    this.#rate = perSecond;
    this.#tokens = perSecond;
    this.#clock = clock;
    this.#at = clock();
  }

  take(): boolean {
    const now = this.#clock();
    this.#tokens = Math.min(this.#rate, this.#tokens + ((now - this.#at) * this.#rate) / 1000);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
