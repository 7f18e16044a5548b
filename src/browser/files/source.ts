/**
 * A person's files as a Source, read slice by slice from where they lie. A browser's `File` is a snapshot: when the
 * file changes its reads fail, so that a file that changes under the transfer is reported by name and never mixed.
 */
import { BeelineError, faultAt, together } from '../../base/errors.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { Extent } from '../../offer/space.ts';
import type { Source } from '../../sync/ports.ts';
import { atOnce } from './at-once.ts';
import { hashBlob } from './hash-blob.ts';
import type { Item } from './items.ts';
import { layOut } from './layout.ts';

/** Reads under way at a time: each is a round trip to another process, whatever its length. */
const READS = 32;
/** Files from which on they are read as one blob made of them: one round trip for all. */
const FEW = 3;
/** Files looked at together for whether they have changed. */
const GROUP = 256;

export interface SourceOptions {
  /** `digests` is wanted: it reads everything once more. */
  sha256?: boolean;
}

export class FileListSource implements Source {
  readonly kind = 'files';
  readonly entries: readonly Entry[];
  readonly length: number;
  readonly #files: readonly (File | undefined)[];
  readonly #sha256: boolean;
  /** Entries of which something could be read: that they cannot be read later is a change. */
  readonly #seen: Uint8Array;

  /** @throws BeelineError USAGE or UNSAFE_NAME, naming the path. */
  constructor(items: readonly Item[], { sha256 = false }: SourceOptions = {}) {
    const { entries, files } = layOut(items);
    this.entries = entries;
    this.#files = files;
    this.#sha256 = sha256;
    this.#seen = new Uint8Array(entries.length);
    this.length = entries.reduce((sum, entry) => sum + entry.size, 0);
  }

  /** Goes on behind a file that fails, so that one error names all of a chunk's. */
  async read(_chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    if (await this.#readTogether(extents, into)) return lengthOf(extents);
    const failures: BeelineError[] = [];
    await atOnce(READS, extents, async ({ entry, offset, length, at }) => {
      try {
        into.set(await this.#slice(entry, offset, length), at);
      } catch (thrown) {
        failures.push(this.#failure(entry, thrown));
      }
    });
    if (failures.length > 0) throw together(failures);
    return lengthOf(extents);
  }

  /** One byte of each file: reading fails once it is not the file that was chosen. */
  async changed(): Promise<string[]> {
    const changed: string[] = [];
    const last: Extent[] = [];
    for (const [entry, { size }] of this.entries.entries())
      if (size > 0) last.push({ entry, offset: size - 1, length: 1, at: 0 });
    for (let at = 0; at < last.length; at += GROUP) {
      const group = last.slice(at, at + GROUP);
      const all = group.map((extent, i) => ({ ...extent, at: i }));
      if (await this.#readTogether(all, new Uint8Array(GROUP))) continue;
      await atOnce(READS, group, async ({ entry, offset }) => {
        await this.#slice(entry, offset, 1).catch(() => changed.push(this.entries[entry]!.path));
      });
    }
    return changed;
  }

  async digests(): Promise<Map<number, string>> {
    const digests = new Map<number, string>();
    for (const [index, file] of this.#sha256 ? this.#files.entries() : []) {
      if (!file) continue;
      try {
        digests.set(index, await hashBlob(file));
      } catch (thrown) {
        throw this.#failure(index, thrown);
      }
    }
    return digests;
  }

  async close(): Promise<void> {}

  /** Many small files in one go, in the order of their extents. False where they must be read one by one. */
  async #readTogether(extents: readonly Extent[], into: Uint8Array): Promise<boolean> {
    if (extents.length < FEW) return false;
    try {
      const slices = extents.map(({ entry, offset, length }) =>
        this.#files[entry]!.slice(offset, offset + length),
      );
      const bytes = new Uint8Array(await new Blob(slices).arrayBuffer());
      if (bytes.length !== lengthOf(extents)) return false;
      let from = 0;
      for (const { entry, length, at } of extents) {
        into.set(bytes.subarray(from, from + length), at);
        from += length;
        this.#seen[entry] = 1;
      }
      return true;
    } catch {
      return false;
    }
  }

  async #slice(entry: number, offset: number, length: number): Promise<Uint8Array> {
    const { size } = this.entries[entry]!;
    const file = this.#files[entry]!;
    if (file.size !== size) throw this.#changed(entry, 'changed');
    const bytes = new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
    if (bytes.length !== length) throw this.#changed(entry, 'changed');
    this.#seen[entry] = 1;
    return bytes;
  }

  #changed(entry: number, what: string, cause?: unknown): BeelineError {
    const { path } = this.entries[entry]!;
    return faultAt('SOURCE_CHANGED_MEANWHILE', path, { what, again: 'Choose' }, cause);
  }

  #failure(entry: number, thrown: unknown): BeelineError {
    if (thrown instanceof BeelineError) return thrown;
    const name = thrown instanceof Error ? thrown.name : '';
    if (name === 'NotFoundError') return this.#changed(entry, 'vanished', thrown);
    // Browsers say NotReadableError both of a file that changed and of one that may not be read.
    if (name === 'NotReadableError' && this.#seen[entry]) return this.#changed(entry, 'changed', thrown);
    const why = 'it changed since it was chosen, or this browser may not read it. Choose it again';
    return faultAt('FILE_UNREADABLE', this.entries[entry]!.path, { why }, thrown);
  }
}

function lengthOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0);
}
