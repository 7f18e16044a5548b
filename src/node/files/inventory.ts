/**
 * What an earlier run left, seen with the eyes of a new one: which chunks are certain, which may be right and are worth
 * comparing, which files stand already, and what was decided about names. Nothing is read but the journal and stats.
 */
import { type BigIntStats, lstatSync, readlinkSync, rmSync } from 'node:fs';
import { Bitfield } from '../../base/bitfield.ts';
import type { Entry } from '../../offer/manifest.ts';
import { ChunkHashes } from '../../offer/merkle.ts';
import type { Extent } from '../../offer/space.ts';
import { ByteSpace } from '../../offer/space.ts';
import type { Decided } from './conflicts.ts';
import { toMicros } from './io.ts';
import { mayTell } from './local-data.ts';
import { Slices } from './slices.ts';
import type { Found } from './staging.ts';

export class Inventory {
  /** Chunks that are certain, with their hashes. */
  readonly chunks = new ChunkHashes();
  /** Hashes of chunks that lie in their places and may not be the sender's any more. */
  readonly guesses = new ChunkHashes();
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

interface Old {
  found: Found;
  /** Times that are less than so many microseconds apart may be one here. */
  step: number;
  space: ByteSpace;
  /** Index of a path's entry in the old manifest. */
  index: (entry: number) => number | undefined;
  /** The manifests are the same to the byte. */
  same: boolean;
  /** The new manifest comes from whoever made the old one, as far as that can be told. */
  sameOrigin: boolean;
}

/**
 * @param root real path of the destination
 * @param same whether the old manifest and chunk size are exactly the new ones
 */
export async function takeInventory(
  root: string,
  entries: readonly Entry[],
  space: ByteSpace,
  found: Found,
  same: boolean,
  step: number,
): Promise<Inventory> {
  const inventory = new Inventory();
  const sizes = found.entries.map((entry) => entry.size);
  const paths = same ? undefined : new Map(found.entries.map((entry, index) => [entry.path, index]));
  const index = (entry: number) => (paths ? paths.get(entries[entry]!.path) : entry);
  const slices = new Slices();
  const old: Old = {
    found,
    step,
    space: new ByteSpace(sizes, found.state.chunkSize),
    index,
    same,
    sameOrigin: same || (await sharesVersion(found.entries, entries, index, slices)),
  };
  if (!same) findOthers(inventory, found, entries);
  inventory.created = found.state.created;
  for (const [entry, now] of entries.entries()) {
    if (slices.over()) await slices.next();
    const before = index(entry);
    if (before !== undefined && found.entries[before]!.kind === now.kind)
      new EntryLook(inventory, root, old, entry, before, now).take();
  }
  for (let chunk = 0; chunk < space.chunks; chunk++) {
    if (slices.over()) await slices.next();
    takeChunk(inventory, old, entries, space, chunk);
  }
  for (const chunk of inventory.chunks.have) {
    if (slices.over()) await slices.next();
    for (const { entry, length } of space.extents(chunk)) {
      const left = inventory.staged.get(entry);
      if (left !== undefined) inventory.staged.set(entry, left - length);
    }
  }
  return inventory;
}

/**
 * Whether a file has the version that it had: versions hang on a key of their sender's. Without that, what the other
 * transfer put here is nobody's to replace unasked, and what was decided about names for it says nothing.
 */
async function sharesVersion(
  before: readonly Entry[],
  entries: readonly Entry[],
  index: (entry: number) => number | undefined,
  slices: Slices,
): Promise<boolean> {
  for (const [entry, now] of entries.entries()) {
    if (slices.over()) await slices.next();
    const was = index(entry);
    if (was !== undefined && equalFiles(before[was]!, now)) return true;
  }
  return false;
}

function findOthers(
  { others }: Inventory,
  { staging, entries: before }: Found,
  entries: readonly Entry[],
): void {
  const paths = new Set(entries.map((entry) => entry.path));
  for (const { path } of before) if (!paths.has(path)) others.push(staging.file(path));
}

/** One entry that the old manifest has too. */
class EntryLook {
  readonly #inventory: Inventory;
  readonly #root: string;
  readonly #old: Old;
  readonly #entry: number;
  readonly #before: number;
  readonly #now: Entry;
  readonly #was: Entry;
  readonly #staged: string;

