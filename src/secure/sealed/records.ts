/**
 * Records of a sealed lane: a type, 24 bits of length, and that many bytes of AES-256-GCM output (NIST SP 800-38D). The header
 * is authenticated as associated data; what it says is bounded here, before anything is allocated for it. Each direction has a
 * key of its own, from what both sides said in their hellos (which the PAKE key protects) and fresh nonces.
 */
import { concat, utf8Encode } from '../../base/bytes.ts';
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
/** What a data record counts beside its bytes. So many tiny ones cannot fill more memory than the window. */
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

const { subtle } = globalThis.crypto;
type LaneKey = Awaited<ReturnType<typeof subtle.importKey>>;

const NONCE_LENGTH = 12;
/**
 * RFC 8446 (5.5) ends a key after 2^24.5 records of 16 KiB; ours are four times as long. No lane comes near: at the limit it
 * ends, and another with a key of its own takes its place.
 */
const MAX_RECORDS = 2 ** 22;

/** SP 800-38D, 8.2.1: the fixed field is empty, since each key has one user. */
class Counter {
  #next: number;

  constructor(first: number) {
    this.#next = first;
  }

  take(): Uint8Array<ArrayBuffer> {
    if (this.#next >= MAX_RECORDS) throw fault('LANE_KEY_USED_UP');
    const nonce = new Uint8Array(NONCE_LENGTH);
    new DataView(nonce.buffer).setUint32(NONCE_LENGTH - 4, this.#next++);
    return nonce;
  }
}

export class Sealer {
  readonly #key: LaneKey;
  readonly #counter: Counter;

  /** @param first the number of its first record: for tests */
  constructor(key: LaneKey, first = 0) {
    this.#key = key;
    this.#counter = new Counter(first);
  }

  /** The order of calls is the order of records. @throws BeelineError NO_PATH when the key is used up */
  async seal(type: RecordType, plain: Uint8Array): Promise<SealedRecord> {
    const iv = this.#counter.take();
    const header = recordHeader(type, plain.length);
    const body = await subtle.encrypt(
      { name: 'AES-GCM', iv, additionalData: header },
      this.#key,
      unshared(plain),
    );
    return { type, header, body: new Uint8Array(body) };
  }
}

/** Web Crypto takes no shared memory, which is where a sender with threads has its chunks. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

export class Opener {
  readonly #key: LaneKey;
  readonly #counter = new Counter(0);

  constructor(key: LaneKey) {
    this.#key = key;
  }

  /** In the order in which they came. @throws BeelineError AUTHENTICATION, or NO_PATH as `seal` */
  async open({ header, body }: SealedRecord): Promise<Uint8Array> {
    const iv = this.#counter.take();
    try {
      return new Uint8Array(
        await subtle.decrypt({ name: 'AES-GCM', iv, additionalData: header }, this.#key, body),
      );
    } catch (cause) {
      throw fault('LANE_ALTERED', {}, { cause });
    }
  }
}

/** Each side's half is its hello's `seal`: 32 bytes. */
export interface LaneSecret {
  own: Uint8Array;
  peer: Uint8Array;
  /** This side's, in the transfer. */
  role: 'sender' | 'receiver';
}

export interface LaneKeys {
  /** What the client sends; it only. */
  client: LaneKey;
  server: LaneKey;
}

/** Both sides' nonces. So a record of one lane opens in no other, and a side's own record does not open at that side. */
interface Nonces {
  client: Uint8Array;
  server: Uint8Array;
}

/** HKDF-SHA-256 (RFC 5869), a key for each direction. @param side which of both this end seals with */
export async function laneKeys(
  { own, peer, role }: LaneSecret,
  nonces: Nonces,
  side: keyof LaneKeys,
): Promise<LaneKeys> {
  const secret = role === 'receiver' ? concat(own, peer) : concat(peer, own);
  const base = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  const salt = concat(nonces.client, nonces.server);
  const derive = (of: keyof LaneKeys) =>
    subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt, info: utf8Encode(`beeline sealed lane 1 ${of}`) },
      base,
      { name: 'AES-GCM', length: 256 },
      false,
      [of === side ? 'encrypt' : 'decrypt'],
    );
  const [client, server] = await Promise.all([derive('client'), derive('server')]);
  return { client, server };
}
