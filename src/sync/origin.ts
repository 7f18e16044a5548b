/**
 * The side that made an offer. `Origin` is what all its receivers share: the files, what has been read of them, and which
 * are gone. `ReceivingPeer` is one receiver, as the origin knows it. Non-goals: sockets, files, states.
 */
import { Bitfield } from '../base/bitfield.ts';
import { TokenBucket } from '../base/bucket.ts';
import { equalBytes } from '../base/bytes.ts';
import { Alarm } from '../base/clock.ts';
import { asBeelineError, fault } from '../base/errors.ts';
import { MAX_LANES, MAX_PAGE, PROTOCOL_VERSION } from '../base/limits.ts';
import { Slices } from '../base/slices.ts';
import { chooseHash, type HashName } from '../offer/hashing.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import { ChunkHashes } from '../offer/merkle.ts';
import { Offer } from '../offer/offer.ts';
import type { BlockRange, Message } from '../wire/messages.ts';
import { differentRoots } from './closing.ts';
import type { OriginPorts, PeerPorts } from './engine-ports.ts';
import { type Giving, Givings } from './givings.ts';
import { Introducer, type Member } from './introducer.ts';
import type { Peer } from './peer.ts';
import type { LanePort, Source } from './ports.ts';
import { Limiter } from './rate.ts';
import { ChunkReader } from './reader.ts';
import { Reading } from './reading.ts';
import { Repeats } from './repeats.ts';
import { type Asked, Serving } from './serving.ts';

/**
 * How often a receiver may begin to share, or come back, at once and each second afterwards: others meet it each time, and meet fewer others
 * for it.
 */
const JOINS = 8;
const JOINS_PER_S = 1 / 15;
/** Bytes of a first page that goes with the offer, on each lane until somebody asks for it: a round trip less, and little on any path. */
const MAX_AHEAD = 16 * 1024;
/** Pages that wait on a lane at a time: an honest receiver asks for a few ahead. */
const MAX_PAGES_SENDING = 64;

export class Origin {
  readonly offer: Offer;
  readonly source: Source;
  readonly ports: OriginPorts;
  readonly limiter: Limiter;
  readonly reading: Reading;
  readonly reader: ChunkReader;
  /** Undefined: its receivers are not to know of each other. */
  readonly introducer: Introducer | undefined;
  readonly givings: Givings;
  /** Bytes of the offer that have gone into lanes, to all receivers. */
  sent = 0;
  /** What chunks are hashed with has been chosen. */
  #hashChosen = false;
  /** It has, or had, more than one receiver. */
  #several = false;
  readonly #peers = new Set<ReceivingPeer>();
  /** Some of it has been forgotten. */
  #released = false;

  constructor(source: Source, chunkSize: number, ports: OriginPorts) {
    this.source = source;
    this.ports = ports;
    this.offer = Offer.of(source.kind, source.entries, chunkSize);
    this.limiter = new Limiter(ports);
    // Of a stream only a little is kept at a time.
    const { swarm, clock } = ports;
    if (swarm && !this.offer.space.stream) this.introducer = new Introducer(clock, swarm.random);
    this.givings = new Givings(clock, this.offer.space, this.offer.hashes.have);
    this.reading = new Reading(source, this.offer, ports.gone);
    this.reader = new ChunkReader({
      chunkSize,
      digest: (data) => ports.digest(this.offer.hash)(data),
      allocate: ports.allocate,
      read: (index, into) => this.#read(index, into),
    });
  }

  /** What is said of the offer on every lane. */
  get header(): Message {
    const { kind, entries, pages, space, hash } = this.offer;
    const { bytes, chunkSize } = space;
    const { sha256, update } = this.ports;
    const fixed = { version: PROTOCOL_VERSION, kind, chunkSize, hash, sha256, update };
    return { type: 'offer', ...fixed, entries: entries.length, pages: pages.length, bytes };
  }

