/** Trees as people have them: of one file, or of 200,000, most of them tiny. And whether two are the same. */
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from '../seed.ts';

type Random = () => number;

const MOST_FILES = 200_000;
/** Files in one folder. */
const FULL_FOLDER = 2000;
/** Bytes of one tree, about. */
const MOST_BYTES = 150e6;

/** Few trees are large. */
export function filesOf(random: Random): number {
  const [low, high] = [
    [1, 20],
    [20, 500],
    [20, 500],
    [500, 5000],
    [500, 5000],
    [5000, 20_000],
    [5000, 20_000],
    [1, 1],
    [20_000, 60_000],
    [60_000, MOST_FILES],
  ][Math.min(9, Math.floor(random() ** 1.4 * 10.2))]!;
  return Math.floor(low! + random() * (high! - low!));
}

/** Makes a tree of so many files; returns its bytes. */
export function plantMany(folder: string, files: number, random: Random): number {
  const text = randomBytes(random, 1 << 16);
  const block = Buffer.concat(Array.from({ length: 64 }, () => text));
  let path = folder;
  let bytes = 0;
  for (let i = 0; i < files; i++) {
    if (i % FULL_FOLDER === 0) {
      path = i > 0 && random() < 0.3 ? join(path, `d${i}`) : join(folder, `d${i}`);
      mkdirSync(path, { recursive: true });
    }
    const size = bytes > MOST_BYTES ? Math.floor(random() * 20) : sizeOf(random);
    const from = Math.floor(random() * (block.length - size));
    writeFileSync(join(path, `f${i}`), block.subarray(from, from + size));
    bytes += size;
  }
  return bytes;
}

function sizeOf(random: Random): number {
  const dice = random();
  if (dice < 0.1) return 0;
  if (dice < 0.7) return Math.floor(random() * 200);
  if (dice < 0.97) return Math.floor(random() * 8192);
  if (dice < 0.998) return Math.floor(random() * 200_000);
  return Math.floor(random() * 3_000_000);
}

/** The first difference between two trees, in words; undefined if they are the same. */
export function difference(one: string, other: string): string | undefined {
  const names = readdirSync(one).sort();
  const theirs = readdirSync(other).sort();
  if (names.join('\n') !== theirs.join('\n')) {
    const missing = names.filter((name) => !theirs.includes(name)).slice(0, 5);
    const strange = theirs.filter((name) => !names.includes(name)).slice(0, 5);
    return `${other}: missing ${missing.join(' ') || 'nothing'}, too much ${strange.join(' ') || 'nothing'}`;
  }
  for (const name of names) {
    const [left, right] = [join(one, name), join(other, name)];
    if (lstatSync(left).isDirectory()) {
      const found = difference(left, right);
      if (found) return found;
    } else if (!readFileSync(left).equals(readFileSync(right))) return `${right}: other bytes`;
  }
  return undefined;
}
