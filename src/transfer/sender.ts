/**
 * The serving side: answers what the receiver asks for, on the lane that asked. It keeps no notion of progress of
 * its own beyond what it has served, so any lane can die at any time. Non-goals: sockets, files, states.
 */
import { equalBytes } from '../protocol/bytes.ts';
import { asBeelineError, BeelineError } from '../protocol/errors.ts';
import { MAX_GONE, MAX_OUTSTANDING, PROTOCOL_VERSION } from '../protocol/limits.ts';
import { encodePages } from '../protocol/manifest.ts';
import type { Message } from '../protocol/messages.ts';
import { escapeName } from '../protocol/names.ts';
import type { SenderPorts } from './engine-ports.ts';
import { HaveMap } from './have.ts';
import { ChunkHashes } from './merkle.ts';
import type { Extent, LanePort, Slab, Source } from './ports.ts';
import { Limiter } from './rate.ts';
import { touches } from './selection.ts';
import { SlabPool } from './slabs.ts';
import { ByteSpace } from './space.ts';
import { isZero, ZeroHashes } from './zeros.ts';

/** Chunks being read and hashed for one lane while another is on its way into the socket. */
const PER_LANE = 2;

interface Serving {
  lane: LanePort;
  queue: number[];
  busy: number;
  /** How many of the gone files this lane has been told of, and the telling that is under way. */
  told: number;
  telling: Promise<void> | undefined;
}

export class Sender {
  readonly #ports: SenderPorts;
  readonly #source: Source;
  readonly #space: ByteSpace;
  readonly #pages: Uint8Array[];
  readonly #pool: SlabPool;
  #hashes = new ChunkHashes();
  readonly #lanes = new Map<number, Serving>();
  readonly #gone = new Set<number>();
  /** What the receiver is told of them, in order. */
  readonly #obituaries: (Message & { type: 'gone' })[] = [];
  #served = new HaveMap();
  #pagesAsked = new HaveMap();
  readonly #limiter: Limiter;
  readonly #zeroHashes: ZeroHashes;
  /** Names of files that changed since they were stat'ed, once that is being looked at. */
  #checking: Promise<string[]> | undefined;
  #confirmed = false;
  #bytes = 0;
  #held = false;
  #over = false;

  constructor(source: Source, chunkSize: number, ports: SenderPorts) {
    this.#ports = ports;
    this.#source = source;
    this.#zeroHashes = new ZeroHashes(ports.digest);
    const sizes = source.entries.map((entry) => entry.size);
    this.#space = new ByteSpace(sizes, chunkSize, source.kind === 'stream');
    this.#pages = encodePages(source.entries);
    this.#pool = new SlabPool(chunkSize, ports.allocate);
    this.#limiter = new Limiter(ports);
  }

  get space(): ByteSpace {
    return this.#space;
  }

  /** What an honest receiver asks for without delay, in words; undefined once a person may be asked there. */
  get awaits(): string | undefined {
    const page = this.#pagesAsked.firstMissing;
    return page < this.#pages.length ? `its request for page ${page} of the manifest` : undefined;
  }

  addLane(lane: LanePort): void {
    const serving: Serving = { lane, queue: [], busy: 0, told: 0, telling: undefined };
    this.#lanes.set(lane.id, serving);
    this.#tell(lane, this.#offer());
    void this.#tellGone(serving);
  }

  removeLane(lane: LanePort): void {
    this.#lanes.delete(lane.id);
  }

  /** The receiver is a new process: what the old one got says nothing about what this one has. */
  restart(): void {
    this.#hashes = new ChunkHashes();
    this.#served = new HaveMap();
    this.#pagesAsked = new HaveMap();
    this.#checking = undefined;
    this.#bytes = 0;
    this.#confirmed = false;
  }

  hold(): void {
    this.#held = true;
  }

