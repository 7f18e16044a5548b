/**
 * The side that receives an offer. It pulls the manifest from the origin, has somebody asked, fetches what is missing, and
 * compares the roots at the end. Each phase is a value that holds what there is in that phase. Other receivers of the same
 * offer may help: `helper` makes one. Non-goals: sockets, files, states.
 */
import { Alarm } from '../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { BLOCK_BYTES, MAX_GONE, PROTOCOL_VERSION } from '../base/limits.ts';
import { Slices } from '../base/slices.ts';
import type { HashName } from '../offer/hashing.ts';
import type { OfferHeader } from '../offer/manifest.ts';
import { Offer } from '../offer/offer.ts';
import type { Landing } from '../wire/framing.ts';
import type { BlocksHeader, Message } from '../wire/messages.ts';
import { Arrivals } from './arrivals.ts';
import { Closing, sayHeld } from './closing.ts';
import type { ReceiverPorts } from './engine-ports.ts';
import { Fetching, notAskedFor } from './fetching.ts';
import { Helper, type HelperPorts } from './helper.ts';
import { ManifestPull } from './manifest-pull.ts';
import { Members } from './members.ts';
import type { Peer } from './peer.ts';
import type { LanePort, Sink } from './ports.ts';
import { Limiter } from './rate.ts';
import { ChunkReader } from './reader.ts';

/** A page of the manifest that has not come for so long is asked for on another lane. */
const PAGE_MS = 1_500;

/** A few blocks, which one lane carries as fast as four. */
const SLIGHT_BYTES = 4 * BLOCK_BYTES;

/** What is there once the manifest is whole and somebody said yes. */
interface Work {
  readonly offer: Offer;
  readonly fetching: Fetching;
  readonly arrivals: Arrivals;
  /** For helpers. */
  readonly reader: ChunkReader | undefined;
  readonly uplink: Limiter;
  /** Undefined: this side does not share. */
  readonly members: Members | undefined;
}

/** By entry, files that are gone, and why. */
type Gone = Map<number, { code: string; text: string }>;

type Phase =
  /** The manifest is on its way; `pull` once the origin has said how long it is. */
  | { readonly at: 'reading'; readonly pull: ManifestPull | undefined; readonly gone: Gone }
  /** It is whole, and being checked. */
  | { readonly at: 'checking'; readonly pull: ManifestPull; readonly gone: Gone }
  /** Somebody is asked. */
  | { readonly at: 'asking'; readonly pull: ManifestPull; readonly offer: Offer }
  | ({ readonly at: 'fetching' | 'finishing'; readonly pull: ManifestPull } & Work)
  | ({ readonly at: 'closing'; readonly pull: ManifestPull; readonly closing: Closing } & Work);

/** A new process of the origin, which has not shown yet that it offers the same: what it has said so far. */
interface Renewal {
  pull: ManifestPull | undefined;
  readonly gone: Gone;
}

export class Receiver implements Peer {
  readonly #ports: ReceiverPorts;
  /** The origin's. */
  readonly #lanes = new Map<number, LanePort>();
  readonly #helpers = new Set<Helper>();
  readonly #pageLook: Alarm;
  #phase: Phase = { at: 'reading', pull: undefined, gone: new Map() };
  #renewal: Renewal | undefined;
  #resting = false;
  #over = false;

  constructor(ports: ReceiverPorts) {
    this.#ports = ports;
    this.#pageLook = new Alarm(ports.clock);
  }

  get awaits(): string | undefined {
    const pull = this.#pulled;
    if (!pull) return 'its offer';
    if (!pull.complete) return `page ${pull.firstMissing} of its manifest`;
    return this.arrived ? 'its last word' : undefined;
  }

  get arrived(): boolean {
    return this.#phase.at === 'closing' && !this.#phase.closing.confirmed;
  }

  get slight(): boolean | undefined {
    const header = this.#phase.pull?.header;
    return header && header.bytes !== undefined && header.bytes <= SLIGHT_BYTES;
  }

