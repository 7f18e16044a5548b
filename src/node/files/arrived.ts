/** Reads again what has arrived, to pass it on: from the staged file, or from the final place of a whole file. */
import { type BigIntStats, closeSync, fstatSync, openSync } from 'node:fs';
import { type BeelineError, codeOf, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import type { Extent } from '../../offer/space.ts';
import { hashFile, READ_FLAGS, readFully, toMicros } from './io.ts';
import type { Job } from './job.ts';
import type { Placer } from './place.ts';
import { digestsOf, readPieces } from './source.ts';
import type { StagedFiles } from './staged-files.ts';

/** No file is held open, so it can be read as long as it stands there. */
export class Arrived {
  readonly #job: Job;
  readonly #files: StagedFiles;
  readonly #placer: Placer;

  constructor(job: Job, files: StagedFiles, placer: Placer) {
    this.#job = job;
    this.#files = files;
    this.#placer = placer;
  }

  /** @throws BeelineError SOURCE_CHANGED or UNREADABLE, with the paths as the sender names them */
  read(extents: readonly Extent[], into: Uint8Array): Promise<number> {
    return readPieces(
      extents,
      (extent) => this.#piece(extent, into),
      (entry, error) => this.#failure(entry, error),
    );
  }

  /**
   * Plain SHA-256 of each file that is in its place, in hex, by entry.
   * @throws BeelineError WRITE_FAILED, naming the file
   */
  digests(): Promise<Map<number, string>> {
    const { entries } = this.#job;
    return digestsOf(entries, async (entry) => {
      if (!this.#placer.placed.has(entry)) return undefined;
      return hashFile(this.#placer.path(entry)).catch((cause) => {
        throw faultAt('FILE_NOT_READ_AGAIN', entries[entry]!.path, { why: codeOf(cause) }, cause);
      });
    });
  }

  async #piece({ entry, offset, length, at }: Extent, into: Uint8Array): Promise<void> {
    const placed = this.#placer.placed.has(entry);
    const fd = openSync(placed ? this.#placer.path(entry) : this.#files.path(entry), READ_FLAGS);
    try {
      const got = await readFully(fd, into, at, length, offset);
      // After the read, so that a change before or during it is seen.
      if (got < length || (placed && !this.#untouched(entry, fstatSync(fd, { bigint: true }))))
        throw this.#fault('ARRIVED_CHANGED', entry);
    } finally {
      closeSync(fd);
    }
  }

  /** It looks as when it was put there. */
  #untouched(entry: number, now: BigIntStats): boolean {
    const { entries, space, attributes, step } = this.#job;
    const { mtime, size } = entries[entry]!;
    if (now.size !== BigInt(space.stream ? space.bytes! : size)) return false;
    return !attributes.kept || Math.abs(toMicros(now) - mtime) < step;
  }

  #failure(entry: number, error: unknown): BeelineError {
    const gone = ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error));
    return this.#fault(gone ? 'ARRIVED_CHANGED' : 'ARRIVED_UNREADABLE', entry, error);
  }

  #fault(reason: 'ARRIVED_CHANGED' | 'ARRIVED_UNREADABLE', entry: number, cause?: unknown): BeelineError {
    const { entries, offered } = this.#job;
    const about = { path: quoted(entries[entry]!.path), why: codeOf(cause) || String(cause) };
    return fault(reason, about, { cause, paths: [offered[entry]!.path] });
  }
}
