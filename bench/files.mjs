/** Test data: random files and trees, and the byte-by-byte comparison of what arrived. */
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const BLOCK = 4 << 20;

export function makeFile(path, size) {
  const block = Buffer.allocUnsafe(BLOCK);
  const file = openSync(path, 'wx');
  for (let left = size; left > 0; ) {
    randomFillSync(block);
    left -= writeSync(file, block, 0, Math.min(left, BLOCK));
  }
  closeSync(file);
}

const SPOT = 4096;

/** A file of `size` bytes, all holes but for `count` spots of 4 KiB random bytes, whose offsets it returns. */
export function makeSparse(path, size, count) {
  const file = openSync(path, 'wx');
  ftruncateSync(file, size);
  const spots = Array.from({ length: count }, (_, i) => Math.floor(((size - SPOT) / count) * i));
  for (const at of spots) writeSync(file, randomFillSync(Buffer.allocUnsafe(SPOT)), 0, SPOT, at);
  closeSync(file);
  return spots;
}

/** Throws unless both files have one size and the same bytes at these offsets. */
export function sameSpots(a, b, spots) {
  const size = statSync(a).size;
  if (statSync(b).size !== size) throw new Error(`${b} has ${statSync(b).size} bytes, not ${size}.`);
  const files = [a, b].map((path) => openSync(path, 'r'));
  const [one, two] = [Buffer.allocUnsafe(SPOT), Buffer.allocUnsafe(SPOT)];
  try {
    for (const at of spots) {
      readSync(files[0], one, 0, SPOT, at);
      if (readSync(files[1], two, 0, SPOT, at) !== SPOT || !one.equals(two))
        throw new Error(`${b} differs from ${a} in the 4096 bytes from ${at} on.`);
    }
  } finally {
    files.forEach(closeSync);
  }
}

/** `count` files of `size` random bytes, a hundred to a folder. */
export function makeTree(root, count, size) {
  const data = Buffer.allocUnsafe(size);
  for (let i = 0; i < count; i++) {
    const folder = join(root, `folder-${String(Math.floor(i / 100)).padStart(4, '0')}`);
    if (i % 100 === 0) mkdirSync(folder, { recursive: true });
    randomFillSync(data);
    makeBytes(join(folder, `file-${String(i).padStart(6, '0')}`), data);
  }
}

function makeBytes(path, data) {
  const file = openSync(path, 'wx');
  writeSync(file, data);
  closeSync(file);
}

/** Throws unless both files hold the same bytes. */
export function sameFile(a, b) {
  const size = statSync(a).size;
  if (statSync(b).size !== size) throw new Error(`${b} has ${statSync(b).size} bytes, not ${size}.`);
  const left = openSync(a, 'r');
  const right = openSync(b, 'r');
  const one = Buffer.allocUnsafe(BLOCK);
  const two = Buffer.allocUnsafe(BLOCK);
  try {
    for (let at = 0; at < size; ) {
      const read = readSync(left, one, 0, BLOCK, at);
      if (read === 0 || readSync(right, two, 0, read, at) !== read)
        throw new Error(`${b} could not be read.`);
      if (!one.subarray(0, read).equals(two.subarray(0, read)))
        throw new Error(`${b} differs from ${a} between bytes ${at} and ${at + read}.`);
      at += read;
    }
  } finally {
    closeSync(left);
    closeSync(right);
  }
}

/** Throws unless both trees have the same names and each file the same bytes. */
export function sameTree(a, b) {
  const names = (root) => readdirSync(root, { recursive: true }).map(String).sort();
  const here = names(a);
  const there = names(b);
  if (here.length !== there.length || here.some((name, i) => name !== there[i]))
    throw new Error(`${b} has ${there.length} names and ${a} has ${here.length}, or they are other names.`);
  for (const name of here) {
    if (!statSync(join(a, name)).isFile()) continue;
    if (!readFileSync(join(a, name)).equals(readFileSync(join(b, name))))
      throw new Error(`${join(b, name)} differs from what was sent.`);
  }
}
