/**
 * Flow control that UDX lacks. From JavaScript it takes in whatever comes, however slow the reader: 200 MiB for a paused
 * one, measured. So each side says how many bytes its reader has taken in all, in datagrams of the stream, and neither
 * sends more than WINDOW beyond that. Such a datagram may be lost: the next says more, and a writer that waits asks.
 */

/** Above the 4 MiB that UDX keeps under way and its queue, so that this never limits a reader that keeps up. */
export const WINDOW = 8 * 1024 * 1024;
const STEP = WINDOW / 8;
/** Milliseconds between questions of a writer that may not go on. */
const ASK_EVERY = 250;
/** A datagram of credit: bytes taken in all, 64 bits; a question is one byte. */
const CREDIT_LENGTH = 8;
const QUESTION = Uint8Array.of(0);

export class Credit {
  readonly #send: (datagram: Uint8Array) => void;
  #written = 0;
  #granted = WINDOW;
  #told = 0;
  #taken = 0;
  #waiting: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (datagram: Uint8Array) => void) {
    this.#send = send;
  }

  /** Counts bytes as written and calls back when they may go: at once, as a rule. One call at a time. */
  spend(length: number, go: () => void): void {
    this.#written += length;
    if (this.#written <= this.#granted) return void go();
    this.#waiting = go;
    this.#timer = setInterval(() => this.#send(QUESTION), ASK_EVERY);
  }

  /** @param total bytes that the reader has taken since the beginning */
  took(total: number): void {
    this.#taken = total;
    if (total - this.#told >= STEP) this.#tell();
  }

  /** A datagram of the other side; what is none of ours is ignored. */
  hear(datagram: Uint8Array): void {
    if (datagram.length === QUESTION.length) return this.#tell();
    if (datagram.length !== CREDIT_LENGTH) return;
    const view = new DataView(datagram.buffer, datagram.byteOffset, CREDIT_LENGTH);
    const taken = Number(view.getBigUint64(0));
    // Nobody can have taken more than was written; an older one may arrive later.
    if (taken > this.#written || taken + WINDOW <= this.#granted) return;
    this.#granted = taken + WINDOW;
    if (this.#written <= this.#granted) this.#go();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#waiting = undefined;
  }

  #go(): void {
    const go = this.#waiting;
    this.close();
    go?.();
  }

  #tell(): void {
    this.#told = this.#taken;
    const datagram = new Uint8Array(CREDIT_LENGTH);
    new DataView(datagram.buffer).setBigUint64(0, BigInt(this.#taken));
    this.#send(datagram);
  }
}
