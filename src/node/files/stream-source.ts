/**
 * A stream of unknown length (stdin) as a Source of one entry. Chunks are kept until the receiver has them, at most
 * STREAM_WINDOW; no more is taken from the stream than there is room for, so a fast producer waits.
 */
import { createHash } from 'node:crypto';
import { BeelineError, fault } from '../../base/errors.ts';
import { STREAM_WINDOW } from '../../base/limits.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import { nameProblem } from '../../offer/names.ts';
import type { Extent } from '../../offer/space.ts';
import type { Source } from '../../sync/ports.ts';

export interface StreamSourceOptions {
  /** Bytes; the transfer's. */
  chunkSize: number;
  /** Hash what passes, for `digests`; a stream cannot be read again. Default false. */
  sha256?: boolean;
  /** Bytes that have to come; absent: any number. */
  size?: number;
  /** Default: now. */
  modified?: Date;
}

export class StreamSource implements Source {
  readonly kind = 'stream';
  readonly entries: readonly Entry[];
  readonly #stream: AsyncIterable<Uint8Array | string>;
  readonly #size: number | undefined;
  readonly #chunkSize: number;
  readonly #hash: ReturnType<typeof createHash> | undefined;
  /** Whole chunks (the last may be short) by index, from `#base` to below `#filled`. */
  readonly #chunks = new Map<number, Uint8Array>();
  readonly #spare: Uint8Array[] = [];
  #base = 0;
  #filled = 0;
  #state: 'unread' | 'reading' | 'ended' | 'failed' = 'unread';
  #error: BeelineError | undefined;
  #length: number | undefined;
  #digest: string | undefined;
  /** Whoever waits for a chunk, or for room. */
  #waiting: (() => void)[] = [];

  /** @throws BeelineError USAGE if `name` is not one plain file name. */
  constructor(stream: AsyncIterable<Uint8Array | string>, name: string, options: StreamSourceOptions) {
    const problem = name.includes('/') ? 'is not a plain file name' : nameProblem(name, 'posix');
    if (problem) throw fault('NAME_UNFIT', { name: quoted(name), problem });
    this.#stream = stream;
    this.#size = options.size;
    this.#chunkSize = options.chunkSize;
    this.#hash = options.sha256 ? createHash('sha256') : undefined;
    const mtime = (options.modified?.getTime() ?? Date.now()) * 1000;
    this.entries = [{ path: name, kind: 'file', size: 0, mode: 0o644, mtime, target: '', version: '' }];
  }

  get length(): number | undefined {
    return this.#length;
  }

  /**
   * 0 for a chunk past the end, and for one that the receiver has confirmed and a second lane still asks for.
   * Waits for the stream for as long as it takes, or until `close`. UNREADABLE if the stream fails.
   */
  async read(chunk: number, _extents: readonly Extent[], into: Uint8Array): Promise<number> {
    if (this.#state === 'unread') void this.#pump();
    for (;;) {
      if (this.#error) throw this.#error;
      const held = this.#chunks.get(chunk);
      if (held) {
        into.set(held);
        return held.length;
      }
      if (chunk < this.#base || this.#state === 'ended') return 0;
      await this.#change();
    }
  }

  release(below: number): void {
    // A peer may confirm only what it can have: no more than has been read.
    const to = Math.min(below, this.#filled);
    for (; this.#base < to; this.#base++) {
      const freed = this.#chunks.get(this.#base);
      this.#chunks.delete(this.#base);
      if (freed?.length === this.#chunkSize) this.#spare.push(freed);
    }
    this.#wake();
  }

  async changed(): Promise<string[]> {
    return [];
  }

  async digests(): Promise<Map<number, string>> {
    if (!this.#hash) return new Map();
    if (!this.#digest) throw new BeelineError('INTERNAL', 'The stream has not ended yet.');
    return new Map([[0, this.#digest]]);
  }

  /** Ends waiting reads as CANCELLED and stops the stream. */
  async close(): Promise<void> {
    this.#fail(new BeelineError('CANCELLED', 'The stream was closed.'));
    this.#chunks.clear();
    this.#spare.length = 0;
    // An iterator's return() waits behind a pending next(), which on a quiet terminal never ends.
    if ('destroy' in this.#stream && typeof this.#stream.destroy === 'function') this.#stream.destroy();
  }

  async #pump(): Promise<void> {
    this.#state = 'reading';
    try {
      let filling = this.#buffer();
      let used = 0;
      let total = 0;
      for await (const given of this.#stream) {
        const piece = bytesOf(given);
        total += piece.length;
        if (total > (this.#size ?? total)) break;
        for (let at = 0; at < piece.length; ) {
          const part = piece.subarray(at, at + this.#chunkSize - used);
          filling.set(part, used);
          used += part.length;
          at += part.length;
          if (used < this.#chunkSize) continue;
          this.#store(filling);
          await this.#room();
          filling = this.#buffer();
          used = 0;
        }
        if (this.#state !== 'reading') return;
      }
      if (total !== (this.#size ?? total))
        throw new Error(
          `It was to give ${this.#size} bytes, and gave ${total > this.#size! ? 'more' : total}`,
        );
      if (used > 0) this.#store(filling.subarray(0, used));
      if (this.#state !== 'reading') return;
      this.#length = (used > 0 ? this.#filled - 1 : this.#filled) * this.#chunkSize + used;
      this.#digest = this.#hash?.digest('hex');
      this.#state = 'ended';
      this.#wake();
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      this.#fail(fault('FILE_UNREADABLE', { path: quoted(this.entries[0]!.path), why: text }, { cause }));
    }
  }

  #buffer(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(this.#chunkSize);
  }

  #store(chunk: Uint8Array): void {
    if (this.#state !== 'reading') return;
    this.#hash?.update(chunk);
    this.#chunks.set(this.#filled++, chunk);
    this.#wake();
  }

  async #room(): Promise<void> {
    while (this.#filled - this.#base >= STREAM_WINDOW && this.#state === 'reading') await this.#change();
  }

  #fail(error: BeelineError): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#error = error;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  throw new Error('It gave something that is neither bytes nor text');
}
