/**
 * The serving half of a peer: it answers what the peer asks for, on the lane that asked, in the order of the requests. It
 * keeps no notion of progress, so that any lane can die at any time.
 */
import { Bitfield } from '../base/bitfield.ts';
import { type Clock, seconds } from '../base/clock.ts';
import { fault } from '../base/errors.ts';
import { BLOCK_BYTES, MAX_OUTSTANDING } from '../base/limits.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { BlockRange } from '../wire/messages.ts';
import { blocksOf } from './chunks.ts';
import type { LanePort } from './ports.ts';
import type { Limiter } from './rate.ts';
import type { ChunkReader, Lease, Loaded, ReaderUser } from './reader.ts';
import { Repeats } from './repeats.ts';

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
export type Asked = BlockRange | { index: number; from?: undefined };

export interface ServingOptions {
  clock: Clock;
  space: ByteSpace;
  reader: ChunkReader;
  /** Shared by all peers. */
  limiter: Limiter;
  /** A chunk's hash that need not be read for. */
  hash: (index: number) => Uint8Array | undefined;
  /** What a lane hears before more bytes go on it. Undefined: nothing. */
  news: (lane: LanePort) => Promise<void> | undefined;
  /** The peer is told this hash of a chunk. */
  hashTold: (index: number, hash: Uint8Array) => void;
  /** So many bytes more have gone into a lane. */
  sent?: (bytes: number) => void;
  /** Whether a chunk is what it should be. Absent: it is, since this side says so. */
  serves?: (loaded: Loaded) => boolean;
  /** What a lane asks for cannot be read any more, or is something else by now. Absent: that is the end. */
  lacks?: (lane: LanePort, range: BlockRange) => void;
  fail: (thrown: unknown) => void;
}

interface LaneState {
  readonly lane: LanePort;
  /** Oldest first. */
  queue: Asked[];
  /** Hashes that are known and being said, before all blocks. */
  known: number[];
  running: boolean;
  /** The chunk that is being sent, or waited for. */
  present: Lease | undefined;
  /** The chunk after the present one is being read while that is sent. */
  ahead: Lease | undefined;
  /** Bytes a second that the lane takes; 0 before it is known. */
  rate: number;
  /** Bytes that it took since `sampled`. */
  taken: number;
  sampled: number;
}

