/**
 * The serving side: answers what the receiver asks for, on the lane that asked. It keeps no notion of progress of
 * its own beyond what it has served, so any lane can die at any time. Non-goals: sockets, files, states.
 */
import { equalBytes } from '../protocol/bytes.ts';
import { asBeelineError, BeelineError } from '../protocol/errors.ts';
import { MAX_OUTSTANDING, PROTOCOL_VERSION } from '../protocol/limits.ts';
import { encodePages } from '../protocol/manifest.ts';
import type { ChunkHash, Message } from '../protocol/messages.ts';
import { Slices } from '../protocol/slices.ts';
import { differentRoots } from './closing.ts';
import type { SenderPorts } from './engine-ports.ts';
import { HaveMap } from './have.ts';
import { ChunkHashes } from './merkle.ts';
import type { LanePort, Slab, Source } from './ports.ts';
import { Limiter } from './rate.ts';
import { Reading } from './reading.ts';
import { touches } from './selection.ts';
import { SlabPool } from './slabs.ts';
import { ByteSpace } from './space.ts';
import { isZero, ZeroHashes } from './zeros.ts';

/** Chunks being read and hashed for one lane while another is on its way into the socket. */
const PER_LANE = 2;

interface Asked {
  index: number;
  /** Not if this is its hash: the receiver has it then. */
  sha256?: Uint8Array;
}

const plainly = (index: number): Asked => ({ index });

interface Serving {
  lane: LanePort;
  queue: Asked[];
  busy: number;
}

export class Sender {
  readonly #ports: SenderPorts;
  readonly #source: Source;
  readonly #space: ByteSpace;
  readonly #pages: Uint8Array[];
  readonly #pool: SlabPool;
  /** Of chunks that this receiver was sent, or has. */
  #hashes = new ChunkHashes();
  /** Of chunks that a receiver before it was sent: only to see whether this one still has them right. */
  #earlier = new ChunkHashes();
  readonly #lanes = new Map<number, Serving>();
  readonly #reading: Reading;
  #served = new HaveMap();
  #pagesAsked = new HaveMap();
  readonly #limiter: Limiter;
  readonly #zeroHashes: ZeroHashes;
  /** Names of files that changed since they were stat'ed, once that is being looked at. */
  #checking: Promise<string[]> | undefined;
  #confirmed = false;
  #bytes = 0;
  /** Of these, what the receiver had before. */
  #resumed = 0;
  /** Milliseconds since 1970. */
  #started: number | undefined;
  #ended: number | undefined;
  #held = false;
  #over = false;

