/**
 * Whose pipes come in at a process's port: each goes to whoever waits for the certificate that it proved. A process may wait
 * for several peers at once, and its one port serves them all.
 */
import type { Clock } from '../base/clock.ts';
import { LANE_OPEN_DEADLINE } from '../base/limits.ts';
import type { Pipe } from '../secure/pipe.ts';

/** Pipes that wait until it is known whose certificate is right: in all, and of one certificate. */
const MAX_EARLY = 32;
const MAX_EARLY_OF_ONE = 8;

export interface PipeTaker {
  /** The fingerprint of the certificate that it waits for; empty, which none has, while that is not known. */
  readonly pin: string;
  /** A pipe is its own from now on: it may close it. */
  offerPipe(pipe: Pipe, fingerprint: string): void;
}

interface Early {
  readonly pipe: Pipe;
  readonly fingerprint: string;
  /** Ends its wait. */
  readonly forget: () => void;
}

export class IncomingPipes {
  readonly #clock: Clock;
  readonly #takers = new Set<PipeTaker>();
  readonly #early = new Set<Early>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It waits for a peer from now on. */
  add(taker: PipeTaker): void {
    this.#takers.add(taker);
  }

  /** It waits for nobody any more. What comes for it is closed. */
  leave(taker: PipeTaker): void {
    this.#takers.delete(taker);
    if (!this.#expecting) for (const early of this.#early) this.#close(early);
  }

  /** Its peer's certificate has become known, or is another: it gets what came of that before. */
  claim(taker: PipeTaker): void {
    for (const early of [...this.#early]) {
      if (early.fingerprint !== taker.pin) continue;
      this.#forget(early);
      taker.offerPipe(early.pipe, early.fingerprint);
    }
    // No certificate is awaited any more that could be theirs.
    if (!this.#expecting) for (const early of this.#early) this.#close(early);
  }

  /** Somebody proved on it to hold the certificate with this fingerprint. */
  offer(pipe: Pipe, fingerprint: string): void {
    for (const taker of this.#takers)
      if (taker.pin === fingerprint) return taker.offerPipe(pipe, fingerprint);
    const alike = [...this.#early].filter((early) => early.fingerprint === fingerprint).length;
    if (!this.#expecting || this.#early.size >= MAX_EARLY || alike >= MAX_EARLY_OF_ONE) return pipe.destroy();
    const early: Early = {
      ...{ pipe, fingerprint },
      forget: this.#clock.after(LANE_OPEN_DEADLINE, () => this.#close(early)),
    };
    this.#early.add(early);
  }

  /** Somebody is awaited whose certificate is not known yet. */
  get #expecting(): boolean {
    return [...this.#takers].some(({ pin }) => pin === '');
  }

  #close(early: Early): void {
    this.#forget(early);
    early.pipe.destroy();
  }

  #forget(early: Early): void {
    this.#early.delete(early);
    early.forget();
  }
}
