/** Compares chunks with a receipt's hashes, and says whose content differs: a chunk has one hash, and may hold thousands of files. */
import { closeSync, fstatSync, lstatSync, openSync } from 'node:fs';
import { equalBytes } from '../../base/bytes.ts';
import type { Extent } from '../../offer/space.ts';
import type { Digest } from '../../sync/ports.ts';
import { FdCache } from './fd-cache.ts';
import { READ_FLAGS, readFully, toMicros } from './io.ts';
import { BAD, chunksOf, FINE, GROWN, type Problem, type Tree, trouble } from './verify-tree.ts';

export interface Finding {
  chunk: number;
  /** 'reported': all files in it have been reported already. */
  outcome: 'same' | 'different' | 'not moved' | 'unchecked' | 'reported';
  /** Of the chunk. */
  bytes: number;
  /** Of files in it that could not be read to the end. */
  problems: Problem[];
}

/** Microseconds: two seconds, what FAT tells apart. */
const COARSEST = 2e6;

export class Contents {
  readonly #tree: Tree;
  readonly #digest: Digest;
  readonly #files: FdCache;
  readonly #free: Uint8Array[];
  /** Differing chunks of files that have chunks of their own, told once a file: when its last chunk has been seen. */
  readonly #differing = new Map<number, { first: number; chunks: number }>();

  /** @param buffers chunks that may be inspected at a time */
  constructor(tree: Tree, digest: Digest, buffers: number) {
    this.#tree = tree;
    this.#digest = digest;
    this.#files = new FdCache((entry) => this.#open(entry));
    this.#free = Array.from({ length: buffers }, () => new Uint8Array(tree.receipt.chunkSize));
  }

  async inspect(chunk: number): Promise<Finding> {
    const { receipt, space, states } = this.#tree;
    const extents = space.extents(chunk);
    const bytes = extents.reduce((sum, extent) => sum + extent.length, 0);
    const hash = receipt.chunks[chunk];
    const has = (state: number) => extents.some(({ entry }) => states[entry] === state);
    const problems: Problem[] = [];
    const finding = (outcome: Finding['outcome']) => ({ chunk, outcome, bytes, problems });
    if (!hash) return finding('not moved');
    if (!has(FINE)) return finding('reported');
    if (has(BAD)) return finding('unchecked');
    const buffer = this.#free.pop()!;
    try {
      await this.#read(extents, buffer, problems);
      if (has(BAD)) return finding(has(FINE) ? 'unchecked' : 'reported');
      if (equalBytes(await this.#digest(buffer.subarray(0, bytes)), hash)) return finding('same');
      // It may be the grown file's beginning that differs, or another's content: nobody can tell.
      return finding(has(GROWN) ? 'unchecked' : 'different');
    } finally {
      this.#free.push(buffer);
    }
  }

  /** What is to be said once a chunk and all before it have been inspected. */
  *settle({ chunk, outcome, problems }: Finding): Generator<Problem> {
    yield* problems;
    if (outcome === 'different') yield* this.#blame(this.#tree.space.extents(chunk));
    for (const [entry, { first, chunks }] of this.#differing) {
      const its = chunksOf(entry, this.#tree);
      if (its.end > chunk + 1) continue;
      this.#differing.delete(entry);
      const all = its.end - its.first;
      const where = all === 1 ? '' : ` in ${chunks} of ${all} chunks, first after byte ${first}`;
      yield this.#other(entry, `has other content${where}`);
    }
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  /** Of several files in a chunk that differs, those stand out whose time does; the chunk says no more. */
  *#blame(extents: readonly Extent[]): Generator<Problem> {
    const alone = extents.length === 1;
    const suspects = extents.filter(
      ({ entry }) => alone || this.#differing.has(entry) || this.#timeDiffers(entry),
    );
    if (!alone && (suspects.length === 0 || suspects.length === extents.length)) {
      const last = this.#path(extents.at(-1)!.entry);
      const many = `or another of the ${extents.length} files from it to '${last}' has other content`;
      return yield this.#other(extents[0]!.entry, many);
    }
    for (const { entry, offset } of suspects) {
      const found = this.#differing.get(entry);
      if (found) found.chunks++;
      else if (alone) this.#differing.set(entry, { first: offset, chunks: 1 });
      else {
        const beside = `of the ${extents.length} files in a chunk that does, its time differs`;
        yield this.#other(entry, `has other content, it seems: ${beside}`);
      }
    }
  }

  #other(entry: number, detail: string): Problem {
    return { path: this.#path(entry), problem: 'content', detail };
  }

  #path(entry: number): string {
    return this.#tree.entries[entry]!.path;
  }

  #timeDiffers(entry: number): boolean {
    try {
      const found = toMicros(lstatSync(this.#tree.place(this.#path(entry)), { bigint: true }));
      return Math.abs(found - this.#tree.entries[entry]!.mtime) >= COARSEST;
    } catch {
      return true;
    }
  }

  /** Goes on behind a file that fails, so that all of them are reported. */
  async #read(extents: readonly Extent[], into: Uint8Array, problems: Problem[]): Promise<void> {
    const { states } = this.#tree;
    for (const { entry, offset, length, at } of extents) {
      const path = this.#path(entry);
      // Another chunk of it, read meanwhile, has been reported.
      if (states[entry] === BAD) continue;
      try {
        const got = await this.#files.use(entry, (fd) => readFully(fd, into, at, length, offset));
        if (got === length) continue;
        if (states[entry] === FINE)
          problems.push({ path, problem: 'size', detail: 'became shorter while it was read' });
      } catch (error) {
        if (states[entry] === FINE) problems.push({ path, ...trouble(error) });
      }
      states[entry] = BAD;
    }
  }

  #open(entry: number): number {
    const fd = openSync(this.#tree.place(this.#path(entry)), READ_FLAGS);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    // Another kind than a moment ago, as if O_NOFOLLOW had met a link.
    throw Object.assign(new Error('It is no file any more.'), { code: 'ELOOP' });
  }
}