  pull(): void {
    this.#held = false;
    for (const serving of this.#lanes.values()) this.#serve(serving);
  }

  stop(): void {
    this.#over = true;
    this.#lanes.clear();
  }

  /** A message came. Throws PROTOCOL for what no honest receiver sends: drop the lane then. */
  message(lane: LanePort, message: Message): void {
    const serving = this.#lanes.get(lane.id);
    if (!serving) return;
    switch (message.type) {
      case 'get-page': {
        const bytes = this.#pages[message.page];
        if (!bytes)
          throw new BeelineError('PROTOCOL', 'The other side asked for a page that does not exist.');
        this.#pagesAsked.add(message.page);
        return this.#tell(lane, { type: 'page', page: message.page, bytes });
      }
      case 'get':
        if (serving.queue.length + message.chunks.length > MAX_OUTSTANDING) {
          throw new BeelineError('PROTOCOL', 'The other side asks for too much at once.');
        }
        if (!message.chunks.every((chunk) => this.#space.stream || chunk < this.#space.chunks)) {
          throw new BeelineError('PROTOCOL', 'The other side asked for a chunk that does not exist.');
        }
        serving.queue.push(...message.chunks);
        return this.#serve(serving);
      case 'written':
        return this.#source.release(message.below);
      case 'finish':
        if (this.#space.chunks === Number.POSITIVE_INFINITY) {
          throw new BeelineError('PROTOCOL', 'The other side is done with a stream that has not ended.');
        }
        if (!message.gone.every((entry) => this.#gone.has(entry)))
          throw new BeelineError('PROTOCOL', 'The other side misses files that were not declared gone.');
        this.#finish(serving, message).catch((thrown) => this.#fail(thrown));
        return;
      default:
        throw new BeelineError('PROTOCOL', `A receiver does not send '${message.type}'.`);
    }
  }

  #offer(): Message {
    const { kind, entries } = this.#source;
    return {
      type: 'offer',
      version: PROTOCOL_VERSION,
      kind,
      entries: entries.length,
      pages: this.#pages.length,
      bytes: this.#space.bytes,
      chunkSize: this.#space.chunkSize,
      sha256: this.#ports.sha256,
      update: this.#ports.update,
    };
  }

  #tell(lane: LanePort, message: Message): void {
    lane.send(message).catch(() => {});
  }

  #serve(serving: Serving): void {
    while (!this.#held && !this.#over && serving.busy < PER_LANE && serving.queue.length > 0) {
      serving.busy++;
      const chunk = serving.queue.shift()!;
      this.#pool.wait((slab) => {
        this.#serveChunk(serving, chunk, slab)
          .catch((thrown) => this.#fail(thrown))
          .finally(() => {
            slab.release();
            serving.busy--;
            this.#serve(serving);
          });
      });
    }
  }

