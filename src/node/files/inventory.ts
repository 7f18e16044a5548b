/**
 * What an earlier run left for a new one: which chunks are certain, which may be right and are worth
 * comparing, which files stand already, and what was decided about names. Nothing is read but the journal and stats.
 */
import { type BigIntStats, lstatSync, readlinkSync, rmSync } from 'node:fs';
import { Bitfield } from '../../base/bitfield.ts';
import { COMMON_HASH, type HashName } from '../../offer/hashing.ts';
import type { Entry } from '../../offer/manifest.ts';
import { ChunkHashes } from '../../offer/merkle.ts';
import { ByteSpace, type Extent } from '../../offer/space.ts';
import type { Decided } from './conflicts.ts';
import { toMicros } from './io.ts';
import { inSlices } from './slices.ts';
import type { FoundStaging } from './staging.ts';

/** A smaller piece is not compared, but sent. */
export const LEAST_COMPARED_BYTES = 16 * 1024;

/**
 * Whether the sender may learn that a piece of a file is what it has. It chooses where files end in its manifest: a piece
 * that ends wherever it likes would let it find out a file byte by byte, each time with only the next few to try.
 * @param end how long the file is that is here
 */
export function mayTell({ offset, length }: Extent, end: number, chunkSize: number): boolean {
  const endsThere = (offset + length) % chunkSize === 0 || offset + length === end;
  return endsThere && length >= LEAST_COMPARED_BYTES;
}

export class Inventory {
  /** What the hashes in `chunks` and `guesses` are made with. */
  hash: HashName = COMMON_HASH;
  /** Chunks that are certain, with their hashes. */
  chunks = new ChunkHashes();
  /** Hashes of chunks that lie in their places and may not be the sender's any more. */
  guesses = new ChunkHashes();
  /** Entries that stand under their final names, as this transfer put them there. */
  readonly placed = new Set<number>();
  /** Entries with a staged file, and how many of their bytes are in no certain chunk. */
  readonly staged = new Map<number, number>();
  /** Chunks of a changed manifest whose bytes lie here in other chunks, or from other versions. */
  readonly compare = new Bitfield();
  /** Entries with a staged file of which something is to be compared. */
  readonly doubtful = new Set<number>();
  /** How long the staged files of entries were when they were found. */
  readonly ends = new Map<number, number>();
  /** Entries of which all that is here came from this very sender, which a comparison tells nothing. */
  readonly senders = new Set<number>();
  /** Entries of which another version stands where they belong: absolute paths. */
  readonly seeds = new Map<number, string>();
  readonly decided = new Map<number, Decided>();
  /** Names of files that somebody changed here since they arrived, which are left alone. */
  readonly altered: string[] = [];
  /** Where files lie that are staged and no longer offered, which no new journal will name. */
  readonly others: string[] = [];
  /** When the transfer was begun, in milliseconds since 1970; undefined: now. */
  created: number | undefined;
}

/**
 * @param root real path of the destination
 * @param same whether the old manifest and chunk size are exactly the new ones
 * @param step times that are less than so many microseconds apart may be one here
 */
export async function takeInventory(
  root: string,
  entries: readonly Entry[],
  space: ByteSpace,
  found: FoundStaging,
  same: boolean,
  step: number,
): Promise<Inventory> {
  const { state, staging, entries: before } = found;
  const paths = same ? undefined : new Map(before.map((entry, index) => [entry.path, index]));
  const taking: Taking = {
    ...{ inventory: new Inventory(), root, space, found, same, step },
    old: new ByteSpace(
      before.map((entry) => entry.size),
      state.chunkSize,
    ),
    match(entry) {
      const now = entries[entry]!;
      const index = paths ? paths.get(now.path) : entry;
      return index === undefined ? undefined : { entry, now, before: index, was: before[index]! };
    },
    sameOrigin: same,
  };
  const { inventory, match } = taking;
  await inSlices(entries.keys(), (entry) => {
    taking.sameOrigin ||= equalFiles(match(entry));
  });
  if (!same) {
    const offered = new Set(entries.map((entry) => entry.path));
    for (const { path } of before) if (!offered.has(path)) inventory.others.push(staging.file(path));
  }
  inventory.created = state.created;
  inventory.hash = state.hash;
  await inSlices(entries.keys(), (entry) => {
    const both = match(entry);
    if (both && both.was.kind === both.now.kind) takeEntry(taking, both);
  });
  await inSlices(Array(space.chunks).keys(), (chunk) => takeChunk(taking, chunk));
  await inSlices(inventory.chunks.have, (chunk) => {
    for (const { entry, length } of space.extents(chunk)) {
      const left = inventory.staged.get(entry);
      if (left !== undefined) inventory.staged.set(entry, left - length);
    }
  });
  return inventory;
}

