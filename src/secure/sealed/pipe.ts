/** A pipe sealed with keys of its own over one that nobody trusts. Made by the handshake, which feeds it what comes in. */

import { encodeGrant, Credit } from '../../base/credit.ts';
import { type BeelineError, fault, faultFrom } from '../../base/errors.ts';
import type { Pipe } from '../pipe.ts';
import { Opener, Sealer } from './cipher.ts';
import type { LaneKeys } from './keys.ts';
import { SealedReader } from './reader.ts';
import { SealedWriter } from './writer.ts';

/** Milliseconds for the last record to leave. */
const CLOSING = 2_000;

export class SealedPipe implements Pipe {
  readonly kind: string;
  readonly relayed: boolean;
  readonly local: string;
  readonly remote: string;
  /** The other side has proved that it has the keys; rejects if the pipe ends before. */
  readonly greeted: Promise<void>;
  #refuse: (error: BeelineError) => void = () => {};
  readonly #inner: Pipe;
  readonly #writer: SealedWriter;
  readonly #reader: SealedReader;
  #started: { data: (bytes: Uint8Array) => void; closed: (error?: Error) => void } | undefined;
  #end: { error: Error | undefined } | undefined;
  #closing: ReturnType<typeof setTimeout> | undefined;
  /** Why the pipe below ended, if it said so. */
  #cause: Error | undefined;

  /** @param side whose key this end seals with */
  constructor(inner: Pipe, keys: LaneKeys, side: keyof LaneKeys) {
    this.kind = inner.kind;
    this.relayed = inner.relayed ?? false;
    this.local = inner.local;
    this.remote = inner.remote;
    this.#inner = inner;
    const fail = (error: unknown) => this.#over(faultFrom(error, 'LANE_WRITE_FAILED'));
    const credit = new Credit((total) => this.#writer.control('grant', encodeGrant(total)));
    this.#writer = new SealedWriter(inner, new Sealer(keys[side]), credit, fail);
    const opener = new Opener(keys[side === 'client' ? 'server' : 'client']);
    let greeted = () => {};
    this.greeted = new Promise((resolve, reject) => {
      greeted = resolve;
      this.#refuse = reject;
    });
    // Nobody awaits it after the handshake.
    this.greeted.catch(() => {});
    this.#reader = new SealedReader(opener, credit, {
      greeted: () => greeted(),
      ended: (clean) =>
        this.#over(clean ? undefined : faultFrom(this.#cause ?? cutOff(), 'LANE_WRITE_FAILED')),
      fail,
    });
  }

  /** Proves that this side has the keys. */
  greet(): void {
    this.#writer.control('hello');
  }

  /** From the pipe below. */
  feed(bytes: Uint8Array): void {
    this.#reader.feed(bytes);
  }

  /** The pipe below has closed. */
  cut(cause?: Error): void {
    this.#cause = cause;
    if (this.#closing) this.#over();
    else this.#reader.cut();
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#writer.write(bytes, done);
  }

  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void {
    this.#started = { data, closed };
    if (this.#end) this.#report();
    else this.#reader.flow(data);
  }

  pause(): void {
    this.#reader.pause();
  }

  resume(): void {
    if (this.#started && !this.#end && !this.#closing) this.#reader.flow(this.#started.data);
  }

  /** In order when nothing was under way: the other side hears that nothing was cut off. */
  destroy(error?: Error): void {
    if (this.#end || this.#closing) return;
    if (error || this.#writer.busy) return this.#over(error);
    this.#closing = setTimeout(() => this.#over(), CLOSING);
    this.#reader.close();
    this.#writer.control('end');
    void this.#writer.flushed().then(() => this.#over());
  }

  #over(error?: Error): void {
    if (this.#end) return;
    this.#end = { error };
    this.#refuse(faultFrom(error ?? cutOff(), 'LANE_WRITE_FAILED'));
    clearTimeout(this.#closing);
    this.#reader.close();
    this.#writer.close(error);
    this.#inner.destroy(error);
    if (this.#started) this.#report();
  }

  /** A turn later: whoever destroys a pipe is not called back before that is done. */
  #report(): void {
    queueMicrotask(() => this.#started?.closed(this.#end?.error));
  }
}

function cutOff(): BeelineError {
  return fault('LANE_CUT_OFF');
}
