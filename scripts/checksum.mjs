// The checksum of a file beside it, in a line as `sha256sum` writes and reads it.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

const LINE = /^([0-9a-f]{64}) {2}(\S+)\n$/;

export function writeChecksum(file) {
  const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
  writeFileSync(`${file}.sha256`, `${sum}  ${basename(file)}\n`);
}

/** What such a line says: the sum, and the file's name. */
export function readChecksum(path) {
  const [, sum, file] = LINE.exec(readFileSync(path, 'utf8')) ?? [];
  if (!sum) throw new Error(`${path} is no checksum`);
  return { sum, file };
}
