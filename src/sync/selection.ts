/** Which chunks a set of files concerns: what is not to be fetched, and what does not count. */
import { Bitfield } from '../base/bitfield.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { Sink } from './ports.ts';

/** Chunks in which no file is wanted, but for those that are here all the same. */
export function unwantedChunks(space: ByteSpace, sink: Sink, have: Bitfield): Bitfield {
  const unwanted = new Bitfield();
  if (space.stream) return unwanted;
  const skipped = new Set(space.filled.filter((entry) => !sink.wants(entry)));
  if (skipped.size === 0) return unwanted;
  // Only at its ends can a file share a chunk with others.
  const wanted = new Bitfield();
  for (const { entry, first, end } of space.occupied()) {
    if (skipped.has(entry)) continue;
    wanted.add(first);
    wanted.add(end - 1);
  }
  for (const { entry, first, end } of space.occupied()) {
    if (!skipped.has(entry)) continue;
    for (const edge of [first, end - 1]) if (!wanted.has(edge) && !have.has(edge)) unwanted.add(edge);
    unwanted.addRange(first + 1, end - 1, have);
  }
  return unwanted;
}
