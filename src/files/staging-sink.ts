/**
 * A folder as a Sink. Data goes to a staging folder first and is renamed into place when a file is whole, so that
 * nothing unfinished stands under a final name and no final path is ever opened for writing.
 * Limit: between two looks at a parent folder another program of this same user could swap it; Node has no openat.
 */
import { BeelineError } from '../protocol/errors.ts';
import { STREAM_WINDOW } from '../protocol/limits.ts';
import type { Entry } from '../protocol/manifest.ts';
import { checkEntries, escapeName } from '../protocol/names.ts';
import type { Extent, Sink } from '../transfer/ports.ts';
import type { ByteSpace } from '../transfer/space.ts';
import { Attributes } from './attributes.ts';
import { type OnConflict, type Overwrite, type Plan, settle } from './conflicts.ts';
import { Destination } from './destination.ts';
import { diskError } from './disk-errors.ts';
import { Folders } from './folders.ts';
import { codeOf, hashFile } from './io.ts';
import { Placer } from './place.ts';
import { Slices } from './slices.ts';
import { StagedFiles } from './staged-files.ts';
import { Staging } from './staging.ts';

/** Up to this size a synchronous write costs less than the trip through the thread pool. */
const SMALL = 128 * 1024;

export interface StagingOptions {
  /** Destination folder; made if it is missing. */
  to: string;
  overwrite: Overwrite;
  /** For `ask`: called once for each existing file. Absent: EXISTS. */
  onConflict?: OnConflict;
  /** The target treats names as equal that differ in case. Default: on macOS and Windows, else found out. */
  foldsCase?: boolean;
  /** What a person should know though the transfer goes on: little room, modes that cannot be kept. */
  onWarning?: (warning: BeelineError) => void;
}

export class StagingSink implements Sink {
  readonly #options: StagingOptions;
  readonly #destination: Destination;
  readonly #attributes: Attributes;
  #entries: readonly Entry[] = [];
  #space: ByteSpace | undefined;
  #plan: Plan = { skipped: new Set(), replaced: new Set(), renamed: new Map() };
  #staging: Staging | undefined;
  #files: StagedFiles | undefined;
  #folders: Folders | undefined;
  #placer: Placer | undefined;
  /** 1 for each entry that is in place. */
  #placed = new Uint8Array(0);
  readonly #dropped = new Set<number>();
  /** Chunks that are down, so that one delivered twice is counted once. */
  readonly #written = new Set<number>();
  #aborted = false;

