/**
 * What tells a file's content from any other without reading it: device, inode, size and the times of its last
 * changes, under a
 * key of this machine's, so that nobody else can claim to have the same file, and none of them is told to anybody.
 */
import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';

/** Exact: an inode of some file systems does not fit a double. */
export type FileStat = Pick<BigIntStats, 'size' | 'mtimeNs' | 'ino' | 'dev'>;

/** Bytes of a key. */
export const VERSION_KEY = 32;

/**
 * Names versions as a manifest entry's `version` does: 16 hex digits. With the time of the last change of status too: whoever
 * edits in place and puts the modification time back cannot put that back. All parts have a fixed length and the result is
 * cut, so that a plain hash over key and parts is a sound MAC.
 * @param key VERSION_KEY bytes that only this user of this machine knows
 */
export function versionsBy(key: Uint8Array): (stat: FileStat & Pick<BigIntStats, 'ctimeNs'>) => string {
  const buffer = Buffer.alloc(VERSION_KEY + 40);
  buffer.set(key.subarray(0, VERSION_KEY));
  return ({ dev, ino, size, mtimeNs, ctimeNs }) => {
    for (const [i, part] of [dev, ino, size, mtimeNs, ctimeNs].entries())
      buffer.writeBigInt64BE(BigInt.asIntN(64, part), VERSION_KEY + 8 * i);
    return hash('sha256', buffer, 'hex').slice(0, 16);
  };
}

export function sameFile(now: FileStat, before: FileStat): boolean {
  return (
    now.size === before.size &&
    now.mtimeNs === before.mtimeNs &&
    now.ino === before.ino &&
    now.dev === before.dev
  );
}