/** An inventory that is being taken, and what it is taken of. */
interface Taking {
  inventory: Inventory;
  root: string;
  space: ByteSpace;
  found: FoundStaging;
  /** The old manifest's. */
  old: ByteSpace;
  /** The manifests are the same to the byte. */
  same: boolean;
  /**
   * The new manifest comes from whoever made the old one, as far as that can be told: a file has the version that it had, and
   * versions hang on a key of their sender's. Without that, what the other transfer put here is nobody's to replace unasked,
   * and what was decided about names for it says nothing.
   */
  sameOrigin: boolean;
  step: number;
  /** Undefined for an entry whose path is new. */
  match: (entry: number) => Match | undefined;
}

/** An entry that both manifests have. */
interface Match {
  /** Its indices. */
  entry: number;
  before: number;
  now: Entry;
  was: Entry;
}

function equalFiles(match: Match | undefined): boolean {
  if (!match) return false;
  const { was, now } = match;
  return was.size === now.size && was.version !== '' && was.version === now.version;
}

function takeEntry(taking: Taking, match: Match): void {
  const { entry, before, now } = match;
  const { inventory, root, found, same, sameOrigin } = taking;
  const { state, staging } = found;
  const isFolder = now.kind === 'folder';
  const choice = sameOrigin || isFolder ? state.choices.get(before) : undefined;
  const skipped = choice?.choice === 'skip';
  if (skipped && outdated(taking, match)) return;
  if (choice) inventory.decided.set(entry, { ...choice, stands: false, same });
  if (skipped) return;
  const path = `${root}/${choice?.as || now.path}`;
  if (isFolder) decide(taking, entry, 'ours');
  else if (state.lost.has(before)) rmSync(staging.file(now.path), { force: true });
  else if (now.kind === 'link') takeLink(taking, match, path);
  else takeFile(taking, match, path);
}

/** It was skipped because the very same file stood there, but that has changed since. */
function outdated({ root, step }: Taking, { now, was }: Match): boolean {
  const { kind, size, mtime, target } = now;
  if (kind === 'folder' || (size === was.size && mtime === was.mtime && target === was.target)) return false;
  const path = `${root}/${now.path}`;
  const stat = look(path);
  return kind === 'link'
    ? stat?.isSymbolicLink() === true && readlinkSync(path) === was.target
    : stat?.isFile() === true && untouched(stat, was, step);
}

/** Something of this transfer stands where the entry belongs; under another name it keeps that. */
function decide({ inventory: { decided }, same }: Taking, entry: number, choice: 'ours' | 'replace'): void {
  decided.set(entry, { as: '', choice, same, ...decided.get(entry), stands: true });
}

function takeLink(taking: Taking, { entry, before, now, was }: Match, path: string): void {
  const { inventory, found, sameOrigin, step } = taking;
  const stat = look(path);
  if (!stat?.isSymbolicLink() || readlinkSync(path) !== was.target) return;
  const equal = was.target === now.target;
  // Placed just before the run died, as its time says.
  if (!equal && !found.state.placed.has(before) && !asOld(stat, was, step)) return;
  if (equal) inventory.placed.add(entry);
  else if (!sameOrigin) return;
  decide(taking, entry, equal ? 'ours' : 'replace');
}

function takeFile(taking: Taking, match: Match, path: string): void {
  const { entry, before, now, was } = match;
  const { inventory, found, old, sameOrigin, step } = taking;
  const at = found.staging.file(now.path);
  const placed = found.state.placed.has(before);
  const staged = look(at);
  // The run died between link and unlink: it stands, and the second name goes.
  const final = placed || !staged || staged.nlink > 1n ? look(path) : undefined;
  const twice = staged && final && staged.ino === final.ino && staged.dev === final.dev;
  if (twice) rmSync(at);
  // Or between the rename and the record of it. Only what was whole is placed.
  const moved = !staged && final && untouched(final, was, step) && hasAll(found, old.chunksOf(before));
  if (final?.isFile() && (placed || twice || moved)) return takePlaced(taking, match, path, final);
  if (!staged?.isFile() || staged.nlink !== 1n || staged.size !== BigInt(was.size)) return;
  inventory.staged.set(entry, now.size);
  inventory.ends.set(entry, was.size);
  if (sameOrigin) inventory.senders.add(entry);
}

