/**
 * Where bytes come from and go, in memory and virtual time: sources that are slow, change or vanish; disks that are
 * slow, fail, tear and lose what was not committed. The sink checks what no engine may do to a disk.
 */
import { createHash } from 'node:crypto';
import { BeelineError } from '../../src/protocol/errors.ts';
import { STREAM_WINDOW } from '../../src/protocol/limits.ts';
import type { Entry } from '../../src/protocol/manifest.ts';
import type { ChunkHash } from '../../src/protocol/messages.ts';
import type { Sink, Source } from '../../src/transfer/ports.ts';
import type { ByteSpace, Extent } from '../../src/transfer/space.ts';
import type { World } from './world.ts';

export function hashOf(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest();
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
      // As src/files/stream-source.ts: so far ahead of what is released it reads, and what is released is no more.
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
  /** A write in so many fails; 0 for none. How many may, in all. */
  failOneIn: number;
  failures: number;
  /** The failure passes: the session holds and goes on later. */
  passing: boolean;
  /** Seconds from a write to its commit. */
  commit: number;
  /** Seconds that finishing takes; how often it fails first. */
  finish: number;
  finishFailures: number;
  /** Entries that stay as they are. */
  skipped: ReadonlySet<number>;
  /** Bytes of an earlier version stand here, by entry: each chunk is compared first. */
  old: ReadonlyMap<number, Uint8Array>;
}

/** What stays when a receiving process ends. */
export class Disk {
  readonly world: World;
  readonly temper: DiskTemper;
  readonly files: Buffer[] = [];
  /** Chunks that are certain, by what they were checked against. */
  journal = new Map<number, Uint8Array>();
  /** Written, not certain. */
  pending = new Map<number, Uint8Array>();
  failuresLeft: number;
  finishFailuresLeft: number;
  /** Everything is in place and durable. */
  finished = false;

  constructor(world: World, temper: DiskTemper) {
    this.world = world;
    this.temper = temper;
    this.failuresLeft = temper.failures;
    this.finishFailuresLeft = temper.finishFailures;
    for (const [entry, bytes] of temper.old) this.files[entry] = Buffer.from(bytes);
  }

  /** Those whose commit did not come are torn or lost. */
  crash(space: ByteSpace | undefined): void {
    for (const chunk of this.pending.keys()) if (space) this.tear(space.extents(chunk));
    this.pending.clear();
  }

  tear(extents: readonly Extent[]): void {
    for (const { entry, offset, length } of extents) {
      const fate = this.world.below(3);
      const bytes = this.files[entry]?.subarray(offset, offset + length);
      if (fate > 0) bytes?.fill(0, fate === 1 ? 0 : this.world.below(length));
    }
  }

  commit(): void {
    for (const [chunk, sha256] of this.pending) this.journal.set(chunk, sha256);
    this.pending.clear();
  }

  read(extents: readonly Extent[]): Buffer {
    return Buffer.concat(
      extents.map(({ entry, offset, length }) => {
        const part = (this.files[entry] ?? Buffer.alloc(0)).subarray(offset, offset + length);
        return part.length === length ? part : Buffer.concat([part, Buffer.alloc(length - part.length)]);
      }),
    );
  }

  put({ entry, offset, length, at }: Extent, data: Uint8Array | undefined): void {
    const end = offset + length;
    let file = this.files[entry] ?? Buffer.alloc(0);
    if (file.length < end) file = Buffer.concat([file, Buffer.alloc(end - file.length)]);
    this.files[entry] = file;
    if (data) file.set(data.subarray(at, at + length), offset);
    else file.fill(0, offset, end);
  }
}

/** One process at work on a disk. Once it has ended, nothing that it does has an effect. */
export class SimSink implements Sink {
  readonly window: number;
  readonly dropped = new Set<number>();
  /** Bytes that are down, by chunk, this process's and those held. */
  readonly down = new Set<number>();
  finishing = false;
  finished = false;
  ended = false;
  space: ByteSpace | undefined;
  /** Bytes of the largest chunk that was ever being written beside others: what the queues hold. */
  mostAtOnce = 0;
  readonly #disk: Disk;
  readonly #world: World;
  readonly #honest: boolean;
  readonly #writing = new Map<number, number>();
  /** Written by this process since it opened the disk or had to begin anew: not to be written again. */
  readonly #written = new Set<number>();
  #entries: readonly Entry[] = [];
  #uncommit = (): void => {};
  #broken = false;
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

