/** A token bucket: so many a second, and so many at once after a pause. Every rate limit in Beeline uses it. Pure. */
import { type Clock, realClock } from './clock.ts';

type Now = Pick<Clock, 'now'>;

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #clock: Now;
  #tokens: number;
  #at: number;

  /** It begins full. @param perSecond if 0, what is taken never comes back */
  constructor(perSecond: number, burst = perSecond, clock: Now = realClock) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#clock = clock;
    this.#tokens = burst;
    this.#at = clock.now();
  }

  /** Takes one; false if there is none now. */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes that many, into debt if need be. @returns milliseconds until the debt is paid */
  owe(amount: number): number {
    this.#fill();
    this.#tokens -= amount;
    return Math.max(0, -this.#tokens / this.#perMs);
  }

  /**
   * Takes that many, and says after how many milliseconds they may go. More than the bucket holds goes when it is full, and is
   * paid for afterwards: so in any time t goes at most rate * t and a burst, and the last piece's excess over that.
   */
  pass(amount: number): number {
    const excess = Math.max(0, amount - this.#burst);
    return Math.max(0, this.owe(amount) - excess / this.#perMs);
  }

  /** Gives back that many, which were taken but not used. */
  giveBack(amount: number): void {
    this.#tokens = Math.min(this.#tokens + amount, this.#burst);
  }

  #fill(): void {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
  }
}

/** A bucket for each of many, of which a bounded number is remembered. */
export class TokenBuckets {
  readonly #make: () => TokenBucket;
  readonly #most: number;
  /** The longest unused comes first. */
  readonly #buckets = new Map<string, TokenBucket>();

  /** @param most buckets remembered; a forgotten one is full again. */
  constructor(perSecond: number, burst: number, most = 10_000, clock: Now = realClock) {
    this.#make = () => new TokenBucket(perSecond, burst, clock);
    this.#most = most;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one; false if there is none for this key now. */
  take(key: string): boolean {
    const known = this.#buckets.get(key);
    if (known) this.#buckets.delete(key);
    else if (this.#buckets.size >= this.#most) this.#buckets.delete(this.#buckets.keys().next().value!);
    const bucket = known ?? this.#make();
    this.#buckets.set(key, bucket);
    return bucket.take();
  }
}
