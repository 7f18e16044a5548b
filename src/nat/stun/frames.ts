/** STUN messages out of a stream of bytes: the header tells a message's length (RFC 8489, 6.2.2). */
import { concat } from '../../base/bytes.ts';
import { type BeelineError, fault } from '../../base/errors.ts';
import { MAX_STUN, STUN_HEADER } from './message.ts';

/** Holds less than one message when `next` is called after every `push` until it has none. */
export class StunFrames {
  #held: Uint8Array = new Uint8Array(0);

  /** Bytes of a message that is not whole yet. */
  get partial(): number {
    return this.#held.length;
  }

  push(bytes: Uint8Array): void {
    this.#held = concat(this.#held, bytes);
  }

  /** @throws BeelineError PROTOCOL as soon as the bytes cannot become a message of at most MAX_STUN bytes. */
  next(): Uint8Array | undefined {
    const held = this.#held;
    if (held.length > 0 && held[0]! >= 0x40) throw notStun();
    if (held.length < 4) return undefined;
    const length = STUN_HEADER + ((held[2]! << 8) | held[3]!);
    if (length > MAX_STUN || length % 4 !== 0) throw notStun();
    if (held.length < length) return undefined;
    this.#held = held.subarray(length);
    return held.subarray(0, length);
  }

  /** What came behind the last message, for streams that carry something else from there on; nothing is held then. */
  rest(): Uint8Array {
    const rest = this.#held;
    this.#held = new Uint8Array(0);
    return rest;
  }
}

function notStun(): BeelineError {
  return fault('STUN_MALFORMED');
}
