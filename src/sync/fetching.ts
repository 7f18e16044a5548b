/**
 * The fetching half: it asks any peer that has a missing chunk, over any lane that has room, checks each chunk against the
 * hash that the origin has told, and hands it to the store. Goals: flat memory, no lane and no peer special.
 */
import { Alarm, seconds } from '../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { BLOCK_BYTES } from '../base/limits.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import type { Offer } from '../offer/offer.ts';
import type { Extent } from '../offer/space.ts';
import type { Landing } from '../wire/framing.ts';
import type { BlockRange, BlocksHeader, Message } from '../wire/messages.ts';
import { askFor, blocksInOnePiece } from './asking.ts';
import { blocksOf, Chunks, type Claim, type Holder } from './chunks.ts';
import type { ReceiverPorts } from './engine-ports.ts';
import { Intake } from './intake.ts';
import type { LanePort, Sink } from './ports.ts';
import { Limiter } from './rate.ts';
import { Scheduler } from './scheduler.ts';
import { unwantedChunks } from './selection.ts';
import { LONG_BUDGET, SlabPool } from './slabs.ts';

/** How often an idle lane looks whether there is something that another lane does not bring. */
const LOOK_MS = 500;
/** Chunks that a holder may begin to bring with another hash than the origin's, before it counts as a liar. */
const MAX_MISTAKEN = 8;

export interface FetchingOptions {
  offer: Offer;
  sink: Sink;
  /** Others get from this side what it has. */
  shares: boolean;
  /** Others fetch from the origin too, as of now: its line is theirs. */
  shared: () => boolean;
  ports: Omit<ReceiverPorts, 'open' | 'gone' | 'complete' | 'fail'>;
  /** A chunk is down; `kept` bytes of it were here already. */
  down: (chunk: number, kept: number) => void;
  /** More has come, or nothing that was here counts any more. */
  more: () => void;
  /** The sink has begun anew with what is certain. */
  anew: () => void;
  /** Nothing is missing. Called again and again until `finish` resolves. */
  complete: () => void;
  /** A holder brought what is not what the origin has. */
  lied: (holder: Holder) => void;
  fail: (error: BeelineError) => void;
}

export class Fetching {
  readonly chunks: Chunks;
  readonly sink: Sink;
  readonly #options: FetchingOptions;
  readonly #lanes = new Map<LanePort, Holder | undefined>();
  readonly #scheduler: Scheduler<LanePort>;
  readonly #intake: Intake;
  readonly #limiter: Limiter;
  readonly #idleLook: Alarm;
  /** What the disk does: a write has failed, or the sink begins anew after that. */
  #disk: 'well' | 'failed' | 'reopening' = 'well';
  #resting: boolean;
  #finishing = false;
  /** Something has come. */
  #begun = false;
  #over = false;
  /** Of a stream: below this chunk the origin has forgotten. */
  #released = 0;