  constructor(source: Source, chunkSize: number, ports: SenderPorts) {
    this.#ports = ports;
    this.#source = source;
    this.#reading = new Reading(source, ports.gone);
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

  /** False for a stream that has begun: what is gone from it cannot be read again for a new process. */
  get restartable(): boolean {
    return !this.#space.stream || this.#served.count === 0;
  }

  addLane(lane: LanePort): void {
    const serving: Serving = { lane, queue: [], busy: 0 };
    this.#lanes.set(lane.id, serving);
    lane.send(this.#offer()).catch(() => {});
    this.#reading.obituaries.addLane(lane);
  }

  removeLane(lane: LanePort): void {
    this.#lanes.delete(lane.id);
    this.#reading.obituaries.removeLane(lane);
  }

  /** The receiver is a new process, and says what it still has. */
  restart(): void {
    this.#earlier = this.#hashes;
    this.#hashes = new ChunkHashes();
    this.#served = new HaveMap();
    this.#pagesAsked = new HaveMap();
    this.#checking = undefined;
    this.#bytes = 0;
    this.#resumed = 0;
    this.#ended = undefined;
    this.#confirmed = false;
    this.#ports.resumed(0);
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
        lane.send({ type: 'page', page: message.page, bytes }).catch(() => {});
        return;
      }
      case 'get':
        return this.#enqueue(serving, message.chunks.map(plainly));
      case 'compare':
        return this.#enqueue(serving, message.chunks);
      case 'have':
        return this.#takeHave(message.chunks);
      case 'confirmed':
        if (!this.#confirmed)
          throw new BeelineError('PROTOCOL', 'The other side confirms what was not said.');
        return this.#ports.confirmed();
      case 'written':
        return this.#source.release(message.below);
      case 'finish':
        if (this.#space.chunks === Number.POSITIVE_INFINITY) {
          throw new BeelineError('PROTOCOL', 'The other side is done with a stream that has not ended.');
        }
        if (!message.gone.every((entry) => this.#reading.gone.has(entry)))
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

  #enqueue(serving: Serving, asked: readonly Asked[]): void {
    if (serving.queue.length + asked.length > MAX_OUTSTANDING) {
      throw new BeelineError('PROTOCOL', 'The other side asks for too much at once.');
    }
    if (!asked.every(({ index }) => this.#space.stream || index < this.#space.chunks)) {
      throw new BeelineError('PROTOCOL', 'The other side asked for a chunk that does not exist.');
    }
    this.#started ??= this.#ports.clock();
    for (const one of asked) serving.queue.push(one);
    this.#serve(serving);
  }

  /** What the receiver has from an earlier run, by its own word: it can only cheat itself. */
  #takeHave(chunks: readonly ChunkHash[]): void {
    if (!chunks.every(({ index }) => !this.#space.stream && index < this.#space.chunks)) {
      throw new BeelineError('PROTOCOL', 'The other side has a chunk that does not exist.');
    }
    for (const { index, sha256 } of chunks) {
      if (!this.#hashes.get(index)) this.#hashes.set(index, this.#earlier.get(index) ?? sha256);
      if (!this.#served.add(index)) continue;
      const length = this.#space.length(index);
      this.#bytes += length;
      this.#resumed += length;
      this.#ports.progress(this.#bytes, this.#space.extents(index));
    }
    this.#ports.resumed(this.#resumed);
  }

  #serve(serving: Serving): void {
    while (!this.#held && !this.#over && serving.busy < PER_LANE && serving.queue.length > 0) {
      serving.busy++;
      const asked = serving.queue.shift()!;
      this.#pool.wait((slab) => {
        this.#serveChunk(serving, asked, slab)
          .catch((thrown) => this.#fail(thrown))
          .finally(() => {
            slab.release();
            serving.busy--;
            this.#serve(serving);
          });
      });
    }
  }

  async #serveChunk(serving: Serving, { index, sha256: theirs }: Asked, slab: Slab): Promise<void> {
    const { lane } = serving;
    if (!this.#lanes.has(lane.id) || index >= this.#space.chunks) return;
    const extents = this.#space.extents(index);
    const length = await this.#reading.read(index, extents, slab.bytes);
    if (this.#space.stream && length < this.#space.chunkSize) this.#endStream();
    if (length === 0) return;
    const data = slab.bytes.subarray(0, length);
    const zeros = isZero(data);
    const sha256 = zeros ? await this.#zeroHashes.get(length) : await this.#ports.digest(data);
    this.#hashes.set(index, sha256);
    const same = theirs && equalBytes(theirs, sha256);
    const form = same ? 'same' : zeros ? 'zeros' : 'data';
    // Comparing costs no bandwidth, but a receiver that compares again and again costs reading.
    if (!same || this.#served.has(index)) await this.#limiter.pass(length);
    else this.#ports.kept(length);
    // A file's zeros must not overtake the word that it is gone.
    for (let told = this.#reading.obituaries.tell(lane); told; told = this.#reading.obituaries.tell(lane))
      await told;
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

  #endStream(): void {
    if (this.#space.bytes !== undefined || this.#source.length === undefined) return;
    this.#space.end(this.#source.length);
    for (const { lane } of this.#lanes.values()) lane.send(this.#offer()).catch(() => {});
  }

  #check(): Promise<string[]> {
    this.#checking ??= this.#source.changed();
    return this.#checking;
  }

  /** The receiver has everything. What changed since it was read is named before the last word is said. */
  async #finish(serving: Serving, { root: theirs, gone }: Message & { type: 'finish' }): Promise<void> {
    this.#reading.declareChanged(await this.#check());
    await this.#reading.obituaries.tell(serving.lane);
    // The receiver asks again where that lane has died, unless it is a new process, which has finished nothing.
    if (!this.#lanes.has(serving.lane.id)) return;
    const absent = touches(this.#space, new Set(gone));
    const { chunks } = this.#space;
    const { now, sleep } = this.#ports;
    const slices = new Slices(
      () => now() * 1000,
      () => sleep(0),
    );
    const root = await slices.run(this.#hashes.rooting(this.#pages, chunks, absent));
    // It may have died meanwhile, or belong to a process that is gone.
    if (!this.#lanes.has(serving.lane.id)) return;
    this.#ended ??= this.#ports.clock();
    const [started, ended] = [this.#started ?? this.#ended, this.#ended];
    serving.lane.send({ type: 'finished', root, started, ended }).catch(() => {});
    // It is asked again when a lane has died with the answer, and answered again.
    if (this.#confirmed) return;
    this.#confirmed = true;
    if (!equalBytes(theirs, root)) throw differentRoots();
    const hash = (chunk: number) => (absent(chunk) ? undefined : this.#hashes.get(chunk));
    this.#ports.complete({ root, hash, chunks, started, ended });
  }

  #fail(thrown: unknown): void {
    this.#over = true;
    this.#ports.fail(asBeelineError(thrown));
  }
}