  async #serveChunk(serving: Serving, index: number, slab: Slab): Promise<void> {
    const { lane } = serving;
    if (!this.#lanes.has(lane.id) || index >= this.#space.chunks) return;
    const extents = this.#space.extents(index);
    const length = await this.#read(index, extents, slab.bytes);
    if (this.#space.stream && length < this.#space.chunkSize) this.#endStream();
    if (length === 0) return;
    const data = slab.bytes.subarray(0, length);
    const form = isZero(data) ? 'zeros' : 'data';
    const sha256 = form === 'zeros' ? await this.#zeroHashes.get(length) : await this.#ports.digest(data);
    this.#hashes.set(index, sha256);
    await this.#limiter.pass(length);
    // A file's zeros must not overtake the word that it is gone.
    while (serving.told < this.#obituaries.length && this.#lanes.has(lane.id)) await this.#tellGone(serving);
    if (!this.#lanes.has(lane.id)) return;
    // A dead lane rejects; its chunks will be asked for on another.
    const sent = await lane.send({ type: 'chunk', index, length, form, sha256, data }, slab).then(
      () => true,
      () => false,
    );
    if (!sent || !this.#served.add(index)) return;
    // The receiver is still writing the last ones: the time to look whether anything changed meanwhile.
    if (this.#served.count === this.#space.chunks) void this.#check().catch(() => {});
    this.#bytes += length;
    this.#ports.progress(this.#bytes, extents);
  }

  /** Reads a chunk; files that changed under us are declared gone and read as zeros. */
  async #read(index: number, extents: Extent[], into: Uint8Array): Promise<number> {
    for (;;) {
      const alive =
        this.#gone.size === 0 ? extents : extents.filter((extent) => !this.#gone.has(extent.entry));
      for (const extent of extents) {
        if (this.#gone.has(extent.entry)) into.fill(0, extent.at, extent.at + extent.length);
      }
      try {
        if (alive.length > 0) {
          const length = await this.#source.read(index, alive, into);
          if (this.#space.stream) return length;
        }
        return extents.reduce((sum, extent) => sum + extent.length, 0);
      } catch (thrown) {
        const error = asBeelineError(thrown, 'UNREADABLE');
        const entries = alive.map((extent) => extent.entry);
        const named = entries.filter((entry) => error.paths.includes(this.#source.entries[entry]!.path));
        if (this.#source.kind !== 'files' || named.length === 0 || this.#gone.size + named.length > MAX_GONE)
          throw error;
        for (const entry of named) this.#declareGone(entry, error);
      }
    }
  }

  #declareGone(entry: number, error: BeelineError): void {
    this.#gone.add(entry);
    this.#obituaries.push({ type: 'gone', entry, code: error.code, text: error.message.slice(0, 500) });
    for (const serving of this.#lanes.values()) void this.#tellGone(serving);
    this.#ports.gone(this.#source.entries[entry]!.path, error);
  }

  /** One after the other: there may be more of them than a lane's queue holds. Resolves when it knows of all. */
  #tellGone(serving: Serving): Promise<void> {
    const tell = async () => {
      try {
        while (serving.told < this.#obituaries.length)
          await serving.lane.send(this.#obituaries[serving.told++]!);
      } catch {
        // The lane is dead; the next one is told everything.
      }
      serving.telling = undefined;
    };
    if (serving.told === this.#obituaries.length) return serving.telling ?? Promise.resolve();
    serving.telling ??= tell();
    return serving.telling;
  }

  #endStream(): void {
    if (this.#space.bytes !== undefined || this.#source.length === undefined) return;
    this.#space.end(this.#source.length);
    for (const { lane } of this.#lanes.values()) this.#tell(lane, this.#offer());
  }

  #check(): Promise<string[]> {
    this.#checking ??= this.#source.changed();
    return this.#checking;
  }

  /** The receiver has everything. What changed since it was read is named before the last word is said. */
  async #finish(serving: Serving, { root: theirs, gone }: Message & { type: 'finish' }): Promise<void> {
    const changed = new Set(await this.#check());
    for (const [entry, { path }] of changed.size > 0 ? this.#source.entries.entries() : []) {
      if (!changed.has(path) || this.#gone.has(entry) || this.#gone.size >= MAX_GONE) continue;
      this.#declareGone(
        entry,
        new BeelineError('SOURCE_CHANGED', `'${escapeName(path)}' changed while it was being sent.`),
      );
    }
    await this.#tellGone(serving);
    const absent = touches(this.#space, new Set(gone));
    const root = this.#hashes.root(this.#pages, this.#space.chunks, absent);
    const told = await serving.lane.send({ type: 'finished', root, started: 0, ended: 0 }).then(
      () => true,
      () => false,
    );
    // Every lane brings a finish: one that was answered is enough.
    if (!told || this.#confirmed) return;
    this.#confirmed = true;
    if (!equalBytes(theirs, root))
      throw new BeelineError(
        'VERIFICATION',
        'The two sides have different roots: what arrived is not what was sent.',
      );
    this.#ports.complete(root);
  }

  #fail(thrown: unknown): void {
    this.#over = true;
    this.#ports.fail(asBeelineError(thrown));
  }
}
