/** What lies here already where a chunk belongs: read back, hashed, and compared with what the sender has. */
import { fstatSync, openSync } from 'node:fs';
import { equalBytes } from '../../base/bytes.ts';
import { fault } from '../../base/errors.ts';
import type { Extent } from '../../offer/space.ts';
import type { Digest } from '../../sync/ports.ts';
import { digestOf } from '../../threads/digests.ts';
import { FdCache } from './fd-cache.ts';
import { type Inventory, LEAST_COMPARED_BYTES, mayTell } from './inventory.ts';
import { READ_FLAGS, readFully } from './io.ts';
import type { Job } from './job.ts';
import type { Placer } from './place.ts';
import type { StagedFiles } from './staged-files.ts';

export class LocalData {
  readonly #chunkSize: number;
  readonly #digest: Digest;
  readonly #inventory: Inventory;
  readonly #files: StagedFiles;
  readonly #placer: Placer;
  readonly #open = new FdCache((entry) => openSync(this.#path(entry)!, READ_FLAGS));

  constructor({ space, hash }: Job, inventory: Inventory, files: StagedFiles, placer: Placer) {
    this.#chunkSize = space.chunkSize;
    this.#digest = digestOf(hash);
    this.#inventory = inventory;
    this.#files = files;
    this.#placer = placer;
  }

  /** All bytes of a chunk, or undefined if some are missing, or cannot be read. */
  async read(extents: readonly Extent[]): Promise<Uint8Array | undefined> {
    if (!extents.every(({ entry }) => this.#path(entry) !== undefined)) return undefined;
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
    return bytes && (await this.#digest(bytes));
  }

  /** The bytes that were hashed before, now that the sender has said that they are right. WRITE_FAILED if they changed. */
  async again(extents: readonly Extent[], hash: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.read(extents);
    if (bytes && equalBytes(await this.#digest(bytes), hash)) return bytes;
    throw fault('FILE_CHANGED_HERE');
  }

  close(): Promise<void> {
    return this.#open.close();
  }

  async #mayTell(extents: readonly Extent[]): Promise<boolean> {
    const { senders, seeds, ends } = this.#inventory;
    // What came from this very sender may be compared.
    const strange = extents.filter(({ entry }) => !senders.has(entry));
    // Before any file is opened: there may be thousands of small ones.
    if (strange.some(({ length }) => length < LEAST_COMPARED_BYTES)) return false;
    for (const extent of strange) {
      try {
        // A staged file gets its new length once it is written to.
        const known = seeds.has(extent.entry) ? undefined : ends.get(extent.entry);
        const there = known ?? (await this.#open.use(extent.entry, async (fd) => fstatSync(fd).size));
        if (!mayTell(extent, there, this.#chunkSize)) return false;
      } catch {
        return false;
      }
    }
    return true;
  }

  /** Where an entry's bytes lie now, right or not; undefined: nowhere. */
  #path(entry: number): string | undefined {
    const { placed, seeds } = this.#inventory;
    if (placed.has(entry)) return this.#placer.path(entry);
    return seeds.get(entry) ?? (this.#files.adopted(entry) ? this.#files.path(entry) : undefined);
  }
}