  async open(entries: readonly Entry[], space: ByteSpace): Promise<void> {
    this.#entries = entries;
    this.space = space;
    await this.#world.sleep(this.#world.between(0, 0.2));
    if (this.ended) return;
    if (!space.stream)
      for (const [entry, { size }] of entries.entries()) this.#disk.files[entry] ??= Buffer.alloc(size);
    for (const chunk of this.#disk.journal.keys()) this.down.add(chunk);
  }

  *held(): Generator<ChunkHash> {
    for (const [index, sha256] of this.#disk.journal) if (index < this.space!.chunks) yield { index, sha256 };
  }

  comparable(chunk: number): boolean {
    return this.space!.extents(chunk).some(({ entry }) => this.#disk.temper.old.has(entry));
  }

  guess(chunk: number, extents: readonly Extent[]): Promise<Uint8Array | undefined> | undefined {
    if (!this.comparable(chunk)) return undefined;
    if (this.down.has(chunk)) this.#wrong(`chunk ${chunk} is read to be compared though it is down`);
    return this.#world.sleep(this.#world.between(0, 0.05)).then(() => hashOf(this.#disk.read(extents)));
  }

  async keep(chunk: number, extents: readonly Extent[], sha256: Uint8Array): Promise<void> {
    this.#begin(chunk, extents, undefined, undefined);
    await this.#world.sleep(this.#world.between(0, 0.02));
    this.#writing.delete(chunk);
    if (this.ended) return;
    if (Buffer.compare(hashOf(this.#disk.read(extents)), sha256) !== 0)
      this.#wrong(`chunk ${chunk} is kept and is something else`);
    this.#done(chunk, sha256);
  }

  wants(entry: number): boolean {
    return !this.#disk.temper.skipped.has(entry);
  }

  #begin(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    sha256: Uint8Array | undefined,
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
    if (data && Buffer.compare(hashOf(data), sha256!) !== 0) this.#wrong(`chunk ${chunk} was not checked`);
    this.#writing.set(chunk, data ? length : 0);
    const now = [...this.#writing.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.mostAtOnce = Math.max(this.mostAtOnce, now);
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
    sha256: Uint8Array,
  ): Promise<void> {
    const world = this.#world;
    const disk = this.#disk;
    const { write, slowOneIn, slow, failOneIn, passing } = disk.temper;
    this.#begin(chunk, extents, data, sha256);
    if (this.#broken) {
      this.#writing.delete(chunk);
      throw failure(passing);
    }
    const slowly = slowOneIn > 0 && world.chance(1 / slowOneIn);
    const seconds = slowly ? world.between(0, slow) : world.between(...write);
    if (slowly) world.note(`chunk ${chunk} takes ${seconds.toFixed(2)} s to write`);
    const fails = disk.failuresLeft > 0 && failOneIn > 0 && world.chance(1 / failOneIn);
    // Bytes go down in pieces, the last of them at the end: the buffer is this write's until then.
    const steps = seconds > 0.3 ? 3 : 1;
    let done = 0;
    for (let step = 1; step <= steps; step++) {
      await world.sleep(seconds / steps);
      if (this.ended) throw new BeelineError('WRITE_FAILED', 'ended');
      const until =
        fails && step === steps ? world.below(extents.length) : Math.floor((extents.length * step) / steps);
      for (; done < until; done++) disk.put(extents[done]!, data);
    }
    this.#writing.delete(chunk);
    if (fails) {
      disk.failuresLeft--;
      this.#broken = true;
      this.#readyAt = world.now + world.between(0, 5);
      world.note(`chunk ${chunk} fails to be written`);
      disk.tear(extents);
      throw failure(passing);
    }
    if (data && Buffer.compare(hashOf(data), sha256) !== 0)
      this.#wrong(`the bytes of chunk ${chunk} changed while it was being written`);
    this.#done(chunk, sha256);
  }

  #done(chunk: number, sha256: Uint8Array): void {
    this.#written.add(chunk);
    this.down.add(chunk);
    this.#disk.pending.set(chunk, sha256);
    this.#uncommit();
    this.#uncommit = this.#world.after(this.#disk.temper.commit, () => {
      if (!this.ended) this.#disk.commit();
    });
  }

  async drop(entry: number): Promise<void> {
    this.dropped.add(entry);
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
    await this.#world.sleep(disk.temper.finish);
    if (this.ended) throw new BeelineError('WRITE_FAILED', 'ended');
    if (disk.finishFailuresLeft > 0) {
      disk.finishFailuresLeft--;
      this.finishing = false;
      this.#broken = true;
      this.#readyAt = this.#world.now + this.#world.between(0, 5);
      this.#world.note('finishing fails');
      throw failure(disk.temper.passing);
    }
    disk.commit();
    disk.finished = true;
    this.finished = true;
  }

  async settle(): Promise<void> {
    if (!this.finished) this.#wrong('it is settled before it is finished');
    this.#disk.journal.clear();
  }

  async digests(): Promise<Map<number, string>> {
    return new Map();
  }

  async ready(): Promise<boolean> {
    return this.#world.now >= this.#readyAt;
  }

  async reopen(): Promise<void> {
    if (this.#writing.size > 0) this.#wrong('it begins anew while chunks are being written');
    await this.#world.sleep(this.#world.between(0, 0.2));
    if (this.ended) return;
    // What was written and not made certain may be gone; of a stream, which nobody can send again, the process has it.
    if (this.#world.chance(0.5) || this.space!.stream) this.#disk.commit();
    else this.#disk.crash(this.space);
    this.#broken = false;
    this.#written.clear();
    this.down.clear();
    for (const chunk of this.#disk.journal.keys()) this.down.add(chunk);
  }

  async suspend(): Promise<void> {
    if (this.ended) return;
    this.end();
    this.#disk.commit();
  }

  async abort(): Promise<void> {
    if (this.ended) return;
    this.end();
    if (this.#disk.finished) return;
    this.#disk.journal.clear();
    this.#disk.pending.clear();
  }

  /** The process is gone. */
  end(): void {
    this.ended = true;
    this.#uncommit();
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }
}

function failure(passing: boolean): BeelineError {
  const cause = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  return passing
    ? new BeelineError('DISK_FULL', 'full', { cause })
    : new BeelineError('WRITE_FAILED', 'broken');
}
