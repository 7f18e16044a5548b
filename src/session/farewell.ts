/**
 * The sender's end. Once the roots are equal the receiver has everything; it is only given time to hear so, and to come
 * back and ask if it did not. What happens to lanes afterwards is no loss.
 */
import { Alarm, type Clock } from '../base/clock.ts';
import { CONFIRM_DEADLINE } from '../base/limits.ts';

export class Farewell {
  /** Milliseconds for the receiver to confirm. */
  patience = CONFIRM_DEADLINE;
  #said = false;
  #conclude = (): void => {};
  readonly #alarm: Alarm;

  constructor(clock: Clock) {
    this.#alarm = new Alarm(clock);
  }

  /** True once nothing that matters can be lost any more. */
  get said(): boolean {
    return this.#said;
  }

  say(): void {
    this.#said = true;
    this.over();
  }

  /** Calls back once: when the receiver has heard, or had time enough to. */
  wait(conclude: () => void): void {
    this.over();
    this.#conclude = conclude;
    this.#alarm.set(this.patience, () => this.heard());
  }

  /** The receiver has confirmed. */
  heard(): void {
    const conclude = this.#conclude;
    this.over();
    conclude();
  }

  /** Nothing is waited for any more: the session ends, or the receiver is a new process that has heard nothing. */
  over(): void {
    this.#alarm.clear();
    this.#conclude = () => {};
  }
}
