/**
 * Chunks into staged files: each piece where it belongs, and each file that is whole to the next group commit. Pure: the
 * files are whatever the runtime stages.
 */
import { BeelineError, fault } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';
import type { Slices } from '../../base/slices.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { Committer } from './commit.ts';

/** Up to this size a whole file goes down in one call: it costs less than the trip through a thread pool. */
const SMALL_BYTES = 128 * 1024;

/** A chunk to take. Without `data` it is zeros, or, if it is `kept`, lies where it belongs already. */
export interface Taking {
  chunk: number;
  extents: readonly Extent[];
  hash: Uint8Array;
  data: Uint8Array | undefined;
  kept: boolean;
}

/** Files being put together, by entry. Each resolves with where the file is staged once that makes it whole. */
export interface StagedPieces {
  /** All of a small file; `data` undefined means zeros. */
  whole(entry: number, data: Uint8Array | undefined): string;
  piece(
    entry: number,
    offset: number,
    length: number,
    data: Uint8Array | undefined,
  ): Promise<string | undefined>;
  /** A piece that lies where it belongs. */
  keep(entry: number, length: number): Promise<string | undefined>;
  /** It has `size` bytes, and all of them are here. */
  end(entry: number, size: number): Promise<string>;
  link(entry: number): string;
  /** What an earlier run left of it counts where it lies. */
  adopted(entry: number): boolean;
}

export interface ChunkWriterPorts {
  entries: readonly Entry[];
  space: ByteSpace;
  files: StagedPieces;
  committer: Committer;
  /** Entries that stand under their final names already. */
  placed: Iterable<number>;
  /** The entry is not to be written. */
  skips: (entry: number) => boolean;
  /** Another version of the entry stands here, and what lies in its place is of that one. */
  renews: (entry: number) => boolean;
  makeFolder: (path: string) => void;
  /** What a failing disk says, for people. */
  failure: (error: unknown, path: string) => BeelineError;
  slices: () => Slices;
}

export class ChunkWriter {
  readonly #ports: ChunkWriterPorts;
  /** 1 for each entry that is staged whole, or in place. */
  readonly #done: Uint8Array;
  /** Chunks taken, so that one delivered twice is counted once. */
  readonly #taken = new Set<number>();
  /** Chunks being written that hold a part of an entry. */
  readonly #parts = new Map<number, number>();
  /** Entries that are staged whole before all their chunks are written to the end, and where. */
  readonly #early = new Map<number, string>();
  #stopped = false;
  #finishing = false;

  constructor(ports: ChunkWriterPorts) {
    this.#ports = ports;
    this.#done = new Uint8Array(ports.entries.length);
    for (const entry of ports.placed) this.#done[entry] = 1;
  }

  /** Whether anything has been written at all. */
  get used(): boolean {
    return this.#finishing || this.#taken.size > 0;
  }

  /** Chunks that were taken and did not fail. */
  get taken(): ReadonlySet<number> {
    return this.#taken;
  }

  done(entry: number): boolean {
    return this.#done[entry] === 1;
  }

  misses(entry: number): boolean {
    return !this.#done[entry] && !this.#ports.skips(entry);
  }

  /** The bytes that were guessed lie in the staged file, and not in another version. */
  inPlace(entry: number): boolean {
    return this.#ports.files.adopted(entry) && !this.#ports.renews(entry);
  }

  stop(): void {
    this.#stopped = true;
  }

