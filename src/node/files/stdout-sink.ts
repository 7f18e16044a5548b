/** One file (or stream) to a writable stream, in order; chunks that come early are held, at most STREAM_WINDOW. */
import { createHash } from 'node:crypto';
import { BeelineError, fault } from '../../base/errors.ts';
import { STREAM_WINDOW } from '../../base/limits.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { Sink } from '../../sync/ports.ts';
import { InOrder } from '../../sync/store/in-order.ts';

export interface StdoutOptions {
  /** Hash what passes, for `digests`; a pipe cannot be read again. Default false. */
  sha256?: boolean;
  /** End the stream in `finish`, which then waits until all of it is out. Default false: it is the process's own. */
  end?: boolean;
}

export class StdoutSink implements Sink {
  readonly window = STREAM_WINDOW;
  readonly #stream: NodeJS.WritableStream;
  readonly #hash: ReturnType<typeof createHash> | undefined;
  readonly #order = new InOrder((_extents, bytes) => this.#emit(bytes));
  #space: ByteSpace | undefined;
  #bytes = 0;
  readonly #end: boolean;
  #ended = false;
  #error: BeelineError | undefined;
  #reject: ((error: BeelineError) => void) | undefined;
  #digest: string | undefined;

  constructor(stream: NodeJS.WritableStream, options: StdoutOptions = {}) {
    this.#stream = stream;
    this.#end = options.end ?? false;
    this.#hash = options.sha256 ? createHash('sha256') : undefined;
  }

  async open(entries: readonly Entry[], space: ByteSpace): Promise<void> {
    if (entries.length !== 1 || entries[0]!.kind !== 'file')
      throw fault('STDOUT_NEEDS_ONE_FILE', { count: entries.length });
    this.#space = space;
    this.#stream.on('error', this.#onError);
  }

  wants(): boolean {
    return true;
  }

  /** Resolves once the stream has taken the chunk, and all that waited for it; at once for a chunk that is early. */
  async write(chunk: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    if (this.#error) throw this.#error;
    await this.#order.take(chunk, extents, data);
  }

  /** The one file cannot be delivered, and what went out cannot be called back. */
  async drop(): Promise<void> {
    throw fault('STREAM_TORN');
  }

  async finish(): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.#order.waiting > 0 || this.#bytes !== this.#space?.bytes)
      throw new BeelineError('INTERNAL', 'Not everything has been written to standard output.');
    if (this.#end && !this.#ended) {
      this.#ended = true;
      await this.#settled((done) => this.#stream.end(done));
    }
    this.#digest ??= this.#hash?.digest('hex');
    this.#stream.off('error', this.#onError);
  }

  async digests(): Promise<Map<number, string>> {
    return new Map(this.#digest ? [[0, this.#digest]] : []);
  }

  async close(): Promise<void> {
    this.#fail(new BeelineError('CANCELLED', 'Receiving was given up.'));
    this.#order.clear();
    this.#stream.off('error', this.#onError);
  }

  /** Waits for the stream's own callback, not for `drain`: a slow pipe holds the transfer up. */
  async #emit(bytes: Uint8Array): Promise<void> {
    this.#hash?.update(bytes);
    await this.#settled((done) => this.#stream.write(bytes, done));
    this.#bytes += bytes.length;
  }

  /** Resolves when the stream calls back; rejects when that, an `error` event or `close` says so. */
  async #settled(act: (done: (error?: Error | null) => void) => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#reject = reject;
      if (this.#error) reject(this.#error);
      else act((error) => (error ? this.#onError(error) : resolve()));
    });
    this.#reject = undefined;
  }

  readonly #onError = (cause: Error): void => {
    const closed = 'code' in cause && cause.code === 'EPIPE';
    this.#fail(
      fault(
        'STDOUT_FAILED',
        { why: closed ? 'Whatever reads it has stopped reading' : cause.message },
        { cause },
      ),
    );
  };

  #fail(error: BeelineError): void {
    this.#error ??= error;
    this.#reject?.(this.#error);
  }
}
