/** What has arrived, read again to be passed on: where it is staged, or where it was put when it was whole. */
import { type BigIntStats, closeSync, fstatSync, openSync } from 'node:fs';
import { BeelineError, codeOf, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { Attributes } from './attributes.ts';
import { hashFile, READ_FLAGS, readFully, toMicros } from './io.ts';
import type { Placer } from './place.ts';
import { readPieces } from './source.ts';
import type { StagedFiles } from './staged-files.ts';

export interface ArrivedPorts {
  /** As they are written here, and as the sender names them. */
  entries: readonly Entry[];
  offered: readonly Entry[];
  space: ByteSpace;
  files: Pick<StagedFiles, 'path'>;
  placer: Pick<Placer, 'path' | 'placed'>;
  attributes: Attributes;
  /** Times that are less than so many microseconds apart may be one here. */
  step: number;
}

/** Nothing is held open, so that it can be read as long as it stands there. */
export class Arrived {
  readonly #ports: ArrivedPorts;

  constructor(ports: ArrivedPorts) {
    this.#ports = ports;
  }

  /** @throws BeelineError SOURCE_CHANGED or UNREADABLE, with the paths as the sender names them */
  read(extents: readonly Extent[], into: Uint8Array): Promise<number> {
    return readPieces(extents, async (extent) => {
      try {
        await this.#piece(extent, into);
      } catch (error) {
        throw this.#failure(extent.entry, error);
      }
    });
  }

  /**
   * Plain SHA-256 of each file that is in its place, in hex, by entry.
   * @throws BeelineError WRITE_FAILED, naming the file
   */
  async digests(): Promise<Map<number, string>> {
    const { entries, placer } = this.#ports;
    const digests = new Map<number, string>();
    for (const [index, { kind, path }] of entries.entries()) {
      if (kind !== 'file' || !placer.placed.has(index)) continue;
      try {
        digests.set(index, await hashFile(placer.path(index)));
      } catch (cause) {
        throw faultAt('FILE_NOT_READ_AGAIN', path, { why: codeOf(cause) }, cause);
      }
    }
    return digests;
  }

  async #piece({ entry, offset, length, at }: Extent, into: Uint8Array): Promise<void> {
    const { files, placer } = this.#ports;
    const placed = placer.placed.has(entry);
    const fd = openSync(placed ? placer.path(entry) : files.path(entry), READ_FLAGS);
    try {
      const got = await readFully(fd, into, at, length, offset);
      // Behind the read, so that a change is seen until then.
      if (got < length || (placed && !this.#untouched(entry, fstatSync(fd, { bigint: true }))))
        throw this.#changed(entry);
    } finally {
      closeSync(fd);
    }
  }

  /** It looks as when it was put there. */
  #untouched(entry: number, now: BigIntStats): boolean {
    const { entries, space, attributes, step } = this.#ports;
    const { mtime, size } = entries[entry]!;
    if (now.size !== BigInt(space.stream ? space.bytes! : size)) return false;
    return !attributes.kept || Math.abs(toMicros(now) - mtime) < step;
  }

  #changed(entry: number, cause?: unknown): BeelineError {
    const { path } = this.#ports.entries[entry]!;
    return fault('ARRIVED_CHANGED', { path: quoted(path) }, { cause, paths: this.#paths(entry) });
  }

  #failure(entry: number, error: unknown): BeelineError {
    if (error instanceof BeelineError) return error;
    const code = codeOf(error);
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code)) return this.#changed(entry, error);
    const { path } = this.#ports.entries[entry]!;
    return fault(
      'ARRIVED_UNREADABLE',
      { path: quoted(path), why: code || String(error) },
      { cause: error, paths: this.#paths(entry) },
    );
  }

  #paths(entry: number): string[] {
    return [this.#ports.offered[entry]!.path];
  }
}
