/**
 * The byte space: every file of a transfer laid out in one line and cut into chunks of one size. Large files start
 * on a chunk boundary. Small ones stand side by side, each in one chunk, so that a small file is whole as
 * soon as its chunk is. Gaps exist in the layout only: a chunk's data is its extents, one after the other. No chunk has
 * more than MAX_PIECES of them, so that what is done with one chunk is bounded in time too.
 */
import { fault } from '../base/errors.ts';
import { MAX_CHUNK, MAX_PIECES, MIN_CHUNK } from '../base/limits.ts';

/** A piece of one file inside one chunk. Offsets and lengths are bytes. */
export interface Extent {
  /** Index into the manifest's entries. */
  entry: number;
  /** Where in the file. */
  offset: number;
  length: number;
  /** Where in the chunk's data. */
  at: number;
}

/** Chosen so that a transfer has at most 131,072 chunks until the largest chunk size is reached. */
export function chooseChunkSize(totalBytes: number): number {
  let size = MIN_CHUNK;
  while (size < MAX_CHUNK && totalBytes / size > 131_072) size *= 2;
  return size;
}

export class ByteSpace {
  readonly chunkSize: number;
  /** Bytes of all files. */
  #bytes = 0;
  #chunks = 0;
  /** Entries that have bytes, with where each starts, both in order. */
  #entries: number[] = [];
  #starts: number[] = [];
  readonly #sizes: readonly number[];
  readonly #stream: boolean;

  /** @param sizes bytes per manifest entry. With `stream`, the one entry's size is unknown until `end`. */
  constructor(sizes: readonly number[], chunkSize: number, stream = false) {
    this.chunkSize = chunkSize;
    this.#sizes = sizes;
    this.#stream = stream;
    if (stream) {
      this.#chunks = Number.POSITIVE_INFINITY;
      return;
    }
    let at = 0;
    /** Files in the chunk that is being filled. */
    let pieces = 0;
    for (let entry = 0; entry < sizes.length; entry++) {
      const size = sizes[entry]!;
      if (size === 0) continue;
      const room = chunkSize - (at % chunkSize);
      if (size >= chunkSize || size > room || pieces === MAX_PIECES)
        at = Math.ceil(at / chunkSize) * chunkSize;
      if (at % chunkSize === 0) pieces = 0;
      this.#entries.push(entry);
      this.#starts.push(at);
      at += size;
      // The end of a large file is the first piece of its last chunk.
      pieces = size > chunkSize ? 1 : pieces + 1;
      this.#bytes += size;
      if (!Number.isSafeInteger(at))
        throw fault('OFFER_MALFORMED', { what: 'its sizes add up to more than 2^53 bytes' });
    }
    this.#chunks = Math.ceil(at / chunkSize);
  }

  /** Infinity while a stream's end is unknown. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Undefined while a stream's end is unknown. */
  get bytes(): number | undefined {
    return this.#chunks === Number.POSITIVE_INFINITY ? undefined : this.#bytes;
  }

  get stream(): boolean {
    return this.#stream;
  }

  /** A stream's length has become known. */
  end(bytes: number): void {
    if (!this.#stream) throw fault('PEER_MISBEHAVES', { what: 'ends late what is not a stream' });
    if (this.bytes !== undefined && this.bytes !== bytes)
      throw fault('PEER_MISBEHAVES', { what: 'ended a stream twice, at different lengths' });
    this.#bytes = bytes;
    this.#chunks = Math.ceil(bytes / this.chunkSize);
  }

  /** The pieces of files in a chunk, in the order of their bytes. */
  extents(chunk: number): Extent[] {
    this.#checkExists(chunk);
    const from = chunk * this.chunkSize;
    const to = from + this.chunkSize;
    if (this.#stream) return [{ entry: 0, offset: from, length: this.length(chunk), at: 0 }];
    const found: Extent[] = [];
    let at = 0;
    for (let i = this.#lastStartingAtOrBefore(from); i < this.#starts.length && this.#starts[i]! < to; i++) {
      const entry = this.#entries[i]!;
      const start = this.#starts[i]!;
      const begin = Math.max(from, start);
      const length = Math.min(to, start + this.#sizes[entry]!) - begin;
      if (length <= 0) continue;
      found.push({ entry, offset: begin - start, length, at });
      at += length;
    }
    return found;
  }

  /** Bytes of a chunk's data. Asked for with each range of blocks, so that no extents are made for it. */
  length(chunk: number): number {
    this.#checkExists(chunk);
    const from = chunk * this.chunkSize;
    const to = from + this.chunkSize;
    if (this.#stream) return Math.min(to, this.bytes ?? Number.POSITIVE_INFINITY) - from;
    // A gap is at a chunk's end only: what lies in it ends where the last file that begins in or before it does.
    const last = lowerBound(this.#starts, to) - 1;
    return Math.min(to, this.#starts[last]! + this.#sizes[this.#entries[last]!]!) - from;
  }

  /** The first chunk and the one past the last that hold bytes of an entry; equal when it has none. */
  chunksOf(entry: number): { first: number; end: number } {
    const i = lowerBound(this.#entries, entry);
    return this.#entries[i] === entry ? this.#chunksAt(i) : { first: 0, end: 0 };
  }

  /** Every entry that has bytes, in order. */
  get filled(): readonly number[] {
    return this.#entries;
  }

  /** The same, each with the first chunk and the one past the last that hold some of it. */
  *occupied(): Generator<{ entry: number; first: number; end: number }> {
    for (const [i, entry] of this.#entries.entries()) yield { entry, ...this.#chunksAt(i) };
  }

  /** Says of a chunk whether it holds bytes of any of these entries. */
  touches(entries: ReadonlySet<number>): (chunk: number) => boolean {
    if (entries.size === 0) return () => false;
    return (chunk) => this.extents(chunk).some((extent) => entries.has(extent.entry));
  }

  #chunksAt(i: number): { first: number; end: number } {
    const start = this.#starts[i]!;
    const end = start + this.#sizes[this.#entries[i]!]!;
    return { first: Math.floor(start / this.chunkSize), end: Math.ceil(end / this.chunkSize) };
  }

  #checkExists(chunk: number): void {
    if (!(chunk >= 0 && chunk < this.#chunks))
      throw fault('PEER_MISBEHAVES', { what: `speaks of chunk ${chunk}, which does not exist` });
  }

  #lastStartingAtOrBefore(position: number): number {
    const i = lowerBound(this.#starts, position);
    return this.#starts[i] === position ? i : Math.max(0, i - 1);
  }
}

/** Index of the first element not below `value`, in a sorted list. */
function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
