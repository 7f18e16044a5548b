/**
 * Where bytes come from and go, in memory and virtual time: sources that are slow, change or vanish; disks that are
 * slow, fail, tear and lose what was not synced. The sink is the real chunk writer, commit and journal on such a disk, and
 * checks what no engine may do to a disk, and what none of these may make of it.
 */
import { createHash } from 'node:crypto';
import { BeelineError } from '../../src/base/errors.ts';
import { MIN_CHUNK, STREAM_WINDOW } from '../../src/base/limits.ts';
import { Slices } from '../../src/base/slices.ts';
import type { HashName } from '../../src/offer/hashing.ts';
import { type Entry, encodePages } from '../../src/offer/manifest.ts';
import type { ChunkHash } from '../../src/offer/merkle.ts';
import { ChunkHashes } from '../../src/offer/merkle.ts';
import type { ByteSpace, Extent } from '../../src/offer/space.ts';
import type { End, Sink, Source } from '../../src/sync/ports.ts';
import { ChunkWriter, type StagedPieces } from '../../src/sync/store/chunk-writer.ts';
import { Committer } from '../../src/sync/store/commit.ts';
import { Journal, type JournalDriver, type JournalFile } from '../../src/sync/store/journal.ts';
import type { JournalRecord } from '../../src/sync/store/journal-records.ts';
import { rehashed } from '../../src/sync/store/rehash.ts';
import { SimFile, SimFolder } from './disk.ts';
import type { World } from './world.ts';

export function hashOf(data: Uint8Array, by: HashName = 'sha256'): Uint8Array {
  // All that matters of the other one here is that it is another, and fast.
  const hash = createHash('sha256');
  return (by === 'sha256' ? hash : hash.update('other')).update(data).digest();
}

/** What one process says that it hashes fast with. */
export function hashesOf(world: World, who: string): () => readonly HashName[] {
  const fast = world
    .fork(`hashes of ${who}`)
    .pick([['sha256'], ['blake3', 'sha256'], ['sha256', 'blake3']] satisfies HashName[][]);
  return () => fast;
}

export function fileEntry(path: string, size: number): Entry {
  return { path, kind: 'file', size, mode: 0o644, mtime: 0, target: '', version: '' };
}

export interface SourceTemper {
  /** Seconds that one read takes, at least and at most. */
  read: readonly [number, number];
  /** A read in so many is slow, and takes this many seconds at most. */
  slowOneIn: number;
  slow: number;
  /** Seconds from the beginning to when an entry changes: it reads no more, or (quietly) only the last look tells. */
  changes: readonly { entry: number; at: number; quiet: boolean }[];
  /** What is read is something else each time: a liar. */
  fickle: boolean;
}

export class SimSource implements Source {
  readonly kind: 'files' | 'stream';
  readonly entries: readonly Entry[];
  readonly files: readonly Uint8Array[];
  /** A stream's chunks below this one may be forgotten. */
  released = 0;
  reads = 0;
  readonly #world: World;
  readonly #temper: SourceTemper;
  readonly #waiting: (() => void)[] = [];
  #length: number | undefined;

  constructor(world: World, files: readonly Uint8Array[], temper: SourceTemper, stream: boolean) {
    this.#world = world;
    this.files = files;
    this.#temper = temper;
    this.kind = stream ? 'stream' : 'files';
    this.entries = files.map((bytes, i) => fileEntry(`f${i}`, stream ? 0 : bytes.length));
    this.#length = stream ? undefined : files.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  get length(): number | undefined {
    return this.#length;
  }

  changed_(entry: number): boolean {
    return this.#temper.changes.some((change) => change.entry === entry && this.#world.now >= change.at);
  }

