/**
 * A person's files as a Source, read slice by slice from where they lie. A browser's `File` is a snapshot: when the
 * file changes its reads fail, so that a file that changes under the transfer is reported by name and never mixed.
 */
import { BeelineError } from '../../protocol/errors.ts';
import type { Entry } from '../../protocol/manifest.ts';
import { escapeName } from '../../protocol/names.ts';
import type { Extent, Source } from '../../transfer/ports.ts';
import { atOnce } from './at-once.ts';
import { hashBlob } from './hash-blob.ts';
import type { Item } from './items.ts';
import { layOut } from './layout.ts';

/** Reads under way at a time: each is a round trip to another process, whatever its length. */
const READS = 32;

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
    const failures: BeelineError[] = [];
    await atOnce(READS, extents, async ({ entry, offset, length, at }) => {
      try {
        into.set(await this.#slice(entry, offset, length), at);
      } catch (thrown) {
        failures.push(this.#failure(entry, thrown));
      }
    });
    if (failures.length > 0) throw together(failures);
    return extents.reduce((sum, { length }) => sum + length, 0);
  }

  release(): void {}

  /** One byte of each file: reading fails once it is not the file that was chosen. */
  async changed(): Promise<string[]> {
    const changed: string[] = [];
    await atOnce(READS, this.entries.entries(), async ([index, { path, size }]) => {
      if (size === 0) return;
      await this.#slice(index, size - 1, 1).catch(() => changed.push(path));
    });
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
    const text = `'${escapeName(path)}' ${what} while it was being sent. Choose it again once nothing writes to it.`;
    return new BeelineError('SOURCE_CHANGED', text, { cause, paths: [path] });
  }

  #failure(entry: number, thrown: unknown): BeelineError {
    if (thrown instanceof BeelineError) return thrown;
    const name = thrown instanceof Error ? thrown.name : '';
    if (name === 'NotFoundError') return this.#changed(entry, 'vanished', thrown);
    // Browsers say NotReadableError both of a file that changed and of one that may not be read.
    if (name === 'NotReadableError' && this.#seen[entry]) return this.#changed(entry, 'changed', thrown);
    const { path } = this.entries[entry]!;
    const text = `'${escapeName(path)}' cannot be read: it changed since it was chosen, or this browser may not read it. Choose it again.`;
    return new BeelineError('UNREADABLE', text, { cause: thrown, paths: [path] });
  }
}

/** One error in the words of the first, with the paths of all. */
function together(failures: readonly BeelineError[]): BeelineError {
  const first = failures[0]!;
  if (failures.length === 1) return first;
  const text = `${first.message} ${failures.length - 1} more files beside it changed or cannot be read.`;
  const paths = failures.flatMap((failure) => failure.paths);
  return new BeelineError(first.code, text, { cause: first, paths });
}