  async take(taking: Taking): Promise<void> {
    const { chunk, extents, hash, data } = taking;
    if (this.#taken.has(chunk)) return;
    this.#taken.add(chunk);
    const { committer, entries, space, slices: slicing, failure } = this.#ports;
    const parts = extents.filter(({ entry, length }) => length !== entries[entry]!.size);
    // Where each extent's file is staged, if this chunk alone makes it whole.
    const staged: (string | undefined)[] = [];
    for (const { entry } of parts) this.#parts.set(entry, (this.#parts.get(entry) ?? 0) + 1);
    try {
      const slices = slicing();
      let bytes = 0;
      for (const [i, extent] of extents.entries()) {
        this.#checkGoing();
        if (!this.misses(extent.entry)) continue;
        if (data && extent.at + extent.length > data.length)
          throw fault('PEER_MALFORMED', { what: 'a chunk of a wrong length' });
        const part = data?.subarray(extent.at, extent.at + extent.length);
        const piece = this.#piece(extent, part, taking.kept);
        const path = piece instanceof Promise ? await piece : piece;
        if (path !== undefined && this.#parts.has(extent.entry)) this.#early.set(extent.entry, path);
        else staged[i] = path;
        // Zeros are holes, and cost the disk nothing.
        if (data) bytes += extent.length;
        if (slices.over()) await slices.next();
      }
      this.#checkGoing();
      // In one go, so that no commit comes between: synced before it is recorded, recorded before it is placed.
      const { chunks, dirty, whole } = committer.batch;
      if (!space.stream) chunks.push({ index: chunk, hash });
      for (const { entry } of parts) {
        dirty.add(entry);
        this.#parts.set(entry, this.#parts.get(entry)! - 1);
      }
      for (const [i, { entry }] of extents.entries()) {
        const path = staged[i] ?? this.#early.get(entry);
        // A chunk that fails is never written to the end, and holds its entries back.
        if (path === undefined || this.#parts.get(entry)) continue;
        whole.set(entry, path);
        this.#early.delete(entry);
      }
      await committer.added(bytes);
    } catch (error) {
      this.#taken.delete(chunk);
      for (const [i, path] of staged.entries()) if (path) this.#early.set(extents[i]!.entry, path);
      throw failure(error, entries[extents[0]?.entry ?? 0]!.path);
    }
  }

  /** What no chunk completes: folders, links, empty files, and a stream, whose length is known only now. */
  async finish(): Promise<void> {
    this.#finishing = true;
    const { entries, makeFolder, failure } = this.#ports;
    const slices = this.#ports.slices();
    for (const [index, entry] of entries.entries()) {
      this.#checkGoing();
      if (slices.over()) await slices.next();
      try {
        if (entry.kind === 'folder') makeFolder(entry.path);
        else if (this.misses(index)) await this.#finishEntry(index, entry);
      } catch (error) {
        throw failure(error, entry.path);
      }
    }
  }

  /** Everything of this one is staged. */
  async complete(index: number, size: number): Promise<void> {
    this.#whole(index, await this.#ports.files.end(index, size));
  }

  /** Where the entry is staged, if that makes it whole. No promise for a small file, of which a tree has very many. */
  #piece(
    { entry, offset, length }: Extent,
    data: Uint8Array | undefined,
    kept: boolean,
  ): string | undefined | Promise<string | undefined> {
    const { files, entries, failure } = this.#ports;
    const inPlace = kept && this.inPlace(entry);
    const failed = (error: unknown): never => {
      throw failure(error, entries[entry]!.path);
    };
    if (!inPlace && length === entries[entry]!.size && length <= SMALL_BYTES)
      try {
        return this.#completed(entry, files.whole(entry, data));
      } catch (error) {
        return failed(error);
      }
    const piece = inPlace ? files.keep(entry, length) : files.piece(entry, offset, length, data);
    return piece.then((staged) => this.#completed(entry, staged)).catch(failed);
  }

  #completed(entry: number, staged: string | undefined): string | undefined {
    if (staged === undefined || !this.misses(entry)) return undefined;
    this.#done[entry] = 1;
    return staged;
  }

  async #finishEntry(index: number, entry: Entry): Promise<void> {
    const { files } = this.#ports;
    const { stream, bytes } = this.#ports.space;
    if (entry.kind === 'link') return this.#whole(index, files.link(index));
    if (stream && bytes !== undefined) return this.complete(index, bytes);
    if (stream || entry.size > 0)
      throw new BeelineError('INTERNAL', `'${escapeName(entry.path)}' is not complete.`);
    this.#whole(index, files.whole(index, new Uint8Array(0)));
  }

  #whole(entry: number, staged: string): void {
    this.#done[entry] = 1;
    this.#ports.committer.batch.whole.set(entry, staged);
  }

  #checkGoing(): void {
    if (this.#stopped) throw new BeelineError('CANCELLED', 'Receiving was given up.');
  }
}
