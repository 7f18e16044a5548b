/** Positional reads and writes of whole ranges, and times in microseconds. */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  read,
  rmdirSync,
  statSync,
  utimesSync,
  write,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_TIME_S } from '../../base/limits.ts';
import type { Entry } from '../../offer/manifest.ts';

/** Windows has no such flag; there a link is caught by lstat alone. */
const NOFOLLOW = constants.O_NOFOLLOW ?? 0;
/** Non-blocking, so that a file swapped for a FIFO cannot hang the open. */
export const READ_FLAGS = constants.O_RDONLY | NOFOLLOW | (constants.O_NONBLOCK ?? 0);
export const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW;
export const UPDATE_FLAGS = constants.O_RDWR | NOFOLLOW;
export const FOLDER_FLAGS = constants.O_RDONLY | NOFOLLOW | (constants.O_DIRECTORY ?? 0);

const HASH_BUFFER = 1024 * 1024;

/** Fills `length` bytes of `into` from `at`; resolves with fewer only at the end of the file. Node's error codes. */
export async function readFully(
  fd: number,
  into: Uint8Array,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const from = done;
    const got = await settled<number>((end) =>
      read(fd, into, at + from, length - from, position + from, end),
    );
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** Writes all of `data` at `position`. Node's error codes. */
export async function writeFully(fd: number, data: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < data.length) {
    const from = done;
    done += await settled<number>((end) => write(fd, data, from, data.length - from, position + from, end));
  }
}

/** Plain SHA-256 of a file in hex, read once from start to end; a link is not followed. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(HASH_BUFFER);
  const fd = openSync(path, READ_FLAGS);
  try {
    for (let at = 0; ; ) {
      const got = await readFully(fd, buffer, 0, buffer.length, at);
      hash.update(buffer.subarray(0, got));
      at += got;
      if (got < buffer.length) return hash.digest('hex');
    }
  } finally {
    closeSync(fd);
  }
}

/** Modification time in whole microseconds, rounded down; from nanoseconds, since Node's double may be a quarter off. */
export function toMicros({ mtimeNs }: Pick<BigIntStats, 'mtimeNs'>): number {
  return Number(mtimeNs / 1000n) - (mtimeNs % 1000n < 0n ? 1 : 0);
}

/** The same with the nanoseconds on top, as a manifest entry has it; beyond what one can say, the nearest that it can. */
export function timeOf(stat: Pick<BigIntStats, 'mtimeNs'>): Pick<Entry, 'mtime' | 'nanos'> {
  const mtime = toMicros(stat);
  const nanos = Number(((stat.mtimeNs % 1000n) + 1000n) % 1000n);
  if (Number.isSafeInteger(mtime)) return nanos ? { mtime, nanos } : { mtime };
  const seconds = Math.min(Math.max(Math.round(mtime / 1e6), -MAX_TIME_S), MAX_TIME_S);
  return { mtime: seconds * 1e6 };
}

/**
 * What utimes takes: seconds. The half keeps what doubles and libuv's rounding lose inside the microsecond. Before 1970 it is a
 * text, since Node takes a negative number for now.
 */
export function fromMicros(mtime: number): number | string {
  if (mtime >= 0) return (mtime + 0.5) / 1e6;
  truncates ??= findOut();
  return String((mtime + (truncates ? -0.5 : 0.5)) / 1e6);
}

/** Whether libuv cuts times before 1970 towards zero, as it did, or down, as it does since it keeps nanoseconds. */
let truncates: boolean | undefined;

/** By trying: which version changed it is nobody's promise. */
function findOut(): boolean {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'beeline-'));
    try {
      utimesSync(folder, 1, '-1.5e-6');
      return toMicros(statSync(folder, { bigint: true })) === -1;
    } finally {
      rmdirSync(folder);
    }
  } catch {
    // Without a place to try it a time before 1970 may be a microsecond off.
    return false;
  }
}

/** What one of node:fs's functions calls back with, as that is at this moment. */
export function settled<T = void>(
  run: (done: (error?: Error | null, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) =>
    run((error, value) => (error ? reject(error) : resolve(value as T))),
  );
}