  get shared(): boolean {
    return (this.#work?.members?.count ?? 0) > 0;
  }

  get restartable(): boolean {
    return this.#phase.pull?.header.kind !== 'stream';
  }

  /** A new process of the origin has to hash as the old one did: what is here has such hashes. */
  hashes(): readonly HashName[] {
    const { pull } = this.#phase;
    return pull ? [pull.header.hash] : this.#ports.hashes();
  }

  /** The origin is a new process. Nothing is said to it of what is here until it offers the same. */
  restart(): void {
    const phase = this.#phase;
    if ('gone' in phase) phase.gone.clear();
    // Nobody has been asked about it yet.
    if (phase.at === 'reading') this.#phase = { ...phase, pull: undefined };
    else this.#renewal = { pull: undefined, gone: new Map() };
    this.#pageLook.clear();
    this.#work?.arrivals.renewed();
    this.#work?.members?.restart();
    this.#ports.awaits();
  }

  addLane(lane: LanePort): void {
    this.#lanes.set(lane.id, lane);
    this.#sayClosing();
    this.#askPages();
    if (this.#lanes.size === 1) this.#sayHeld();
    this.#sayWritten();
    this.#work?.arrivals.say(this.#hearing);
    if (this.#renewal) return;
    this.#work?.members?.addLane(lane);
    this.#work?.fetching.addLane(lane);
  }

  removeLane(lane: LanePort): void {
    if (!this.#lanes.delete(lane.id)) return;
    this.#work?.arrivals.lost(lane);
    // A page asked for on that lane will not come: ask again from the first missing one.
    this.#pulled?.askAnew();
    this.#askPages();
    this.#sayClosing();
    // What was said on it last may be lost.
    const [other] = this.#hearing;
    if (other) this.#work?.members?.addLane(other);
    this.#work?.fetching.removeLane(lane);
  }

  retireLane(lane: LanePort): void {
    if (this.#work) this.#work.fetching.retireLane(lane);
    else lane.close();
  }

  rest(): void {
    this.#resting = true;
    this.#work?.fetching.rest();
    this.#work?.members?.rest();
  }

  run(): void {
    this.#resting = false;
    this.#work?.fetching.run();
    this.#work?.members?.run();
  }

  /** No more writes are begun; resolves when those under way are done. */
  async stop(): Promise<void> {
    this.#over = true;
    this.#pageLook.clear();
    this.#work?.arrivals.stop();
    this.#work?.members?.stop();
    // A receiver that has everything goes on giving. Who made the helpers decides for how long.
    if (!this.#complete) for (const helper of [...this.#helpers]) helper.stop();
    await this.#work?.fetching.stop();
  }

  /** Another receiver of the same offer, which both fetches from this one and is fetched from. */
  helper(ports: HelperPorts): Helper {
    const helper: Helper = new Helper(this.#ports, {
      ...ports,
      ended: () => {
        this.#helpers.delete(helper);
        ports.ended();
      },
    });
    this.#helpers.add(helper);
    if (this.#work) helper.begin(this.#work);
    if (this.#phase.at === 'closing') helper.content();
    return helper;
  }

  land(lane: LanePort, header: BlocksHeader): Landing {
    return this.#going.fetching.land(lane, header);
  }

  message(lane: LanePort, message: Message): void {
    switch (message.type) {
      case 'offer':
        this.#takeHeader(message);
        return this.#ports.awaits();
      case 'page':
        this.#takePage(message.page, message.bytes);
        return this.#ports.awaits();
      case 'blocks':
        return this.#going.fetching.zeros(lane, message);
      case 'hash':
        return this.#going.fetching.hash(lane, message);
      case 'members':
        return this.#work?.members?.named(message);
      case 'signal':
        return this.#work?.members?.signal(message);
      case 'lacks':
        return this.#going.fetching.lacks(lane, message);
      case 'given':
        return this.#work?.fetching.given(message);
      case 'gone':
        return this.#takeGone(message.entry, message.code, message.text);
      case 'finished':
        if (this.#phase.at !== 'closing')
          throw fault('PEER_MISBEHAVES', { what: 'ended a transfer that is not finished' });
        this.#phase.closing.take(lane, message);
        return this.#ports.awaits();
      default:
        throw fault('PEER_MALFORMED', { what: `'${message.type}', which no sender sends` });
    }
  }

  /** The origin has said the last word. */
  get #complete(): boolean {
    return this.#phase.at === 'closing' && this.#phase.closing.confirmed;
  }

  get #work(): Work | undefined {
    return 'fetching' in this.#phase ? this.#phase : undefined;
  }

  get #going(): Work {
    if (!this.#work) throw notAskedFor();
    return this.#work;
  }

  /** The manifest of the origin's present process. */
  get #pulled(): ManifestPull | undefined {
    return this.#renewal ? this.#renewal.pull : this.#phase.pull;
  }

  /** The origin's lanes on which anything may be said of what is here. */
  get #hearing(): Iterable<LanePort> {
    return { [Symbol.iterator]: () => (this.#renewal ? [] : this.#lanes).values() };
  }

  #takeHeader(header: OfferHeader): void {
    if (header.version !== PROTOCOL_VERSION)
      throw fault('VERSION_OTHER', { what: 'transfer', ours: PROTOCOL_VERSION, theirs: header.version });
    const pulled = this.#pulled;
    if (pulled) {
      if (!pulled.update(header)) return;
      this.#work?.fetching.ended(header.bytes!);
      return;
    }
    const pull = new ManifestPull(header);
    if (this.#renewal) {
      this.#renewal.pull = pull;
      if (!this.#phase.pull!.announcesSame(pull)) return this.#fail(anotherOffer());
    } else if (this.#phase.at === 'reading') this.#phase = { ...this.#phase, pull };
    this.#askPages();
  }

  #askPages(): void {
    const lane = this.#lanes.values().next().value;
    const pull = this.#pulled;
    if (!lane || !pull || pull.complete) return;
    pull.ask(lane);
    this.#lookForPages(pull);
  }

  /** The lane that was asked may have fallen silent: in a while another one is asked. */
  #lookForPages(pull: ManifestPull, turn = 1): void {
    if (this.#pageLook.waits) return;
    const from = pull.firstMissing;
    this.#pageLook.set(PAGE_MS, () => {
      if (this.#over || pull.complete) return;
      const lanes = [...this.#lanes.values()];
      const lane = lanes[turn % lanes.length];
      if (lane && pull.firstMissing === from) {
        pull.askAnew();
        pull.ask(lane);
      }
      this.#lookForPages(pull, turn + 1);
    });
  }

  #takePage(page: number, bytes: Uint8Array): void {
    const pull = this.#pulled;
    if (!pull) {
      // The first one is said unasked on each lane, also where nothing is to be pulled any more.
      if (page === 0) return;
      throw fault('PEER_MALFORMED', { what: 'a page that was not asked for' });
    }
    const was = pull.complete;
    pull.take(page, bytes);
    if (!pull.complete) return this.#askPages();
    if (was) return;
    this.#pageLook.clear();
    if (this.#renewal) void this.#renew(this.#renewal, pull).catch((thrown) => this.#fail(thrown));
    else if (this.#phase.at === 'reading') void this.#open(pull, this.#phase.gone);
  }

  /** Goes on with the origin's new process if it offers what the old one did, and gives up otherwise. */
  async #renew(renewal: Renewal, offered: ManifestPull): Promise<void> {
    const same = await new Slices(this.#ports.clock).run(this.#phase.pull!.comparing(offered));
    // What the old process sent is written with its hash, which the new one is told of.
    if (same) await this.#work?.fetching.idle();
    // It may have been started once more meanwhile.
    if (this.#renewal !== renewal) return;
    // A file that was given up is not what the new process offers.
    const lost = 'offer' in this.#phase && this.#phase.offer.gone.size > 0;
    if (!same || lost) return this.#fail(anotherOffer());
    this.#renewal = undefined;
    this.#ports.awaits();
    for (const [entry, why] of renewal.gone) this.#lose(entry, why);
    const work = this.#work;
    if (!work) return;
    work.fetching.chunks.renewed();
    this.#sayClosing();
    this.#sayHeld();
    for (const lane of this.#lanes.values()) {
      work.members?.addLane(lane);
      work.fetching.addLane(lane);
    }
    work.fetching.pump();
  }

  async #open(pull: ManifestPull, gone: Gone): Promise<void> {
    try {
      this.#phase = { at: 'checking', pull, gone };
      const { entries, space } = await new Slices(this.#ports.clock).run(pull.decoding());
      const { kind, hash } = pull.header;
      const offer = new Offer({ kind, entries, pages: pull.pages, space, hash });
      this.#phase = { at: 'asking', pull, offer };
      for (const [entry, why] of gone) this.#lose(entry, why);
      const sink = await this.#ports.open(pull.header, offer);
      // The stream may have ended while the person was being asked.
      if (pull.header.bytes !== undefined && space.stream) space.end(pull.header.bytes);
      for (const entry of offer.gone) await sink.drop(entry);
      this.#begin(pull, offer, sink);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #begin(pull: ManifestPull, offer: Offer, sink: Sink): void {
    const { clock } = this.#ports;
    const arrivals = new Arrivals(clock, () => fetching.chunks.arrived);
    const shares = this.#ports.meet !== undefined && sink.read !== undefined && !offer.space.stream;
    const fetching: Fetching = new Fetching(
      {
        ...{ offer, sink, shares, shared: () => this.shared, ports: this.#ports },
        down: (chunk, kept) => {
          arrivals.down(chunk, kept, this.#hearing);
          this.#sayWritten();
          for (const helper of this.#helpers) helper.tell(chunk);
        },
        more: () => arrivals.more(this.#hearing),
        anew: () => {
          arrivals.clear();
          this.#sayHeld();
        },
        complete: () => void this.#finish(),
        lied: (holder) => {
          for (const helper of this.#helpers) if (helper.holder === holder) helper.lied();
        },
        fail: (error) => this.#ports.fail(error),
      },
      this.#resting,
    );
    const reader = this.#readerOf(offer, fetching);
    const uplink = new Limiter(this.#ports);
    const members = shares ? this.#membersOf() : undefined;
    this.#phase = { at: 'fetching', pull, offer, fetching, arrivals, reader, uplink, members };
    for (const lane of this.#hearing) {
      members?.addLane(lane);
      fetching.addLane(lane);
    }
    for (const helper of this.#helpers) helper.begin(this.#phase);
    fetching.pump();
    this.#sayHeld();
  }

  #membersOf(): Members | undefined {
    const { clock, meet } = this.#ports;
    const tell = (message: Message) => {
      const [lane] = this.#hearing;
      lane?.send(message).catch(() => {});
    };
    return meet && new Members(clock, this.#resting, meet, tell);
  }

  /** Reads back what is down. */
  #readerOf({ space, hash }: Offer, fetching: Fetching): ChunkReader | undefined {
    const { sink, chunks } = fetching;
    if (!sink.read) return undefined;
    const { digest, allocate } = this.#ports;
    return new ChunkReader({
      ...{ chunkSize: space.chunkSize, digest: digest(hash), allocate },
      read: async (index, into) => {
        if (!chunks.down.has(index) || fetching.reopening) throw fault('CHUNK_NOT_HERE', { chunk: index });
        return sink.read!(index, space.extents(index), into);
      },
    });
  }

  /** Tells the origin what it need not send. If that is lost with its lane, only the progress shown there is wrong. */
  #sayHeld(): void {
    const [lane] = this.#hearing;
    if (lane && this.#work) sayHeld(lane, this.#work.fetching.chunks).catch(() => {});
  }

  /** For a stream: what its origin may forget. Said again on each new lane, since it may be lost with one. */
  #sayWritten(): void {
    const work = this.#work;
    if (!work?.offer.space.stream) return;
    const below = work.fetching.release();
    for (const lane of this.#hearing) lane.send({ type: 'written', below }).catch(() => {});
  }

  #sayClosing(): void {
    if (this.#phase.at === 'closing') this.#phase.closing.say(this.#hearing);
  }

  #takeGone(entry: number, code: string, text: string): void {
    if (entry >= (this.#pulled?.header.entries ?? 0))
      throw fault('PEER_MISBEHAVES', { what: 'takes back a file that it never offered' });
    const phase = this.#phase;
    // What a new process loses counts once it is known to offer the same.
    const early = this.#renewal?.gone ?? ('offer' in phase ? undefined : phase.gone);
    const lost = 'offer' in phase ? phase.offer.gone : undefined;
    if (lost?.has(entry) || early?.has(entry)) return;
    if ((lost?.size ?? 0) + (early?.size ?? 0) >= MAX_GONE)
      throw fault('PEER_MISBEHAVES', { what: 'takes back too many files' });
    if (early) early.set(entry, { code, text });
    else this.#lose(entry, { code, text });
  }

  #lose(entry: number, { code, text }: { code: string; text: string }): void {
    if (!('offer' in this.#phase)) return;
    const { offer } = this.#phase;
    offer.gone.add(entry);
    this.#work?.fetching.drop(entry);
    this.#ports.gone(offer.entries[entry]!.path, code, text);
  }

  async #finish(): Promise<void> {
    const phase = this.#phase;
    if (this.#over || this.#renewal || phase.at !== 'fetching') return;
    this.#phase = { ...phase, at: 'finishing' };
    try {
      const { offer, fetching, arrivals } = phase;
      const { chunks } = fetching;
      if (!(await fetching.finish())) {
        this.#phase = phase;
        return fetching.pump();
      }
      const gone = [...offer.gone];
      const lost = offer.space.touches(new Set(gone));
      const absent = (chunk: number) => !chunks.down.has(chunk) || lost(chunk);
      const root = await new Slices(this.#ports.clock).run(offer.rooting(offer.hashes, absent));
      const closing = new Closing(this.#ports, chunks, arrivals, { root, absent, gone });
      this.#phase = { ...phase, at: 'closing', closing };
      for (const helper of this.#helpers) helper.content();
      this.#ports.awaits();
      this.#sayClosing();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #fail(thrown: unknown): void {
    this.#over = true;
    this.#ports.fail(asBeelineError(thrown));
  }
}

/** What the receiver was asked to accept is gone. What has come of it is kept for a run that is asked again. */
function anotherOffer(): BeelineError {
  return fault('OFFER_OTHER');
}
