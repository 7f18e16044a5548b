/** How the journal of a transfer begins in this browser, and what the transfer is known by. */
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex, Writer } from '../../base/bytes.ts';
import { COMMON_HASH } from '../../offer/hashing.ts';
import { type Entry, encodePages } from '../../offer/manifest.ts';
import type { ByteSpace } from '../../offer/space.ts';
import type { JournalRecord } from '../../sync/store/journal-records.ts';

/** @param created of an earlier run, in ms since 1970 */
export function beginning(
  entries: readonly Entry[],
  { chunkSize, stream }: ByteSpace,
  created = Date.now(),
): JournalRecord[] {
  const pages = encodePages(entries);
  return [
    { type: 'begin', created, chunkSize, pages: pages.length, stream, hash: COMMON_HASH },
    ...pages.map((bytes, page): JournalRecord => ({ type: 'page', page, bytes })),
  ];
}

/**
 * The same for every offer of the same files, cut into the same chunks: 32 hex digits, fit for a folder's name. Of a stream another one
 * each time: it cannot be gone on with, and another one of its name is none of its business.
 */
export function transferKey(
  entries: readonly Entry[],
  { chunkSize, stream }: Pick<ByteSpace, 'chunkSize' | 'stream'>,
): string {
  if (stream) return crypto.randomUUID().replaceAll('-', '');
  const hash = sha256.create().update(new Writer().u32(chunkSize).done());
  for (const page of encodePages(entries)) hash.update(page);
  return toHex(hash.digest()).slice(0, 32);
}
