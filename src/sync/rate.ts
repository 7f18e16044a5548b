/** Rates: measuring one for people, and keeping to one when asked. Times are seconds, amounts bytes. */
import { TokenBucket } from '../base/bucket.ts';
import { type Clock, sleep } from '../base/clock.ts';

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

/** Keeps to a limit, if there is one. */
export class Limiter {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket | undefined;
  /** Bytes a second; undefined: none. */
  readonly limit: number | undefined;

  constructor({ clock, limit }: { clock: Clock; limit: number | undefined }) {
    this.#clock = clock;
    this.limit = limit;
    this.#bucket = limit === undefined ? undefined : new TokenBucket(limit, limit * BURST_S, clock);
  }

  get limited(): boolean {
    return this.#bucket !== undefined;
  }

  /** Resolves when `bytes` may go. */
  async pass(bytes: number): Promise<void> {
    const wait = this.#bucket?.pass(bytes) ?? 0;
    if (wait > 0) await sleep(this.#clock, wait);
  }

  /** These bytes had passed, but did not go. */
  giveBack(bytes: number): void {
    this.#bucket?.giveBack(bytes);
  }
}
