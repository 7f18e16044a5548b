/**
 * Which changes of state a person is told of: all, unless the other side makes more of them than anybody reads. Then the outcome
 * is told once a second. So a peer cannot fill a screen or a log with pauses, or with lanes that come and go.
 */
import { Alarm, type Clock } from '../base/clock.ts';
import { isFinal, type State } from '../sync/machine.ts';
import type { TransferEvent } from './api.ts';
import { type Cause, stateEvent } from './cause.ts';

/** Changes that are told at once, however fast they come. */
const BURST = 16;
/** For one more. */
const EVERY_MS = 1_000;

export class StateNews {
  readonly #clock: Clock;
  readonly #overdue: Alarm;
  readonly #emit: (event: TransferEvent) => void;
  #told: State = 'idle';
  #left = BURST;
  #refilled: number;
  #waiting: { to: State; cause: Cause } | undefined;

  constructor(clock: Clock, emit: (event: TransferEvent) => void) {
    this.#clock = clock;
    this.#overdue = new Alarm(clock);
    this.#refilled = clock.now();
    this.#emit = emit;
  }

  changed(to: State, cause: Cause): void {
    const told = isFinal(to) || cause.by === 'self' || (this.#earned() >= 1 && !this.#waiting);
    if (told) return this.#tell(to, cause);
    this.#waiting = { to, cause };
    if (this.#overdue.waits) return;
    this.#overdue.set(EVERY_MS, () => this.#waiting && this.#tell(this.#waiting.to, this.#waiting.cause));
  }

  /** How many may be told at once now. */
  #earned(): number {
    const now = this.#clock.now();
    this.#left = Math.min(BURST, this.#left + (now - this.#refilled) / EVERY_MS);
    this.#refilled = now;
    return this.#left;
  }

  #tell(to: State, cause: Cause): void {
    this.#overdue.clear();
    this.#waiting = undefined;
    const from = this.#told;
    this.#told = to;
    // It came back to what it was.
    if (from === to) return;
    if (cause.by !== 'self') this.#left = this.#earned() - 1;
    this.#emit(stateEvent(from, to, cause));
  }
}
