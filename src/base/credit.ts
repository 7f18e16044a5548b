/**
 * Flow control for pipes whose transport takes in whatever comes: a page cannot stop a WebSocket or a data channel from
 * receiving, nor JavaScript UDX (200 MiB for a paused reader, measured). The reader grants, the writer keeps within a window
 * beyond what was granted, and one that does not is cut off.
 *
 * Both ends count the same: what one `spend`s, the other sees as `arrived` and `took`. It may be more than the payload, so
 * that many small messages cannot cost the reader more memory than the window says.
 */
import { Alarm, type Clock } from './clock.ts';
import { fault } from './errors.ts';

/**
 * Bytes that may be on the way or wait at the reader: what it buffers at most while it is paused. Above the 4 MiB that UDX keeps
 * under way and its queue, so that this never limits a reader that keeps up.
 */
export const CREDIT_WINDOW = 8 * 1024 * 1024;
/** A grant is worth at least so much; and one `spend` may be at most so much, or a writer could wait for a grant that never comes. */
export const CREDIT_STEP = CREDIT_WINDOW / 8;
/** On the wire: the total, 64 bits, big-endian. */
export const GRANT_LENGTH = 8;
/** Between questions of a writer that may not go on, where grants may be lost. */
const ASK_MS = 250;

/** Of grants that may be lost or come late: the next says more, and a writer that waits asks. */
export interface Lossy {
  clock: Clock;
  /** Asks the other end (its `asked`) to repeat what it granted. */
  ask(): void;
}

export class Credit {
  readonly #grant: (total: number) => void;
  readonly #lossy: Lossy | undefined;
  readonly #question: Alarm | undefined;
  #spent = 0;
  #heard = 0;
  #pending: { length: number; go: () => void } | undefined;
  #arrived = 0;
  #taken = 0;
  #told = 0;

  /** @param grant tells the other end, which `hear`s it, how many bytes this end's reader has taken in all */
  constructor(grant: (total: number) => void, lossy?: Lossy) {
    this.#grant = grant;
    this.#lossy = lossy;
    this.#question = lossy && new Alarm(lossy.clock);
  }

  /** Calls back when so many bytes may be written: at once, as a rule. One call at a time. @param length at most CREDIT_STEP */
  spend(length: number, go: () => void): void {
    this.#pending = { length, go };
    this.#proceed();
    this.#ask();
  }

  /** The other end has granted. @throws BeelineError PROTOCOL for what no honest reader says */
  hear(total: number): void {
    if (!(total - this.#heard >= (this.#lossy ? 0 : CREDIT_STEP) && total <= this.#spent)) {
      // It may have been overtaken by a later one.
      if (this.#lossy) return;
      throw fault('PEER_MISBEHAVES', { what: 'says that it has read what was not sent to it' });
    }
    this.#heard = total;
    this.#proceed();
  }

  /** The other end has not heard what was granted. */
  asked(): void {
    this.#tell();
  }

  /** Bytes have come. Ask before they are stored. @throws BeelineError PROTOCOL if nobody granted them */
  arrived(length: number): void {
    this.#arrived += length;
    if (this.#arrived > this.#told + CREDIT_WINDOW)
      throw fault('PEER_MISBEHAVES', { what: 'sends more than it was allowed to' });
  }

  /** The owner of this end has taken so many of the bytes that arrived. */
  took(length: number): void {
    this.#taken += length;
    if (this.#taken - this.#told >= CREDIT_STEP) this.#tell();
  }

  /** No `go` is called any more. */
  close(): void {
    this.#pending = undefined;
    this.#question?.clear();
  }

  #proceed(): void {
    if (!this.#pending || this.#spent + this.#pending.length > this.#heard + CREDIT_WINDOW) return;
    const { length, go } = this.#pending;
    this.close();
    this.#spent += length;
    go();
  }

  #tell(): void {
    this.#told = this.#taken;
    this.#grant(this.#told);
  }

  #ask(): void {
    if (!this.#pending) return;
    this.#question?.set(ASK_MS, () => {
      this.#lossy?.ask();
      this.#ask();
    });
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
