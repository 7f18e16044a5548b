/**
 * Files as a Source: read where the walk found them, and compared with what it saw, so that a file that changes
 * under the transfer is reported by name and never sent as a mixture.
 */
import { closeSync, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { BeelineError, codeOf, faultAt, together } from '../../base/errors.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { Extent } from '../../offer/space.ts';
import type { Source } from '../../sync/ports.ts';
import { FdCache } from './fd-cache.ts';
import { hashFile, READ_FLAGS, readFully } from './io.ts';
import { inSlices } from './slices.ts';
import { equal, type FileStat } from './version.ts';
import type { Walked } from './walk.ts';

/** Up to this size a synchronous read costs less than the trip through the thread pool. */
const SMALL = 128 * 1024;

export class FileSource implements Source {
  readonly kind = 'files';
  readonly entries: readonly Entry[];
  readonly length: number;
  readonly #walked: Walked;
  readonly #files: FdCache;

  constructor(walked: Walked) {
    this.#walked = walked;
    this.entries = walked.entries;
    this.length = walked.entries.reduce((sum, entry) => sum + entry.size, 0);
    this.#files = new FdCache((entry) => this.#open(entry));
  }

  read(_chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    return readPieces(
      extents,
      (extent) => {
        const { size } = this.entries[extent.entry]!;
        if (extent.length < size || size > SMALL) return this.#readPart(extent, into);
        this.#readWhole(extent, into);
      },
      (entry, error) => this.#failure(entry, error),
    );
  }

  async changed(): Promise<string[]> {
    const changed: string[] = [];
    await inSlices(this.entries.entries(), ([index, entry]) => {
      if (entry.kind === 'folder') return;
      const path = this.#walked.absolute[index]!;
      const { stats } = this.#walked;
      const seen = lstatSync(path, { throwIfNoEntry: false });
      if (seen && stats.alike(index, seen)) return;
      const now = seen && lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (!now || !stats.same(index, now)) changed.push(entry.path);
    });
    return changed;
  }

  digests(): Promise<Map<number, string>> {
    return digestsOf(this.entries, async (entry) => {
      const path = this.#walked.absolute[entry]!;
      try {
        const digest = await hashFile(path);
        this.#check(entry, lstatSync(path, { bigint: true }));
        return digest;
      } catch (error) {
        throw error instanceof BeelineError ? error : this.#failure(entry, error);
      }
    });
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  /** One stat, behind the read, sees every change between the walk and it. */
  #readWhole(extent: Extent, into: Uint8Array): void {
    const { entry, length, at } = extent;
    const fd = openSync(this.#walked.absolute[entry]!, READ_FLAGS);
    try {
      let got = 0;
      for (let more = 1; more > 0 && got < length; got += more)
        more = readSync(fd, into, at + got, length - got, got);
      if (got < length || !this.#walked.stats.alike(entry, fstatSync(fd)))
        this.#check(entry, fstatSync(fd, { bigint: true }), got === length);
    } finally {
      closeSync(fd);
    }
  }

  async #readPart(extent: Extent, into: Uint8Array): Promise<void> {
    const { entry, offset, length, at } = extent;
    await this.#files.use(entry, async (fd) => {
      const got = await readFully(fd, into, at, length, offset);
      this.#check(entry, fstatSync(fd, { bigint: true }), got === length);
    });
  }

  #open(entry: number): number {
    const fd = openSync(this.#walked.absolute[entry]!, READ_FLAGS);
    try {
      this.#check(entry, fstatSync(fd, { bigint: true }));
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #check(entry: number, now: FileStat, complete = true): void {
    const { stats } = this.#walked;
    if (complete && stats.same(entry, now)) return;
    const before = stats.at(entry);
    let what = 'changed';
    if (!equal(now.ino, before.ino) || !equal(now.dev, before.dev)) what = 'was replaced by another file';
    else if (now.size < before.size) what = `shrank from ${before.size} to ${now.size} bytes`;
    else if (now.size > before.size) what = `grew from ${before.size} to ${now.size} bytes`;
    throw this.#changed(entry, what);
  }

  #changed(entry: number, what: string, cause?: unknown): BeelineError {
    const { path } = this.entries[entry]!;
    return faultAt('SOURCE_CHANGED_MEANWHILE', path, { what, again: 'Send' }, cause);
  }

  #failure(entry: number, error: unknown): BeelineError {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return this.#changed(entry, 'vanished', error);
    if (code === 'ELOOP') return this.#changed(entry, 'was replaced by a link', error);
    const { path } = this.entries[entry]!;
    return faultAt('FILE_UNREADABLE', path, { why: code || String(error) }, error);
  }
}

/**
 * Reads a chunk piece by piece and resolves with its bytes' number. Goes on behind a file that fails, so that one error
 * names all of a chunk's.
 * @param failure what is said of an entry whose `read` threw something else than a BeelineError
 */
export async function readPieces(
  extents: readonly Extent[],
  read: (extent: Extent) => Promise<void> | undefined,
  failure: (entry: number, error: unknown) => BeelineError,
): Promise<number> {
  const failures: BeelineError[] = [];
  let total = 0;
  await inSlices(extents, (extent) => {
    total += extent.length;
    const failed = (error: unknown) => {
      failures.push(error instanceof BeelineError ? error : failure(extent.entry, error));
    };
    try {
      return read(extent)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  });
  if (failures.length > 0) throw together(failures);
  return total;
}

/** By entry, for those files of which `digest` gives one. */
export async function digestsOf(
  entries: readonly Entry[],
  digest: (entry: number) => Promise<string | undefined>,
): Promise<Map<number, string>> {
  const digests = new Map<number, string>();
  for (const [index, { kind }] of entries.entries()) {
    const found = kind === 'file' ? await digest(index) : undefined;
    if (found !== undefined) digests.set(index, found);
  }
  return digests;
}
