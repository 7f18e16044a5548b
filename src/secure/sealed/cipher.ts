/** One direction of a sealed lane: AES-256-GCM (NIST SP 800-38D) with a counter for a nonce, so each record has its place. */
import { fault } from '../../base/errors.ts';
import { type RecordType, recordHeader, type SealedRecord } from './record.ts';

const { subtle } = globalThis.crypto;
export type LaneKey = Awaited<ReturnType<typeof subtle.importKey>>;

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
      plain as Uint8Array<ArrayBuffer>,
    );
    return { type, header, body: new Uint8Array(body) };
  }
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
