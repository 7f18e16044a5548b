/** Files into a Map: each under its path, once all of it is there. Folders and links have no place in one. */
import { createHash } from 'node:crypto';
import { BeelineError, fault } from '../../base/errors.ts';
import { MAX_IN_MEMORY, STREAM_WINDOW } from '../../base/limits.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { Sink } from '../../sync/ports.ts';

export class MemorySink implements Sink {
  readonly #into: Map<string, Uint8Array>;
  readonly #sha256: boolean;
  /** By entry, from its first byte on. A stream's grows. */
  readonly #data = new Map<number, Uint8Array>();
  readonly #dropped = new Set<number>();
  #entries: readonly Entry[] = [];
  #space: ByteSpace | undefined;
  #closed = false;

  constructor(into: Map<string, Uint8Array>, sha256: boolean) {
    this.#into = into;
    this.#sha256 = sha256;
  }

  get window(): number {
    return this.#space?.stream ? STREAM_WINDOW : Number.POSITIVE_INFINITY;
  }

  async open(entries: readonly Entry[], space: ByteSpace): Promise<void> {
    if (!space.stream) this.#room(space.bytes ?? 0);
    this.#entries = entries;
    this.#space = space;
  }

  wants(): boolean {
    return true;
  }

  async write(_chunk: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    if (this.#closed) throw new BeelineError('CANCELLED', 'Receiving was given up.');
    for (const { entry, offset, length, at } of extents) {
      const held = this.#held(entry, offset + length);
      if (data) held.set(data.subarray(at, at + length), offset);
      else held.fill(0, offset, offset + length);
    }
  }

  async drop(entry: number): Promise<void> {
    this.#dropped.add(entry);
    this.#data.delete(entry);
  }

  async finish(): Promise<void> {
    for (const [index, path, bytes] of this.#files()) {
      this.#into.set(path, bytes);
      this.#data.set(index, bytes);
    }
  }

  async digests(): Promise<Map<number, string>> {
    if (!this.#sha256) return new Map();
    return new Map(
      [...this.#files()].map(([index, , bytes]) => [index, createHash('sha256').update(bytes).digest('hex')]),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#data.clear();
  }

  *#files(): Iterable<[number, string, Uint8Array]> {
    for (const [index, { path, kind, size }] of this.#entries.entries()) {
      if (kind !== 'file' || this.#dropped.has(index)) continue;
      const length = this.#space!.stream ? (this.#space!.bytes ?? 0) : size;
      yield [index, path, this.#held(index, length).subarray(0, length)];
    }
  }

  /** The bytes of a file, so many at least. */
  #held(entry: number, least: number): Uint8Array {
    const held = this.#data.get(entry);
    if (held && held.length >= least) return held;
    this.#room(least);
    const stream = this.#space!.stream;
    const larger = new Uint8Array(
      stream ? Math.max(least, 2 * (held?.length ?? 0)) : this.#entries[entry]!.size,
    );
    if (held) larger.set(held);
    this.#data.set(entry, larger);
    return larger;
  }

  #room(bytes: number): void {
    if (bytes > MAX_IN_MEMORY) throw fault('MEMORY_TOO_SMALL', { bytes, most: MAX_IN_MEMORY });
  }
}