  /**
   * The first receiver that comes has a say in how chunks are hashed. It is the same for all. One that is alone may come back as
   * another program: then all that is known of chunks is forgotten.
   */
  chooseHash(theirs: readonly HashName[]): void {
    if (this.#hashChosen && this.#several) return;
    this.#hashChosen = true;
    // One that has had this offer asks for its hash alone: better a slow one than a transfer that cannot go on.
    const { hashes, computes } = this.ports;
    const hash = chooseHash([...hashes(this.source.length), ...computes], theirs);
    if (hash === this.offer.hash) return;
    this.offer.hash = hash;
    this.offer.hashes.clear();
    this.reader.forget();
  }

  /** One more receiver. */
  peer(ports: PeerPorts): ReceivingPeer {
    const peer = new ReceivingPeer(this, ports);
    this.#several ||= this.#peers.size > 0 || this.#hashChosen;
    this.#peers.add(peer);
    return peer;
  }

  /** A receiver has ended. */
  leave(peer: ReceivingPeer): void {
    this.#peers.delete(peer);
    this.release();
  }

  /** Of a stream: what every receiver has is forgotten. */
  release(): void {
    let below = Number.POSITIVE_INFINITY;
    for (const { written } of this.#peers) below = Math.min(below, written);
    if (below === 0 || below === Number.POSITIVE_INFINITY) return;
    this.#released = true;
    this.source.release?.(below);
  }

  /** A new receiver can have all of it. Of a stream that has begun the beginning is gone. */
  get joinable(): boolean {
    return !this.offer.space.stream || !this.#released;
  }

  async #read(index: number, into: Uint8Array): Promise<number> {
    const { space } = this.offer;
    if (index >= space.chunks) return 0;
    const length = await this.reading.read(index, space.extents(index), into);
    if (space.stream && length < space.chunkSize) this.#endStream();
    return length;
  }

  #endStream(): void {
    const { space } = this.offer;
    if (space.bytes !== undefined || this.source.length === undefined) return;
    space.end(this.source.length);
    for (const peer of this.#peers) peer.announce();
  }
}

/** What one process of a receiver has said and been told. */
class Account {
  /** A lane to it has been told of the offer. */
  offered = false;
  /** Of chunks that it was sent, or has. */
  readonly hashes = new ChunkHashes();
  /** Chunks that it has, by its word. */
  readonly arrived = new Bitfield();
  readonly pagesAsked = new Bitfield();
  /** Something has been asked for. */
  begun = false;
  /** Bytes of the chunks that have arrived; and what it says is there, with parts of chunks. */
  bytes = 0;
  said = 0;
  /** Of these, what it had before, and what it had and only compared. */
  resumed = 0;
  kept = 0;
  /** Names of files that changed since they were stat'ed, once that is being looked at. */
  changed: Promise<string[]> | undefined;
  /** It has been told the last word. Milliseconds since 1970. */
  ended: number | undefined;
  concluded = false;
}

export class ReceivingPeer implements Peer {
  readonly #origin: Origin;
  readonly #ports: PeerPorts;
  readonly #serving: Serving;
  #account = new Account();
  readonly #pageRepeats: Repeats;
  /** Of a stream: it has every chunk below this one. */
  #written = 0;
  /** It gives to others what it has; as a member and in the givings, unless it pauses. */
  #shares = false;
  #member: Member | undefined;
  #giving: Giving | undefined;
  readonly #joins: TokenBucket;
  readonly #joinLater: Alarm;
  #resting = false;
  #over = false;
  /** Milliseconds since 1970. */
  #started: number | undefined;
  /** Pages that are on their way. */
  readonly #pages = new Map<LanePort, Set<number>>();
  /** Lanes on which the first page went with the offer, and has not been asked for. */
  readonly #ahead = new Set<LanePort>();
  /** Requests for the last word; the first is being answered. */
  readonly #asked: { lane: LanePort; message: Message & { type: 'finish' } }[] = [];

