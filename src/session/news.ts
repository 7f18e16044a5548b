/**
 * Changes of state as a person is told of them: all, unless the other side makes more of them than anybody reads. Then what it
 * comes to is told once a second, so that a peer cannot fill a screen or a log with pauses, or with lanes that come and go.
 */
import { isFinal, type State } from '../transfer/machine.ts';
import type { TransferEvent } from './api.ts';
import { type Cause, stateEvent } from './cause.ts';

/** Changes that are told at once, however fast they come. */
const BURST = 16;
/** Milliseconds for one more. */
const EVERY_MS = 1_000;

export class StateNews {
  readonly #emit: (event: TransferEvent) => void;
  #told: State = 'idle';
  #left = BURST;
  #refilled = performance.now();
  #waiting: { to: State; cause: Cause } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(emit: (event: TransferEvent) => void) {
    this.#emit = emit;
  }

  changed(to: State, cause: Cause): void {
    const now = performance.now();
    this.#left = Math.min(BURST, this.#left + (now - this.#refilled) / EVERY_MS);
    this.#refilled = now;
    if (isFinal(to) || cause.by === 'self' || (this.#left >= 1 && !this.#waiting)) {
      if (cause.by !== 'self') this.#left--;
      this.#tell(to, cause);
    } else {
      this.#waiting = { to, cause };
      this.#timer ??= setTimeout(() => this.#overdue(), EVERY_MS);
    }
  }

  #overdue(): void {
    const waiting = this.#waiting;
    if (waiting) this.#tell(waiting.to, waiting.cause);
  }

  #tell(to: State, cause: Cause): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = undefined;
    const from = this.#told;
    this.#told = to;
    // It came back to what it was.
    if (from !== to) this.#emit(stateEvent(from, to, cause));
  }
}
