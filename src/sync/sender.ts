/**
 * The serving side: answers what the receiver asks for, on the lane that asked. It keeps no notion of progress of
 * its own beyond what it has served, so any lane can die at any time. Non-goals: sockets, files, states.
 */

import { Bitfield } from '../base/bitfield.ts';
import { equalBytes } from '../base/bytes.ts';
import { seconds } from '../base/clock.ts';
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { BLOCK_BYTES, MAX_OUTSTANDING, PROTOCOL_VERSION } from '../base/limits.ts';
import { Slices } from '../base/slices.ts';
import { encodePages } from '../offer/manifest.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import { ChunkHashes } from '../offer/merkle.ts';
import { ByteSpace } from '../offer/space.ts';
import type { BlockRange, Message } from '../wire/messages.ts';
import { blocksOf } from './chunks.ts';
import { differentRoots } from './closing.ts';
import type { SenderPorts } from './engine-ports.ts';
import { type Lease, type Loaded, Outgoing } from './outgoing.ts';
import type { LanePort, Source } from './ports.ts';
import { Limiter } from './rate.ts';
import { Reading } from './reading.ts';
import { touches } from './selection.ts';
import { SlabPool } from './slabs.ts';
import { ZeroHashes } from './zeros.ts';

/** Pieces that are on their way into a lane at a time: one is written while the next is ready. */
const PIECES_AT_ONCE = 2;
/** A piece takes about this long at the lane's own rate, so that nothing else waits long behind one. */
const PIECE_S = 0.05;
/** The same for a limited rate. */
const LIMITED_PIECE_S = 0.125;
/** Bytes of a piece on a lane whose rate is not known yet. */
const FIRST_PIECE = 64 * 1024;
/** A lane's rate is measured over at least so long. */
const SAMPLE_S = 0.05;

/** What a lane was asked for: blocks of a chunk, or its hash. */
type Asked = BlockRange | { index: number; from?: undefined };

interface Serving {
  readonly lane: LanePort;
  /** Oldest first. */
  queue: Asked[];
  running: boolean;
  /** The chunk after the present one is being read while that is sent. */
  ahead: Lease | undefined;
  /** Bytes a second that the lane takes; 0 before it is known. */
  rate: number;
  /** Bytes that it took since `sampled`. */
  taken: number;
  sampled: number;
}

