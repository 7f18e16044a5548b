/**
 * The pulling side. Lanes come and go; this asks any live one for what the have-map says is missing, checks each
 * chunk against its hash, and writes it. Goals: flat memory, no lane special. Non-goals: sockets, files, states.
 */
import { equalBytes } from '../protocol/bytes.ts';
import { asBeelineError, BeelineError } from '../protocol/errors.ts';
import { MAX_GONE, PROTOCOL_VERSION } from '../protocol/limits.ts';
import type { Entry, Offer } from '../protocol/manifest.ts';
import type { Message } from '../protocol/messages.ts';
import type { ReceiverPorts } from './engine-ports.ts';
import { HaveMap } from './have.ts';
import { ManifestPull } from './manifest-pull.ts';
import { ChunkHashes } from './merkle.ts';
import type { LanePort, Sink, Slab } from './ports.ts';
import { Limiter } from './rate.ts';
import { Scheduler } from './scheduler.ts';
import { touches, unwantedChunks } from './selection.ts';
import { SlabPool } from './slabs.ts';
import type { ByteSpace } from './space.ts';
import { ZeroHashes } from './zeros.ts';

export class Receiver {
  readonly #ports: ReceiverPorts;
  readonly #lanes = new Map<number, LanePort>();
  readonly #have = new HaveMap();
  readonly #hashes = new ChunkHashes();
  readonly #writing = new Set<number>();
  readonly #gone = new Set<number>();
  readonly #limiter: Limiter;
  readonly #zeroHashes: ZeroHashes;
  #manifest: ManifestPull | undefined;
  #entries: Entry[] = [];
  #space: ByteSpace | undefined;
  #scheduler: Scheduler | undefined;
  #pool: SlabPool | undefined;
  #sink: Sink | undefined;
  #opening = false;
  #unwanted = new HaveMap();
  #bytes = 0;
  #held = false;
  #looking = false;
  #root: Uint8Array | undefined;
  #confirmed = false;
  #over = false;

  constructor(ports: ReceiverPorts) {
    this.#ports = ports;
    this.#zeroHashes = new ZeroHashes(ports.digest);
    this.#limiter = new Limiter(ports);
  }

