/** Files being put together in the staging folder, piece by piece and in any order. */
import { closeSync, ftruncateSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import type { Entry } from '../protocol/manifest.ts';
import type { Attributes } from './attributes.ts';
import { FdCache } from './fd-cache.ts';
import { CREATE_FLAGS, fromMicros, WRITE_FLAGS, writeFully } from './io.ts';
import type { Staging } from './staging.ts';

/** All of it throws Node's own errors. */
export class StagedFiles {
  readonly #staging: Staging;
  readonly #attributes: Attributes;
  readonly #entries: readonly Entry[];
  readonly #open = new FdCache((entry) => this.#openFile(entry));
  /** Bytes still missing of files that have been begun. */
  readonly #left = new Map<number, number>();

  constructor(staging: Staging, entries: readonly Entry[], attributes: Attributes) {
    this.#staging = staging;
    this.#entries = entries;
    this.#attributes = attributes;
  }

  /** A whole small file in one go, with mode and time; `data` undefined means zeros. Its path. */
  whole(index: number, data: Uint8Array | undefined): string {
    const entry = this.#entries[index]!;
    const path = this.#staging.file(index);
    const fd = openSync(path, CREATE_FLAGS, 0o600);
    try {
      if (!data) ftruncateSync(fd, entry.size);
      for (let at = 0; data && at < data.length; ) at += writeSync(fd, data, at, data.length - at, at);
      this.#attributes.apply(fd, entry);
    } catch (error) {
      this.forget(index);
      throw error;
    } finally {
      closeSync(fd);
    }
    return path;
  }

  /** A piece of a file. Its path once it is whole, with mode and time; undefined until then. */
  async piece(
    index: number,
    offset: number,
    length: number,
    data: Uint8Array | undefined,
  ): Promise<string | undefined> {
    const whole = await this.#open.use(index, async (fd) => {
      // A fresh file reads as zeros already.
      if (data) await writeFully(fd, data, offset);
      // Forgotten meanwhile.
      if (!this.#left.has(index)) return false;
      const left = this.#left.get(index)! - length;
      this.#left.set(index, left);
      return left === 0;
    });
    return whole ? await this.end(index, this.#entries[index]!.size) : undefined;
  }

  /** The file is `size` bytes long and has all of them. Its path. */
  async end(index: number, size: number): Promise<string> {
    await this.#open.use(index, async (fd) => {
      ftruncateSync(fd, size);
      this.#attributes.apply(fd, this.#entries[index]!);
    });
    this.#open.drop(index);
    this.#left.delete(index);
    return this.#staging.file(index);
  }

  link(index: number): string {
    const { target, path, mtime } = this.#entries[index]!;
    const staged = this.#staging.file(index);
    symlinkSync(target, staged);
    this.#attributes.linkTime(staged, path, fromMicros(mtime));
    return staged;
  }

  /** Removes what there is of a file. */
  forget(index: number): void {
    this.#open.drop(index);
    this.#left.delete(index);
    rmSync(this.#staging.file(index), { force: true });
  }

  /** Resolves once nothing is open, and what was being written is. */
  close(): Promise<void> {
    return this.#open.close();
  }

  /** The first time makes the file, at its full size but without blocks. */
  #openFile(index: number): number {
    const path = this.#staging.file(index);
    if (this.#left.has(index)) return openSync(path, WRITE_FLAGS);
    const { size } = this.#entries[index]!;
    const fd = openSync(path, CREATE_FLAGS, 0o600);
    try {
      ftruncateSync(fd, size);
    } catch (error) {
      closeSync(fd);
      rmSync(path, { force: true });
      throw error;
    }
    this.#left.set(index, size);
    return fd;
  }
}