export class Sender {
  readonly #ports: SenderPorts;
  readonly #source: Source;
  readonly #space: ByteSpace;
  readonly #pages: Uint8Array[];
  /** Of chunks that this receiver was sent, or has. */
  #hashes = new ChunkHashes();
  /** Of chunks that a receiver before it was sent: only to see whether this one still has them right. */
  #earlier = new ChunkHashes();
  readonly #lanes = new Map<number, Serving>();
  readonly #reading: Reading;
  readonly #outgoing: Outgoing;
  /** Chunks that are at the receiver, by its word. */
  #arrived = new Bitfield();
  /** Chunks whose hash was asked for. */
  #compared = new Bitfield();
  /** Something has been read for this receiver. */
  #begun = false;
  #pagesAsked = new Bitfield();
  readonly #limiter: Limiter;
  readonly #zeroHashes: ZeroHashes;
  /** Names of files that changed since they were stat'ed, once that is being looked at. */
  #checking: Promise<string[]> | undefined;
  #confirmed = false;
  /** Bytes of the chunks that have arrived; and what the receiver says is there, with parts of chunks. */
  #bytes = 0;
  #said = 0;
  /** Of these, what the receiver had before, and what it had and only compared. */
  #resumed = 0;
  #kept = 0;
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
    this.#limiter = new Limiter(ports);
    this.#outgoing = new Outgoing({
      pool: new SlabPool(chunkSize, ports.allocate),
      digest: ports.digest,
      zeroHashes: this.#zeroHashes,
      read: (index, into) => this.#read(index, into),
    });
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
    return !this.#space.stream || !this.#begun;
  }

  addLane(lane: LanePort): void {
    const sampled = seconds(this.#ports.clock);
    const serving = { lane, queue: [], running: false, ahead: undefined, rate: 0, taken: 0, sampled };
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
    this.#arrived = new Bitfield();
    this.#compared = new Bitfield();
    this.#begun = false;
    this.#outgoing.clear();
    this.#pagesAsked = new Bitfield();
    this.#checking = undefined;
    this.#bytes = 0;
    this.#said = 0;
    this.#resumed = 0;
    this.#kept = 0;
    this.#ended = undefined;
    this.#confirmed = false;
    this.#ports.resumed(0);
  }

  hold(): void {
    this.#held = true;
  }

  pull(): void {
    this.#held = false;
    for (const serving of this.#lanes.values()) void this.#serve(serving);
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
        // Copied: they are counted down as they are served.
        return this.#enqueue(
          serving,
          message.ranges.map((range) => ({ ...range })),
        );
      case 'get-hash':
        return this.#enqueue(
          serving,
          message.chunks.map((index) => ({ index })),
        );
      case 'arrived':
        return this.#takeArrived(message);
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
    const { stream, chunks, chunkSize } = this.#space;
    if (!asked.every(({ index }) => stream || index < chunks)) {
      throw new BeelineError('PROTOCOL', 'The other side asked for a chunk that does not exist.');
    }
    const blocks = (index: number) => blocksOf(stream ? chunkSize : this.#space.length(index));
    if (!asked.every((one) => one.from === undefined || one.to <= blocks(one.index))) {
      throw new BeelineError('PROTOCOL', 'The other side asked for blocks that do not exist.');
    }
    this.#started ??= this.#ports.clock.date();
    this.#ports.accepted();
    for (const one of asked) serving.queue.push(one);
    void this.#serve(serving);
  }

  /** What the receiver has from an earlier run, by its own word: it can only cheat itself. */
  #takeHave(chunks: readonly ChunkHash[]): void {
    if (this.#space.stream)
      throw new BeelineError('PROTOCOL', 'The other side has chunks of a stream already.');
    this.#checkExist(chunks.map(({ index }) => index));
    this.#ports.accepted();
    for (const { index, sha256 } of chunks) {
      if (!this.#hashes.get(index)) this.#hashes.set(index, this.#earlier.get(index) ?? sha256);
      this.#resumed += this.#there(index);
    }
    // Chunks that this run served are no news: 0 would have all counted anew.
    if (this.#resumed > 0) this.#ports.resumed(this.#resumed);
  }

  /** What has arrived, by the receiver's own word. */
  #takeArrived({ bytes, kept, chunks }: Message & { type: 'arrived' }): void {
    this.#checkExist(chunks);
    this.#ports.accepted();
    if (kept > this.#kept) this.#ports.kept(kept - this.#kept);
    this.#kept = Math.max(kept, this.#kept);
    this.#said = Math.min(Math.max(bytes, this.#said), this.#space.bytes ?? Number.POSITIVE_INFINITY);
    for (const index of chunks) this.#there(index);
    this.#ports.progress(Math.max(this.#bytes, this.#said), []);
  }

  #checkExist(chunks: readonly number[]): void {
    if (!chunks.every((index) => index < this.#space.chunks))
      throw new BeelineError('PROTOCOL', 'The other side has a chunk that does not exist.');
  }

  /** A chunk is at the receiver. Returns its length in bytes, if that is news. */
  #there(index: number): number {
    if (!this.#arrived.add(index)) return 0;
    const extents = this.#space.extents(index);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    this.#bytes += length;
    this.#ports.progress(Math.max(this.#bytes, this.#said), extents);
    // The receiver puts all in order now: the time to look whether anything changed meanwhile.
    if (this.#arrived.count === this.#space.chunks) void this.#check().catch(() => {});
    return length;
  }

  /** Answers a lane in the order of its requests, until it has no more, or this side holds. */
  async #serve(serving: Serving): Promise<void> {
    if (serving.running) return;
    serving.running = true;
    serving.taken = 0;
    serving.sampled = seconds(this.#ports.clock);
    const sending = new Set<Promise<void>>();
    try {
      while (this.#serves(serving) && serving.queue.length > 0) {
        const lease = this.#lease(serving);
        try {
          const loaded = await lease.loaded;
          while (this.#serves(serving) && serving.queue[0]?.index === lease.index)
            await this.#answer(serving, loaded, sending);
        } finally {
          lease.release();
        }
      }
      await Promise.all(sending);
    } catch (thrown) {
      this.#fail(thrown);
    } finally {
      serving.ahead?.release();
      serving.ahead = undefined;
      serving.running = false;
      // What came while the last of it was sent.
      if (this.#serves(serving) && serving.queue.length > 0) void this.#serve(serving);
    }
  }

  #serves(serving: Serving): boolean {
    return !this.#held && !this.#over && this.#lanes.get(serving.lane.id) === serving;
  }

  /** The chunk that is to be served now; the one after it begins to be read. */
  #lease(serving: Serving): Lease {
    const { index } = serving.queue[0]!;
    const lease = this.#outgoing.lease(index);
    serving.ahead?.release();
    const next = serving.queue.find((asked) => asked.index !== index);
    serving.ahead = next && this.#outgoing.lease(next.index);
    return lease;
  }

  async #read(index: number, into: Uint8Array): Promise<number> {
    if (index >= this.#space.chunks) return 0;
    this.#begun = true;
    const length = await this.#reading.read(index, this.#space.extents(index), into);
    if (this.#space.stream && length < this.#space.chunkSize) this.#endStream();
    return length;
  }

  /** One piece of what the lane was asked for first. */
  async #answer(serving: Serving, loaded: Loaded, sending: Set<Promise<void>>): Promise<void> {
    const { lane } = serving;
    const { index, data, sha256 } = loaded;
    const asked = serving.queue[0]!;
    const end = asked.from === undefined ? 0 : Math.min(data.length, asked.to * BLOCK_BYTES);
    const offset = (asked.from ?? 0) * BLOCK_BYTES;
    const bytes = loaded.zeros ? 0 : Math.min(end - offset, this.#pieceOf(serving));
    if (asked.from === undefined) {
      // Comparing costs no bandwidth, but a receiver that compares again and again costs reading.
      if (!this.#compared.add(index)) await this.#limiter.pass(data.length);
    } else if (bytes > 0) await this.#limiter.pass(bytes);
    // A file's zeros must not overtake the word that it is gone.
    for (let told = this.#reading.obituaries.tell(lane); told; told = this.#reading.obituaries.tell(lane))
      await told;
    while (sending.size >= PIECES_AT_ONCE) await Promise.race(sending);
    if (!this.#serves(serving)) return;
    if (asked.from === undefined) {
      serving.queue.shift();
      if (data.length > 0) this.#note(index, sha256);
      lane.send({ type: 'hash', index, length: data.length, sha256 }).catch(() => {});
      return;
    }
    if (loaded.zeros || offset + bytes >= end) serving.queue.shift();
    else asked.from += bytes / BLOCK_BYTES;
    // A stream that has ended before what was asked for: its end has been said.
    if (offset >= data.length) return;
    this.#note(index, sha256);
    const piece = this.#send(serving, loaded, offset, bytes).finally(() => sending.delete(piece));
    sending.add(piece);
  }

  /**
   * What the root says of a chunk. One of a file that is gone keeps its first hash: a receiver that knows of the file leaves the
   * chunk out, and one that had all before it heard so has what was read first.
   */
  #note(index: number, sha256: Uint8Array): void {
    const { gone } = this.#reading;
    const known = gone.size > 0 && this.#hashes.get(index) !== undefined;
    if (!known || !touches(this.#space, gone)(index)) this.#hashes.set(index, sha256);
  }

  /** Resolves when the lane has taken it. One that dies is asked for on another. */
  async #send(serving: Serving, loaded: Loaded, offset: number, bytes: number): Promise<void> {
    const { index, data, sha256, zeros, slab } = loaded;
    const use = this.#outgoing.lease(index);
    const first = offset === 0 && bytes > 0 && !loaded.headroomTaken;
    if (first) loaded.headroomTaken = true;
    const header = { type: 'blocks' as const, index, length: data.length, sha256, offset, bytes };
    const form = zeros ? ('zeros' as const) : ('data' as const);
    const part = data.subarray(offset, offset + bytes);
    try {
      await serving.lane.send({ ...header, form, data: part }, first ? slab : undefined);
      loaded.gone += bytes;
      this.#took(serving, bytes);
    } catch {
      // The lane is dead.
    } finally {
      if (first) loaded.headroomTaken = false;
      use.release();
    }
  }

  #took(serving: Serving, bytes: number): void {
    serving.taken += bytes;
    const now = seconds(this.#ports.clock);
    const elapsed = now - serving.sampled;
    if (elapsed < SAMPLE_S) return;
    const rate = serving.taken / elapsed;
    serving.rate = serving.rate === 0 ? rate : (serving.rate + rate) / 2;
    serving.taken = 0;
    serving.sampled = now;
  }

  /** Bytes of a piece: whole blocks. */
  #pieceOf({ rate }: Serving): number {
    const { limit } = this.#ports;
    const bytes = rate === 0 ? FIRST_PIECE : rate * PIECE_S;
    const most = limit === undefined ? bytes : Math.min(bytes, limit * LIMITED_PIECE_S);
    return Math.max(1, Math.floor(most / BLOCK_BYTES)) * BLOCK_BYTES;
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
    const root = await new Slices(this.#ports.clock).run(this.#hashes.rooting(this.#pages, chunks, absent));
    // It may have died meanwhile, or belong to a process that is gone.
    if (!this.#lanes.has(serving.lane.id)) return;
    this.#ended ??= this.#ports.clock.date();
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