/** It is where it belongs, or was when it was put there. */
function takePlaced(taking: Taking, match: Match, path: string, final: BigIntStats): void {
  const { entry, now, was } = match;
  const { inventory, same, sameOrigin, step } = taking;
  const ours = untouched(final, was, step) && sameOrigin;
  const sameTime = was.mode === now.mode && was.mtime === now.mtime;
  if (ours) inventory.senders.add(entry);
  // The file is the old one, as far as its sender can tell, with the same mode and time.
  if (same || (equalFiles(match) && sameTime)) {
    inventory.placed.add(entry);
    decide(taking, entry, 'ours');
    if (!untouched(final, was, step)) inventory.altered.push(now.path);
  } else if (ours) {
    inventory.seeds.set(entry, path);
    decide(taking, entry, 'replace');
  }
}

function hasAll({ state }: FoundStaging, { first, end }: { first: number; end: number }): boolean {
  for (let chunk = first; chunk < end; chunk++) if (!state.chunks.have.has(chunk)) return false;
  return true;
}

function untouched(stat: BigIntStats, was: Entry, step: number): boolean {
  return stat.size === BigInt(was.size) && asOld(stat, was, step);
}

/** It has the time that was set then. */
function asOld(stat: BigIntStats, was: Entry, step: number): boolean {
  return Math.abs(toMicros(stat) - was.mtime) < step;
}

/** A chunk that an old one corresponds to, file by file, is as certain as its files are equal. */
function takeChunk(taking: Taking, chunk: number): void {
  const { inventory, found, same, space, match } = taking;
  const { chunks } = found.state;
  if (same && !chunks.have.has(chunk)) return;
  const { placed, staged, seeds, senders, decided, doubtful } = inventory;
  const extents = space.extents(chunk);
  const doubt = () => {
    for (const { entry } of extents) if (staged.has(entry)) doubtful.add(entry);
  };
  const before = same ? chunk : counterpart(taking, extents);
  if (before === undefined || !chunks.have.has(before)) {
    if (!extents.every((extent) => isHere(taking, extent))) return;
    inventory.compare.add(chunk);
    return doubt();
  }
  const there = (entry: number) =>
    placed.has(entry) || staged.has(entry) || decided.get(entry)?.choice === 'skip';
  const hash = chunks.get(before)!;
  if (extents.every(({ entry }) => there(entry) && (same || equalFiles(match(entry))))) {
    inventory.chunks.set(chunk, hash);
    return;
  }
  if (!extents.every(({ entry }) => there(entry) || seeds.has(entry))) return;
  const may = (extent: Extent) =>
    senders.has(extent.entry) || mayTell(extent, match(extent.entry)!.was.size, space.chunkSize);
  if (!extents.every(may)) return;
  inventory.guesses.set(chunk, hash);
  doubt();
}

/** The old chunk with the same pieces of the same files, if there is one. */
function counterpart({ old, space, match }: Taking, extents: readonly Extent[]): number | undefined {
  const [first] = extents;
  const entry = first && match(first.entry)?.before;
  if (entry === undefined || old.chunkSize !== space.chunkSize) return undefined;
  const { first: begin, end } = old.chunksOf(entry);
  const chunk = begin + Math.floor(first!.offset / space.chunkSize);
  if (chunk >= end) return undefined;
  const before = old.extents(chunk);
  const alike = (extent: Extent, i: number) => {
    const other = before[i]!;
    const fits = other.offset === extent.offset && other.length === extent.length && other.at === extent.at;
    return fits && match(extent.entry)?.before === other.entry;
  };
  return before.length === extents.length && extents.every(alike) ? chunk : undefined;
}

/** All of these bytes came in the earlier run, in whatever chunks. */
function isHere({ inventory, found, old, match }: Taking, { entry, offset, length }: Extent): boolean {
  if (inventory.placed.has(entry) || inventory.seeds.has(entry)) return true;
  if (!inventory.staged.has(entry)) return false;
  const { first, end } = old.chunksOf(match(entry)!.before);
  const past = first + Math.ceil((offset + length) / old.chunkSize);
  return past <= end && hasAll(found, { first: first + Math.floor(offset / old.chunkSize), end: past });
}

function look(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}