  constructor(inventory: Inventory, root: string, old: Old, entry: number, before: number, now: Entry) {
    this.#inventory = inventory;
    this.#root = root;
    this.#old = old;
    this.#entry = entry;
    this.#before = before;
    this.#now = now;
    this.#was = old.found.entries[before]!;
    this.#staged = old.found.staging.file(now.path);
  }

  take(): void {
    const { state } = this.#old.found;
    const { decided } = this.#inventory;
    const isFolder = this.#now.kind === 'folder';
    const choice = this.#old.sameOrigin || isFolder ? state.choices.get(this.#before) : undefined;
    if (choice?.choice === 'skip' && this.#outdated()) return;
    if (choice) decided.set(this.#entry, { ...choice, stands: false, same: this.#old.same });
    if (choice?.choice === 'skip') return;
    const path = `${this.#root}/${choice?.as || this.#now.path}`;
    if (isFolder) this.#decide('ours');
    else if (state.lost.has(this.#before)) rmSync(this.#staged, { force: true });
    else if (this.#now.kind === 'link') this.#takeLink(path);
    else this.#takeFile(path, state.placed.has(this.#before));
  }

  /** It was skipped because the very same stood there, which is the same no more. */
  #outdated(): boolean {
    const { kind, size, mtime, target } = this.#now;
    const was = this.#was;
    if (kind === 'folder' || (size === was.size && mtime === was.mtime && target === was.target))
      return false;
    const path = `${this.#root}/${this.#now.path}`;
    const stat = look(path);
    return kind === 'link'
      ? stat?.isSymbolicLink() === true && readlinkSync(path) === was.target
      : stat?.isFile() === true && this.#untouched(stat);
  }

  /** Something of this transfer stands where the entry belongs; under another name it keeps that. */
  #decide(choice: 'ours' | 'replace'): void {
    const { decided } = this.#inventory;
    const before = decided.get(this.#entry);
    decided.set(this.#entry, { as: '', choice, same: this.#old.same, ...before, stands: true });
  }

  #takeLink(path: string): void {
    const stat = look(path);
    if (!stat?.isSymbolicLink() || readlinkSync(path) !== this.#was.target) return;
    const equal = this.#was.target === this.#now.target;
    const recorded = this.#old.found.state.placed.has(this.#before);
    // Placed just before the run died, as its time says.
    if (!equal && !recorded && !this.#asOld(stat)) return;
    if (equal) this.#inventory.placed.add(this.#entry);
    else if (!this.#old.sameOrigin) return;
    this.#decide(equal ? 'ours' : 'replace');
  }

  #takeFile(path: string, placed: boolean): void {
    const staged = look(this.#staged);
    // The run died between link and unlink: it stands, and the second name goes.
    const final = placed || !staged || staged.nlink > 1n ? look(path) : undefined;
    const twice = staged && final && staged.ino === final.ino && staged.dev === final.dev;
    if (twice) rmSync(this.#staged);
    // Or between the rename and the record of it.
    const moved = !staged && final && this.#untouched(final) && this.#complete();
    if (final?.isFile() && (placed || twice || moved)) return this.#stands(path, final);
    if (!staged?.isFile() || staged.nlink !== 1n || staged.size !== BigInt(this.#was.size)) return;
    this.#inventory.staged.set(this.#entry, this.#now.size);
    this.#inventory.ends.set(this.#entry, this.#was.size);
    if (this.#old.sameOrigin) this.#inventory.senders.add(this.#entry);
  }

  /** Only what was is placed. */
  #complete(): boolean {
    const { first, end } = this.#old.space.chunksOf(this.#before);
    for (let chunk = first; chunk < end; chunk++)
      if (!this.#old.found.state.chunks.have.has(chunk)) return false;
    return true;
  }

  /** It is where it belongs, or was when it was put there. */
  #stands(path: string, final: BigIntStats): void {
    const { placed, seeds, altered } = this.#inventory;
    const untouched = this.#untouched(final);
    if (untouched && this.#old.sameOrigin) this.#inventory.senders.add(this.#entry);
    if (this.#equal()) {
      placed.add(this.#entry);
      this.#decide('ours');
      if (!untouched) altered.push(this.#now.path);
    } else if (untouched && this.#old.sameOrigin) {
      seeds.set(this.#entry, path);
      this.#decide('replace');
    }
  }

  /** The file is the old one, as far as its sender can tell, with the same mode and time. */
  #equal(): boolean {
    if (this.#old.same) return true;
    const { mode, mtime } = this.#now;
    return equalFiles(this.#was, this.#now) && this.#was.mode === mode && this.#was.mtime === mtime;
  }

  #untouched(stat: BigIntStats): boolean {
    return stat.size === BigInt(this.#was.size) && this.#asOld(stat);
  }

  /** It has the time that was set then. */
  #asOld(stat: BigIntStats): boolean {
    return Math.abs(toMicros(stat) - this.#was.mtime) < this.#old.step;
  }
}

function equalFiles(was: Entry, now: Entry): boolean {
  return was.size === now.size && was.version !== '' && was.version === now.version;
}

/** A chunk that an old one corresponds to, file by file, is as certain as its files are equal. */
function takeChunk(
  inventory: Inventory,
  old: Old,
  entries: readonly Entry[],
  space: ByteSpace,
  chunk: number,
): void {
  const { state } = old.found;
  if (old.same && !state.chunks.have.has(chunk)) return;
  const extents = space.extents(chunk);
  const before = old.same ? chunk : counterpart(old, space, extents);
  if (before === undefined || !state.chunks.have.has(before)) {
    if (!extents.every((extent) => isHere(inventory, old, extent))) return;
    inventory.compare.add(chunk);
    doubt(inventory, extents);
    return;
  }
  const equal = (entry: number) =>
    old.same || equalFiles(old.found.entries[old.index(entry)!]!, entries[entry]!);
  const skipped = (entry: number) => inventory.decided.get(entry)?.choice === 'skip';
  const there = (entry: number) =>
    inventory.placed.has(entry) || inventory.staged.has(entry) || skipped(entry);
  const sha256 = state.chunks.get(before)!;
  if (extents.every(({ entry }) => there(entry) && equal(entry))) {
    inventory.chunks.set(chunk, sha256);
    return;
  }
  if (!extents.every(({ entry }) => there(entry) || inventory.seeds.has(entry))) return;
  const may = (extent: Extent) =>
    inventory.senders.has(extent.entry) || mayTell(extent, sizeBefore(old, extent.entry), space.chunkSize);
  if (!extents.every(may)) return;
  inventory.guesses.set(chunk, sha256);
  doubt(inventory, extents);
}

function sizeBefore({ found, index }: Old, entry: number): number {
  return found.entries[index(entry)!]!.size;
}

function doubt({ staged, doubtful }: Inventory, extents: readonly Extent[]): void {
  for (const { entry } of extents) if (staged.has(entry)) doubtful.add(entry);
}

/** The old chunk with the same pieces of the same files, if there is one. */
function counterpart(old: Old, space: ByteSpace, extents: readonly Extent[]): number | undefined {
  const [first] = extents;
  const entry = first && old.index(first.entry);
  if (entry === undefined || old.space.chunkSize !== space.chunkSize) return undefined;
  const { first: begin, end } = old.space.chunksOf(entry);
  const chunk = begin + Math.floor(first!.offset / space.chunkSize);
  if (chunk >= end) return undefined;
  const before = old.space.extents(chunk);
  const alike = (extent: Extent, i: number) => {
    const other = before[i]!;
    const fits = other.offset === extent.offset && other.length === extent.length && other.at === extent.at;
    return fits && old.index(extent.entry) === other.entry;
  };
  return before.length === extents.length && extents.every(alike) ? chunk : undefined;
}

/** All of these bytes came in the earlier run, in whatever chunks. */
function isHere({ placed, seeds, staged }: Inventory, old: Old, { entry, offset, length }: Extent): boolean {
  if (placed.has(entry) || seeds.has(entry)) return true;
  if (!staged.has(entry)) return false;
  const { chunkSize } = old.space;
  const { first, end } = old.space.chunksOf(old.index(entry)!);
  const past = first + Math.ceil((offset + length) / chunkSize);
  if (past > end) return false;
  for (let chunk = first + Math.floor(offset / chunkSize); chunk < past; chunk++)
    if (!old.found.state.chunks.have.has(chunk)) return false;
  return true;
}

function look(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}
