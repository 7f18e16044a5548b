/**
 * A download as a Sink, where nothing is to be kept: bytes go through in order, one file as it is, several as a ZIP that
 * is made on the way. What went out cannot be taken back, so no later run can go on.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { archiveName, type ZipMember, zipStream } from '../../archive/zip.ts';
import { toHex } from '../../base/bytes.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import { STREAM_WINDOW } from '../../base/limits.ts';
import type { Entry } from '../../offer/manifest.ts';
import { checkingEntries } from '../../offer/names.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { Sink } from '../../sync/ports.ts';
import { InOrder } from '../../sync/store/in-order.ts';
import { Conduit } from './conduit.ts';
import { type Download, startDownload } from './download-stream.ts';
import { fittedPaths, warnOfMisfits } from './fitted.ts';
import { PageSlices } from './slices.ts';

export interface StreamSinkOptions {
  /** Hash what passes, for `digests`. Default false. */
  sha256?: boolean;
  /** As of `KeptOptions`. */
  onWarning?: (warning: BeelineError) => void;
  /** Hands it to the browser. Default: `startDownload`. */
  start?: typeof startDownload;
}

export class StreamSink implements Sink {
  readonly window = STREAM_WINDOW;
  readonly #options: StreamSinkOptions;
  readonly #conduit = new Conduit();
  readonly #order = new InOrder((extents, bytes) => this.#emit(extents, bytes));
  readonly #dropped = new Set<number>();
  readonly #hashes = new Map<number, ReturnType<typeof sha256.create>>();
  #entries: readonly Entry[] = [];
  /** What each is called in the download. */
  #fitted: readonly string[] = [];
  #space: ByteSpace | undefined;
  /** Bytes handed on, of the entry that they were of last. */
  #current = { entry: -1, bytes: 0 };
  #bytes = 0;
  #done: Promise<void> | undefined;
  #error: BeelineError | undefined;

  constructor(options: StreamSinkOptions = {}) {
    this.#options = options;
  }

  /** @throws BeelineError UNSAFE_NAME, and WRITE_FAILED if the browser takes no download. */
  async open(entries: readonly Entry[], space: ByteSpace): Promise<void> {
    await new PageSlices().run(checkingEntries(entries));
    this.#entries = entries;
    this.#space = space;
    this.#fitted = await fittedPaths(entries);
    const [only, ...others] = entries;
    const single = only?.kind === 'file' && others.length === 0;
    const download: Download = single
      ? { name: this.#fitted[0]!, size: space.bytes, body: this.#plain() }
      : { name: archiveName(this.#fitted), size: undefined, body: zipStream(this.#members()) };
    const { done } = await (this.#options.start ?? startDownload)(download);
    if (this.#error) throw this.#error;
    this.#done = done;
    done.catch((error) => this.#fail(error));
    warnOfMisfits(entries, this.#fitted, this.#options.onWarning);
  }

  wants(): boolean {
    return true;
  }

  async write(chunk: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    if (this.#error) throw this.#error;
    await this.#order.take(chunk, extents, data);
  }

  /** A file that has not begun is left out. One that is out in part cannot be made whole, and ends the download with an error. */
  async drop(entry: number): Promise<void> {
    const { size } = this.#entries[entry]!;
    const begun = this.#current.entry >= entry;
    const whole = this.#current.entry > entry || this.#current.bytes === size;
    if (begun && whole && !this.#space!.stream) return;
    if (!begun && this.#entries.length > 1) return void this.#dropped.add(entry);
    const error = fault('STREAM_TORN', {}, { paths: [this.#entries[entry]!.path] });
    this.#fail(error);
    throw error;
  }

  /** Resolves once the browser has taken the last byte. */
  async finish(): Promise<void> {
    if (this.#error) throw this.#error;
    if (this.#order.waiting > 0 || this.#bytes !== this.#space?.bytes)
      throw new BeelineError('INTERNAL', 'Not everything has been handed to the download.');
    this.#conduit.end();
    await this.#done;
  }

  async digests(): Promise<Map<number, string>> {
    const digests = new Map<number, string>();
    for (const [entry, { kind, size }] of this.#entries.entries()) {
      if (!this.#options.sha256 || kind !== 'file' || this.#dropped.has(entry)) continue;
      const hash = this.#hashes.get(entry);
      if (hash || size === 0) digests.set(entry, toHex((hash ?? sha256.create()).clone().digest()));
    }
    return digests;
  }

  async close(): Promise<void> {
    this.#fail(new BeelineError('CANCELLED', 'Receiving was given up.'));
    this.#order.clear();
  }

  async #emit(extents: readonly Extent[], bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (const { entry, at, length } of extents) {
      this.#bytes += length;
      if (this.#dropped.has(entry)) continue;
      if (this.#current.entry !== entry) this.#current = { entry, bytes: 0 };
      this.#current.bytes += length;
      const part = bytes.subarray(at, at + length);
      this.#hash(entry, part);
      await this.#conduit.put({ entry, bytes: part });
    }
  }

  #hash(entry: number, part: Uint8Array): void {
    if (!this.#options.sha256) return;
    const hash = this.#hashes.get(entry) ?? sha256.create();
    this.#hashes.set(entry, hash.update(part));
  }

  #plain(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#stream(async () => (await this.#conduit.take())?.bytes);
  }

  /** A file begins only once its first bytes are here, so that one that is dropped before leaves no trace. */
  async *#members(): AsyncGenerator<ZipMember> {
    for (const [entry, { kind, size, mtime, mode }] of this.#entries.entries()) {
      const member = { path: this.#fitted[entry]!, size, mtime: mtime / 1000, mode };
      if (kind === 'folder') yield member;
      if (kind !== 'file' || this.#dropped.has(entry)) continue;
      if (size > 0 && (await this.#conduit.peek())?.entry !== entry) continue;
      let left = size;
      const content = this.#stream(async () => {
        const piece = left > 0 ? await this.#conduit.take() : undefined;
        left -= piece?.bytes.length ?? 0;
        return piece?.bytes;
      });
      yield { ...member, content };
    }
  }

  #stream(next: () => Promise<Uint8Array<ArrayBuffer> | undefined>): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream(
      {
        pull: async (controller) => {
          const bytes = await next();
          if (bytes) controller.enqueue(bytes);
          else controller.close();
        },
      },
      { highWaterMark: 0 },
    );
  }

  #fail(error: BeelineError): void {
    this.#error ??= error;
    this.#conduit.fail(this.#error);
  }
}
