/** Files being put together in the staging folder, piece by piece and in any order. */
import {
  chmodSync,
  closeSync,
  fdatasync,
  ftruncateSync,
  lutimesSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { codeOf } from '../../base/errors.ts';
import type { StagedPieces as Staged } from '../../sync/store/chunk-writer.ts';
import { isZero } from '../../sync/zeros.ts';
import { FdCache } from './fd-cache.ts';
import { CREATE_FLAGS, fromMicros, settled, UPDATE_FLAGS, writeFully } from './io.ts';
import type { Job } from './job.ts';

const LOOK = new Uint8Array(128 * 1024);
const ZEROS = new Uint8Array(LOOK.length);

/** All of it throws Node's own errors. */
export class StagedFiles implements Staged {
  readonly #job: Job;
  readonly #open = new FdCache((entry) => this.#openFile(entry));
  /** Bytes still missing of files that have been begun. */
  readonly #left = new Map<number, number>();
  /** Files of an earlier run: whatever it wrote, and did not journal, may be where something else belongs. */
  readonly #adopted = new Set<number>();

  constructor(job: Job) {
    this.#job = job;
  }

  /** An earlier run left this one, with all but `left` bytes certain. */
  adopt(index: number, left: number): void {
    // It may be whole and read-only already.
    if (this.#job.attributes.modes) chmodSync(this.path(index), 0o600);
    this.#left.set(index, left);
    this.#adopted.add(index);
  }

  /** What lies in an adopted file counts already where it belongs. */
  adopted(index: number): boolean {
    return this.#adopted.has(index);
  }

  path(index: number): string {
    return this.#job.staging.file(this.#job.entries[index]!.path);
  }

  /** A whole small file in one go, with mode and time; `data` undefined means zeros. Its path. */
  whole(index: number, data: Uint8Array | undefined): string {
    const entry = this.#job.entries[index]!;
    const path = this.path(index);
    const fd = this.#create(path);
    try {
      if (!data) ftruncateSync(fd, entry.size);
      for (let at = 0; data && at < data.length; ) at += writeSync(fd, data, at, data.length - at, at);
      this.#job.attributes.apply(fd, entry);
    } catch (error) {
      this.forget(index);
      throw error;
    } finally {
      closeSync(fd);
    }
    return path;
  }

  /** A piece of a file. Its path once it is whole, with mode and time; undefined until then. */
  piece(
    index: number,
    offset: number,
    length: number,
    data: Uint8Array | undefined,
  ): Promise<string | undefined> {
    return this.#count(index, length, async (fd) => {
      if (data) await writeFully(fd, data, offset);
      // A fresh file reads as zeros already.
      else if (this.#adopted.has(index)) clear(fd, offset, length);
    });
  }

  /** A piece that lies where it belongs. As `piece`. */
  keep(index: number, length: number): Promise<string | undefined> {
    return this.#count(index, length, async () => {});
  }

  /** The file is `size` bytes long and has all of them. Its path. */
  async end(index: number, size: number): Promise<string> {
    await this.#open.use(index, async (fd) => {
      ftruncateSync(fd, size);
      this.#job.attributes.apply(fd, this.#job.entries[index]!);
    });
    this.#open.drop(index);
    this.#left.delete(index);
    return this.path(index);
  }

  link(index: number): string {
    const { target, path, mtime } = this.#job.entries[index]!;
    const staged = this.path(index);
    rmSync(staged, { force: true });
    symlinkSync(target, staged);
    const time = fromMicros(mtime);
    this.#job.attributes.attempt(path, () => lutimesSync(staged, time, time));
    return staged;
  }

  /** The data of a file that is being put together is on the disk. False if it is no longer being put together. */
  async sync(index: number): Promise<boolean> {
    if (!this.#left.has(index)) return false;
    await this.#open.use(index, (fd) => settled((done) => fdatasync(fd, done)));
    return true;
  }

  /** Removes what there is of a file. */
  forget(index: number): void {
    this.#open.drop(index);
    this.#left.delete(index);
    this.#adopted.delete(index);
    rmSync(this.path(index), { force: true });
  }

  /** Resolves once nothing is open, and what was being written is. */
  close(): Promise<void> {
    return this.#open.close();
  }

  async #count(
    index: number,
    length: number,
    work: (fd: number) => Promise<void>,
  ): Promise<string | undefined> {
    const whole = await this.#open.use(index, async (fd) => {
      await work(fd);
      // Forgotten meanwhile.
      if (!this.#left.has(index)) return false;
      const left = this.#left.get(index)! - length;
      this.#left.set(index, left);
      return left === 0;
    });
    return whole ? await this.end(index, this.#job.entries[index]!.size) : undefined;
  }

  /** At its full size from the first time on, but without blocks. */
  #openFile(index: number): number {
    const path = this.path(index);
    const { size } = this.#job.entries[index]!;
    const fd = this.#left.has(index) ? openSync(path, UPDATE_FLAGS) : this.#create(path);
    try {
      ftruncateSync(fd, size);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    if (!this.#left.has(index)) this.#left.set(index, size);
    return fd;
  }

  /** Whatever of that name an earlier run left, and nobody adopted, is in the way. */
  #create(path: string): number {
    try {
      return openSync(path, CREATE_FLAGS, 0o600);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      rmSync(path);
      return openSync(path, CREATE_FLAGS, 0o600);
    }
  }
}

/** Zeros a range, without filling what is a hole already, and through one small buffer, however fast holes are read. */
function clear(fd: number, offset: number, length: number): void {
  for (let done = 0; done < length; ) {
    const got = readSync(fd, LOOK, 0, Math.min(LOOK.length, length - done), offset + done);
    if (got === 0) return;
    if (!isZero(LOOK.subarray(0, got)))
      for (let put = 0; put < got; ) put += writeSync(fd, ZEROS, put, got - put, offset + done + put);
    done += got;
  }
}
