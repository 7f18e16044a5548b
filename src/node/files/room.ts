/** Whether a disk has room, and whether it takes writes again after it did not. */
import { closeSync, fsync, openSync, rmSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Entry } from '../../offer/manifest.ts';
import type { ByteSpace } from '../../offer/space.ts';
import { CREATE_FLAGS, settled } from './io.ts';
import { inSlices } from './slices.ts';
import type { Staging } from './staging.ts';

/** Bytes. With less room than this, the transfer would soon stop again. */
const ENOUGH = 64 * 1024 * 1024;
const PROBE = new Uint8Array(64 * 1024);

/** Bytes that this user may still write there, or undefined where the system does not say. */
export function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/**
 * What is to come of a transfer, in bytes; 0 for a stream, of which nobody knows.
 * @param down chunks that are here, each once
 */
export async function missingBytes(
  space: ByteSpace,
  entries: readonly Entry[],
  down: Iterable<number>,
  wants: (entry: number) => boolean,
): Promise<number> {
  if (space.stream) return 0;
  let missing = 0;
  await inSlices(entries.entries(), ([entry, { size }]) => {
    if (wants(entry)) missing += size;
  });
  await inSlices(down, (chunk) => {
    for (const { entry, length } of space.extents(chunk)) if (wants(entry)) missing -= length;
  });
  return missing;
}

/** True if writing may go on. @param missing bytes that are still to come */
export async function canWriteAgain(staging: Staging, missing: number): Promise<boolean> {
  if (!staging.stands) return false;
  const free = freeBytes(dirname(staging.path));
  if (free !== undefined && free < Math.min(missing, ENOUGH)) return false;
  // A quota, a read-only file system and a drive that is gone show only when something is written.
  const path = staging.probe;
  try {
    // From a run that ended right here.
    rmSync(path, { force: true });
    const fd = openSync(path, CREATE_FLAGS, 0o600);
    try {
      writeSync(fd, PROBE);
      await settled((done) => fsync(fd, done));
    } finally {
      closeSync(fd);
      unlinkSync(path);
    }
    return true;
  } catch {
    return false;
  }
}
