/** A small mixed tree to receive: a few chunks, files of one and of several, links, folders, zeros. */
import type { Entry } from '../../src/offer/manifest.ts';
import { CHUNK, file, folder, hashOf, link, spaceOf } from '../node/files/helpers.ts';
import { randomBytes, randomFrom } from '../seed.ts';

/** So many small files that they are synced by `sync -f`. */
const MANY = Array.from({ length: 26 }, (_, i) => file(`top/many/f${i}`, 10 + i));
export const ENTRIES: readonly Entry[] = [
  folder('top'),
  file('top/a', 10, 0o600),
  file('top/b', 5000, 0o444),
  folder('top/empty', 0o500),
  file('top/large', 2 * CHUNK + 12_345),
  link('top/link', 'sub/c'),
  folder('top/many'),
  ...MANY,
  file('top/none', 0),
  folder('top/sub', 0o700),
  file('top/sub/c', 200_000),
  file('top/sub/half', CHUNK + 1000),
  file('top/two', CHUNK + 500),
  file('alone', 100),
].map((entry, i) => ({
  ...entry,
  mtime: entry.mtime + i,
  version: entry.kind === 'file' ? String(i).padStart(16, '0') : '',
}));
export const SPACE = spaceOf(ENTRIES);
/** By entry; the second half of top/sub/half is zeros, which come as holes. */
export const BYTES = ENTRIES.map(({ path, size }, i) => {
  const bytes = randomBytes(randomFrom(i), size);
  return path === 'top/sub/half' ? bytes.fill(0, CHUNK) : bytes;
});

export const CHUNKS = Array.from({ length: SPACE.chunks }, (_, chunk) => {
  const data = Buffer.alloc(SPACE.length(chunk));
  for (const { entry, offset, length, at } of SPACE.extents(chunk))
    BYTES[entry]!.copy(data, at, offset, offset + length);
  return { data, hash: hashOf(data), zero: !data.some((byte) => byte !== 0) };
});

/** What a whole transfer leaves. */
export const EXPECTED = ENTRIES.map((entry, i) => {
  const { path, kind, target, mtime, mode } = entry;
  const what = { file: hex(BYTES[i]!), folder: 'folder', link: `-> ${target}` }[kind];
  return `${path} ${kind === 'link' ? 'link' : mode.toString(8)} ${mtime} ${what}`;
}).sort();

export function hex(bytes: Uint8Array): string {
  return Buffer.from(hashOf(bytes)).toString('hex');
}
