/**
 * Paused, running, cancelled or failed: one register that both sides write, with a Lamport clock, so that the later
 * word wins whichever lane brings it, and either side may undo what the other did.
 */
import { BeelineError, type ErrorCode } from '../protocol/errors.ts';
import type { Message, Status } from '../protocol/messages.ts';

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

  /** Codes only: an error's text may name paths that are nobody else's business. */
  message(): Message {
    return { type: 'status', seq: this.#seq, state: this.#state, code: this.#code, text: '' };
  }
}

/** Failures that mean the same on both sides. */
const SHARED: Partial<Record<string, string>> = {
  REFUSED: 'The other side declined.',
  VERIFICATION: 'The other side found that what arrived is not what was sent.',
  VERSION: 'The other side speaks another protocol version.',
};
const REASONS: Partial<Record<string, string>> = {
  DISK_FULL: 'has no room left on its disk',
  EXISTS: 'has files of these names already and was not told to replace, rename or skip them',
  WRITE_FAILED: 'cannot write at its destination',
  INTERRUPTED: 'was interrupted',
  UNSAFE_NAME: 'refuses a name in the transfer',
  BAD_MANIFEST: 'could not make sense of the manifest',
  SOURCE_CHANGED: 'found that a file changed while it was being sent',
  UNREADABLE: 'cannot read a file',
};

/** What this side says when the other has reported a failure. `code` is the peer's word and not trusted. */
export function errorFromPeer(code: string): BeelineError {
  const shared = SHARED[code];
  if (shared) return new BeelineError(code as ErrorCode, shared);
  const known = /^[A-Z_]{2,24}$/.test(code) ? ` (${code})` : '';
  return new BeelineError('PEER_FAILED', `The other side ${REASONS[code] ?? 'failed'}${known}.`);
}
