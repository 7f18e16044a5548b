/** Which chunks a set of files concerns: what is not to be fetched, and what does not count. */
import type { Entry } from '../protocol/manifest.ts';
import { HaveMap } from './have.ts';
import type { Sink } from './ports.ts';
import type { ByteSpace } from './space.ts';

/** Chunks in which no file is wanted, but for those that are here all the same. */
export function unwantedChunks(
  space: ByteSpace,
  entries: readonly Entry[],
  sink: Sink,
  have: HaveMap,
): HaveMap {
  const unwanted = new HaveMap();
  for (let entry = 0; entry < entries.length; entry++) {
    if (space.stream || sink.wants(entry)) continue;
    const { first, end } = space.chunksOf(entry);
    for (let chunk = first; chunk < end; chunk++) {
      if (have.has(chunk)) continue;
      // Only at its ends can a file share a chunk with others.
      const inside = chunk > first && chunk < end - 1;
      if (inside || !space.extents(chunk).some((extent) => sink.wants(extent.entry))) unwanted.add(chunk);
    }
  }
  return unwanted;
}

/** A stream's end is the sender's word, and chunks past it do not make up for missing ones. */
export function allDown(space: ByteSpace, have: HaveMap, unwanted: HaveMap): boolean {
  if (space.stream) return have.firstMissing >= space.chunks;
  return have.count + unwanted.count >= space.chunks;
}

/** Whether a chunk holds bytes of any of these entries: such chunks count as not moved in the root. */
export function touches(space: ByteSpace, entries: ReadonlySet<number>): (chunk: number) => boolean {
  if (entries.size === 0) return () => false;
  return (chunk) => space.extents(chunk).some((extent) => entries.has(extent.entry));
}