  constructor(options: StagingOptions) {
    this.#options = options;
    this.#destination = new Destination(options.to);
    this.#attributes = new Attributes((path, cause) => {
      const text = `This file system does not keep all modes and times ('${escapeName(path)}' is the first).`;
      this.#warn('WRITE_FAILED', text, cause);
    });
  }

  /** The disk takes chunks in any order, but a stream's sender keeps only so many. Known after `open`. */
  get window(): number {
    return this.#space?.stream ? STREAM_WINDOW : Number.POSITIVE_INFINITY;
  }

  async open(entries: readonly Entry[], space: ByteSpace): Promise<void> {
    const platform = process.platform === 'win32' ? 'windows' : 'posix';
    const foldsCase = this.#options.foldsCase ?? ['win32', 'darwin'].includes(process.platform);
    checkEntries(entries, { platform, foldsCase });
    this.#entries = entries;
    this.#space = space;
    this.#placed = new Uint8Array(entries.length);
    const { overwrite, onConflict } = this.#options;
    this.#plan = await settle(this.#destination.find(), entries, overwrite, onConflict);
    // Whoever was asked may have taken longer than the transfer lived.
    this.#checkOpen();
    try {
      const root = this.#destination.make();
      this.#staging = Staging.create(root);
      if (!foldsCase && this.#staging.foldsCase()) checkEntries(entries, { platform, foldsCase: true });
      const folders = new Folders(root, this.#attributes);
      this.#folders = folders;
      this.#files = new StagedFiles(this.#staging, entries, this.#attributes);
      this.#placer = new Placer({ root, entries, folders, plan: this.#plan, overwrite });
      this.#checkRoom();
    } catch (error) {
      await this.abort();
      throw diskError(error, this.#options.to);
    }
  }

  wants(entry: number): boolean {
    return !this.#plan.skipped.has(entry);
  }

  async write(chunk: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    if (this.#written.has(chunk)) return;
    this.#written.add(chunk);
    try {
      const slices = new Slices();
      for (const extent of extents) {
        this.#checkOpen();
        if (!this.#misses(extent.entry)) continue;
        if (data && extent.at + extent.length > data.length)
          throw new BeelineError('PROTOCOL', 'The other side sent a chunk that is too short.');
        const part = data?.subarray(extent.at, extent.at + extent.length);
        if (extent.length === this.#entries[extent.entry]!.size && extent.length <= SMALL) {
          this.#put(extent.entry, () => this.#files!.whole(extent.entry, part));
          if (slices.over()) await slices.next();
        } else {
          await this.#writePiece(extent, part);
        }
      }
    } catch (error) {
      this.#written.delete(chunk);
      throw error;
    }
  }

  async drop(entry: number): Promise<void> {
    this.#dropped.add(entry);
    if (!this.#placed[entry]) this.#files?.forget(entry);
  }

  async finish(): Promise<void> {
    const slices = new Slices();
    for (const [index, entry] of this.#entries.entries()) {
      this.#checkOpen();
      if (slices.over()) await slices.next();
      if (entry.kind === 'folder') this.#folders!.ensure(entry.path);
      else if (this.#misses(index)) await this.#finishEntry(index, entry);
    }
    await this.#folders!.finish(this.#entries);
    await this.#files!.close();
    this.#removeStaging();
  }

  async digests(): Promise<Map<number, string>> {
    const digests = new Map<number, string>();
    for (const [index, entry] of this.#entries.entries()) {
      if (entry.kind !== 'file' || !this.#placed[index]) continue;
      try {
        digests.set(index, await hashFile(this.#placer!.path(index)));
      } catch (cause) {
        const text = `'${escapeName(entry.path)}' cannot be read again for its SHA-256 (${codeOf(cause)}).`;
        throw new BeelineError('WRITE_FAILED', text, { cause, paths: [entry.path] });
      }
    }
    return digests;
  }

  async abort(): Promise<void> {
    this.#aborted = true;
    await this.#files?.close();
    this.#removeStaging();
    this.#destination.unmake();
  }

  #misses(entry: number): boolean {
    return !this.#placed[entry] && !this.#plan.skipped.has(entry) && !this.#dropped.has(entry);
  }

  async #writePiece({ entry, offset, length }: Extent, data: Uint8Array | undefined): Promise<void> {
    try {
      const staged = await this.#files!.piece(entry, offset, length, data);
      this.#checkOpen();
      if (staged !== undefined && this.#misses(entry)) this.#put(entry, () => staged);
    } catch (error) {
      throw diskError(error, this.#entries[entry]!.path);
    }
  }

  /** What no chunk completes: links, empty files, and a stream, whose length is known only now. */
  async #finishEntry(index: number, entry: Entry): Promise<void> {
    const { stream, bytes } = this.#space!;
    if (entry.kind === 'link') return this.#put(index, () => this.#files!.link(index));
    if (stream && bytes !== undefined) {
      const staged = await this.#files!.end(index, bytes).catch((error) => {
        throw diskError(error, entry.path);
      });
      return this.#put(index, () => staged);
    }
    if (stream || entry.size > 0)
      throw new BeelineError('INTERNAL', `'${escapeName(entry.path)}' is not complete.`);
    this.#put(index, () => this.#files!.whole(index, new Uint8Array(0)));
  }

  #put(entry: number, stage: () => string): void {
    try {
      this.#placer!.put(entry, stage());
      this.#placed[entry] = 1;
    } catch (error) {
      throw diskError(error, this.#entries[entry]!.path);
    }
  }

  #checkOpen(): void {
    if (this.#aborted) throw new BeelineError('CANCELLED', 'Receiving was given up.');
  }

  /** Files with holes may need less than their size, so that too little room is a warning until a write fails. */
  #checkRoom(): void {
    const free = this.#destination.free();
    let needed = 0;
    for (const [index, entry] of this.#entries.entries()) if (this.wants(index)) needed += entry.size;
    if (free === undefined || needed <= free) return;
    this.#warn(
      'DISK_FULL',
      `The files have ${needed} bytes and the disk has ${free} bytes left. They may not fit.`,
    );
  }

  #removeStaging(): void {
    try {
      this.#staging?.remove();
    } catch (cause) {
      const where = escapeName(this.#staging?.path ?? '');
      this.#warn('WRITE_FAILED', `The unfinished data in '${where}' could not be removed.`, cause);
    }
  }

  #warn(code: 'DISK_FULL' | 'WRITE_FAILED', text: string, cause?: unknown): void {
    this.#options.onWarning?.(new BeelineError(code, text, { cause }));
  }
}
