/**
 * What an earlier run left has hashes of another kind than the offer that goes on with it: it is read once, checked against those, and
 * hashed anew. So only what cannot be read whole, or is not what it was, moves again. The receiver cannot avoid it by asking for
 * the hash of its journal: it says hello before it knows which offer that is of.
 */
import { equalBytes } from '../../base/bytes.ts';
import { type ChunkHash, ChunkHashes } from '../../offer/merkle.ts';
import type { Digest } from '../ports.ts';

/** Chunks at a time: the disk reads one while another is hashed. Each is in memory whole. */
const AT_ONCE = 4;

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
  const left = chunks[Symbol.iterator]();
  let failed = false;
  const work = async () => {
    for (let next = left.next(); !next.done && !failed; next = left.next()) {
      const { index, hash } = next.value;
      const bytes = await read(index);
      if (bytes && equalBytes(await from(bytes), hash)) anew.set(index, await to(bytes));
    }
  };
  const all = Array.from({ length: AT_ONCE }, () =>
    work().catch((error) => {
      failed = true;
      throw error;
    }),
  );
  // Whoever hears of a failure may close what is read from: nothing reads any more by then.
  await Promise.allSettled(all);
  await Promise.all(all);
  return anew;
}
