/**
 * Another receiver of the same offer, as a receiver knows it: each fetches from the other what that one has, and serves what
 * is down here. What it says and sends is checked against what the origin has told, so that it can harm nobody but itself.
 */

import { equalBytes } from '../base/bytes.ts';
import { type Clock, every } from '../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { MAX_CHUNKS } from '../base/limits.ts';
import type { Offer } from '../offer/offer.ts';
import type { Landing } from '../wire/framing.ts';
import type { BlocksHeader, Message } from '../wire/messages.ts';
import { type Chunks, Holder } from './chunks.ts';
import type { Means } from './engine-ports.ts';
import { type Fetching, notAskedFor } from './fetching.ts';
import { MAP_PAGE, MapNews } from './map-news.ts';
import type { Peer } from './peer.ts';
import type { LanePort } from './ports.ts';
import type { Limiter } from './rate.ts';
import type { ChunkReader } from './reader.ts';
import { Serving } from './serving.ts';

/** How often it is looked at what it brings ... */
const LOOK_S = 10;
/** ... and for how long it may owe something and bring no block; longer where all is slow. */
const BARREN_S = 60;
/** Pages of its map that it may say again, beside those that its lanes have to repeat. */
const REPEATED_PAGES = 64;

export interface HelperPorts {
  /** It lied, or broke the protocol: its session ends. */
  fail: (error: BeelineError) => void;
  /** It asks for something. */
  asks: () => void;
  /** It has all that it wants. */
  content: () => void;
  /** It is stopped. */
  ended: () => void;
}

/** What this side does for the transfer, once somebody said yes. */
export interface HelperWork {
  offer: Offer;
  fetching: Fetching;
  /** Reads what is down here; absent where it cannot be read again. */
  reader: ChunkReader | undefined;
  /** Shared by all who are served. */
  uplink: Limiter;
}

export class Helper implements Peer {
  readonly awaits = undefined;
  readonly restartable = true;
  readonly #ports: HelperPorts;
  readonly #means: Means;
  readonly #lanes = new Set<LanePort>();
  #holder = new Holder();
  #work: (HelperWork & { serving: Serving | undefined }) | undefined;
  /** What is down here; absent if nothing is served. */
  #news: MapNews | undefined;
  /** Pages of its map that it may still say again. */
  #repeats = REPEATED_PAGES;
  #endLooks = () => {};
  /** This side has all that it wants. */
  #content = false;
  #over = false;

  constructor(means: Means, ports: HelperPorts) {
    this.#means = means;
    this.#ports = ports;
  }

  /** What it has. */
  get holder(): Holder {
    return this.#holder;
  }