  async read(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    const world = this.#world;
    const { read, slowOneIn, slow, fickle, changes } = this.#temper;
    this.reads++;
    // Bytes come at any time of a read: its buffer is this read's alone until its end.
    into.fill(0xee, 0, Math.min(into.length, 64));
    await world.sleep(
      slowOneIn > 0 && world.chance(1 / slowOneIn) ? world.between(0, slow) : world.between(...read),
    );
    const loud = extents.filter((extent) =>
      changes.some((change) => change.entry === extent.entry && !change.quiet && world.now >= change.at),
    );
    if (loud.length > 0) {
      const paths = [...new Set(loud.map((extent) => this.entries[extent.entry]!.path))];
      throw new BeelineError('SOURCE_CHANGED', 'changed', { paths });
    }
    if (this.kind === 'stream') {
      // As src/node/files/stream-source.ts: so far ahead of what is released it reads, and what is released is no more.
      const end = Math.ceil(this.files[0]!.length / into.length);
      while (chunk >= this.released + STREAM_WINDOW && chunk < end) await this.#room();
      if (chunk < this.released) return 0;
    }
    let length = 0;
    for (const { entry, offset, length: wanted, at } of extents) {
      const bytes = this.files[entry]!.subarray(offset, offset + wanted);
      into.set(bytes, at);
      length += bytes.length;
      if (this.kind === 'stream' && offset + wanted > this.files[entry]!.length)
        this.#length = this.files[entry]!.length;
    }
    if (fickle && length > 0) into[world.below(length)]! ^= 1 + world.below(255);
    return length;
  }

  release(below: number): void {
    if (below <= this.released) return;
    this.released = below;
    for (const go of this.#waiting.splice(0)) go();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async changed(): Promise<string[]> {
    await this.#world.sleep(this.#world.between(...this.#temper.read));
    return this.entries.filter((_, entry) => this.changed_(entry)).map(({ path }) => path);
  }

  async digests(): Promise<Map<number, string>> {
    return new Map();
  }
  async close(): Promise<void> {}
}

export interface DiskTemper {
  /** Seconds that one write takes, at least and at most. */
  write: readonly [number, number];
  /** A write in so many is slow and takes so many seconds at most; 0 for none. */
  slowOneIn: number;
  slow: number;
  /** A write, sync or rename in so many fails; 0 for none. How many may, in all. */
  failOneIn: number;
  failures: number;
  /** The failure passes: the session holds and goes on later. */
  passing: boolean;
  /** Seconds that making something durable takes at most. */
  commit: number;
  /** Seconds that finishing takes; how often it fails first. */
  finish: number;
  finishFailures: number;
  /** Entries that stay as they are. */
  skipped: ReadonlySet<number>;
  /** Bytes of an earlier version stand here, by entry: each chunk is compared first. */
  old: ReadonlyMap<number, Uint8Array>;
}

const stagedName = (entry: number) => `staged ${entry}`;
const finalName = (entry: number) => `final ${entry}`;

/** What may be put wrong on purpose, to see that it is found. */
export type Fault = 'files are not synced' | 'the journal is not synced' | 'it is placed before it is synced';

/** What stays when a receiving process ends. */
export class Disk {
  readonly world: World;
  readonly temper: DiskTemper;
  readonly folder = new SimFolder();
  readonly fault: Fault | undefined;
  /** What each file is to be in the end; undefined where somebody lies. */
  readonly #expected: readonly Uint8Array[] | undefined;
  /** Chunks of which a journal has said that they are certain. */
  readonly promised = new Set<number>();
  failuresLeft: number;
  finishFailuresLeft: number;
  /** Everything is in place and durable. */
  finished = false;

  constructor(
    world: World,
    temper: DiskTemper,
    expected: readonly Uint8Array[] | undefined,
    fault: Fault | undefined,
  ) {
    this.world = world;
    this.fault = fault;
    this.temper = temper;
    this.#expected = expected;
    this.failuresLeft = temper.failures;
    this.finishFailuresLeft = temper.finishFailures;
    for (const [entry, bytes] of temper.old) {
      const file = new SimFile(true);
      file.bytes = Buffer.from(bytes);
      this.folder.names.set(finalName(entry), file);
    }
  }

  /** The file under the entry's final name. */
  final(entry: number): SimFile | undefined {
    return this.folder.names.get(finalName(entry));
  }

