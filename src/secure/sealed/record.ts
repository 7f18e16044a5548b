/**
 * Records of a sealed lane: a type, 24 bits of length, and that many bytes of AES-GCM output. The header is authenticated
 * as associated data; what it says is bounded here, before anything is allocated for it.
 */

import { GRANT_LENGTH } from '../../base/credit.ts';
import { type BeelineError, fault } from '../../base/errors.ts';

/**
 * - `hello`: the first of each side, empty: it has the key.
 * - `data`: 1 to MAX_PLAIN bytes of the owner's.
 * - `grant`: what its reader has taken in all (base/credit.ts).
 * - `end`: the last, empty: nothing was cut off.
 */
const TYPES = ['hello', 'data', 'grant', 'end'] as const;
export type RecordType = (typeof TYPES)[number];

export const HEADER_LENGTH = 4;
/** Of AES-GCM. */
export const TAG_LENGTH = 16;
/** With header and tag it fits one message of a relay (MAX_RELAY_MESSAGE). */
export const MAX_PLAIN = 64 * 1024;
/** Records that are sealed, or opened, side by side: enough for the cores. Together less than CREDIT_STEP: they are one `spend`. */
export const BATCH = 8;
/** What a data record counts beside its bytes, so that tiny ones cannot make the window hold much more than it says. */
export const RECORD_COST = 512;

export interface SealedRecord {
  type: RecordType;
  header: Uint8Array<ArrayBuffer>;
  /** Ciphertext and tag. */
  body: Uint8Array<ArrayBuffer>;
}

/** @param length of the plaintext */
export function recordHeader(type: RecordType, length: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_LENGTH);
  new DataView(header.buffer).setUint32(0, TYPES.indexOf(type) * 2 ** 24 + length + TAG_LENGTH);
  return header;
}

/** Plaintext bytes, at least and at most. */
const LENGTHS: Record<RecordType, readonly [number, number]> = {
  hello: [0, 0],
  data: [1, MAX_PLAIN],
  grant: [GRANT_LENGTH, GRANT_LENGTH],
  end: [0, 0],
};

/** Cuts bytes into records. */
export class RecordParser {
  readonly #admit: (type: RecordType, length: number) => void;
  readonly #emit: (record: SealedRecord) => void;
  #header = new Uint8Array(HEADER_LENGTH);
  #type: RecordType = 'hello';
  #body: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;

  /** @param admit is asked for each record, by its plaintext's length, before its bytes are stored; it may throw */
  constructor(admit: (type: RecordType, length: number) => void, emit: (record: SealedRecord) => void) {
    this.#admit = admit;
    this.#emit = emit;
  }

  /** Copies what it needs. @throws BeelineError PROTOCOL, and what `admit` throws */
  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const target = this.#body ?? this.#header;
      const part = bytes.subarray(at, at + target.length - this.#filled);
      target.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === target.length) this.#complete();
    }
  }

  #complete(): void {
    this.#filled = 0;
    const header = this.#header;
    if (!this.#body) {
      const length = new DataView(header.buffer).getUint32(0) % 2 ** 24;
      const type = TYPES[header[0]!];
      if (!type) throw malformed();
      const [least, most] = LENGTHS[type];
      const plain = length - TAG_LENGTH;
      if (plain < least || plain > most) throw malformed();
      this.#admit(type, plain);
      this.#type = type;
      this.#body = new Uint8Array(length);
      return;
    }
    const record = { type: this.#type, header, body: this.#body };
    this.#header = new Uint8Array(HEADER_LENGTH);
    this.#body = undefined;
    this.#emit(record);
  }
}

function malformed(): BeelineError {
  return fault('PEER_MALFORMED', { what: 'something on a sealed lane that is no record' });
}
