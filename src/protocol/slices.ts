/**
 * Long work in slices, so that sockets, timers and signals get their turn. Such work is a generator that yields wherever
 * it may be interrupted; nothing between two yields may take more than a few milliseconds, whatever a peer has sent.
 */

/** Milliseconds. Long enough to make a turn of the event loop cheap, short enough that lanes and keys do not notice. */
const SLICE_MS = 20;

export type Steps<T> = Generator<void, T>;

export class Slices {
  readonly #now: () => number;
  readonly #turn: () => Promise<void>;
  #end: number;

  /**
   * @param now milliseconds, from anywhere
   * @param turn lets the event loop run once
   */
  constructor(now: () => number, turn: () => Promise<void>) {
    this.#now = now;
    this.#turn = turn;
    this.#end = now() + SLICE_MS;
  }

  /** True once this slice has used its time; then `await next()`. */
  over(): boolean {
    return this.#now() >= this.#end;
  }

  async next(): Promise<void> {
    await this.#turn();
    this.#end = this.#now() + SLICE_MS;
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
