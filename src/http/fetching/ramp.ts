/**
 * How many connections to have: one at first, and twice as many as long as that brings clearly more. Many servers give each connection
 * the same rate, and on a long path each one is small; on a short one the first has all there is. Pure.
 */

/** Seconds: from the first byte to the first step, from a step until it shows, and to measure it. */
const FIRST_S = 0.25;
const SETTLE_S = 0.2;
const MEASURE_S = 0.4;
/** What a step must bring, and what may be lost by one without its being taken back. */
const GAIN = 1.15;
const SAME = 0.9;
/** Seconds until it is tried again, doubled each time: paths change. */
const REST_S = 20;
const LONGEST_REST_S = 320;

export class Ramp {
  target: number;
  readonly #first: number;
  readonly #most: number;
  readonly #fixed: boolean;
  /** Of the last measurement, bytes a second. */
  #rate = 0;
  #before = 0;
  /** What is being measured: since when, and how many bytes there were then. */
  #since: { at: number; bytes: number } | undefined;
  #rest = REST_S;
  #restUntil: number | undefined;

  /**
   * @param first connections to begin with
   * @param fixed so many and no others
   */
  constructor(most: number, first = 1, fixed?: number) {
    this.#most = most;
    this.#first = Math.min(most, first);
    this.#fixed = fixed !== undefined;
    this.target = fixed ?? this.#first;
  }

  /**
   * Called a few times a second.
   * @param now seconds @param bytes that have come so far @param open connections on which something comes
   */
  sample(now: number, bytes: number, open: number): void {
    if (this.#fixed || open === 0) {
      this.#since = undefined;
      return;
    }
    if (this.#restUntil !== undefined) {
      if (now < this.#restUntil) return;
      this.#restUntil = undefined;
      this.#rate = 0;
      this.#since = { at: now, bytes };
      return;
    }
    const first = this.#rate === 0;
    this.#since ??= { at: now + (first ? 0 : SETTLE_S), bytes };
    if (now <= this.#since.at) {
      this.#since.bytes = bytes;
      return;
    }
    // Those that are being opened bring nothing yet.
    if (open < this.target && now - this.#since.at < 5) {
      if (now - this.#since.at > FIRST_S) this.#since = { at: now, bytes };
      return;
    }
    const elapsed = now - this.#since.at;
    if (elapsed < (first ? FIRST_S : MEASURE_S)) return;
    const rate = (bytes - this.#since.bytes) / elapsed;
    this.#since = undefined;
    if (!first && rate < GAIN * this.#rate) {
      if (rate < SAME * this.#rate) this.target = this.#before;
      this.#settle(now);
    } else if (this.target >= this.#most) this.#settle(now);
    else {
      this.#rate = rate;
      this.#before = this.target;
      this.target = Math.min(this.#most, this.target * 2);
    }
  }

  /** A server wants fewer. */
  fewer(now: number): void {
    if (this.#fixed) return;
    this.target = Math.max(this.#first, Math.floor(this.target / 2));
    this.#settle(now);
  }

  #settle(now: number): void {
    this.#since = undefined;
    this.#restUntil = now + this.#rest;
    this.#rest = Math.min(LONGEST_REST_S, this.#rest * 2);
  }
}
