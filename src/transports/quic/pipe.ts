/** The one stream of a QUIC connection as a pipe. QUIC has the rest: TLS 1.3, order, and a window that a paused reader leaves full. */
import { realClock } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { linger } from '../../base/linger.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { NativeConnection, NativeStream } from './engine.ts';

/** Bytes that are read at once, at most. */
const READ = 128 * 1024;

export class QuicPipe implements Pipe {
  readonly kind = 'quic';
  readonly local: string;
  readonly remote: string;
  /** Resolves when nothing of it is left. */
  readonly over: Promise<void>;
  readonly #connection: NativeConnection;
  readonly #stream: NativeStream;
  #gone = () => {};
  #data: ((bytes: Uint8Array) => void) | undefined;
  #closed: ((error?: Error) => void) | undefined;
  /** How it ended; undefined: it has not. */
  #end: { error?: Error } | undefined;
  #destroyed = false;
  #paused = false;
  #wake = () => {};
  #endLinger = () => {};

  constructor(connection: NativeConnection, stream: NativeStream, ends: { local: string; remote: string }) {
    this.#connection = connection;
    this.#stream = stream;
    this.local = ends.local;
    this.remote = ends.remote;
    this.over = new Promise((resolve) => {
      this.#gone = resolve;
    });
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    if (this.#destroyed) return void setImmediate(() => done(fault('LANE_CLOSED')));
    this.#stream.write(bytes).then(
      () => done(),
      (cause) => done(this.#failed(cause)),
    );
  }

  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void {
    this.#data = data;
    this.#closed = closed;
    if (this.#end) return void setImmediate(() => closed(this.#end?.error));
    if (!this.#destroyed) void this.#read();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** What was written last still gets there, as over TCP: the other side reads to the end, and then ends the connection. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#endLinger = linger(realClock, () => this.#over());
    this.#stream.finishWrite().catch(() => {});
    this.resume();
    if (!this.#data) void this.#read();
  }

  async #read(): Promise<void> {
    try {
      while (!this.#end) {
        if (this.#paused)
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        const bytes = await this.#stream.read(READ);
        if (bytes === null) return this.#over();
        // It may have been paused meanwhile: a pause takes effect soon, not at once.
        if (!this.#destroyed) this.#data?.(bytes);
      }
    } catch (cause) {
      this.#over(this.#destroyed ? undefined : this.#failed(cause));
    }
  }

  #over(error?: Error): void {
    if (this.#end) return;
    this.#destroyed = true;
    this.#end = error ? { error } : {};
    this.#endLinger();
    this.#connection.abort();
    this.#gone();
    this.#closed?.(error);
  }

  #failed(cause: unknown): Error {
    return fault('LANE_FAILED', { remote: this.remote, kind: this.kind }, { cause });
  }
}
