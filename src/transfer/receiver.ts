/**
 * The pulling side. Lanes come and go; this asks any live one for what the have-map says is missing, checks each
 * chunk against its hash, and writes it. Goals: flat memory, no lane special. Non-goals: sockets, files, states.
 */
import { asBeelineError, BeelineError } from '../protocol/errors.ts';
import { MAX_GONE, PROTOCOL_VERSION } from '../protocol/limits.ts';
import type { Entry, Offer } from '../protocol/manifest.ts';
import type { Message } from '../protocol/messages.ts';
import { Slices } from '../protocol/slices.ts';
import { askFor } from './asking.ts';
import { Closing, sayHeld } from './closing.ts';
import type { ReceiverPorts } from './engine-ports.ts';
import { HaveMap } from './have.ts';
import { Holdings } from './holdings.ts';
import { Intake } from './intake.ts';
import { ManifestPull } from './manifest-pull.ts';
import type { Extent, LanePort, Sink, Slab } from './ports.ts';
import { Limiter } from './rate.ts';
import { Scheduler } from './scheduler.ts';
import { allDown, touches } from './selection.ts';
import { SlabPool } from './slabs.ts';
import type { ByteSpace } from './space.ts';
import { takeStock } from './stock.ts';

export class Receiver {
  readonly #ports: ReceiverPorts;
  readonly #lanes = new Map<number, LanePort>();
  readonly #holdings = new Holdings();
  readonly #gone = new Set<number>();
  readonly #limiter: Limiter;
  #manifest: ManifestPull | undefined;
  #entries: Entry[] = [];
  #space: ByteSpace | undefined;
  #scheduler: Scheduler | undefined;
  #pool: SlabPool | undefined;
  #sink: Sink | undefined;
  #intake: Intake | undefined;
  #closing: Closing | undefined;
  #opening = false;
  #unwanted = new HaveMap();
  #held = false;
  /** A write failed: nothing is written until the sink has begun anew. */
  #stalled = false;
  #reopening = false;
  #looking = false;
  #over = false;

  constructor(ports: ReceiverPorts) {
    this.#ports = ports;
    this.#limiter = new Limiter(ports);
  }