  /** The process has been killed, and the power may have gone with it. */
  crash(): void {
    if (this.world.chance(0.7)) {
      this.world.note('the power goes');
      this.folder.crash(this.world);
    }
    this.checkNames();
  }

  /** Whatever stands under a final name is whole. */
  checkNames(): void {
    for (const [entry, expected] of (this.#expected ?? []).entries()) {
      const file = this.final(entry);
      if (file && !file.old && Buffer.compare(file.bytes, expected) !== 0)
        this.world.violate(`disk: file ${entry} stands under its final name and is not whole`);
    }
  }

  /** A chunk as it stands under final names; zeros for what does not. */
  read(extents: readonly Extent[]): Buffer {
    return Buffer.concat(
      extents.map(({ entry, offset, length }) => {
        const part = this.final(entry)?.bytes.subarray(offset, offset + length) ?? Buffer.alloc(0);
        return part.length === length ? part : Buffer.concat([part, Buffer.alloc(length - part.length)]);
      }),
    );
  }
}

/** What one process does to a disk. Once it has ended, nothing of it has an effect. */
class Hands implements StagedPieces {
  ended = false;
  /** Nothing fails yet: a failure while it is being opened ends a receiver, which is another story. */
  careful = true;
  /** Seconds that a piece takes. */
  pieceSeconds = 0;
  readonly #disk: Disk;
  readonly #sizes: readonly number[];
  readonly #left = new Map<number, number>();
  readonly #adopted = new Set<number>();

  constructor(disk: Disk, sizes: readonly number[]) {
    this.#disk = disk;
    this.#sizes = sizes;
  }

  get #names(): SimFolder {
    return this.#disk.folder;
  }

  /** Time passes; for a process that is no more it does so for ever. */
  async pass(seconds: number): Promise<void> {
    await this.#disk.world.sleep(seconds);
    if (this.ended) await new Promise(() => {});
  }

  /** True if what is to be done now fails. */
  #fails(what: string): boolean {
    if (this.ended) throw failure(false);
    const { temper, world } = this.#disk;
    if (this.careful || this.#disk.failuresLeft === 0 || !world.chance(1 / temper.failOneIn)) return false;
    this.#disk.failuresLeft--;
    world.note(`the disk fails: ${what}`);
    return true;
  }

