/**
 * What an earlier run left has hashes of another kind than the offer that goes on with it: it is read once, checked against those, and
 * hashed anew. So nothing of it moves again.
 */
import { equalBytes } from '../../base/bytes.ts';
import { type ChunkHash, ChunkHashes } from '../../offer/merkle.ts';
import type { Digest } from '../ports.ts';

export interface Rehashing {
  /** What the hashes that are here were made with, and what they are to be made with. */
  from: Digest;
  to: Digest;
  /** All bytes of a chunk; undefined if they cannot be read. */
  read: (chunk: number) => Promise<Uint8Array | undefined>;
}

/** Chunks that cannot be read, or are not any more what they were, are left out: they move again. */
export async function rehashed(
  chunks: Iterable<ChunkHash>,
  { from, to, read }: Rehashing,
): Promise<ChunkHashes> {
  const anew = new ChunkHashes();
  for (const { index, hash } of chunks) {
    const bytes = await read(index);
    if (bytes && equalBytes(await from(bytes), hash)) anew.set(index, await to(bytes));
  }
  return anew;
}