export class Serving {
  readonly #options: ServingOptions;
  readonly #reader: ReaderUser;
  readonly #lanes = new Map<LanePort, LaneState>();
  /** Chunks that were read for their hash alone. */
  readonly #compared = new Bitfield();
  readonly #repeats: Repeats;
  #resting = false;
  #over = false;

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#reader = options.reader.user();
    this.#repeats = new Repeats(options.clock, options.space.chunkSize);
  }

  get lanes(): Iterable<LanePort> {
    return this.#lanes.keys();
  }

  has(lane: LanePort): boolean {
    return this.#lanes.has(lane);
  }

  addLane(lane: LanePort): void {
    const sampled = seconds(this.#options.clock);
    this.#lanes.set(lane, {
      lane,
      queue: [],
      known: [],
      running: false,
      present: undefined,
      ahead: undefined,
      rate: 0,
      taken: 0,
      sampled,
    });
  }

  removeLane(lane: LanePort): void {
    const state = this.#lanes.get(lane);
    this.#lanes.delete(lane);
    if (!state) return;
    state.queue = [];
    // Nothing more is read for it.
    state.present?.release();
    state.ahead?.release();
  }

  /** The peer is a new process. */
  restart(): void {
    this.#reader.restart();
    this.#repeats.restart();
  }

  rest(): void {
    this.#resting = true;
  }

  run(): void {
    this.#resting = false;
    for (const state of this.#lanes.values()) void this.#serve(state);
  }

  stop(): void {
    this.#over = true;
    for (const lane of [...this.#lanes.keys()]) this.removeLane(lane);
    this.#reader.close();
  }

  /** @throws BeelineError PROTOCOL for what no honest peer asks */
  take(lane: LanePort, asked: readonly Asked[]): void {
    const state = this.#lanes.get(lane);
    if (!state) return;
    if (state.queue.length + state.known.length + asked.length > MAX_OUTSTANDING)
      throw fault('PEER_MISBEHAVES', { what: 'asks for too much at once' });
    const { stream, chunks, chunkSize } = this.#options.space;
    if (!asked.every(({ index }) => stream || index < chunks))
      throw fault('PEER_MISBEHAVES', { what: 'asked for a chunk that does not exist' });
    const blocks = (index: number) => blocksOf(stream ? chunkSize : this.#options.space.length(index));
    if (!asked.every((one) => one.from === undefined || one.to <= blocks(one.index)))
      throw fault('PEER_MISBEHAVES', { what: 'asked for blocks that do not exist' });
    const saying = state.known.length > 0;
    // Copied: they are counted down as they are served.
    for (const one of asked)
      if (one.from === undefined && this.#options.hash(one.index)) state.known.push(one.index);
      else state.queue.push({ ...one });
    if (!saying) void this.#sayKnown(state);
    void this.#serve(state);
  }

  /** Says hashes for which nothing need be read. */
  async #sayKnown(state: LaneState): Promise<void> {
    const { lane, known } = state;
    const { hash, hashTold, space } = this.#options;
    for (; known.length > 0 && this.#lanes.has(lane); known.shift()) {
      const index = known[0]!;
      const told = hash(index);
      // A file of it went away meanwhile: the chunk is read anew.
      if (!told) {
        state.queue.push({ index });
        void this.#serve(state);
        continue;
      }
      hashTold(index, told);
      await lane.send({ type: 'hash', index, length: space.length(index), hash: told }).catch(() => {});
    }
  }

  /** Goes on until the lane is owed nothing more, or this side holds. */
  async #serve(state: LaneState): Promise<void> {
    if (state.running) return;
    state.running = true;
    state.taken = 0;
    state.sampled = seconds(this.#options.clock);
    const sending = new Set<Promise<void>>();
    try {
      while (this.#serves(state) && state.queue.length > 0) {
        const lease = this.#lease(state);
        try {
          const loaded = await this.#load(state, lease);
          while (loaded && this.#serves(state) && state.queue[0]?.index === lease.index)
            await this.#answer(state, loaded, sending);
        } finally {
          lease.release();
        }
      }
      await Promise.all(sending);
    } catch (thrown) {
      this.stop();
      this.#options.fail(thrown);
    } finally {
      state.ahead?.release();
      state.ahead = undefined;
      state.running = false;
      // What came while the last of it was sent.
      if (this.#serves(state) && state.queue.length > 0) void this.#serve(state);
    }
  }

  #serves(state: LaneState): boolean {
    return !this.#resting && !this.#over && this.#lanes.get(state.lane) === state;
  }

  /** The chunk that is to be served now; the one after it begins to be read. */
  #lease(state: LaneState): Lease {
    const { index } = state.queue[0]!;
    const lease = this.#reader.lease(index);
    state.present = lease;
    state.ahead?.release();
    const next = state.queue.find((asked) => asked.index !== index);
    state.ahead = next && this.#reader.ahead(next.index);
    return lease;
  }

  /** The chunk, unless it is not here any more: then the lane is told so. */
  async #load(state: LaneState, { index, loaded }: Lease): Promise<Loaded | undefined> {
    const { serves, lacks } = this.#options;
    if (!lacks) return loaded;
    const here = await loaded.catch(() => undefined);
    if (here && (!serves || serves(here))) return here;
    if (!this.#serves(state)) return undefined;
    // It costs as much reading as a chunk that is here.
    const all = blocksOf(this.#options.space.length(index));
    this.#repeats.sends(index, all, all);
    for (const asked of state.queue)
      if (asked.index === index && asked.from !== undefined) lacks(state.lane, asked);
    state.queue = state.queue.filter((asked) => asked.index !== index);
    return undefined;
  }

  /** One piece of what the lane was asked for first. */
  async #answer(state: LaneState, loaded: Loaded, sending: Set<Promise<void>>): Promise<void> {
    const { lane } = state;
    const { limiter, news, hashTold } = this.#options;
    const { index, data, hash } = loaded;
    const asked = state.queue[0]!;
    const end = asked.from === undefined ? 0 : Math.min(data.length, asked.to * BLOCK_BYTES);
    const offset = (asked.from ?? 0) * BLOCK_BYTES;
    const bytes = loaded.zeros ? 0 : Math.min(end - offset, this.#pieceOf(state));
    const all = blocksOf(data.length);
    if (asked.from === undefined) {
      // A hash costs no bandwidth, but a peer that asks for it again and again costs reading.
      if (!this.#compared.add(index)) {
        this.#repeats.sends(index, all, all);
        await limiter.pass(data.length);
      }
    } else if (offset < data.length) {
      this.#repeats.sends(index, loaded.zeros ? blocksOf(end - offset) : blocksOf(bytes), all);
      if (bytes > 0) await limiter.pass(bytes);
    }
    // A file's zeros must not overtake the word that it is gone.
    for (let told = news(lane); told; told = news(lane)) await told;
    while (sending.size >= PIECES_AT_ONCE) await Promise.race(sending);
    if (!this.#serves(state)) return limiter.giveBack(bytes);
    if (asked.from === undefined) {
      state.queue.shift();
      if (data.length > 0) hashTold(index, hash);
      lane.send({ type: 'hash', index, length: data.length, hash }).catch(() => {});
      return;
    }
    if (loaded.zeros || offset + bytes >= end) state.queue.shift();
    else asked.from += bytes / BLOCK_BYTES;
    // A stream that has ended before what was asked for: its end has been said.
    if (offset >= data.length) return;
    hashTold(index, hash);
    const piece = this.#send(state, loaded, offset, bytes).finally(() => sending.delete(piece));
    sending.add(piece);
  }

  /** Resolves when the lane has taken it. One that dies is asked for on another. */
  async #send(state: LaneState, loaded: Loaded, offset: number, bytes: number): Promise<void> {
    const { index, data, hash, zeros, slab } = loaded;
    const use = this.#reader.lease(index);
    const first = offset === 0 && bytes > 0 && !loaded.headroomTaken;
    if (first) loaded.headroomTaken = true;
    const header = { type: 'blocks' as const, index, length: data.length, hash, offset, bytes };
    const form = zeros ? ('zeros' as const) : ('data' as const);
    const part = data.subarray(offset, offset + bytes);
    try {
      await state.lane.send({ ...header, form, data: part }, first ? slab : undefined);
      loaded.sent += bytes;
      this.#options.sent?.(bytes);
      this.#took(state, bytes);
    } catch {
      // The lane is dead.
    } finally {
      if (first) loaded.headroomTaken = false;
      use.release();
    }
  }

  #took(state: LaneState, bytes: number): void {
    state.taken += bytes;
    const now = seconds(this.#options.clock);
    const elapsed = now - state.sampled;
    if (elapsed < SAMPLE_S) return;
    const rate = state.taken / elapsed;
    state.rate = state.rate === 0 ? rate : (state.rate + rate) / 2;
    state.taken = 0;
    state.sampled = now;
  }

  /** Bytes of a piece: whole blocks. */
  #pieceOf({ rate }: LaneState): number {
    const { limit } = this.#options.limiter;
    const bytes = rate === 0 ? FIRST_PIECE : rate * PIECE_S;
    const most = limit === undefined ? bytes : Math.min(bytes, limit * LIMITED_PIECE_S);
    return Math.max(1, Math.floor(most / BLOCK_BYTES)) * BLOCK_BYTES;
  }
}
