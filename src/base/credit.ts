/**
 * Flow control for pipes whose transport takes in whatever comes: a page cannot stop a WebSocket or a data channel from
 * receiving. The reader grants, the writer keeps within a window beyond what was granted, and one that does not is cut off.
 * For transports that lose nothing and keep order; src/transports/udx/credit.ts is for datagrams.
 *
 * Both ends count the same: what one `spend`s, the other sees as `arrived` and `took`. It may be more than the payload, so
 * that many small messages cannot cost the reader more memory than the window says.
 */
import { fault } from './errors.ts';

/** Bytes that may be on the way or wait at the reader: what it buffers at most while it is paused. */
export const CREDIT_WINDOW = 8 * 1024 * 1024;
/** A grant is worth at least so much; and one `spend` may be at most so much, or a writer could wait for a grant that never comes. */
export const CREDIT_STEP = CREDIT_WINDOW / 8;
/** On the wire: the total, 64 bits, big-endian. */
export const GRANT_LENGTH = 8;

export class ReliableCredit {
  readonly #grant: (total: number) => void;
  #spent = 0;
  #heard = 0;
  #pending: { length: number; go: () => void } | undefined;
  #arrived = 0;
  #taken = 0;
  #told = 0;

  /** @param grant tells the other end, which `hear`s it, how many bytes this end's reader has taken in all */
  constructor(grant: (total: number) => void) {
    this.#grant = grant;
  }

  /** Calls back when so many bytes may be written: at once, as a rule. One call at a time. @param length at most CREDIT_STEP */
  spend(length: number, go: () => void): void {
    this.#pending = { length, go };
    this.#proceed();
  }

  /** The other end has granted. @throws BeelineError PROTOCOL for what no honest reader says */
  hear(total: number): void {
    if (!(total - this.#heard >= CREDIT_STEP && total <= this.#spent))
      throw fault('PEER_MISBEHAVES', { what: 'says that it has read what was not sent to it' });
    this.#heard = total;
    this.#proceed();
  }

  /** Bytes have come. Ask before they are stored. @throws BeelineError PROTOCOL if nobody granted them */
  arrived(length: number): void {
    this.#arrived += length;
    if (this.#arrived > this.#told + CREDIT_WINDOW)
      throw fault('PEER_MISBEHAVES', { what: 'sends more than it was allowed to' });
  }

  /** This end's owner has taken so many of the bytes that arrived. */
  took(length: number): void {
    this.#taken += length;
    if (this.#taken - this.#told < CREDIT_STEP) return;
    this.#told = this.#taken;
    this.#grant(this.#told);
  }

  /** No `go` is called any more. */
  close(): void {
    this.#pending = undefined;
  }

  #proceed(): void {
    if (!this.#pending || this.#spent + this.#pending.length > this.#heard + CREDIT_WINDOW) return;
    const { length, go } = this.#pending;
    this.#pending = undefined;
    this.#spent += length;
    go();
  }
}

export function encodeGrant(total: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(GRANT_LENGTH);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total));
  return bytes;
}

/** Of exactly GRANT_LENGTH bytes; what is no total fits no `hear`. */
export function decodeGrant(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, GRANT_LENGTH).getBigUint64(0));
}
