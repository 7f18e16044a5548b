/**
 * Paused, running, cancelled or failed: one register that both sides write, with a Lamport clock, so that the later
 * word wins whichever lane brings it, and either side may undo what the other did.
 */
import type { Message, Status } from '../wire/messages.ts';
import type { Word } from '../wire/signal.ts';

export class StatusRegister {
  readonly #role: 'sender' | 'receiver';
  #seq = 0;
  #state: Status['state'] = 'running';
  #code = '';
  #by: 'self' | 'peer' = 'self';

  constructor(role: 'sender' | 'receiver') {
    this.#role = role;
  }

  get state(): Status['state'] {
    return this.#state;
  }

  /** The present word ends the session. */
  get final(): boolean {
    return this.#state === 'cancelled' || this.#state === 'failed';
  }

  /** Who said the present word. */
  get by(): 'self' | 'peer' {
    return this.#by;
  }

  /** False until anybody has said anything: new lanes need not be told. */
  get spoken(): boolean {
    return this.#seq > 0;
  }

  set(state: Status['state'], code = ''): void {
    this.#seq++;
    this.#state = state;
    this.#code = code;
    this.#by = 'self';
  }

  /** The other side's word; false if ours is later (or equal, and ours: the sender's wins). */
  take(status: Status): boolean {
    const later = status.seq > this.#seq || (status.seq === this.#seq && this.#role === 'receiver');
    if (!later || (status.seq === this.#seq && status.state === this.#state)) return false;
    this.#seq = status.seq;
    this.#state = status.state;
    this.#code = status.code;
    this.#by = 'peer';
    return true;
  }

  /** The other side is a new process, which has said and heard nothing yet: only a pause of our own still stands. */
  restart(): void {
    const paused = this.#state === 'paused' && this.#by === 'self';
    this.#seq = 0;
    this.#state = 'running';
    this.#code = '';
    this.#by = 'self';
    if (paused) this.set('paused');
  }

  get word(): Word {
    return { seq: this.#seq, state: this.#state, code: this.#code };
  }

  /** Codes only: an error's text may name paths that are nobody else's business. */
  message(): Message {
    return { type: 'status', seq: this.#seq, state: this.#state, code: this.#code, text: '' };
  }
}
