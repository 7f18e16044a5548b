/** Rates: measuring one for people, and keeping to one when asked. Times are seconds, amounts bytes. */
import { type Clock, seconds, sleep } from '../protocol/clock.ts';

/** Bytes a second over the last few seconds. */
export class RateMeter {
  readonly #samples: { at: number; bytes: number }[] = [];
  readonly #span: number;

  constructor(spanSeconds = 3) {
    this.#span = spanSeconds;
  }

  add(bytesSoFar: number, now: number): void {
    const last = this.#samples.at(-1);
    if (last && now - last.at < 0.05) last.bytes = bytesSoFar;
    else this.#samples.push({ at: now, bytes: bytesSoFar });
    while (this.#samples.length > 2 && now - this.#samples[0]!.at > this.#span) this.#samples.shift();
  }

  rate(now: number): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || now <= first.at) return 0;
    return (last.bytes - first.bytes) / (now - first.at);
  }

  reset(): void {
    this.#samples.length = 0;
  }
}

/** What may go at once, in seconds of the rate: small beside the half second within which a limit is to hold. */
const BURST_S = 0.2;

/**
 * A token bucket: says how long to wait before `bytes` more may go. It begins full, so that a small transfer does not
 * begin with a wait. What is larger than the bucket goes when that is full, and is paid for afterwards; so in any time t
 * goes at most rate * (t + BURST_S), and the last piece's excess over the bucket.
 */
export class TokenBucket {
  readonly #rate: number;
  readonly #most: number;
  #tokens: number;
  #at: number | undefined;

  /** @param bytesPerSecond above 0 */
  constructor(bytesPerSecond: number) {
    this.#rate = bytesPerSecond;
    this.#most = bytesPerSecond * BURST_S;
    this.#tokens = this.#most;
  }

  /** Takes the tokens, perhaps into debt, and returns the seconds to wait until they would have been there. */
  take(bytes: number, now: number): number {
    const elapsed = this.#at === undefined ? 0 : now - this.#at;
    this.#at = now;
    const tokens = Math.min(this.#tokens + elapsed * this.#rate, this.#most);
    this.#tokens = tokens - bytes;
    return Math.max(0, Math.min(bytes, this.#most) - tokens) / this.#rate;
  }

  /** Of what was taken, so many bytes did not go. */
  giveBack(bytes: number): void {
    this.#tokens = Math.min(this.#tokens + bytes, this.#most);
  }
}

/** Keeps to a limit, if there is one. */
export class Limiter {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket | undefined;

  /** @param limit bytes a second; undefined: none */
  constructor({ clock, limit }: { clock: Clock; limit: number | undefined }) {
    this.#clock = clock;
    this.#bucket = limit === undefined ? undefined : new TokenBucket(limit);
  }

  get limited(): boolean {
    return this.#bucket !== undefined;
  }

  /** Resolves when `bytes` may go. */
  async pass(bytes: number): Promise<void> {
    const wait = this.#bucket?.take(bytes, seconds(this.#clock)) ?? 0;
    if (wait > 0) await sleep(this.#clock, wait * 1000);
  }

  /** These bytes, which might have gone, did not. */
  giveBack(bytes: number): void {
    this.#bucket?.giveBack(bytes);
  }
}
