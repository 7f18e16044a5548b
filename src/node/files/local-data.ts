/** What lies here already where a chunk belongs: read back, hashed, and compared with what the sender has. */
import { createHash } from 'node:crypto';
import { fstatSync, openSync } from 'node:fs';
import { equalBytes } from '../../base/bytes.ts';
import { fault } from '../../base/errors.ts';
import type { Extent } from '../../offer/space.ts';
import { FdCache } from './fd-cache.ts';
import { READ_FLAGS, readFully } from './io.ts';

/** A smaller piece is not compared, but sent. */
const LEAST_COMPARED_BYTES = 16 * 1024;

/**
 * Whether the sender may learn that a piece of a file is what it has. It chooses where files end in its manifest: a piece
 * that ends wherever it likes would let it find out a file byte by byte, each time with only the next few to try.
 * @param end how long the file is that is here
 */
export function mayTell({ offset, length }: Extent, end: number, chunkSize: number): boolean {
  const endsThere = (offset + length) % chunkSize === 0 || offset + length === end;
  return endsThere && length >= LEAST_COMPARED_BYTES;
}

export interface LocalPlaces {
  chunkSize: number;
  /** Where an entry's bytes lie now, right or not; undefined: nowhere. */
  path: (entry: number) => string | undefined;
  /** How many there are where the file that is here may have another length by now; undefined: as many as it has. */
  end: (entry: number) => number | undefined;
  /** They came from this very sender, and are its to compare. */
  isSenders: (entry: number) => boolean;
}

export class LocalData {
  readonly #places: LocalPlaces;
  readonly #open: FdCache;

  constructor(places: LocalPlaces) {
    this.#places = places;
    this.#open = new FdCache((entry) => openSync(places.path(entry)!, READ_FLAGS));
  }

  /** All bytes of a chunk, or undefined if some are missing, or cannot be read. */
  async read(extents: readonly Extent[]): Promise<Uint8Array | undefined> {
    if (!extents.every(({ entry }) => this.#places.path(entry) !== undefined)) return undefined;
    const bytes = new Uint8Array(extents.reduce((sum, extent) => sum + extent.length, 0));
    for (const { entry, offset, length, at } of extents) {
      try {
        const got = await this.#open.use(entry, (fd) => readFully(fd, bytes, at, length, offset));
        if (got < length) return undefined;
      } catch {
        return undefined;
      }
    }
    return bytes;
  }

  /** The hash of all bytes of a chunk, if they are here and may be compared. */
  async hash(extents: readonly Extent[]): Promise<Uint8Array | undefined> {
    if (!(await this.#mayTell(extents))) return undefined;
    const bytes = await this.read(extents);
    return bytes && createHash('sha256').update(bytes).digest();
  }

  /** The bytes that were hashed before, now that the sender has said that they are right. WRITE_FAILED if they changed. */
  async again(extents: readonly Extent[], sha256: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.read(extents);
    if (bytes && equalBytes(createHash('sha256').update(bytes).digest(), sha256)) return bytes;
    throw fault('FILE_CHANGED_HERE');
  }

  close(): Promise<void> {
    return this.#open.close();
  }

  async #mayTell(extents: readonly Extent[]): Promise<boolean> {
    const { chunkSize, end, isSenders } = this.#places;
    const strange = extents.filter(({ entry }) => !isSenders(entry));
    // Before any file is opened: there may be thousands of small ones.
    if (strange.some(({ length }) => length < LEAST_COMPARED_BYTES)) return false;
    for (const extent of strange) {
      try {
        const known = end(extent.entry);
        const there = known ?? (await this.#open.use(extent.entry, async (fd) => fstatSync(fd).size));
        if (!mayTell(extent, there, chunkSize)) return false;
      } catch {
        return false;
      }
    }
    return true;
  }
}