  #write(file: SimFile, data: Uint8Array, at: number): void {
    const fails = this.#fails('a write');
    // A disk that fails may have written a part.
    file.write(fails ? data.subarray(0, this.#disk.world.below(data.length + 1)) : data, at);
    if (fails) throw failure(this.#disk.temper.passing);
  }

  async #sync(file: SimFile | undefined): Promise<void> {
    const fails = this.#fails('a sync');
    if (!file) return;
    if (!fails) return this.#names.syncFile(file);
    file.failSync();
    throw failure(this.#disk.temper.passing);
  }

  whole(entry: number, data: Uint8Array | undefined): string {
    const name = stagedName(entry);
    try {
      this.#write(this.#names.create(name), data ?? new Uint8Array(this.#sizes[entry]!), 0);
    } catch (error) {
      if (!this.ended) this.forget(entry);
      throw error;
    }
    return name;
  }

  piece(entry: number, offset: number, length: number, data: Uint8Array | undefined) {
    return this.#count(entry, length, (file) => this.#write(file, data ?? new Uint8Array(length), offset));
  }

  keep(entry: number, length: number) {
    return this.#count(entry, length, () => {});
  }

  async #count(entry: number, length: number, work: (file: SimFile) => void): Promise<string | undefined> {
    let file = this.#names.names.get(stagedName(entry));
    if (!file || !this.#left.has(entry)) {
      file = this.#names.create(stagedName(entry));
      file.truncate(this.#sizes[entry]!);
      this.#left.set(entry, this.#sizes[entry]!);
    }
    await this.pass(this.pieceSeconds);
    work(file);
    const left = this.#left.get(entry);
    if (left === undefined) return undefined;
    this.#left.set(entry, left - length);
    return left === length ? this.end(entry, this.#sizes[entry]!) : undefined;
  }

  async end(entry: number, size: number): Promise<string> {
    const name = stagedName(entry);
    (this.#names.names.get(name) ?? this.#names.create(name)).truncate(size);
    this.#left.delete(entry);
    return name;
  }

  link(): string {
    throw new Error('there are no links here');
  }

  adopt(entry: number, left: number): void {
    this.#adopted.add(entry);
    this.#left.set(entry, left);
  }

  adopted(entry: number): boolean {
    return this.#adopted.has(entry);
  }

  forget(entry: number): void {
    this.#left.delete(entry);
    this.#adopted.delete(entry);
    this.#names.remove(stagedName(entry));
  }

  /** As src/node/files/workspace.ts: whole files, and those with new pieces. */
  async syncFiles(dirty: ReadonlySet<number>, whole: ReadonlySet<number>): Promise<void> {
    const { world, temper } = this.#disk;
    for (const entry of new Set([...whole, ...dirty])) {
      if (world.chance(0.3)) await this.pass(world.between(0, temper.commit / 4));
      await this.#sync(this.#names.names.get(stagedName(entry)));
    }
    await this.pass(world.between(0, temper.commit / 2));
  }

  async place(entries: readonly number[]): Promise<void> {
    const { world, temper } = this.#disk;
    for (const entry of entries) {
      if (this.#fails('a rename')) throw failure(temper.passing);
      this.#names.rename(stagedName(entry), finalName(entry));
      if (world.chance(0.1)) await this.pass(world.between(0, temper.commit / 4));
    }
  }

  async syncNames(): Promise<void> {
    const { world, temper } = this.#disk;
    await this.pass(world.between(0, temper.commit / 4));
    if (this.#fails('a sync of names')) throw failure(temper.passing);
    this.#names.sync();
  }

  readonly journal: JournalDriver = {
    open: async () => {
      const file = this.#names.names.get('journal');
      return file && this.#journalFile(file);
    },
    replace: async (parts) => {
      const file = this.#names.create('journal.next');
      const journal = this.#journalFile(file);
      let at = 0;
      for (const part of parts) {
        await journal.write(part, at);
        at += part.length;
      }
      await journal.sync();
      this.#names.rename('journal.next', 'journal');
      await this.syncNames();
      return journal;
    },
  };

  #journalFile(file: SimFile): JournalFile {
    const { world, temper } = this.#disk;
    const soon = () => this.pass(world.between(0, temper.commit / 8));
    return {
      read: async (into, at) => {
        const part = file.bytes.subarray(at, at + into.length);
        into.set(part);
        return part.length;
      },
      write: async (bytes, at) => {
        await soon();
        this.#write(file, bytes, at);
      },
      sync: async () => {
        await soon();
        if (this.#disk.fault !== 'the journal is not synced') await this.#sync(file);
      },
      truncate: async (length) => {
        if (this.ended) throw failure(false);
        file.truncate(length);
      },
      close: async () => {},
    };
  }
}

/** What one opening of the sink works with. */
interface Work {
  hands: Hands;
  journal: Journal;
  committer: Committer;
  writer: ChunkWriter;
  /** What an earlier process left certain. */
  held: ChunkHashes;
}

/** One process at work on a disk. */
export class SimSink implements Sink {
  readonly window: number;
  readonly dropped = new Set<number>();
  /** Chunks that are down, this process's and those held. */
  readonly down = new Set<number>();
  finishing = false;
  finished = false;
  ended = false;
  space: ByteSpace | undefined;
  readonly #disk: Disk;
  readonly #world: World;
  readonly #honest: boolean;
  readonly #writing = new Map<number, number>();
  /** Written by this process since it opened the disk or had to begin anew: not to be written again. */
  readonly #written = new Set<number>();
  #entries: readonly Entry[] = [];
  by: HashName = 'sha256';
  #work: Work | undefined;
  #hands: Hands | undefined;
  #pace: { seconds: number; every: number } = { seconds: 0, every: 1 };
  #readyAt = 0;

  constructor(disk: Disk, honest: boolean, window: number) {
    this.#disk = disk;
    this.#world = disk.world;
    this.#honest = honest;
    this.window = window;
  }

  #wrong(text: string): void {
    if (this.#honest && !this.ended) this.#world.violate(`disk: ${text}`);
  }

  async open(entries: readonly Entry[], space: ByteSpace, hash: HashName): Promise<void> {
    this.#entries = entries;
    this.by = hash;
    this.space = space;
    await this.#world.sleep(this.#world.between(0, 0.2));
    if (!this.ended) await this.#begin(true);
  }

  /** As src/node/files/inventory.ts and workspace.ts: from the journal on, the same at first and after a failure. */
  async #begin(careful: boolean): Promise<void> {
    const [disk, world, space, entries] = [this.#disk, this.#world, this.space!, this.#entries];
    const hands = new Hands(
      disk,
      entries.map(({ size }) => size),
    );
    this.#hands = hands;
    hands.careful = careful;
    const { names } = disk.folder;
    const state = space.stream ? undefined : await Journal.read(hands.journal);
    const placed = new Set<number>();
    const staged = new Map<number, number>();
    for (const [entry, { size }] of entries.entries()) {
      const [file, final] = [names.get(stagedName(entry)), disk.final(entry)];
      if (!state || !this.wants(entry)) continue;
      if (state.lost.has(entry)) disk.folder.remove(stagedName(entry));
      else if (
        final &&
        !final.old &&
        (state.placed.has(entry) || (!file && this.#complete(state.chunks, entry)))
      )
        placed.add(entry);
      else if (file?.bytes.length === size) staged.set(entry, size);
    }
    let held = new ChunkHashes();
    const here = (entry: number) => placed.has(entry) || staged.has(entry) || !this.wants(entry);
    for (const { index, hash } of state?.chunks ?? []) {
      const extents = space.extents(index);
      if (!extents.every(({ entry }) => here(entry))) continue;
      held.set(index, hash);
      for (const { entry, length } of extents)
        if (staged.has(entry)) staged.set(entry, staged.get(entry)! - length);
    }
    if (state && state.hash !== this.by) {
      const { hash } = state;
      held = await rehashed(held, {
        from: (data) => hashOf(data, hash),
        to: (data) => hashOf(data, this.by),
        read: async (chunk) => {
          await world.sleep(world.between(0, 0.01));
          return this.#here(space.extents(chunk), placed);
        },
      });
      if (this.ended) return;
    }
    this.#checkHeld(held, placed, (entry) => state?.lost.has(entry) === true);
    for (const [entry, left] of staged) hands.adopt(entry, left);
    const pages = encodePages(entries);
    const journal = await Journal.replace(hands.journal, [
      {
        type: 'begin',
        created: 0,
        // Those of a simulation are smaller than any that a journal would believe.
        chunkSize: MIN_CHUNK,
        pages: pages.length,
        stream: space.stream,
        hash: this.by,
      },
      ...pages.map((bytes, page): JournalRecord => ({ type: 'page', page, bytes })),
      { type: 'chunks', chunks: [...held] },
      { type: 'placed', entries: [...placed] },
    ]);
    const committer = new Committer({
      clock: {
        now: () => world.now * 1000,
        date: () => 0,
        after: (ms, run) => world.after(ms / 1000, () => !hands.ended && run()),
      },
      journal: {
        append: async (records, options) => {
          await journal.append(records, options);
          for (const record of records)
            if (record.type === 'chunks')
              // Of a file that was dropped meanwhile nothing is kept.
              for (const { index } of record.chunks)
                if (!space.extents(index).some(({ entry }) => this.dropped.has(entry)))
                  disk.promised.add(index);
        },
      },
      sync: async ({ dirty, whole }) => {
        if (disk.fault === 'files are not synced') return;
        if (disk.fault === 'it is placed before it is synced') await hands.place([...whole.keys()]);
        await hands.syncFiles(dirty, new Set(whole.keys()));
        await hands.syncNames();
      },
      place: async ({ whole }) => {
        if (disk.fault !== 'it is placed before it is synced') await hands.place([...whole.keys()]);
        return [...whole.keys()];
      },
    });
    const writer = new ChunkWriter({
      ...{ entries, space, files: hands, committer, placed },
      skips: (entry) => !this.wants(entry) || this.dropped.has(entry),
      renews: (entry) => disk.final(entry)?.old === true,
      makeFolder: () => {},
      failure: (error) => error as BeelineError,
      slices: () => this.#slices(hands),
    });
    this.#work = { hands, journal, committer, writer, held };
    this.down.clear();
    for (const chunk of held.have) this.down.add(chunk);
    for (const [entry, left] of staged) if (left === 0) await writer.complete(entry, entries[entry]!.size);
    for (const entry of this.dropped) await this.drop(entry);
    hands.careful = false;
  }

  /** Time passes between the extents of a chunk. */
  #slices(hands: Hands): Slices {
    const { seconds, every } = this.#pace;
    let calls = 0;
    // Slices ask for the time once at their beginning, then once at each turn.
    const now = () => (calls++ % every === every - 1 ? 1000 * calls : 0);
    return new Slices({ ...this.#world.clock, now }, () => hands.pass(seconds));
  }

  /** What a journal says is there, and what it once said it says still. */
  #checkHeld(held: ChunkHashes, placed: ReadonlySet<number>, lost: (entry: number) => boolean): void {
    const disk = this.#disk;
    for (const { index, hash } of held) {
      const extents = this.space!.extents(index);
      if (extents.some(({ entry }) => !this.wants(entry) || this.dropped.has(entry))) continue;
      if (Buffer.compare(hashOf(this.#here(extents, placed)!, this.by), hash) !== 0)
        this.#wrong(`chunk ${index} is journaled and is not on the disk`);
    }
    for (const index of disk.promised) {
      const gone = (entry: number) => lost(entry) || this.dropped.has(entry);
      if (!held.have.has(index) && !this.space!.extents(index).some(({ entry }) => gone(entry)))
        this.#wrong(`chunk ${index} was certain and is forgotten`);
    }
  }

  /** The bytes of a chunk where they lie now. */
  #here(extents: readonly Extent[], placed: ReadonlySet<number>): Buffer | undefined {
    const parts: Buffer[] = [];
    for (const { entry, offset, length } of extents) {
      const staged = placed.has(entry) ? undefined : this.#disk.folder.names.get(stagedName(entry));
      const part = (staged ?? this.#disk.final(entry))?.bytes.subarray(offset, offset + length);
      if (part?.length !== length) return undefined;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  #complete(chunks: ChunkHashes, entry: number): boolean {
    const { first, end } = this.space!.chunksOf(entry);
    for (let chunk = first; chunk < end; chunk++) if (!chunks.have.has(chunk)) return false;
    return true;
  }

  held(): Iterable<ChunkHash> {
    return this.#work?.held ?? [];
  }

  comparable(chunk: number): boolean {
    return this.space!.extents(chunk).some(({ entry }) => this.#disk.final(entry)?.old === true);
  }

  guess(chunk: number, extents: readonly Extent[]): Promise<Uint8Array | undefined> | undefined {
    if (!this.comparable(chunk)) return undefined;
    if (this.down.has(chunk)) this.#wrong(`chunk ${chunk} is read to be compared though it is down`);
    return this.#world.sleep(this.#world.between(0, 0.05)).then(() => {
      const bytes = this.#old(extents);
      return bytes && hashOf(bytes, this.by);
    });
  }

  /** What earlier versions of these files have there; undefined if one of them has none. */
  #old(extents: readonly Extent[]): Buffer | undefined {
    const old = ({ entry }: Extent) => this.#disk.final(entry)?.old === true;
    return extents.every(old) ? this.#here(extents, new Set(extents.map(({ entry }) => entry))) : undefined;
  }

  async keep(chunk: number, extents: readonly Extent[], hash: Uint8Array): Promise<void> {
    this.#starts(chunk, extents, undefined, undefined);
    await this.#world.sleep(this.#world.between(0, 0.02));
    if (this.ended) return;
    const data = this.#old(extents);
    if (!data || Buffer.compare(hashOf(data, this.by), hash) !== 0)
      this.#wrong(`chunk ${chunk} is kept and is something else`);
    await this.#take(chunk, extents, data, hash);
  }

  wants(entry: number): boolean {
    return !this.#disk.temper.skipped.has(entry);
  }

  #starts(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash: Uint8Array | undefined,
  ): void {
    if (this.#writing.has(chunk)) this.#wrong(`chunk ${chunk} is written while it is being written`);
    else if (this.#written.has(chunk)) this.#wrong(`chunk ${chunk} is written a second time without cause`);
    if (this.finishing) this.#wrong(`chunk ${chunk} is written after finishing began`);
    const space = this.space!;
    if (!(chunk < space.chunks)) this.#wrong(`chunk ${chunk} does not exist`);
    else if (JSON.stringify(space.extents(chunk)) !== JSON.stringify(extents))
      this.#wrong(`chunk ${chunk} has wrong extents`);
    if (!space.stream && extents.every(({ entry }) => !this.wants(entry)))
      this.#wrong(`chunk ${chunk} is not wanted`);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    if (data && data.length !== length) this.#wrong(`chunk ${chunk} has ${data.length} of ${length} bytes`);
    if (data && Buffer.compare(hashOf(data, this.by), hash!) !== 0)
      this.#wrong(`chunk ${chunk} was not checked`);
    this.#writing.set(chunk, data ? length : 0);
    const now = [...this.#writing.values()].reduce((sum, bytes) => sum + bytes, 0);
    if (now > Math.max(MOST_WRITING_BYTES, LEAST_WRITING * space.chunkSize))
      this.#wrong(`${now} bytes are being written at once`);
    if (this.window < Number.POSITIVE_INFINITY) {
      let first = 0;
      while (this.down.has(first)) first++;
      if (chunk >= first + this.window) this.#wrong(`chunk ${chunk} is out of the window at ${first}`);
    }
  }

  async write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash: Uint8Array,
  ): Promise<void> {
    const world = this.#world;
    const { write, slowOneIn, slow } = this.#disk.temper;
    this.#starts(chunk, extents, data, hash);
    const slowly = slowOneIn > 0 && world.chance(1 / slowOneIn);
    const seconds = slowly ? world.between(0, slow) : world.between(...write);
    if (slowly) world.note(`chunk ${chunk} takes ${seconds.toFixed(2)} s to write`);
    // Bytes go down in pieces, with time between them: the buffer is this write's until the end.
    this.#pace = { seconds: seconds / 3, every: Math.ceil(extents.length / 2) + 1 };
    if (this.#hands) this.#hands.pieceSeconds = seconds / 3;
    await this.#take(chunk, extents, data, hash);
    if (data && Buffer.compare(hashOf(data, this.by), hash) !== 0)
      this.#wrong(`the bytes of chunk ${chunk} changed while it was being written`);
  }

  async #take(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash: Uint8Array,
  ): Promise<void> {
    try {
      if (!this.#work) throw failure(this.#disk.temper.passing);
      await this.#work.writer.take({ chunk, extents, hash, data, kept: false });
      this.#written.add(chunk);
      this.down.add(chunk);
    } catch (error) {
      this.#fault();
      throw error;
    } finally {
      this.#writing.delete(chunk);
    }
  }

  async read(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    if (!this.down.has(chunk)) {
      this.#wrong(`chunk ${chunk} is read again though it is not down`);
      throw new BeelineError('INTERNAL', 'it is not here');
    }
    await this.#world.sleep(this.#world.between(0, 0.02));
    const here = ({ entry }: Extent) =>
      this.wants(entry) && (!this.dropped.has(entry) || this.#work?.writer.done(entry));
    const bytes = extents.every(here) ? this.#here(extents, new Set()) : undefined;
    const paths = extents.map(({ entry }) => this.#entries[entry]!.path);
    // What is whole is read after its end too: others may still fetch it.
    if (!bytes || (this.ended && !this.finished)) throw new BeelineError('UNREADABLE', 'left out', { paths });
    into.set(bytes);
    return bytes.length;
  }

  #fault(): void {
    this.#readyAt = this.#world.now + this.#world.between(0, 5);
  }

  /** As src/node/files/staging-sink.ts. */
  async drop(entry: number): Promise<void> {
    this.dropped.add(entry);
    if (!this.#work || this.#work.writer.done(entry)) return;
    const { first, end } = this.space!.chunksOf(entry);
    for (let chunk = first; chunk < end; chunk++) this.#disk.promised.delete(chunk);
    this.#work.hands.forget(entry);
    await this.#work.journal.append([{ type: 'lost', entries: [entry] }]);
  }

  async finish(): Promise<void> {
    const disk = this.#disk;
    const space = this.space!;
    this.finishing = true;
    if (this.#writing.size > 0)
      this.#wrong(`finish begins while chunks ${[...this.#writing.keys()]} are being written`);
    for (let chunk = 0; chunk < space.chunks; chunk++) {
      if (this.down.has(chunk)) continue;
      if (space.stream || space.extents(chunk).some(({ entry }) => this.wants(entry))) {
        this.#wrong(`finish begins though chunk ${chunk} is not down`);
        break;
      }
    }
    try {
      const { hands, writer, committer } = this.#work!;
      await hands.pass(disk.temper.finish);
      if (disk.finishFailuresLeft > 0) {
        disk.finishFailuresLeft--;
        this.#world.note('finishing fails');
        throw failure(disk.temper.passing);
      }
      await writer.finish();
      await committer.finish();
    } catch (error) {
      this.finishing = false;
      this.#fault();
      throw error;
    }
    this.#checkFinished();
    disk.finished = true;
    this.finished = true;
  }

  /** Whatever dies from now on, all is there. */
  #checkFinished(): void {
    const { folder } = this.#disk;
    if (!folder.durable) this.#wrong('it is finished, and names are not durable');
    for (const entry of this.#entries.keys()) {
      if (!this.wants(entry) || this.dropped.has(entry)) continue;
      const file = this.#disk.final(entry);
      if (!file || file.old) this.#wrong(`it is finished, and file ${entry} is not in its place`);
      else if (!file.durable) this.#wrong(`it is finished, and file ${entry} is not durable`);
    }
    this.#disk.checkNames();
  }

  async digests(): Promise<Map<number, string>> {
    return new Map();
  }

  async ready(): Promise<boolean> {
    return this.#world.now >= this.#readyAt;
  }

  async reopen(): Promise<void> {
    if (this.#writing.size > 0) this.#wrong('it begins anew while chunks are being written');
    await this.#end();
    await this.#world.sleep(this.#world.between(0, 0.2));
    if (this.ended) return;
    this.#written.clear();
    try {
      await this.#begin(false);
    } catch (error) {
      this.#fault();
      throw error;
    }
  }

  async close(end: End): Promise<void> {
    if (end === 'done' && !this.finished) this.#wrong('it is settled before it is finished');
    if (this.ended) return;
    if (end === 'keep') await this.#work?.committer.finish().catch(() => {});
    await this.#end();
    if (end !== 'done') this.end();
    if (end === 'keep' && !this.space?.stream) return;
    if (end === 'done' || !this.#disk.finished) this.#remove();
  }

  async #end(): Promise<void> {
    const work = this.#work;
    this.#work = undefined;
    work?.writer.stop();
    await work?.committer.stop();
    await work?.journal.close();
  }

  #remove(): void {
    const { folder, promised } = this.#disk;
    promised.clear();
    for (const name of [...folder.names.keys()]) if (!name.startsWith('final ')) folder.remove(name);
  }

  /** The process is gone. */
  end(): void {
    this.ended = true;
    if (this.#hands) this.#hands.ended = true;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }
}

/** What may be between a lane and the disk: as many bytes, or as many chunks. */
const MOST_WRITING_BYTES = 32 * 1024 * 1024;
const LEAST_WRITING = 16;

function failure(passing: boolean): BeelineError {
  const cause = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  return passing
    ? new BeelineError('DISK_FULL', 'full', { cause })
    : new BeelineError('WRITE_FAILED', 'broken');
}
