/** The pipe below a sealed lane: its first bytes are read by the handshake, the rest go to the sealed pipe. */
import { concat } from '../../base/bytes.ts';
import { type BeelineError, fault, faultFrom } from '../../base/errors.ts';
import type { Pipe } from '../pipe.ts';
import type { SealedPipe } from './pipe.ts';
import { HEADER_LENGTH, TAG_LENGTH } from './record.ts';

/** While keys are made, an honest side has said one empty record more than was read, or nothing. */
const MAX_EARLY = HEADER_LENGTH + TAG_LENGTH;

export class Wire {
  /** Rejects if the pipe, or what comes on it, ends the handshake before the sealed pipe is there. */
  readonly failed: Promise<never>;
  readonly #inner: Pipe;
  #fail: (error: BeelineError) => void = () => {};
  #bytes = new Uint8Array(0);
  #waiting: { length: number; resolve: (bytes: Uint8Array<ArrayBuffer>) => void } | undefined;
  #pipe: SealedPipe | undefined;

  constructor(inner: Pipe) {
    this.#inner = inner;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // Nobody awaits it after the handshake.
    this.failed.catch(() => {});
    inner.start(
      (bytes) => this.#fed(bytes),
      (error) => {
        if (this.#pipe) return this.#pipe.cut(error);
        const { kind, remote } = inner;
        this.#fail(error ? faultFrom(error, 'LANE_WRITE_FAILED') : fault('LANE_ENDED', { remote, kind }));
      },
    );
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#inner.write(bytes, (error) =>
        error ? reject(faultFrom(error, 'LANE_WRITE_FAILED')) : resolve(),
      );
    });
  }

  /** The next so many bytes. One call at a time. */
  read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve) => {
      this.#waiting = { length, resolve };
      this.#serve();
    });
  }

  /** From now on all that comes is the pipe's. */
  pass(pipe: SealedPipe): void {
    this.#pipe = pipe;
    pipe.feed(this.#bytes);
  }

  #fed(bytes: Uint8Array): void {
    if (this.#pipe) return this.#pipe.feed(bytes);
    if (this.#bytes.length + bytes.length > (this.#waiting?.length ?? 0) + MAX_EARLY)
      return this.#fail(fault('LANE_STRANGER', { what: 'it does not speak as the other side would' }));
    this.#bytes = concat(this.#bytes, bytes);
    this.#serve();
  }

  #serve(): void {
    if (!this.#waiting || this.#bytes.length < this.#waiting.length) return;
    const { length, resolve } = this.#waiting;
    this.#waiting = undefined;
    const part = this.#bytes.slice(0, length);
    this.#bytes = this.#bytes.slice(length);
    resolve(part);
  }
}