  /** Made by `Origin.peer`. */
  constructor(origin: Origin, ports: PeerPorts) {
    this.#origin = origin;
    this.#ports = ports;
    const { clock } = origin.ports;
    this.#pageRepeats = new Repeats(clock, MAX_PAGE);
    this.#joins = new TokenBucket(JOINS_PER_S, JOINS, clock);
    this.#joinLater = new Alarm(clock);
    const { offer, reader, reading, limiter } = origin;
    this.#serving = new Serving({
      clock,
      space: offer.space,
      reader,
      limiter,
      hash: (index) => (offer.isTorn(index) ? undefined : offer.hashes.get(index)),
      news: (lane) => reading.news.tell(lane),
      hashTold: (index, hash) => this.#told(index, hash),
      sent(bytes) {
        origin.sent += bytes;
      },
      fail: (thrown) => this.#fail(thrown),
    });
  }

  get awaits(): string | undefined {
    const page = this.#account.pagesAsked.firstMissing;
    return page < this.#origin.offer.pages.length
      ? `its request for page ${page} of the manifest`
      : undefined;
  }

  /** False for a stream that has begun: what is gone from it cannot be read again for a new process. */
  get restartable(): boolean {
    return !this.#origin.offer.space.stream || !this.#account.begun;
  }

  get written(): number {
    return this.#written;
  }

  /** Each time it moves it says hello anew. What it has heard of the offer stays so, and what is kept of chunks for the root. */
  heard(hashes: readonly HashName[]): void {
    if (!this.#account.offered) this.#origin.chooseHash(hashes);
  }

  addLane(lane: LanePort): void {
    const [connected] = this.#serving.lanes;
    this.#serving.addLane(lane);
    this.#account.offered = true;
    lane.send(this.#origin.header).catch(() => {});
    this.#sendAhead(lane);
    this.#origin.reading.news.addLane(lane);
    this.#giving?.addLane(lane);
    if (!connected && this.#member && this.#joins.take()) this.#origin.introducer!.returned(this.#member);
    this.#sayStanding(lane);
  }

  removeLane(lane: LanePort): void {
    this.#serving.removeLane(lane);
    this.#pages.delete(lane);
    this.#ahead.delete(lane);
    this.#origin.reading.news.removeLane(lane);
    this.#giving?.removeLane(lane);
    // What was said on it last may be lost.
    const [other] = this.#serving.lanes;
    if (other) this.#sayStanding(other);
  }

  /** It is a new process, and says what it still has. */
  restart(): void {
    this.#account = new Account();
    this.#pageRepeats.restart();
    this.#shares = false;
    this.#part();
    this.#ports.awaits();
    this.#serving.restart();
    this.#ports.resumed(0);
  }

  rest(): void {
    this.#resting = true;
    this.#serving.rest();
    this.#part();
  }

  run(): void {
    this.#resting = false;
    this.#serving.run();
    this.#join();
  }

  stop(): void {
    this.#over = true;
    this.#part();
    this.#serving.stop();
    this.#origin.leave(this);
  }

  /** The offer has changed: a stream has ended. */
  announce(): void {
    for (const lane of this.#serving.lanes) lane.send(this.#origin.header).catch(() => {});
  }

  message(lane: LanePort, message: Message): void {
    if (!this.#serving.has(lane)) return;
    const { pages, space, gone } = this.#origin.offer;
    switch (message.type) {
      case 'get-page': {
        const { page } = message;
        const bytes = pages[page];
        if (!bytes) throw fault('PEER_MISBEHAVES', { what: 'asked for a page that does not exist' });
        this.#account.pagesAsked.add(page);
        this.#ports.awaits();
        // It asked before it heard that the page was there.
        if (page === 0 && this.#ahead.delete(lane)) return;
        return this.#sendPage(lane, page, bytes);
      }
      case 'get':
        return this.#serve(lane, message.spare ? this.#notGiven(lane, message.ranges) : message.ranges);
      case 'get-hash':
        return this.#serve(
          lane,
          message.chunks.map((index) => ({ index })),
        );
      case 'arrived':
        return this.#takeArrived(message);
      case 'have':
        return this.#takeHave(message.chunks);
      case 'share':
        this.#shares = true;
        return this.#join();
      case 'signal':
        return this.#member && this.#origin.introducer!.say(this.#member, message.member, message);
      case 'refuse':
        return this.#member && this.#origin.introducer!.refuse(this.#member, message.member);
      case 'confirmed':
        if (!this.#account.concluded) throw fault('PEER_MISBEHAVES', { what: 'confirms what was not said' });
        return this.#ports.confirmed();
      case 'written':
        this.#written = Math.max(this.#written, message.below);
        return this.#origin.release();
      case 'finish':
        if (space.chunks === Number.POSITIVE_INFINITY)
          throw fault('PEER_MISBEHAVES', { what: 'is done with a stream that has not ended' });
        if (!message.gone.every((entry) => gone.has(entry)))
          throw fault('PEER_MISBEHAVES', { what: 'misses files that were not declared gone' });
        // An honest receiver asks once a lane.
        if (this.#asked.push({ lane, message }) > MAX_LANES)
          throw fault('PEER_MISBEHAVES', { what: 'asks for the last word without end' });
        if (this.#asked.length === 1) void this.#finishAsked().catch((thrown) => this.#fail(thrown));
        return;
      default:
        throw fault('PEER_MALFORMED', { what: `'${message.type}', which no receiver sends` });
    }
  }

  /** Others may fetch from it. */
  #join(): void {
    const { introducer } = this.#origin;
    if (!introducer || !this.#shares || this.#resting || this.#over || this.#member) return;
    if (!this.#joins.take()) return this.#joinLater.set(1000 / JOINS_PER_S, () => this.#join());
    this.#member = introducer.join((message) => {
      const [lane] = this.#serving.lanes;
      lane?.send(message).catch(() => {});
    });
    this.#giving = this.#origin.givings.join();
    for (const index of this.#account.arrived) this.#giving.give(index);
    for (const lane of this.#serving.lanes) this.#giving.addLane(lane);
  }

  #part(): void {
    this.#joinLater.clear();
    if (this.#member) this.#origin.introducer!.leave(this.#member);
    this.#member = undefined;
    this.#giving?.end();
    this.#giving = undefined;
  }

  #sayStanding(lane: LanePort): void {
    if (!this.#member) return;
    for (const message of this.#origin.introducer!.standing(this.#member)) lane.send(message).catch(() => {});
  }

  #sendAhead(lane: LanePort): void {
    const [bytes] = this.#origin.offer.pages;
    if (!bytes || bytes.length > MAX_AHEAD || this.#account.pagesAsked.has(0)) return;
    this.#ahead.add(lane);
    lane.send({ type: 'page', page: 0, bytes }).catch(() => {});
  }

  /** A page that is on its way on this lane is not sent there again: that would only keep other things waiting. */
  #sendPage(lane: LanePort, page: number, bytes: Uint8Array): void {
    const sending = this.#pages.get(lane) ?? new Set();
    this.#pages.set(lane, sending);
    if (sending.has(page)) return;
    if (sending.add(page).size > MAX_PAGES_SENDING)
      throw fault('PEER_MISBEHAVES', { what: 'asks for too much at once' });
    this.#pageRepeats.sends(page, 1, 1);
    const sent = () => void sending.delete(page);
    lane.send({ type: 'page', page, bytes }).then(sent, sent);
  }

  /** Of what is asked for with `spare`, what others were not given. It hears `lacks` for the rest. */
  #notGiven(lane: LanePort, ranges: readonly BlockRange[]): BlockRange[] {
    const mine: BlockRange[] = [];
    for (const range of ranges)
      if (!this.#giving?.others(range.index)) mine.push(range);
      else lane.send({ type: 'lacks', ...range }).catch(() => {});
    return mine;
  }

  #serve(lane: LanePort, asked: readonly Asked[]): void {
    this.#serving.take(lane, asked);
    for (const { index, from } of asked) if (from !== undefined) this.#giving?.give(index);
    this.#account.begun = true;
    this.#started ??= this.#origin.ports.clock.date();
    this.#ports.accepted();
  }

  /**
   * Takes the hash of a chunk for the root. A chunk of a file that is gone keeps its first hash: a receiver that knows of the file
   * leaves the chunk out, and one that had it all before has what was read first.
   */
  #told(index: number, hash: Uint8Array): void {
    const { offer, givings } = this.#origin;
    if (!offer.hashes.have.has(index)) givings.hashed(index);
    // Asked for each piece that goes: of a torn chunk it costs a look at all its files.
    const torn = offer.isTorn(index);
    for (const hashes of [offer.hashes, this.#account.hashes])
      if (!torn || !hashes.have.has(index)) hashes.set(index, hash);
  }

  /** What it has from an earlier run, by its own word: it can only cheat itself. */
  #takeHave(chunks: readonly ChunkHash[]): void {
    const { offer } = this.#origin;
    const { hashes: read } = offer;
    if (offer.space.stream) throw fault('PEER_MISBEHAVES', { what: 'has chunks of a stream already' });
    offer.checkExist(chunks.map(({ index }) => index));
    this.#ports.accepted();
    const account = this.#account;
    for (const { index, hash } of chunks) {
      // What was read here says whether it still has that right.
      if (!account.hashes.get(index)) account.hashes.set(index, read.get(index) ?? hash);
      account.resumed += this.#there(index);
    }
    // Nothing is said of chunks that this run served: a 0 would begin the count anew.
    if (account.resumed > 0) this.#ports.resumed(account.resumed);
  }

  /** What has arrived, by its own word. */
  #takeArrived({ bytes, kept, chunks }: Message & { type: 'arrived' }): void {
    this.#origin.offer.checkExist(chunks);
    this.#ports.accepted();
    const account = this.#account;
    if (kept > account.kept) this.#ports.kept(kept - account.kept);
    account.kept = Math.max(kept, account.kept);
    const most = this.#origin.offer.space.bytes ?? Number.POSITIVE_INFINITY;
    account.said = Math.min(Math.max(bytes, account.said), most);
    for (const index of chunks) this.#there(index);
    this.#ports.progress(Math.max(account.bytes, account.said), []);
  }

  /** It has this chunk. Returns its length in bytes, if that is news. */
  #there(index: number): number {
    const account = this.#account;
    const { space } = this.#origin.offer;
    if (!account.arrived.add(index)) return 0;
    this.#giving?.give(index);
    const extents = space.extents(index);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    account.bytes += length;
    this.#ports.progress(Math.max(account.bytes, account.said), extents);
    // It puts everything in place now. That leaves time to look whether a file has changed.
    if (account.arrived.count === space.chunks) void this.#check().catch(() => {});
    return length;
  }

  #check(): Promise<string[]> {
    this.#account.changed ??= this.#origin.source.changed?.() ?? Promise.resolve([]);
    return this.#account.changed;
  }

  /** One at a time, however often it is asked: each costs a look at all files and a root. */
  async #finishAsked(): Promise<void> {
    for (; this.#asked.length > 0; this.#asked.shift()) {
      const { lane, message } = this.#asked[0]!;
      await this.#finish(lane, message);
    }
  }

  /** It has everything. What changed since it was read is named before the last word is said. */
  async #finish(lane: LanePort, { root: theirs, gone }: Message & { type: 'finish' }): Promise<void> {
    const account = this.#account;
    const { offer, reading, ports } = this.#origin;
    reading.declareChanged(await this.#check());
    await reading.news.tell(lane);
    // It asks again where that lane has died, unless it is a new process, which has finished nothing.
    if (!this.#serving.has(lane)) return;
    const absent = offer.space.touches(new Set(gone));
    const root = await new Slices(ports.clock).run(offer.rooting(account.hashes, absent));
    // It may have died meanwhile, or belong to a process that is gone.
    if (!this.#serving.has(lane)) return;
    account.ended ??= ports.clock.date();
    const { ended } = account;
    const started = this.#started ?? ended;
    lane.send({ type: 'finished', root, started, ended }).catch(() => {});
    // It is asked again when a lane has died with the answer, and answered again.
    if (account.concluded) return;
    account.concluded = true;
    if (!equalBytes(theirs, root)) throw differentRoots();
    const hash = (chunk: number) => (absent(chunk) ? undefined : account.hashes.get(chunk));
    this.#ports.complete({ root, hash, chunks: offer.space.chunks, started, ended });
  }

  #fail(thrown: unknown): void {
    this.stop();
    this.#ports.fail(asBeelineError(thrown));
  }
}
