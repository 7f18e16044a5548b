/** So many a second for each of many: token buckets, of which a bounded number is remembered. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #most: number;
  readonly #clock: () => number;
  /** The longest unused comes first. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** @param burst at once, after a pause. @param most buckets remembered: one that is forgotten is full again. */
  constructor(perSecond: number, burst: number, most = 10_000, clock = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#most = most;
    this.#clock = clock;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one; false if there is none for this key now. */
  take(key = ''): boolean {
    const now = this.#clock();
    const known = this.#buckets.get(key);
    const { tokens, at } = known ?? { tokens: this.#burst, at: now };
    const there = Math.min(this.#burst, tokens + ((now - at) * this.#perSecond) / 1000);
    const granted = there >= 1;
    if (known) this.#buckets.delete(key);
    else if (this.#buckets.size >= this.#most) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(key, { tokens: granted ? there - 1 : there, at: now });
    return granted;
  }
}
