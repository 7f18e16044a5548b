/** Chunks into staged files: each piece where it belongs, and each file that is whole to the next group commit. */
import { BeelineError } from '../protocol/errors.ts';
import type { Entry } from '../protocol/manifest.ts';
import { escapeName } from '../protocol/printable.ts';
import type { Extent } from '../transfer/space.ts';
import { diskError } from './disk-errors.ts';
import { Slices } from './slices.ts';
import type { Job, Workspace } from './workspace.ts';

/** Up to this size a synchronous write costs less than the trip through the thread pool. */
const SMALL = 128 * 1024;

/** A chunk to take. Without `data` it is zeros, or, if it is `kept`, lies where it belongs already. */
export interface Taking {
  chunk: number;
  extents: readonly Extent[];
  sha256: Uint8Array;
  data: Uint8Array | undefined;
  kept: boolean;
}

export class ChunkWriter {
  readonly #job: Job;
  readonly #work: Workspace;
  readonly #dropped: ReadonlySet<number>;
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

  /** @param dropped entries that will not come; may grow */
  constructor(job: Job, work: Workspace, dropped: ReadonlySet<number>) {
    this.#job = job;
    this.#work = work;
    this.#dropped = dropped;
    this.#done = new Uint8Array(job.entries.length);
    for (const entry of job.inventory.placed) this.#done[entry] = 1;
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
    return !this.#done[entry] && !this.#job.plan.skipped.has(entry) && !this.#dropped.has(entry);
  }

  /** What was guessed of it lies in the staged file, and not in another version of it. */
  inPlace(entry: number): boolean {
    return this.#work.files.adopted(entry) && !this.#job.inventory.seeds.has(entry);
  }

  stop(): void {
    this.#stopped = true;
  }

  async take(taking: Taking): Promise<void> {
    const { chunk, extents, sha256, data } = taking;
    if (this.#taken.has(chunk)) return;
    this.#taken.add(chunk);
    const { committer } = this.#work;
    const { entries, space } = this.#job;
    const parts = extents.filter(({ entry, length }) => length !== entries[entry]!.size);
    // Where each extent's file is staged, if this chunk alone makes it whole.
    const staged: (string | undefined)[] = [];
    for (const { entry } of parts) this.#parts.set(entry, (this.#parts.get(entry) ?? 0) + 1);
    try {
      const slices = new Slices();
      let bytes = 0;
      for (const [i, extent] of extents.entries()) {
        this.#checkGoing();
        if (!this.misses(extent.entry)) continue;
        if (data && extent.at + extent.length > data.length)
          throw new BeelineError('PROTOCOL', 'The other side sent a chunk that is too short.');
        const part = data?.subarray(extent.at, extent.at + extent.length);
        const path = await this.#piece(extent, part, taking.kept);
        if (path !== undefined && this.#parts.has(extent.entry)) this.#early.set(extent.entry, path);
        else staged[i] = path;
        // Zeros are holes, and cost the disk nothing.
        if (data) bytes += extent.length;
        if (slices.over()) await slices.next();
      }
      this.#checkGoing();
      // In one go, so that no commit comes between: synced before it is recorded, recorded before it is placed.
      const { chunks, dirty, whole } = committer.batch;
      if (!space.stream) chunks.push({ index: chunk, sha256 });
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
      throw diskError(error, entries[extents[0]?.entry ?? 0]!.path);
    }
  }

  /** What no chunk completes: folders, links, empty files, and a stream, whose length is known only now. */
  async finish(): Promise<void> {
    this.#finishing = true;
    const slices = new Slices();
    for (const [index, entry] of this.#job.entries.entries()) {
      this.#checkGoing();
      if (slices.over()) await slices.next();
      try {
        if (entry.kind === 'folder') this.#work.folders.ensure(entry.path);
        else if (this.misses(index)) await this.#finishEntry(index, entry);
      } catch (error) {
        throw diskError(error, entry.path);
      }
    }
  }

  /** Everything of this one is staged. */
  async complete(index: number, size: number): Promise<void> {
    this.#whole(index, await this.#work.files.end(index, size));
  }

  /** Where the entry is staged, if that makes it whole. */
  async #piece(
    { entry, offset, length }: Extent,
    data: Uint8Array | undefined,
    kept: boolean,
  ): Promise<string | undefined> {
    const { files } = this.#work;
    const inPlace = kept && this.inPlace(entry);
    try {
      const small = !inPlace && length === this.#job.entries[entry]!.size && length <= SMALL;
      let staged: string | undefined;
      if (small) staged = files.whole(entry, data);
      else staged = await (inPlace ? files.keep(entry, length) : files.piece(entry, offset, length, data));
      if (staged === undefined || !this.misses(entry)) return undefined;
      this.#done[entry] = 1;
      return staged;
    } catch (error) {
      throw diskError(error, this.#job.entries[entry]!.path);
    }
  }

  async #finishEntry(index: number, entry: Entry): Promise<void> {
    const { files } = this.#work;
    const { stream, bytes } = this.#job.space;
    if (entry.kind === 'link') return this.#whole(index, files.link(index));
    if (stream && bytes !== undefined) return this.complete(index, bytes);
    if (stream || entry.size > 0)
      throw new BeelineError('INTERNAL', `'${escapeName(entry.path)}' is not complete.`);
    this.#whole(index, files.whole(index, new Uint8Array(0)));
  }

  #whole(entry: number, staged: string): void {
    this.#done[entry] = 1;
    this.#work.committer.batch.whole.set(entry, staged);
  }

  #checkGoing(): void {
    if (this.#stopped) throw new BeelineError('CANCELLED', 'Receiving was given up.');
  }
}
