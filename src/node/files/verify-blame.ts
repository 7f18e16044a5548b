/** Whose content differs: a chunk has one hash, and may hold thousands of small files. */
import { lstatSync } from 'node:fs';
import type { Entry } from '../../offer/manifest.ts';
import type { Receipt } from '../../offer/receipt.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import { toMicros } from './io.ts';
import type { Place, Problem } from './verify-tree.ts';

/** Differing chunks of files that have chunks of their own, told once a file: when its last chunk has been seen. */
export class Differences {
  readonly #receipt: Receipt;
  readonly #space: ByteSpace;
  readonly #report: (problem: Problem) => void;
  readonly #found = new Map<number, { first: number; chunks: number }>();

  constructor(receipt: Receipt, space: ByteSpace, report: (problem: Problem) => void) {
    this.#receipt = receipt;
    this.#space = space;
    this.#report = report;
  }

  has(entry: number): boolean {
    return this.#found.has(entry);
  }

  add({ entry, offset }: Extent): void {
    const found = this.#found.get(entry) ?? { first: offset, chunks: 0 };
    found.chunks++;
    this.#found.set(entry, found);
  }

  /** A chunk and all before it have been seen. */
  passed(chunk: number): void {
    for (const [entry, { first, chunks }] of this.#found) {
      const { kind, entries } = this.#receipt;
      const its = kind === 'stream' ? { first: 0, end: this.#space.chunks } : this.#space.chunksOf(entry);
      if (its.end > chunk + 1) continue;
      this.#found.delete(entry);
      const all = its.end - its.first;
      const detail =
        all === 1
          ? 'has other content'
          : `has other content in ${chunks} of ${all} chunks, first after byte ${first}`;
      this.#report({ path: entries[entry]!.path, problem: 'content', detail });
    }
  }
}

export interface Blamed {
  entries: readonly Entry[];
  place: Place;
  differences: Differences;
  report: (problem: Problem) => void;
}

/** Of several files in a chunk that differs, those stand out whose time does; the chunk says no more. */
export function blame(extents: readonly Extent[], { entries, place, differences, report }: Blamed): void {
  if (extents.length === 1) return differences.add(extents[0]!);
  const suspects = extents.filter(
    ({ entry }) => differences.has(entry) || timeDiffers(place, entries[entry]!),
  );
  const pathOf = (extent: Extent) => entries[extent.entry]!.path;
  if (suspects.length === 0 || suspects.length === extents.length) {
    const last = pathOf(extents.at(-1)!);
    const detail = `or another of the ${extents.length} files from it to '${last}' has other content`;
    return report({ path: pathOf(extents[0]!), problem: 'content', detail });
  }
  for (const suspect of suspects) {
    if (differences.has(suspect.entry)) differences.add(suspect);
    else {
      const beside = `of the ${extents.length} files in a chunk that does, its time differs`;
      report({ path: pathOf(suspect), problem: 'content', detail: `has other content, it seems: ${beside}` });
    }
  }
}

/** Microseconds: two seconds, what FAT tells apart. */
const COARSEST = 2e6;

function timeDiffers(place: Place, entry: Entry): boolean {
  try {
    const found = toMicros(lstatSync(place(entry.path), { bigint: true }));
    return Math.abs(found - entry.mtime) >= COARSEST;
  } catch {
    return true;
  }
}
