/** Reads one chunk's files as they stand and compares its SHA-256 with the receipt's. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { equalBytes } from '../../base/bytes.ts';
import type { Receipt } from '../../offer/receipt.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { Digest } from '../../sync/ports.ts';
import { FdCache } from './fd-cache.ts';
import { READ_FLAGS, readFully } from './io.ts';
import type { Problem } from './verify-tree.ts';
import { BAD, FINE, GROWN, type Place, trouble } from './verify-tree.ts';

export interface Finding {
  chunk: number;
  /** 'reported': all files in it have been reported already. */
  outcome: 'same' | 'different' | 'not moved' | 'unchecked' | 'reported';
  /** Of the chunk. */
  bytes: number;
  /** Of files in it that could not be read to the end. */
  problems: Problem[];
}

export interface Inspected {
  receipt: Receipt;
  space: ByteSpace;
  place: Place;
  /** From the survey. */
  states: Uint8Array;
  digest: Digest;
  /** Chunks that may be inspected at a time. */
  buffers: number;
}

export class Inspector {
  readonly #its: Inspected;
  readonly #files: FdCache;
  readonly #free: Uint8Array[];

  constructor(its: Inspected) {
    this.#its = its;
    this.#files = new FdCache((entry) => this.#open(entry));
    this.#free = Array.from({ length: its.buffers }, () => new Uint8Array(its.receipt.chunkSize));
  }

  async inspect(chunk: number): Promise<Finding> {
    const { receipt, space, states } = this.#its;
    const extents = space.extents(chunk);
    const bytes = extents.reduce((sum, extent) => sum + extent.length, 0);
    const hash = receipt.chunks[chunk];
    const has = (state: number) => extents.some(({ entry }) => states[entry] === state);
    const finding = (outcome: Finding['outcome'], problems: Problem[] = []) => ({
      chunk,
      outcome,
      bytes,
      problems,
    });
    if (!hash) return finding('not moved');
    if (!has(FINE)) return finding('reported');
    if (has(BAD)) return finding('unchecked');
    const buffer = this.#free.pop()!;
    try {
      const problems = await this.#read(extents, buffer);
      if (has(BAD)) return finding(has(FINE) ? 'unchecked' : 'reported', problems);
      if (equalBytes(await this.#its.digest(buffer.subarray(0, bytes)), hash)) return finding('same');
      // It may be the grown file's beginning that differs, or another's content: nobody can tell.
      return finding(has(GROWN) ? 'unchecked' : 'different');
    } finally {
      this.#free.push(buffer);
    }
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  /** Goes on behind a file that fails, so that all of them are reported. */
  async #read(extents: readonly Extent[], into: Uint8Array): Promise<Problem[]> {
    const { receipt, states } = this.#its;
    const problems: Problem[] = [];
    for (const { entry, offset, length, at } of extents) {
      const { path } = receipt.entries[entry]!;
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
    return problems;
  }

  #open(entry: number): number {
    const { receipt, place } = this.#its;
    const fd = openSync(place(receipt.entries[entry]!.path), READ_FLAGS);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    // Another kind than a moment ago, as if O_NOFOLLOW had met a link.
    throw Object.assign(new Error('It is no file any more.'), { code: 'ELOOP' });
  }
}