  /** What an honest sender says without delay, in words; undefined while it may take its time. */
  get awaits(): string | undefined {
    if (!this.#manifest) return 'its offer';
    if (!this.#manifest.complete) return `page ${this.#manifest.firstMissing} of its manifest`;
    return this.#closing && !this.#closing.confirmed ? 'its last word' : undefined;
  }

  /** Everything is written and checked; only the sender's last word is missing. */
  get arrived(): boolean {
    return this.#closing?.confirmed === false;
  }

  addLane(lane: LanePort): void {
    this.#lanes.set(lane.id, lane);
    this.#scheduler?.addLane(lane.id, this.#ports.now());
    this.#closing?.say(this.#lanes.values());
    this.#askPages();
    if (this.#lanes.size === 1) this.#sayHeld();
    this.#pump();
  }

  removeLane(lane: LanePort): void {
    if (!this.#lanes.delete(lane.id)) return;
    this.#scheduler?.removeLane(lane.id);
    // A page asked for on that lane will not come: ask again from the first missing one.
    this.#manifest?.again();
    this.#askPages();
    this.#closing?.say(this.#lanes.values());
    this.#pump();
  }

  /** Asks for nothing more on it, and closes it when what was asked for has come. */
  retireLane(lane: LanePort): void {
    if (!this.#scheduler?.retire(lane.id)) lane.close();
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
    // A write to a pipe that nobody reads ends only when the sink is told to give up.
    if (this.#intake?.busy && !this.#sink?.suspend) await this.#sink?.abort().catch(() => {});
    while (this.#intake?.busy) await this.#ports.sleep(0.01);
  }

  /** A buffer for a chunk that begins to arrive, now or later. */
  slab(then: (slab: Slab) => void): void {
    if (!this.#pool) throw new BeelineError('PROTOCOL', 'The other side sent a chunk before its manifest.');
    this.#pool.wait(then);
  }

  /** A message came. Throws PROTOCOL, BAD_MANIFEST or VERSION for what no honest sender sends: drop the lane then. */
  message(lane: LanePort, message: Message, slab?: Slab): void {
    switch (message.type) {
      case 'offer':
        return this.#takeOffer(message);
      case 'page':
        return this.#takePage(message.page, message.bytes);
      case 'chunk':
        if (!this.#scheduler?.arrived(lane.id, message.index, this.#ports.now()))
          throw new BeelineError('PROTOCOL', 'The other side sent a chunk that was not asked for.');
        void this.#takeChunk(lane, message, slab);
        if (this.#scheduler.spent(lane.id)) lane.close();
        return;
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
    if (!this.#manifest) {
      this.#manifest = new ManifestPull(offer);
      this.#askPages();
    } else if (this.#manifest.update(offer)) {
      this.#space?.end(offer.bytes!);
      this.#pump();
    }
  }

  #askPages(): void {
    const lane = this.#lanes.values().next().value;
    if (lane && !this.#manifest?.complete) this.#manifest?.ask(lane);
  }

  #takePage(page: number, bytes: Uint8Array): void {
    if (!this.#manifest) throw new BeelineError('PROTOCOL', 'A page was not asked for.');
    this.#manifest.take(page, bytes);
    if (!this.#manifest.complete) return this.#askPages();
    if (this.#opening) return;
    this.#opening = true;
    void this.#openSink(this.#manifest);
  }

  async #openSink(manifest: ManifestPull): Promise<void> {
    try {
      const { offer } = manifest;
      const { entries, space } = await this.#slices().run(manifest.decoding());
      this.#entries = entries;
      const sink = await this.#ports.open(offer, this.#entries, space);
      // The stream may have ended while the person was being asked.
      if (manifest.offer.bytes !== undefined && space.stream) space.end(manifest.offer.bytes);
      for (const entry of this.#gone) await sink.drop(entry);
      this.#space = space;
      this.#sink = sink;
      this.#pool = new SlabPool(offer.chunkSize, this.#ports.allocate);
      const { digest, progress, kept } = this.#ports;
      const holdings = this.#holdings;
      const written = (extents: readonly Extent[], bytes: number) => {
        if (bytes > 0) kept(bytes);
        progress(holdings.bytes, extents);
      };
      this.#intake = new Intake({ digest, space, sink, holdings, written });
      this.#unwanted = takeStock(this.#ports, this.#holdings, this.#space!, this.#sink!);
      this.#scheduler = new Scheduler({
        have: this.#holdings.have,
        total: () => space.chunks,
        unwanted: (chunk) => this.#unwanted.has(chunk),
        window: sink.window,
      });
      for (const lane of this.#lanes.values()) this.#scheduler.addLane(lane.id, this.#ports.now());
      this.#pump();
      this.#sayHeld();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #slices(): Slices {
    const { now, sleep } = this.#ports;
    return new Slices(
      () => now() * 1000,
      () => sleep(0),
    );
  }

  /** For the sender's progress: what it need not send. Lost with its lane, it is missed there only. */
  #sayHeld(): void {
    const [lane] = this.#lanes.values();
    if (lane && this.#sink) sayHeld(lane, this.#holdings, this.#space!.chunks).catch(() => {});
  }

  /** Asks wherever there is room, and notices the end. */
  #pump(): void {
    if (this.#over || this.#stalled || !this.#scheduler || !this.#space) return;
    if (allDown(this.#space, this.#holdings.have, this.#unwanted)) return void this.#finish();
    if (this.#held) return;
    const now = this.#ports.now();
    for (const lane of this.#lanes.values()) {
      const chunks = this.#scheduler.ask(lane.id, now);
      if (chunks.length > 0) this.#ask(lane, chunks);
      else if (this.#scheduler.idle(lane.id)) void this.#lookAgain();
    }
  }

  /** A lane has nothing to do while others owe chunks: in a while it may take over from one that turns out slow. */
  async #lookAgain(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    await this.#ports.sleep(0.5);
    this.#looking = false;
    this.#pump();
  }

  #ask(lane: LanePort, chunks: number[]): void {
    const ports = { intake: this.#intake!, space: this.#space!, limiter: this.#limiter };
    askFor(lane, chunks, ports).catch((thrown) => this.#fail(thrown));
  }

  async #takeChunk(lane: LanePort, message: Message & { type: 'chunk' }, slab?: Slab): Promise<void> {
    try {
      if (this.#over || this.#stalled) slab?.release();
      else await this.#intake!.take(message, slab);
      if (this.#space!.stream)
        lane.send({ type: 'written', below: this.#holdings.have.firstMissing }).catch(() => {});
    } catch (thrown) {
      this.#fail(thrown);
    } finally {
      this.#pump();
    }
  }

  /** The disk may take bytes again: what it certainly has is looked up, the rest comes again. */
  async #reopen(): Promise<void> {
    try {
      while (this.#intake!.busy) await this.#ports.sleep(0.01);
      if (this.#over || this.#held || this.#reopening) return;
      this.#reopening = true;
      await this.#sink!.reopen?.();
      this.#unwanted = takeStock(this.#ports, this.#holdings, this.#space!, this.#sink!);
      this.#scheduler!.again();
      // Only now: what arrived meanwhile had no place to go, and comes again.
      this.#stalled = false;
      this.#pump();
    } catch (thrown) {
      this.#stalled = false;
      this.#fail(thrown);
    } finally {
      this.#reopening = false;
    }
  }

  #takeGone(entry: number, code: string, text: string): void {
    if (this.#gone.has(entry)) return;
    if (this.#gone.size >= MAX_GONE) throw new BeelineError('PROTOCOL', 'Too many files vanished.');
    if (entry >= (this.#manifest?.offer.entries ?? 0))
      throw new BeelineError('PROTOCOL', 'A file vanished that never was.');
    this.#gone.add(entry);
    this.#sink?.drop(entry).catch((thrown) => this.#fail(thrown));
    this.#ports.gone(this.#entries[entry]?.path ?? '', code, text);
  }

  async #finish(): Promise<void> {
    if (this.#over || this.#closing) return;
    this.#over = true;
    try {
      await this.#sink!.finish();
      const { chunks } = this.#space!;
      const holdings = this.#holdings;
      const gone = [...this.#gone];
      const absent = touches(this.#space!, this.#gone);
      const root = await this.#slices().run(holdings.hashes.rooting(this.#manifest!.pages, chunks, absent));
      this.#closing = new Closing(this.#ports, holdings, { root, chunks, absent, gone });
      this.#closing.say(this.#lanes.values());
    } catch (thrown) {
      this.#over = false;
      this.#fail(thrown);
    }
  }

  #fail(thrown: unknown): void {
    const error = asBeelineError(thrown);
    this.#stalled ||= this.#ports.stalled(error);
    if (this.#stalled) return;
    this.#over = true;
    this.#ports.fail(error);
  }
}
