/**
 * The pulling side. Lanes come and go; this asks any live one for what the have-map says is missing, checks each
 * chunk against its hash, and writes it. Goals: flat memory, no lane special. Non-goals: sockets, files, states.
 */
import { Alarm, seconds } from '../base/clock.ts';
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { BLOCK_BYTES, MAX_GONE, PROTOCOL_VERSION } from '../base/limits.ts';
import { Slices } from '../base/slices.ts';
import type { Entry, Offer } from '../offer/manifest.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { BlockRange, BlocksHeader, Message } from '../wire/messages.ts';
import { Arrivals } from './arrivals.ts';
import { askFor, blocksInOnePiece } from './asking.ts';
import { blocksOf, Chunks, type Claim } from './chunks.ts';
import { Closing, sayHeld } from './closing.ts';
import type { ReceiverPorts } from './engine-ports.ts';
import { Intake } from './intake.ts';
import { ManifestPull } from './manifest-pull.ts';
import type { Landing, LanePort, Sink } from './ports.ts';
import { Limiter } from './rate.ts';
import { Scheduler } from './scheduler.ts';
import { touches, unwantedChunks } from './selection.ts';
import { SlabPool } from './slabs.ts';

/** An idle lane looks again so often whether there is something that another does not bring. */
const LOOK_MS = 500;

/** A page of the manifest that has not come for so long is asked for on another lane. */
const PAGE_MS = 1_500;

/** What there is once the manifest is whole and somebody said yes. */
interface Work {
  readonly space: ByteSpace;
  readonly sink: Sink;
  readonly chunks: Chunks;
  readonly intake: Intake;
  readonly scheduler: Scheduler;
  readonly arrivals: Arrivals;
}

export class Receiver {
  readonly #ports: ReceiverPorts;
  readonly #lanes = new Map<number, LanePort>();
  readonly #gone = new Set<number>();
  readonly #limiter: Limiter;
  readonly #pageLook: Alarm;
  readonly #idleLook: Alarm;
  #manifest: ManifestPull | undefined;
  #entries: readonly Entry[] = [];
  /** The sender is a new process, and has not shown yet that it offers the same: what it offers, as far as that is known. */
  #renewal: { manifest: ManifestPull | undefined } | undefined;
  /** Files that were gone before the manifest was whole, or known to be the same: by entry, why. */
  readonly #early = new Map<number, { code: string; text: string }>();
  #work: Work | undefined;
  #closing: Closing | undefined;
  #opening = false;
  #held = false;
  /** A write failed: nothing is written until the sink has begun anew. */
  #stalled = false;
  #reopening = false;
  /** Of a stream: below this chunk the sender has forgotten. */
  #released = 0;
  #over = false;

  constructor(ports: ReceiverPorts) {
    this.#ports = ports;
    this.#limiter = new Limiter(ports);
    this.#pageLook = new Alarm(ports.clock);
    this.#idleLook = new Alarm(ports.clock);
  }

  /** What an honest sender says without delay, in words; undefined while it may take its time. */
  get awaits(): string | undefined {
    const manifest = this.#pulled;
    if (!manifest) return 'its offer';
    if (!manifest.complete) return `page ${manifest.firstMissing} of its manifest`;
    return this.#closing && !this.#closing.confirmed ? 'its last word' : undefined;
  }

  /** Everything is written and checked; only the sender's last word is missing. */
  get arrived(): boolean {
    return this.#closing?.confirmed === false;
  }

  /** False once a stream is on its way: a new process of the sender could not go on with it. */
  get restartable(): boolean {
    return this.#manifest?.offer.kind !== 'stream';
  }

