/** What lies here already where a chunk belongs: read back, hashed, and compared with what the sender has. */
import { createHash } from 'node:crypto';
import { openSync } from 'node:fs';
import { equalBytes } from '../protocol/bytes.ts';
import { BeelineError } from '../protocol/errors.ts';
import type { Extent } from '../transfer/ports.ts';
import { FdCache } from './fd-cache.ts';
import { READ_FLAGS, readFully } from './io.ts';

/** Bytes of a file of this side's own whose hash may be shown: the sender chooses how many it asks for. */
const GUESSABLE = 64;

/** The hash of a few bytes would tell the sender what they are. */
export function tellsTooMuch({ length }: Extent): boolean {
  return length < GUESSABLE;
}

export class LocalData {
  readonly #path: (entry: number) => string | undefined;
  readonly #open: FdCache;

  /** @param path where an entry's bytes lie now, right or not; undefined: nowhere */
  constructor(path: (entry: number) => string | undefined) {
    this.#path = path;
    this.#open = new FdCache((entry) => openSync(path(entry)!, READ_FLAGS));
  }

  /** All bytes of a chunk, or undefined if some are missing, or cannot be read. */
  async read(extents: readonly Extent[]): Promise<Uint8Array | undefined> {
    if (!extents.every(({ entry }) => this.#path(entry) !== undefined)) return undefined;
    const bytes = new Uint8Array(extents.reduce((sum, extent) => sum + extent.length, 0));
    for (const { entry, offset, length, at } of extents) {
      try {
        const got = await this.#open.use(entry, (fd) => readFully(fd, bytes, at, length, offset));
        if (got < length) return undefined;
      } catch {
        return undefined;
      }
    }
    return bytes;
  }

  async hash(extents: readonly Extent[]): Promise<Uint8Array | undefined> {
    const bytes = await this.read(extents);
    return bytes && createHash('sha256').update(bytes).digest();
  }

  /** The bytes that were hashed before, now that the sender has said that they are right. WRITE_FAILED if they changed. */
  async again(extents: readonly Extent[], sha256: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.read(extents);
    if (bytes && equalBytes(createHash('sha256').update(bytes).digest(), sha256)) return bytes;
    throw new BeelineError(
      'WRITE_FAILED',
      'A file here changed while it was being compared. Receive again once nothing writes to it.',
    );
  }

  close(): Promise<void> {
    return this.#open.close();
  }
}
