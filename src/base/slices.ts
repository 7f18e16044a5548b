/**
 * Long work in slices, so that sockets, timers and signals get their turn. Such work is a generator that yields wherever
 * it may be interrupted; nothing between two yields may take more than a few milliseconds, whatever a peer has sent.
 */

import { type Clock, sleep } from './clock.ts';

/** Cheap steps, such as entries of a manifest, between two yields: a yield and a look at the clock cost as much as a few of them. */
export const CHEAP_STEPS = 64;
/** Milliseconds. Long enough to make a turn of the event loop cheap, short enough that lanes and keys do not notice. */
const SLICE_MS = 20;

export type Steps<T> = Generator<void, T>;

/** Those who share one take turns: one slice of one of them in each turn of the event loop, however many they are. */
export class Line {
  /** When the present slice has used its time. */
  end: number;
  /** Whoever comes next goes behind this. */
  last: Promise<void> = Promise.resolve();

  /** @param now by the clock of its `Slices` */
  constructor(now: number) {
    this.end = now + SLICE_MS;
  }
}

export class Slices {
  readonly #clock: Clock;
  readonly #turn: () => Promise<void>;
  readonly #line: Line;

  /**
   * @param turn lets the event loop run once
   * @param line of all work that may run at the same time; default: one of its own
   */
  constructor(clock: Clock, turn = () => sleep(clock, 0), line = new Line(clock.now())) {
    this.#clock = clock;
    this.#turn = turn;
    this.#line = line;
  }

  /** True once this slice has used its time; then `await next()`. */
  over(): boolean {
    return this.#clock.now() >= this.#line.end;
  }

  async next(): Promise<void> {
    const turn = this.#line.last.then(() => this.#turn());
    this.#line.last = turn.catch(() => {});
    await turn;
    this.#line.end = this.#clock.now() + SLICE_MS;
  }

  /** All of some work, however many slices it takes. Rejects with what it throws. */
  async run<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      if (this.over()) await this.next();
    }
  }
}

/** All of some work in one go: for what is known to be small. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