  /** From here on chunks go both ways. */
  begin(work: HelperWork): void {
    if (this.#over || work.offer.space.stream) return;
    const { offer, reader, fetching } = work;
    const serving =
      reader &&
      new Serving({
        ...{ clock: this.#means.clock, space: offer.space, reader, limiter: work.uplink },
        hash: () => undefined,
        news: () => undefined,
        hashTold: () => {},
        serves: ({ index, hash }) => equalBytes(hash, fetching.chunks.hash(index) ?? new Uint8Array()),
        lacks: (lane, range) => lane.send({ type: 'lacks', ...range }).catch(() => {}),
        fail: (thrown) => this.#ports.fail(asBeelineError(thrown)),
      });
    this.#work = { ...work, serving };
    if (serving) this.#news = newsOf(this.#means.clock, fetching.chunks);
    try {
      fetching.join(this.#holder);
    } catch (thrown) {
      return this.#ports.fail(asBeelineError(thrown));
    }
    this.#endLooks = this.#watch();
    for (const lane of this.#lanes) this.#connect(lane);
  }

  addLane(lane: LanePort): void {
    this.#lanes.add(lane);
    this.#connect(lane);
  }

  removeLane(lane: LanePort): void {
    if (!this.#lanes.delete(lane)) return;
    this.#news?.removeLane(lane);
    this.#work?.serving?.removeLane(lane);
    this.#work?.fetching.removeLane(lane);
  }

  retireLane(lane: LanePort): void {
    if (this.#work) this.#work.fetching.retireLane(lane);
    else lane.close();
  }

  restart(): void {
    this.#work?.fetching.leave(this.#holder);
    const { paused } = this.#holder;
    this.#holder = new Holder();
    this.#holder.paused = paused;
    this.#work?.fetching.join(this.#holder);
  }

  rest(): void {
    this.#holder.paused = true;
    this.#work?.serving?.rest();
  }

  run(): void {
    this.#holder.paused = false;
    this.#work?.serving?.run();
    this.#work?.fetching.pump();
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#endLooks();
    this.#news?.stop();
    this.#work?.serving?.stop();
    for (const lane of this.#lanes) this.#work?.fetching.removeLane(lane);
    this.#work?.fetching.leave(this.#holder);
    this.#ports.ended();
  }

  /** A chunk that it had a part in is not what the origin has. */
  lied(): void {
    this.#ports.fail(fault('HELPER_LIES'));
  }

  /** This side has all that it wants. */
  content(): void {
    this.#content = true;
    for (const lane of this.#lanes) lane.send({ type: 'confirmed' }).catch(() => {});
  }

  /** A chunk is down here. */
  tell(chunk: number): void {
    this.#news?.changed(chunk);
  }

  land(lane: LanePort, header: BlocksHeader): Landing {
    return this.#going.fetching.land(lane, header);
  }

  message(lane: LanePort, message: Message): void {
    switch (message.type) {
      case 'holds':
        return this.#takeHolds(message);
      case 'blocks':
        return this.#going.fetching.zeros(lane, message);
      case 'lacks':
        return this.#going.fetching.lacks(lane, message);
      case 'get':
        if (!this.#work?.serving)
          throw fault('PEER_MISBEHAVES', { what: 'asks for what it was not told of' });
        this.#ports.asks();
        return this.#work.serving.take(lane, message.ranges);
      case 'confirmed':
        return this.#ports.content();
      default:
        throw fault('PEER_MALFORMED', { what: `'${message.type}', which no receiver sends to another` });
    }
  }

  get #going(): HelperWork {
    if (!this.#work) throw notAskedFor();
    return this.#work;
  }

  #connect(lane: LanePort): void {
    const work = this.#work;
    if (!work || this.#over) return;
    work.serving?.addLane(lane);
    work.fetching.addLane(lane, this.#holder);
    // All of its map comes on it.
    this.#repeats += pagesOf(work.offer.space.chunks / 8);
    if (this.#content) lane.send({ type: 'confirmed' }).catch(() => {});
    this.#news?.addLane(lane);
  }

  #takeHolds({ first, bits }: Message & { type: 'holds' }): void {
    if (first % 8 !== 0 || first + bits.length * 8 > MAX_CHUNKS + 7)
      throw fault('PEER_MISBEHAVES', { what: 'has a chunk that does not exist' });
    const news = [...this.#holder.news(first, bits)];
    // Each lane is told of each chunk: what one of them has said the others repeat.
    this.#repeats += news.length * this.#lanes.size;
    if (news.length === 0) this.#repeats -= Math.max(1, pagesOf(bits.length));
    if (this.#repeats < 0) throw fault('PEER_MISBEHAVES', { what: 'says again and again what it has' });
    if (this.#work) this.#work.fetching.holds(this.#holder, news);
    else for (const index of news) this.#holder.has.add(index);
  }

  /** One that says what it has and does not bring it keeps others from being asked. */
  #watch(): () => void {
    let [barren, brought] = [0, 0];
    return every(this.#means.clock, LOOK_S * 1000, () => {
      const { fetching } = this.#work!;
      const { turns } = fetching;
      const holder = this.#holder;
      const idle = holder.brought === brought;
      brought = holder.brought;
      const awaits = fetching.awaits(holder);
      if (!idle || !awaits) barren = 0;
      // If nothing comes from anybody, it keeps nobody from being asked.
      if (!idle || turns === undefined || !awaits) return;
      barren += LOOK_S;
      if (barren > Math.max(BARREN_S, turns)) this.#ports.fail(fault('MEMBER_SILENT', { seconds: barren }));
    });
  }
}

/** Pages that so many bytes of a map are. */
function pagesOf(bytes: number): number {
  return Math.ceil(bytes / MAP_PAGE);
}

/** It never takes anything back. */
function newsOf(clock: Clock, { down, offer }: Chunks): MapNews {
  return new MapNews({
    clock,
    space: offer.space,
    message(from, to) {
      const bits = down.bytes(from, to);
      return bits.some((byte) => byte !== 0) ? { type: 'holds', first: from * 8, bits } : undefined;
    },
  });
}