  /** The sender is a new process of the same secret. Nothing is said to it of what is here until it offers the same. */
  restart(): void {
    if (this.#manifest?.complete) this.#renewal = { manifest: undefined };
    // Nobody has been asked about it yet.
    else this.#manifest = undefined;
    this.#early.clear();
    this.#pageLook.clear();
    this.#work?.arrivals.renewed();
  }

  addLane(lane: LanePort): void {
    this.#lanes.set(lane.id, lane);
    this.#work?.scheduler.addLane(lane.id, seconds(this.#ports.clock));
    this.#closing?.say(this.#hearing);
    this.#askPages();
    if (this.#lanes.size === 1) this.#sayHeld();
    this.#sayWritten();
    this.#work?.arrivals.say(this.#hearing);
    this.#pump();
  }

  removeLane(lane: LanePort): void {
    if (!this.#lanes.delete(lane.id)) return;
    this.#work?.scheduler.removeLane(lane.id);
    this.#work?.arrivals.unsay(lane);
    // A page asked for on that lane will not come: ask again from the first missing one.
    this.#pulled?.again();
    this.#askPages();
    this.#closing?.say(this.#hearing);
    this.#pump();
  }

  /** Asks for nothing more on it, and closes it when what was asked for has come. */
  retireLane(lane: LanePort): void {
    if (!this.#work?.scheduler.retire(lane.id)) lane.close();
  }

  /** Stops asking; what is under way still lands. */
  hold(): void {
    this.#held = true;
  }

  pull(): void {
    this.#held = false;
    if (this.#stalled) void this.#reopen();
    else this.#pump();
  }

  /** No more writes are begun; resolves when those under way are done. */
  async stop(): Promise<void> {
    this.#over = true;
    const { intake, sink, arrivals } = this.#work ?? {};
    for (const look of [this.#pageLook, this.#idleLook]) look.clear();
    arrivals?.stop();
    intake?.stop();
    // A write to a pipe that nobody reads ends only when the sink is told to give up.
    if (intake?.busy && !sink?.suspend) await sink?.abort().catch(() => {});
    await intake?.idle();
  }

  /** Blocks begin to come: says where their bytes go. Throws PROTOCOL for what was not asked for: drop the lane then. */
  land(lane: LanePort, header: BlocksHeader): Landing {
    const { index, length, offset, bytes } = header;
    const work = this.#work;
    const owed = work?.scheduler.begins(lane.id, blocksAt(index, offset, bytes));
    if (!work || !owed)
      throw new BeelineError('PROTOCOL', 'The other side sent blocks that were not asked for.');
    this.#shorten(work, index, length);
    const { scheduler } = work;
    const now = () => seconds(this.#ports.clock);
    const came = (to: number, count: number) => scheduler.came(lane.id, index, to, count, now());
    const landing = work.intake.land(header, came, !owed.void && !this.#over && !this.#stalled);
    let left = bytes;
    return {
      put: (part) => {
        scheduler.heard(lane.id, now());
        landing.put(part);
        left -= part.length;
        if (left === 0) this.#landed(lane, work);
      },
      cut: () => landing.cut(),
    };
  }

  /** A message came. Throws PROTOCOL, BAD_MANIFEST or VERSION for what no honest sender sends: drop the lane then. */
  message(lane: LanePort, message: Message): void {
    switch (message.type) {
      case 'offer':
        return this.#takeOffer(message);
      case 'page':
        return this.#takePage(message.page, message.bytes);
      case 'blocks':
        return this.#takeZeros(lane, message);
      case 'hash':
        return this.#takeHash(lane, message);
      case 'gone':
        return this.#takeGone(message.entry, message.code, message.text);
      case 'finished':
        if (!this.#closing)
          throw new BeelineError('PROTOCOL', 'The other side ended a transfer that is not finished.');
        return this.#closing.take(lane, message);
      default:
        throw new BeelineError('PROTOCOL', `A sender does not send '${message.type}'.`);
    }
  }

  #takeOffer(offer: Offer): void {
    if (offer.version !== PROTOCOL_VERSION)
      throw new BeelineError('VERSION', `The other side offers files in protocol version ${offer.version}.`);
    const pulled = this.#pulled;
    if (!pulled) {
      const manifest = new ManifestPull(offer);
      if (this.#renewal) this.#renewal.manifest = manifest;
      else this.#manifest = manifest;
      if (this.#renewal && !this.#manifest!.announcesSame(manifest)) this.#fail(anotherOffer());
      else this.#askPages();
    } else if (pulled.update(offer)) {
      this.#endStream(offer.bytes!);
      this.#pump();
    }
  }

  /** The manifest of the sender's present process. */
  get #pulled(): ManifestPull | undefined {
    return this.#renewal ? this.#renewal.manifest : this.#manifest;
  }

  /** Lanes on which anything may be said of what is here. */
  get #hearing(): Iterable<LanePort> {
    return { [Symbol.iterator]: () => (this.#renewal ? [] : this.#lanes).values() };
  }

  #askPages(): void {
    const lane = this.#lanes.values().next().value;
    const manifest = this.#pulled;
    if (!lane || !manifest || manifest.complete) return;
    manifest.ask(lane);
    this.#lookForPages(manifest);
  }

  /** The lane that was asked may have fallen silent: in a while another one is asked. */
  #lookForPages(manifest: ManifestPull, turn = 1): void {
    if (this.#pageLook.waits) return;
    const from = manifest.firstMissing;
    this.#pageLook.set(PAGE_MS, () => {
      if (this.#over || manifest.complete) return;
      const lanes = [...this.#lanes.values()];
      const lane = lanes[turn % lanes.length];
      if (lane && manifest.firstMissing === from) {
        manifest.again();
        manifest.ask(lane);
      }
      this.#lookForPages(manifest, turn + 1);
    });
  }

  #takePage(page: number, bytes: Uint8Array): void {
    const manifest = this.#pulled;
    if (!manifest) throw new BeelineError('PROTOCOL', 'A page was not asked for.');
    const was = manifest.complete;
    manifest.take(page, bytes);
    if (!manifest.complete) return this.#askPages();
    if (was) return;
    this.#pageLook.clear();
    if (this.#renewal) return void this.#renew(this.#renewal, manifest).catch((thrown) => this.#fail(thrown));
    if (this.#opening) return;
    this.#opening = true;
    void this.#openSink(manifest);
  }

  /** Goes on with the sender's new process if it offers what the old one did, and gives up otherwise. */
  async #renew(renewal: object, offered: ManifestPull): Promise<void> {
    const same = await new Slices(this.#ports.clock).run(this.#manifest!.comparing(offered));
    // What the old process sent is written with its hash, which the new one is told of.
    if (same) await this.#work?.intake.idle();
    // It may have been started once more meanwhile.
    if (this.#renewal !== renewal) return;
    // A file that was given up is not what the new process offers.
    if (!same || this.#gone.size > 0) return this.#fail(anotherOffer());
    this.#work?.chunks.renewed();
    this.#renewal = undefined;
    if (this.#entries.length > 0) this.#dropEarly(this.#entries);
    this.#closing?.say(this.#hearing);
    this.#sayHeld();
    this.#pump();
  }

  #dropEarly(entries: readonly Entry[]): void {
    for (const [entry, { code, text }] of this.#early) {
      this.#gone.add(entry);
      this.#work?.sink.drop(entry).catch((thrown) => this.#fail(thrown));
      this.#ports.gone(entries[entry]!.path, code, text);
    }
    this.#early.clear();
  }

  async #openSink(manifest: ManifestPull): Promise<void> {
    try {
      const { offer } = manifest;
      const { entries, space } = await new Slices(this.#ports.clock).run(manifest.decoding());
      this.#entries = entries;
      if (!this.#renewal) this.#dropEarly(entries);
      const sink = await this.#ports.open(offer, entries, space);
      // The stream may have ended while the person was being asked.
      if (manifest.offer.bytes !== undefined && space.stream) space.end(manifest.offer.bytes);
      for (const entry of this.#gone) await sink.drop(entry);
      const pool = new SlabPool(offer.chunkSize, this.#ports.allocate);
      const comparable = (chunk: number) => sink.comparable?.(chunk) === true;
      const chunks = new Chunks({ space, window: sink.window, most: pool.size, comparable });
      const arrivals = new Arrivals(this.#ports.clock, () => chunks.arrived);
      const intake = new Intake({
        digest: this.#ports.digest,
        chunks,
        pool,
        sink,
        written: (chunk, extents, kept) => {
          arrivals.down(chunk, kept, this.#hearing);
          if (kept > 0) this.#ports.kept(kept);
          this.#ports.progress(chunks.arrived, extents);
          this.#sayWritten();
        },
        changed: () => this.#pump(),
        fail: (thrown) => this.#fail(thrown),
      });
      const scheduler = new Scheduler(chunks, blocksInOnePiece(this.#ports.limit));
      this.#work = { space, sink, chunks, intake, scheduler, arrivals };
      this.#takeStock(this.#work);
      for (const lane of this.#lanes.values()) scheduler.addLane(lane.id, seconds(this.#ports.clock));
      this.#pump();
      this.#sayHeld();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** What an earlier run left is down, and nothing else is here. */
  #takeStock({ chunks, sink, space }: Work): void {
    const { resumed, progress } = this.#ports;
    chunks.restart(sink.held?.() ?? [], (down) => unwantedChunks(space, sink, down));
    resumed(0);
    const { bytes } = chunks;
    if (bytes === 0) return;
    for (let chunk = 0, left = chunks.down.count; left > 0; chunk++) {
      if (!chunks.down.has(chunk)) continue;
      left--;
      progress(bytes, space.extents(chunk));
    }
    resumed(bytes);
  }

  /** For the sender's progress: what it need not send. Lost with its lane, it is missed there only. */
  #sayHeld(): void {
    const [lane] = this.#hearing;
    if (lane && this.#work) sayHeld(lane, this.#work.chunks).catch(() => {});
  }

  /** For a stream: what its sender may forget. Said again on each new lane, since it may be lost with one. */
  #sayWritten(): void {
    const work = this.#work;
    if (!work?.space.stream) return;
    this.#released = work.chunks.down.firstMissing;
    for (const lane of this.#hearing) lane.send({ type: 'written', below: this.#released }).catch(() => {});
  }

  /** Asks wherever there is room, and notices the end. */
  #pump(): void {
    const work = this.#work;
    if (this.#over || this.#stalled || this.#renewal || !work) return;
    if (work.chunks.complete) return void this.#finish(work);
    if (this.#held) return;
    const now = seconds(this.#ports.clock);
    for (const lane of this.#lanes.values()) {
      const claims = work.scheduler.ask(lane.id, now);
      if (claims.length > 0) void this.#askFor(work, lane, claims);
      else if (work.scheduler.idle(lane.id)) this.#lookAgain();
    }
  }

  async #askFor({ scheduler }: Work, lane: LanePort, claims: readonly Claim[]): Promise<void> {
    try {
      if (await askFor(lane, claims, this.#limiter, (range) => scheduler.withdraw(lane.id, range)))
        this.#pump();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** A lane has nothing to do while others owe blocks: in a while it may take over from one that turns out slow. */
  #lookAgain(): void {
    if (!this.#idleLook.waits) this.#idleLook.set(LOOK_MS, () => this.#pump());
  }

  #takeZeros(lane: LanePort, header: BlocksHeader): void {
    const work = this.#work;
    const owed = work?.scheduler.answered(
      lane.id,
      'blocks',
      header.index,
      header.offset / BLOCK_BYTES,
      seconds(this.#ports.clock),
    );
    if (!work || !owed)
      throw new BeelineError('PROTOCOL', 'The other side sent blocks that were not asked for.');
    this.#limiter.giveBack((owed.to - owed.from) * BLOCK_BYTES);
    this.#shorten(work, header.index, header.length);
    if (!owed.void && !this.#over && !this.#stalled) work.intake.zeros(header);
    this.#landed(lane, work);
  }

  #takeHash(lane: LanePort, message: ChunkHash & { length: number }): void {
    const work = this.#work;
    const owed = work?.scheduler.answered(lane.id, 'hash', message.index, 0, seconds(this.#ports.clock));
    if (!work || !owed)
      throw new BeelineError('PROTOCOL', 'The other side sent a hash that was not asked for.');
    if (message.length !== work.space.length(message.index))
      throw new BeelineError('PROTOCOL', `Chunk ${message.index} has a wrong length.`);
    if (!owed.void && !this.#over && !this.#stalled) work.intake.compare(message);
    this.#landed(lane, work);
  }

  /** Something that a lane owed has come. */
  #landed(lane: LanePort, { chunks, scheduler, arrivals }: Work): void {
    this.#ports.progress(chunks.arrived, []);
    arrivals.more(this.#hearing);
    if (scheduler.spent(lane.id)) lane.close();
    this.#pump();
  }

  /** A chunk of a stream that is shorter than the others is its last. */
  #shorten({ space }: Work, index: number, length: number): void {
    if (!space.stream || length >= space.chunkSize) return;
    this.#endStream(index * space.chunkSize + length);
  }

  #endStream(bytes: number): void {
    const work = this.#work;
    if (!work) return;
    work.space.end(bytes);
    work.chunks.ended();
    work.scheduler.ended(work.space.chunks);
    // Blocks of its last chunk past the end never come either, whoever says where that is.
    const last = work.space.chunks - 1;
    if (last >= 0) work.scheduler.shortened(last, blocksOf(work.space.length(last)));
  }

  /** The disk may take bytes again: what it certainly has is looked up, the rest comes again. */
  async #reopen(): Promise<void> {
    if (this.#reopening) return;
    this.#reopening = true;
    const work = this.#work!;
    try {
      await work.intake.idle();
      if (this.#over || this.#held) return;
      await work.sink.reopen?.();
      work.intake.again();
      work.scheduler.again();
      this.#takeStock(work);
      work.arrivals.again();
      if (work.space.stream && work.chunks.down.firstMissing < this.#released)
        throw new BeelineError('WRITE_FAILED', 'The disk lost a part of a stream that cannot be sent again.');
      // Only now: what arrived meanwhile had no place to go, and comes again.
      this.#stalled = false;
      this.#sayHeld();
      this.#pump();
    } catch (thrown) {
      this.#stalled = false;
      this.#fail(thrown);
    } finally {
      this.#reopening = false;
    }
  }

  #takeGone(entry: number, code: string, text: string): void {
    if (this.#gone.has(entry) || this.#early.has(entry)) return;
    if (this.#gone.size + this.#early.size >= MAX_GONE)
      throw new BeelineError('PROTOCOL', 'Too many files vanished.');
    if (entry >= (this.#pulled?.offer.entries ?? 0))
      throw new BeelineError('PROTOCOL', 'A file vanished that never was.');
    this.#early.set(entry, { code, text });
    if (this.#entries.length > 0 && !this.#renewal) this.#dropEarly(this.#entries);
  }

  async #finish({ sink, space, chunks, arrivals }: Work): Promise<void> {
    if (this.#over || this.#closing) return;
    this.#over = true;
    try {
      await sink.finish();
      const gone = [...this.#gone];
      const absent = touches(space, this.#gone);
      const rooting = chunks.hashes.rooting(this.#manifest!.pages, space.chunks, absent);
      const root = await new Slices(this.#ports.clock).run(rooting);
      this.#closing = new Closing(this.#ports, chunks, arrivals, { root, absent, gone });
      this.#closing.say(this.#hearing);
    } catch (thrown) {
      this.#over = false;
      // The disk had failed before, and whoever looked at it again found this under way.
      if (this.#stalled && !this.#held) void this.#reopen();
      else this.#fail(thrown);
    }
  }

  #fail(thrown: unknown): void {
    const error = asBeelineError(thrown);
    // Before all is open there is nothing that could begin anew.
    this.#stalled ||= this.#work !== undefined && this.#ports.stalled(error);
    if (this.#stalled) return;
    this.#over = true;
    this.#ports.fail(error);
  }
}

/** What the receiver was asked to accept is gone. What has come of it is kept for a run that is asked again. */
function anotherOffer(): BeelineError {
  return new BeelineError(
    'SOURCE_CHANGED',
    'The sender was started again and offers something else than before. What has arrived is kept: receive again to be ' +
      'asked about that.',
  );
}

/** @param offset bytes, a multiple of BLOCK_BYTES */
function blocksAt(index: number, offset: number, bytes: number): BlockRange {
  const from = offset / BLOCK_BYTES;
  return { index, from, to: from + blocksOf(bytes) };
}
