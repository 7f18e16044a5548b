/**
 * The keyed channel: text between two peers who share a key, through a rendezvous that may read, drop, replay and
 * reorder. Candidates and certificate fingerprints cross in it. A message is base64url(counter || ciphertext || tag),
 * AES-256-GCM with a key for each direction and the 8-byte big-endian counter as nonce (after four zero bytes).
 */
import { primitives } from '#crypto';
import { concat, utf8Decode, utf8Encode } from '../base/bytes.ts';
import { BeelineError, fault } from '../base/errors.ts';
import { MAX_SIGNAL } from '../base/limits.ts';
import { fromBase64Url, toBase64Url } from './base64.ts';

const COUNTER_BYTES = 8;
const TAG_BYTES = 16;

/** Characters of a sealed message: what a rendezvous carries. */
export const MAX_SEALED = MAX_SIGNAL;
/** UTF-8 bytes of a plain message, so that it fits once sealed. */
export const MAX_PLAIN = Math.floor((MAX_SEALED * 3) / 4) - COUNTER_BYTES - TAG_BYTES;

type Role = 'sender' | 'receiver';

export class KeyedChannel {
  readonly #sealing: Uint8Array;
  readonly #opening: Uint8Array;
  #nextCounter = 0n;
  #lastSeen = -1n;

  /**
   * @param key SPAKE2's Ke, verified. One channel a key: a second one would use the same nonces again.
   * @param context both sides' common knowledge, bound into the keys.
   */
  constructor(key: Uint8Array, role: Role, context: string) {
    if (key.length < 16) throw new BeelineError('INTERNAL', 'A channel key has at least 16 bytes.');
    this.#sealing = directionKey(key, role, context);
    this.#opening = directionKey(key, role === 'sender' ? 'receiver' : 'sender', context);
  }

  /** @throws BeelineError INTERNAL if `plain` is over MAX_PLAIN bytes of UTF-8. */
  seal(plain: string): string {
    const bytes = utf8Encode(plain);
    if (bytes.length > MAX_PLAIN)
      throw new BeelineError('INTERNAL', `A channel message of ${bytes.length} bytes is over ${MAX_PLAIN}.`);
    const counter = new Uint8Array(COUNTER_BYTES);
    new DataView(counter.buffer).setBigUint64(0, this.#nextCounter++);
    return toBase64Url(concat(counter, primitives.seal(this.#sealing, nonceOf(counter), bytes)));
  }

  /**
   * The plain text. A message that fails changes nothing: the next good one still opens.
   * @throws BeelineError AUTHENTICATION if it is forged, damaged, repeated, out of order or too long; PROTOCOL if the
   *   peer, who has the key, sealed what is not UTF-8.
   */
  open(sealed: string): string {
    const bytes = decode(sealed);
    if (bytes === undefined) throw refused('damaged');
    const counter = bytes.subarray(0, COUNTER_BYTES);
    const number = new DataView(counter.buffer, counter.byteOffset).getBigUint64(0);
    let plain: Uint8Array;
    try {
      plain = primitives.open(this.#opening, nonceOf(counter), bytes.subarray(COUNTER_BYTES));
    } catch (cause) {
      throw refused('changed on the way', cause);
    }
    // Loss is allowed, so numbers may skip; going back is a replay or a reordering.
    if (number <= this.#lastSeen) throw refused('repeated or out of order');
    this.#lastSeen = number;
    return utf8Decode(plain);
  }
}

/** Keys are named after who seals with them. */
function directionKey(key: Uint8Array, from: Role, context: string): Uint8Array {
  return primitives.hkdf(key, utf8Encode(`beeline channel from ${from}\0${context}`), 32);
}

function nonceOf(counter: Uint8Array): Uint8Array {
  return concat(new Uint8Array(4), counter);
}

/** Checked for length before anything is allocated; undefined if it cannot be a message. */
function decode(sealed: string): Uint8Array | undefined {
  const bytes = sealed.length > MAX_SEALED ? undefined : fromBase64Url(sealed);
  return bytes && bytes.length >= COUNTER_BYTES + TAG_BYTES ? bytes : undefined;
}

function refused(what: string, cause?: unknown): BeelineError {
  return fault('MESSAGE_ALTERED', { what }, { cause });
}