  constructor(options: FetchingOptions, held: boolean) {
    this.#options = options;
    this.#resting = held;
    const { offer, sink, ports, shares } = options;
    this.sink = sink;
    this.#limiter = new Limiter(ports);
    this.#idleLook = new Alarm(ports.clock);
    const pool = new SlabPool(offer.space.chunkSize, ports.allocate, LONG_BUDGET);
    const comparable = (chunk: number) => sink.comparable?.(chunk) === true;
    this.chunks = new Chunks({
      offer,
      window: sink.window,
      usual: pool.usual,
      most: pool.size,
      shares,
      comparable,
      random: ports.random,
    });
    this.#scheduler = new Scheduler<LanePort>(this.chunks, options.shared, blocksInOnePiece(ports.limit));
    this.#intake = new Intake({
      digest: ports.digest(offer.hash),
      chunks: this.chunks,
      pool,
      sink,
      written: (chunk, extents, kept) => this.#written(chunk, extents, kept),
      changed: () => this.pump(),
      lied: (holder) => options.lied(holder),
      fail: (thrown) => this.#fail(thrown),
    });
    this.#takeStock();
  }

  /** Being found out what the disk certainly has: until then nothing that was down counts. */
  get reopening(): boolean {
    return this.#disk === 'reopening';
  }

  /** Of a stream: every chunk below this one is down, and the origin may forget it. */
  release(): number {
    this.#released = this.chunks.down.firstMissing;
    return this.#released;
  }

  /** @param holder whose lane it is; undefined: the origin's */
  addLane(lane: LanePort, holder?: Holder): void {
    this.#lanes.set(lane, holder);
    this.#scheduler.addLane(lane, this.#now, holder);
    this.pump();
  }

  removeLane(lane: LanePort): void {
    this.#lanes.delete(lane);
    this.#scheduler.removeLane(lane);
    this.pump();
  }

  retireLane(lane: LanePort): void {
    if (!this.#scheduler.retire(lane)) lane.close();
  }

  /** @throws BeelineError PROTOCOL if it has a chunk that does not exist */
  join(holder: Holder): void {
    this.#options.offer.checkExist(holder.has);
    this.chunks.join(holder);
  }

  leave(holder: Holder): void {
    this.chunks.leave(holder);
    this.pump();
  }

  /** @throws BeelineError PROTOCOL for a chunk that does not exist */
  holds(holder: Holder, indexes: readonly number[]): void {
    this.#options.offer.checkExist(indexes);
    for (const index of indexes) if (this.chunks.holds(holder, index)) this.#scheduler.news(this.#now);
    if (indexes.length > 0) this.pump();
  }

  /** Something that a holder was asked for has not come, and still would be of use. */
  awaits(holder: Holder): boolean {
    return this.#scheduler.awaits(holder);
  }

  /** Seconds in which an honest holder brings something, however slow all are; undefined while nobody has brought anything. */
  get turns(): number | undefined {
    return this.#scheduler.turns;
  }

  /** The origin says what it has given to others. @throws BeelineError PROTOCOL for what no origin says */
  given({ first, bits, hashed }: Message & { type: 'given' }): void {
    const { space } = this.#options.offer;
    const bytes = Math.ceil(space.chunks / 8);
    if (first % 8 !== 0 || bits.length !== hashed.length || first / 8 + bits.length > bytes)
      throw fault('PEER_MALFORMED', { what: 'a map of chunks that do not exist' });
    this.chunks.given(first, bits, hashed);
    this.pump();
  }

  /** The origin cannot deliver an entry. */
  drop(entry: number): void {
    this.chunks.gone(entry);
    this.sink.drop(entry).catch((thrown) => this.#fail(thrown));
  }

  /** Stops asking; what is under way still lands. */
  rest(): void {
    this.#resting = true;
  }

  run(): void {
    this.#resting = false;
    if (this.#disk === 'failed') void this.#reopen();
    else this.pump();
  }

  /** No more writes are begun; resolves when those under way are done. */
  async stop(): Promise<void> {
    this.#over = true;
    this.#idleLook.clear();
    this.#intake.stop();
    // A write to a pipe that nobody reads ends only when the sink is told to give up.
    if (this.#intake.busy && !this.sink.held) await this.sink.close('discard').catch(() => {});
    await this.idle();
  }

  /** Resolves when nothing is being written or compared. */
  idle(): Promise<void> {
    return this.#intake.idle();
  }

  /** Blocks begin to come: says where their bytes go. Throws PROTOCOL for what was not asked for: drop the lane then. */
  land(lane: LanePort, header: BlocksHeader): Landing {
    const { index, length, offset, bytes } = header;
    const from = offset / BLOCK_BYTES;
    const owed = this.#scheduler.begins(lane, { index, from, to: from + blocksOf(bytes) });
    if (!owed) throw notAskedFor();
    const holder = this.#lanes.get(lane);
    if (!holder) this.#shorten(index, length);
    const came = (to: number, count: number) => {
      this.#scheduler.came(lane, index, to, count, this.#now);
      // The first of all is told of at once: what came with it may be long in coming.
      if (!this.#begun) this.#options.ports.progress(this.chunks.arrived, []);
      this.#begun = true;
    };
    const landing = this.#intake.land(header, came, this.#counts(owed), holder);
    this.#judge(holder);
    let left = bytes;
    const took = (count: number) => {
      left -= count;
      if (left === 0) this.#landed(lane);
    };
    return {
      put: (part) => {
        // A holder that brings a few bytes now and then is as good as silent.
        if (!holder) this.#scheduler.heard(lane, this.#now);
        landing.put(part);
        took(part.length);
      },
      take: (slab) => {
        if (!holder) this.#scheduler.heard(lane, this.#now);
        const kept = landing.take(slab);
        took(bytes);
        return kept;
      },
      cut: () => landing.cut(),
    };
  }

  /** A chunk that was asked for is all zeros. Throws as `land`. */
  zeros(lane: LanePort, header: BlocksHeader): void {
    const { index, length, offset } = header;
    const holder = this.#lanes.get(lane);
    // Checked before it counts as answered: if this throws, the lane ends and gives back all that it owes.
    if (holder) this.#options.offer.checkLength(index, length);
    const owed = this.#scheduler.answered(lane, 'blocks', index, offset / BLOCK_BYTES, this.#now);
    if (!owed) throw notAskedFor();
    this.#limiter.giveBack((owed.to - owed.from) * BLOCK_BYTES);
    if (!holder) this.#shorten(index, length);
    if (this.#counts(owed)) this.#intake.zeros(header, owed, holder);
    this.#judge(holder);
    this.#landed(lane);
  }

  /** The origin says what the hash of a chunk is. Throws as `land`. */
  hash(lane: LanePort, message: ChunkHash & { length: number }): void {
    const { index, length, hash } = message;
    const owed = this.#scheduler.answered(lane, 'hash', index, 0, this.#now);
    if (!owed) throw notAskedFor();
    this.#options.offer.checkLength(index, length);
    if (this.#counts(owed)) {
      if (this.chunks.comparing(index)) this.#intake.compare(message);
      else this.chunks.told(index, hash);
    }
    this.#landed(lane);
  }

  /**
   * A holder that was asked for these blocks does not have the chunk any more, or the origin has given it to others. Throws as
   * `land`.
   */
  lacks(lane: LanePort, range: BlockRange): void {
    const holder = this.#lanes.get(lane);
    const owed = this.#scheduler.forgo(lane, range, this.#now);
    if (!owed) throw notAskedFor();
    this.#limiter.giveBack((range.to - range.from) * BLOCK_BYTES);
    if (holder) holder.forgo(range.index);
    else if (!owed.void) this.chunks.decline(range.index);
    this.#landed(lane);
  }

  /** The origin says how long a stream was. */
  ended(bytes: number): void {
    this.#end(bytes);
    this.pump();
  }

  #end(bytes: number): void {
    const { space } = this.#options.offer;
    space.end(bytes);
    this.chunks.ended();
    this.#scheduler.ended(space.chunks);
    // Blocks of its last chunk past the end never come either, whoever says where that is.
    const last = space.chunks - 1;
    if (last >= 0) this.#scheduler.shortened(last, blocksOf(space.length(last)));
  }

  /** Puts the finishing touches to all that is down. False if the disk would not: then it goes on, or has failed. */
  async finish(): Promise<boolean> {
    this.#finishing = true;
    try {
      await this.sink.finish();
      return true;
    } catch (thrown) {
      this.#finishing = false;
      // The disk had failed before, and reopening was put off while this ran.
      if (this.#disk === 'failed' && !this.#resting) void this.#reopen();
      else this.#fail(thrown);
      return false;
    }
  }

  /** A holder whose chunks have other hashes than the origin's is of no use. */
  #judge(holder: Holder | undefined): void {
    if (holder && holder.mistaken > MAX_MISTAKEN) this.#options.lied(holder);
  }

  get #now(): number {
    return seconds(this.#options.ports.clock);
  }

  /** What comes is still of use. */
  #counts(owed: { void: boolean }): boolean {
    return !owed.void && !this.#over && !this.#finishing && this.#disk === 'well';
  }

  /** Asks wherever there is room, and notices the end. */
  pump(): void {
    if (this.#over || this.#finishing || this.#disk !== 'well') return;
    if (this.chunks.complete) return this.#options.complete();
    if (this.#resting) return;
    for (const lane of this.#lanes.keys()) {
      if (lane.spared) {
        // Nothing else may ever ask again once it is not: the others may have gone meanwhile, and it owes nothing.
        this.#lookAgain();
        continue;
      }
      const claims = this.#scheduler.ask(lane, this.#now);
      if (claims.length > 0) void this.#askFor(lane, claims);
      else if (this.#scheduler.idle(lane)) this.#lookAgain();
    }
  }

  async #askFor(lane: LanePort, claims: readonly Claim[]): Promise<void> {
    try {
      if (await askFor(lane, claims, this.#limiter, (range) => this.#scheduler.withdraw(lane, range)))
        this.pump();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** A lane has nothing to do while others owe blocks: in a while it may take over from one that turns out slow. */
  #lookAgain(): void {
    if (!this.#idleLook.waits) this.#idleLook.set(LOOK_MS, () => this.pump());
  }

  /** Something that a lane owed has come. */
  #landed(lane: LanePort): void {
    this.#options.ports.progress(this.chunks.arrived, []);
    this.#options.more();
    if (this.#scheduler.spent(lane)) lane.close();
    this.pump();
  }

  #written(chunk: number, extents: readonly Extent[], kept: number): void {
    const { ports, down } = this.#options;
    down(chunk, kept);
    if (kept > 0) ports.kept(kept);
    ports.progress(this.chunks.arrived, extents);
  }

  /** A chunk of a stream that is shorter than the others is its last. */
  #shorten(index: number, length: number): void {
    const { space } = this.#options.offer;
    if (space.stream && length < space.chunkSize) this.#end(index * space.chunkSize + length);
  }

  /** What an earlier run left is down, and nothing else is here. */
  #takeStock(): void {
    const { offer, sink, ports } = this.#options;
    const { chunks } = this;
    chunks.restart(sink.held?.() ?? [], (down) => unwantedChunks(offer.space, sink, down));
    ports.resumed(0);
    const { bytes } = chunks;
    if (bytes === 0) return;
    for (let chunk = 0, left = chunks.down.count; left > 0; chunk++) {
      if (!chunks.down.has(chunk)) continue;
      left--;
      ports.progress(bytes, offer.space.extents(chunk));
    }
    ports.resumed(bytes);
  }

  /** The disk may take bytes again: what it certainly has is looked up, the rest comes again. */
  async #reopen(): Promise<void> {
    if (this.#disk === 'reopening') return;
    this.#disk = 'reopening';
    try {
      await this.idle();
      if (this.#over || this.#resting || this.#finishing) {
        this.#disk = 'failed';
        return;
      }
      await this.sink.reopen?.();
      this.#intake.clear();
      this.#scheduler.voidAll();
      this.#takeStock();
      if (this.#options.offer.space.stream && this.chunks.down.firstMissing < this.#released)
        throw fault('STREAM_PART_LOST');
      // Only now: what arrived meanwhile had no place to go, and comes again.
      this.#disk = 'well';
      this.#options.anew();
      this.pump();
    } catch (thrown) {
      this.#disk = 'well';
      this.#fail(thrown);
    }
  }

  #fail(thrown: unknown): void {
    const error = asBeelineError(thrown);
    if (this.#disk !== 'well') return;
    // Before anybody hears of it: who pauses may close lanes at once, and nothing is to be begun then.
    this.#disk = 'failed';
    if (this.#options.ports.stalled(error)) return;
    this.#over = true;
    this.#options.fail(error);
  }
}

/** What no honest peer does: drop the lane then. */
export function notAskedFor(): BeelineError {
  return fault('PEER_MALFORMED', { what: 'what was not asked for' });
}
