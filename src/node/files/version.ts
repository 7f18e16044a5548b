/**
 * What tells a file's content from any other without reading it: device, inode, size and the times of its last
 * changes, under a
 * key of this machine's, so that nobody else can claim to have the same file, and none of them is told to anybody.
 */
import { hash } from 'node:crypto';
import type { BigIntStats, Stats } from 'node:fs';

/** Exact: an inode of some file systems does not fit a double. */
export type FileStat = Pick<BigIntStats, 'size' | 'mtimeNs' | 'ino' | 'dev'>;

/** Hex digits of a version. */
const DIGITS = 16;
/** Bytes of a key. */
export const VERSION_KEY = 32;

/**
 * Names versions as a manifest entry's `version` does: 16 hex digits. With the time of the last change of status too: whoever
 * edits in place and puts the modification time back cannot put that back. All parts have a fixed length and the result is
 * cut, so that a plain hash over key and parts is a sound MAC.
 * @param key VERSION_KEY bytes that only this user of this machine knows
 */
export function versionsBy(key: Uint8Array): (stat: FileStat & Pick<BigIntStats, 'ctimeNs'>) => string {
  const buffer = new Uint8Array(VERSION_KEY + 40);
  const parts = new DataView(buffer.buffer, VERSION_KEY);
  buffer.set(key.subarray(0, VERSION_KEY));
  return ({ dev, ino, size, mtimeNs, ctimeNs }) => {
    // What is beyond 64 bits is cut.
    parts.setBigInt64(0, dev);
    parts.setBigInt64(8, ino);
    parts.setBigInt64(16, size);
    parts.setBigInt64(24, mtimeNs);
    parts.setBigInt64(32, ctimeNs);
    // No slice of all digits, which would keep all of them in memory.
    return hash('sha256', buffer, 'buffer').toString('hex', 0, DIGITS / 2);
  };
}

/** How far the doubles of one time in milliseconds may lie apart; writing a file takes longer. */
const DOUBLES_MS = 0.0005;
/** Numbers that a stat has here. */
const PARTS = 4;

/** What was seen of each entry, in 32 bytes: as objects, those of a million would take hundreds of megabytes. */
export class SeenStats {
  #parts = new BigInt64Array(PARTS * 1024);
  #end = 0;

  push({ size, mtimeNs, ino, dev }: FileStat): void {
    if (this.#end === this.#parts.length) {
      const grown = new BigInt64Array(2 * this.#end);
      grown.set(this.#parts);
      this.#parts = grown;
    }
    this.#parts[this.#end++] = size;
    this.#parts[this.#end++] = mtimeNs;
    this.#parts[this.#end++] = ino;
    this.#parts[this.#end++] = dev;
  }

  /** What was seen of an entry, in 64 bits a number. */
  at(entry: number): FileStat {
    const parts = this.#parts;
    const at = PARTS * entry;
    return { size: parts[at]!, mtimeNs: parts[at + 1]!, ino: parts[at + 2]!, dev: parts[at + 3]! };
  }

  /**
   * The same by a stat in doubles, which costs half of one with all bits. True: it looks as it did, since nothing can change a file
   * so soon after its last change that a double would not show it. False says nothing.
   */
  alike(entry: number, now: Pick<Stats, 'size' | 'mtimeMs' | 'ino' | 'dev'>): boolean {
    const parts = this.#parts;
    const at = PARTS * entry;
    return (
      now.size === Number(parts[at]) &&
      now.ino === Number(parts[at + 2]) &&
      now.dev === Number(parts[at + 3]) &&
      Math.abs(now.mtimeMs - Number(parts[at + 1]) / 1e6) < DOUBLES_MS
    );
  }

  /** It looks as it did. */
  same(entry: number, now: FileStat): boolean {
    const { size, mtimeNs, ino, dev } = this.at(entry);
    return equal(now.size, size) && equal(now.mtimeNs, mtimeNs) && equal(now.ino, ino) && equal(now.dev, dev);
  }
}

/** Whether one is what was seen: inodes use all 64 bits, and some times more. */
export function equal(one: bigint, seen: bigint): boolean {
  return BigInt.asIntN(64, one) === seen;
}
