/** Where things lie in a byte space that is kept whole: a chunk at its place, a file as one slice of it. */
import type { ByteSpace } from '../../offer/space.ts';

/** Bytes from the beginning of the space to the end of its last chunk; 0 for a stream that has not ended. */
export function lengthOf(space: ByteSpace): number {
  const { chunks, chunkSize } = space;
  if (chunks === 0 || chunks === Number.POSITIVE_INFINITY) return 0;
  return (chunks - 1) * chunkSize + space.length(chunks - 1);
}

/** Where a file begins. A chunk's data is its extents without gaps, and a file's next chunk begins where this one ends. */
export function startOf(space: ByteSpace, entry: number): number {
  const { first, end } = space.chunksOf(entry);
  if (first === end) return 0;
  return first * space.chunkSize + space.extents(first).find((extent) => extent.entry === entry)!.at;
}