  /** What an honest sender says without delay, in words; undefined while it may take its time. */
  get awaits(): string | undefined {
    if (!this.#manifest) return 'its offer';
    if (!this.#manifest.complete) return `page ${this.#manifest.firstMissing} of its manifest`;
    return this.#root && !this.#confirmed ? 'its last word' : undefined;
  }

  addLane(lane: LanePort): void {
    this.#lanes.set(lane.id, lane);
    this.#scheduler?.addLane(lane.id, this.#ports.now());
    if (this.#root) void this.#sendFinish(lane);
    else this.#askPages();
    this.#pump();
  }

  removeLane(lane: LanePort): void {
    if (!this.#lanes.delete(lane.id)) return;
    this.#scheduler?.removeLane(lane.id);
    // A page asked for on that lane will not come: ask again from the first missing one.
    this.#manifest?.again();
    this.#askPages();
    this.#pump();
  }

  /** Stops asking; what is under way still lands. */
  hold(): void {
    this.#held = true;
  }

  pull(): void {
    this.#held = false;
    this.#pump();
  }

  /** No more writes are begun; resolves when those under way are done. */
  async stop(): Promise<void> {
    this.#over = true;
    // A write to a pipe that nobody reads ends only when the sink is told to give up.
    if (this.#writing.size > 0) await this.#sink?.abort().catch(() => {});
    while (this.#writing.size > 0) await this.#ports.sleep(0.01);
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
        if (!this.#scheduler?.owes(lane.id, message.index)) {
          throw new BeelineError('PROTOCOL', 'The other side sent a chunk that was not asked for.');
        }
        void this.#takeChunk(lane, message, slab);
        return;
      case 'gone':
        return this.#takeGone(message.entry, message.code, message.text);
      case 'finished':
        return this.#takeFinished(message.root);
      default:
        throw new BeelineError('PROTOCOL', `A sender does not send '${message.type}'.`);
    }
  }

  #takeOffer(offer: Offer): void {
    if (offer.version !== PROTOCOL_VERSION) {
      throw new BeelineError('VERSION', `The other side offers files in protocol version ${offer.version}.`);
    }
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
      const { entries, space } = manifest.decode();
      this.#entries = entries;
      const sink = await this.#ports.open(offer, this.#entries, space);
      // The stream may have ended while the person was being asked.
      if (manifest.offer.bytes !== undefined && space.stream) space.end(manifest.offer.bytes);
      this.#unwanted = unwantedChunks(space, this.#entries, sink);
      for (const entry of this.#gone) await sink.drop(entry);
      this.#space = space;
      this.#sink = sink;
      this.#pool = new SlabPool(offer.chunkSize, this.#ports.allocate);
      this.#scheduler = new Scheduler({
        have: this.#have,
        total: () => space.chunks,
        unwanted: (chunk) => this.#unwanted.has(chunk),
        window: sink.window,
      });
      for (const lane of this.#lanes.values()) this.#scheduler.addLane(lane.id, this.#ports.now());
      this.#pump();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** A stream's end is the sender's word, and chunks past it do not make up for missing ones. */
  #allDown(space: ByteSpace): boolean {
    if (space.stream) return this.#have.firstMissing >= space.chunks;
    return this.#have.count + this.#unwanted.count >= space.chunks;
  }

  /** Asks wherever there is room, and notices the end. */
  #pump(): void {
    if (this.#over || !this.#scheduler || !this.#space) return;
    if (this.#allDown(this.#space)) return void this.#finish();
    if (this.#held) return;
    const now = this.#ports.now();
    let idle = false;
    for (const lane of this.#lanes.values()) {
      const chunks = this.#scheduler.ask(lane.id, now);
      if (chunks.length > 0) void this.#ask(lane, chunks);
      else if (this.#scheduler.idle(lane.id)) idle = true;
    }
    if (idle) void this.#lookAgain();
  }

  /** A lane has nothing to do while others owe chunks: in a while it may take over from one that turns out slow. */
  async #lookAgain(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    await this.#ports.sleep(0.5);
    this.#looking = false;
    this.#pump();
  }

  async #ask(lane: LanePort, chunks: number[]): Promise<void> {
    await this.#limiter.pass(chunks.reduce((sum, chunk) => sum + this.#space!.length(chunk), 0));
    // A lane that dies is removed by its owner, which gives its chunks back.
    await lane.send({ type: 'get', chunks }).catch(() => {});
  }

  async #takeChunk(
    lane: LanePort,
    message: Message & { type: 'chunk' },
    slab: Slab | undefined,
  ): Promise<void> {
    const { index, length, sha256 } = message;
    this.#scheduler?.arrived(lane.id, index, this.#ports.now());
    if (this.#over || this.#have.has(index) || this.#writing.has(index)) {
      slab?.release();
      return this.#pump();
    }
    try {
      const space = this.#space!;
      this.#writing.add(index);
      if (index >= space.chunks) return;
      if (space.stream && length < space.chunkSize) space.end(index * space.chunkSize + length);
      if (length !== space.length(index))
        throw new BeelineError('PROTOCOL', `Chunk ${index} has a wrong length.`);
      const data = message.form === 'zeros' ? undefined : message.data;
      const hash = data ? await this.#ports.digest(data) : await this.#zeroHashes.get(length);
      if (!equalBytes(hash, sha256))
        throw new BeelineError('VERIFICATION', `Chunk ${index} is not what its hash says.`);
      const extents = space.extents(index);
      await this.#sink!.write(index, extents, data);
      this.#hashes.set(index, sha256);
      this.#have.add(index);
      this.#bytes += length;
      this.#ports.progress(this.#bytes, extents);
      if (space.stream) lane.send({ type: 'written', below: this.#have.firstMissing }).catch(() => {});
    } catch (thrown) {
      this.#fail(thrown);
    } finally {
      this.#writing.delete(index);
      slab?.release();
      this.#pump();
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
    if (this.#over || this.#root) return;
    this.#over = true;
    try {
      await this.#sink!.finish();
      const space = this.#space!;
      this.#root = this.#hashes.root(this.#manifest!.pages, space.chunks, touches(space, this.#gone));
      for (const lane of this.#lanes.values()) void this.#sendFinish(lane);
    } catch (thrown) {
      this.#over = false;
      this.#fail(thrown);
    }
  }

  async #sendFinish(lane: LanePort): Promise<void> {
    await lane.send({ type: 'finish', root: this.#root!, gone: [...this.#gone] }).catch(() => {});
  }

  #takeFinished(root: Uint8Array): void {
    if (!this.#root)
      throw new BeelineError('PROTOCOL', 'The other side ended a transfer that is not finished.');
    // Every lane brings it: one is enough.
    if (this.#confirmed) return;
    this.#confirmed = true;
    if (equalBytes(root, this.#root)) this.#ports.complete(root);
    else
      this.#fail(
        new BeelineError(
          'VERIFICATION',
          'The two sides have different roots: what arrived is not what was sent.',
        ),
      );
  }

  #fail(thrown: unknown): void {
    this.#over = true;
    this.#ports.fail(asBeelineError(thrown));
  }
}
