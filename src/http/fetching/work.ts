/**
 * Fetches what is missing of an offer whose files lie at servers, and writes it into a sink: connections take pieces of files, their bytes
 * gather in chunks, and a chunk that is whole is hashed and handed to the store, as one that came from a peer.
 */
import { Bitfield } from '../../base/bitfield.ts';
import { every, seconds } from '../../base/clock.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import type { Slab } from '../../base/slab.ts';
import type { Offer } from '../../offer/offer.ts';
import type { Extent } from '../../offer/space.ts';
import type { ReceiverPorts } from '../../sync/engine-ports.ts';
import type { Sink } from '../../sync/ports.ts';
import { Limiter, RateMeter } from '../../sync/rate.ts';
import { unwantedChunks } from '../../sync/selection.ts';
import { LONG_BUDGET, SlabPool } from '../../sync/slabs.ts';
import { isZero, ZeroHashes } from '../../sync/zeros.ts';
import type { Answer, Client } from './client.ts';
import { DigestCheck, type Expected } from './digest-check.ts';
import { Busy, Changed, type Mirror } from './mirror.ts';
import { Ramp } from './ramp.ts';
import { misbehaves, type Representation, representationOf } from './representation.ts';
import { type Stretch, Stretches } from './stretches.ts';

/** How often it is looked at how fast it goes. */
const SAMPLE_MS = 100;
/** Connections to one server, and in all. */
export const MOST_LANES = 8;
const MOST_LANES_IN_ALL = 16;
/** Over which a connection's rate is taken. */
const RATE_S = 2;
/** Seconds: a place that needs longer for what it alone still has is left, if another one that does nothing was so many times as fast. */
const SLOW_S = 5;
const FASTER = 4;
/** Milliseconds for which it is not asked then. */
const SLOW_PAUSE = 30_000;
/** What may pass by itself. */
const PASSING: ReadonlySet<string | undefined> = new Set(['HTTP_AWAY', 'HTTP_CUT_SHORT']);

/** One file of the offer. */
export interface RemoteFile {
  readonly entry: number;
  /** The first that is not out is the one that the offer was made by. */
  readonly mirrors: readonly Mirror[];
  readonly expected: Expected | undefined;
}

export interface LaneNews {
  id: number;
  remote: string;
  status: 'open' | 'closed';
  bytes?: number;
  reason?: string;
}

export interface WorkEvents {
  /** Something comes, for the first time or again. */
  up(): void;
  /** Nothing comes, though something is missing. */
  down(error: Error): void;
  lane(news: LaneNews): void;
  warn(error: BeelineError): void;
  /** A file is another one now. */
  changed(item: RemoteFile, host: string): void;
  /** Nothing is missing, and all is written. */
  complete(): void;
  /** The store failed. */
  disk(thrown: unknown): void;
  fail(thrown: unknown): void;
}

export interface WorkOptions {
  offer: Offer;
  sink: Sink;
  /** By entry. */
  items: readonly RemoteFile[];
  client: Client;
  ports: ReceiverPorts;
  events: WorkEvents;
  /** So many connections; absent: it is found out. */
  lanes: number | undefined;
}

interface File extends RemoteFile {
  readonly size: number;
  /** Its first chunk, and the one past its last. */
  readonly first: number;
  readonly end: number;
  readonly check: DigestCheck | undefined;
  /** There is nothing to check, or it was right. */
  checked: boolean;
  /** Chunks of it that are not being written yet, and those that are. */
  missing: number;
  readonly writes: Set<Promise<void>>;
}

/** A connection at work. */
interface Lane {
  readonly id: number;
  mirror: Mirror;
  readonly meter: RateMeter;
  piece: Stretch | undefined;
  /** Of the file: where the next byte belongs that comes, and where this answer ends. */
  at: number;
  end: number;
  /** That have come on it. */
  bytes: number;
  /** What is being read, since when by the clock, in seconds. */
  answer: Answer | undefined;
  since: number;
  /** Another place does the rest of its piece. */
  overtaken: boolean;
  reason: string | undefined;
}

/** A chunk that is coming. */
interface Gathering {
  readonly slab: Slab;
  readonly extents: readonly Extent[];
  /** By entry, how many of its bytes are here. */
  readonly filled: Map<number, number>;
}

export class Work {
  readonly #options: WorkOptions;
  readonly #files: readonly File[];
  readonly #byEntry: ReadonlyMap<number, File>;
  readonly #down = new Bitfield();
  readonly #unwanted: Bitfield;
  readonly #pieces: Stretches;
  readonly #ramp: Ramp;
  readonly #pool: SlabPool;
  readonly #gathering = new Map<number, Gathering>();
  readonly #digest: ReturnType<ReceiverPorts['digest']>;
  readonly #zeros: ZeroHashes;
  readonly #limiter: Limiter;
  readonly #lanes = new Set<Lane>();
  readonly #writes = new Set<Promise<void>>();
  readonly #endSampling: () => void;
  #abort = new AbortController();
  #running = false;
  #over = false;
  #up = false;
  /** Chunks that are not down; Infinity while a stream's end is not known. */
  #left = 0;
  #count = 0;
  /** Bytes that are here, and those of them that came in this run. */
  #bytes = 0;
  #came = 0;
  #roomWaits: (() => void)[] = [];

  constructor(options: WorkOptions) {
    this.#options = options;
    const { offer, sink, ports, items, lanes } = options;
    const { space } = offer;
    this.#digest = ports.digest(offer.hash);
    this.#zeros = new ZeroHashes(this.#digest);
    this.#limiter = new Limiter(ports);
    this.#pool = new SlabPool(space.chunkSize, ports.allocate, LONG_BUDGET);
    this.#takeStock();
    this.#unwanted = unwantedChunks(space, sink, this.#down);
    this.#files = items.map((item) => this.#file(item));
    this.#byEntry = new Map(this.#files.map((file) => [file.entry, file]));
    const all = [{ file: 0, at: 0, end: Number.POSITIVE_INFINITY }];
    this.#pieces = new Stretches(space.stream ? all : this.#missing(), space.chunkSize);
    if (space.stream) this.#left = Number.POSITIVE_INFINITY;
    else for (let chunk = 0; chunk < space.chunks; chunk++) if (this.#wanted(chunk)) this.#left++;
    const mirrors = items.reduce((most, item) => Math.max(most, item.mirrors.length), 1);
    // What can hold little gets its bytes in order.
    const single = sink.window !== Number.POSITIVE_INFINITY;
    const most = Math.min(MOST_LANES_IN_ALL, mirrors * MOST_LANES);
    this.#ramp = single ? new Ramp(1) : new Ramp(most, mirrors, lanes);
    this.#endSampling = every(ports.clock, SAMPLE_MS, () => this.#sample());
  }

  get down(): Bitfield {
    return this.#down;
  }

  /** Something came in this run. */
  get begun(): boolean {
    return this.#came > 0;
  }

  /** @param first an answer that is here already, to a request for all of the first file, and whose it is */
  run(first?: { mirror: Mirror; answer: Answer }): void {
    if (this.#over) return first?.answer.close();
    this.#running = true;
    this.#abort = new AbortController();
    if (first) this.#open(first.mirror, first.answer);
    this.#staff();
    this.#look();
  }

  /** Stops fetching. What is here of chunks stays. */
  rest(): void {
    this.#running = false;
    this.#abort.abort();
    this.#wake();
  }

  /** Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#over = true;
    this.rest();
    this.#endSampling();
    while (this.#writes.size > 0) await Promise.all(this.#writes);
  }

  /** Files that were whole from the beginning, and streams, are checked at the end. @throws BeelineError VERIFICATION */
  async conclude(): Promise<void> {
    for (const file of this.#files) {
      if (!file.check || file.checked) continue;
      await file.check.follow((chunk) => this.#readBack(file, chunk));
      file.check.conclude();
    }
  }

  #wanted(chunk: number): boolean {
    return !this.#down.has(chunk) && !this.#unwanted.has(chunk);
  }

  #file(item: RemoteFile): File {
    const { offer, sink } = this.#options;
    const { path, size } = offer.entries[item.entry]!;
    const { stream } = offer.space;
    const { first, end } = stream
      ? { first: 0, end: Number.POSITIVE_INFINITY }
      : offer.space.chunksOf(item.entry);
    let missing = stream ? Number.POSITIVE_INFINITY : 0;
    if (!stream) for (let chunk = first; chunk < end; chunk++) if (this.#wanted(chunk)) missing++;
    const checked = !item.expected || !sink.wants(item.entry);
    const check = checked ? undefined : new DigestCheck(path, item.expected!, first, end);
    return { ...item, size, first, end, check, checked, missing, writes: new Set() };
  }

  *#missing(): Generator<Pick<Stretch, 'file' | 'at' | 'end'>> {
    const { sink, offer } = this.#options;
    const { chunkSize } = offer.space;
    for (const [file, { entry, size, first, end }] of this.#files.entries()) {
      if (!sink.wants(entry)) continue;
      for (let from = first; from < end; from++) {
        let to = from;
        while (to < end && this.#wanted(to)) to++;
        if (to === from) continue;
        yield { file, at: (from - first) * chunkSize, end: Math.min(size, (to - first) * chunkSize) };
        from = to;
      }
    }
  }

  /** What an earlier run left is down, and nothing else is here. */
  #takeStock(): void {
    const { offer, sink, ports } = this.#options;
    for (const { index, hash } of sink.held?.() ?? []) {
      offer.hashes.set(index, hash);
      if (this.#down.add(index)) this.#bytes += offer.space.length(index);
    }
    ports.resumed(0);
    if (this.#bytes === 0) return;
    for (const chunk of this.#down) ports.progress(this.#bytes, offer.space.extents(chunk));
    ports.resumed(this.#bytes);
  }

  #sample(): void {
    if (!this.#running) return;
    const now = seconds(this.#options.ports.clock);
    let open = 0;
    for (const lane of this.#lanes) {
      if (lane.bytes > 0) open++;
      lane.meter.add(lane.bytes, now);
      if (lane.piece) lane.piece.rate = lane.meter.rate(now);
    }
    this.#overtake(now);
    this.#ramp.sample(now, this.#came, open);
    this.#staff();
  }

  /** A piece that is too small to be shared may be with a place that hardly brings anything, and never ends. */
  #overtake(now: number): void {
    for (const lane of this.#lanes) {
      const { piece, answer } = lane;
      if (!piece || !answer || now - lane.since < SLOW_S) continue;
      if (piece.end - piece.at < SLOW_S * piece.rate) continue;
      const file = this.#files[piece.file]!;
      const idle = ({ out, lanes, notBefore, seen }: Mirror) =>
        !out && lanes === 0 && notBefore <= now * 1000 && seen !== undefined && inParts(file, seen);
      if (!file.mirrors.some((other) => idle(other) && other.best > FASTER * piece.rate)) continue;
      lane.overtaken = true;
      answer.close();
    }
  }

  /** As many connections as there should be, where there is something to do for them. */
  #staff(): void {
    while (this.#running && this.#left > 0 && this.#lanes.size < this.#ramp.target) {
      const mirror = this.#next();
      if (!mirror) return;
      this.#open(mirror);
    }
  }

  /** Who can be asked for something now. */
  #next(rate = 0): Mirror | undefined {
    const now = this.#options.ports.clock.now();
    const file = this.#pieces.next(rate, (index) => this.#best(this.#files[index]!, now) !== undefined);
    return file === undefined ? undefined : this.#best(this.#files[file]!, now);
  }

  /** Of the mirrors that can be asked for something of a file now, the one with the fewest connections. */
  #best(file: File, now: number): Mirror | undefined {
    let best: Mirror | undefined;
    for (const mirror of file.mirrors) {
      if (mirror.out || mirror.notBefore > now || !this.#can(file, mirror)) continue;
      const most = inParts(file, mirror.seen) ? mirror.most : 1;
      if (mirror.lanes < most && (!best || mirror.lanes < best.lanes)) best = mirror;
    }
    return best;
  }

  /** One that has no ranges goes through a file from its beginning: that is for what no other brings, and for one alone. */
  #can(file: File, mirror: Mirror): boolean {
    if (inParts(file, mirror.seen)) return true;
    const others = file.mirrors.filter(({ out, seen }) => !out && seen && inParts(file, seen));
    return others.length === 0 && !this.#pieces.busy(this.#files.indexOf(file));
  }

  #open(mirror: Mirror, first?: Answer): void {
    const id = ++this.#count;
    const lane: Lane = {
      ...{ id, mirror, meter: new RateMeter(RATE_S), piece: undefined },
      ...{ at: 0, end: 0, bytes: 0, reason: undefined, answer: undefined, since: 0, overtaken: false },
    };
    mirror.lanes++;
    this.#lanes.add(lane);
    void this.#serve(lane, this.#abort.signal, first).then(() => {
      const { mirror, bytes, reason } = lane;
      mirror.lanes--;
      this.#lanes.delete(lane);
      const about = { id, remote: mirror.host, bytes, ...(reason !== undefined && { reason }) };
      if (bytes > 0) this.#options.events.lane({ ...about, status: 'closed' });
      this.#staff();
    });
  }

  /** Takes pieces until there is none, or it fails. Never rejects. */
  async #serve(lane: Lane, signal: AbortSignal, first: Answer | undefined): Promise<void> {
    let given = first;
    /** It is at this mirror since it found nothing at another one. */
    let moved = false;
    try {
      while (!signal.aborted) {
        const rate = lane.meter.rate(seconds(this.#options.ports.clock));
        const piece = this.#pieces.take(rate, (index) => {
          const file = this.#files[index]!;
          return file.mirrors.includes(lane.mirror) && this.#can(file, lane.mirror);
        });
        if (!piece) {
          const next = this.#next(rate);
          // Nothing here either: to go on to the next would never end.
          if (!next || next === lane.mirror || moved) return;
          moved = true;
          lane.mirror.lanes--;
          lane.mirror = next;
          next.lanes++;
          continue;
        }
        moved = false;
        lane.piece = piece;
        try {
          const answer = given;
          given = undefined;
          await this.#fetch(lane, piece, signal, answer);
        } finally {
          lane.piece = undefined;
          this.#pieces.giveBack(piece);
        }
      }
    } catch (thrown) {
      if (signal.aborted) return;
      if (lane.overtaken) this.#leave(lane);
      else this.#failed(lane, thrown);
    } finally {
      given?.close();
    }
  }

  async #fetch(lane: Lane, piece: Stretch, signal: AbortSignal, given: Answer | undefined): Promise<void> {
    const { mirror } = lane;
    const { client, offer } = this.#options;
    const file = this.#files[piece.file]!;
    const parts = inParts(file, mirror.seen);
    // The first request is for all of it, of which others then take parts.
    const [from, to] = parts ? [piece.at, piece.end < file.size ? piece.end : undefined] : [];
    const usable = given !== undefined && !from;
    if (given && !usable) given.close();
    const answer = usable ? given : await mirror.ask(client, signal, from, to);
    const before = lane.bytes;
    try {
      if (!mirror.seen) this.#meet(file, mirror, answer);
      const { at, end } = mirror.brings(answer, from ?? 0, usable ? undefined : to);
      lane.at = at;
      lane.end = end;
      if (at < piece.at) {
        // It passes through what is here already. One does that, and brings all.
        if (!identified(file, mirror.seen!)) throw new Changed();
        this.#pieces.absorb(piece);
      }
      lane.answer = answer;
      lane.since = seconds(this.#options.ports.clock);
      await answer.read((bytes) => this.#put(lane, piece, file, bytes, answer));
      if (offer.space.stream) this.#endStream(lane, piece);
      else if (lane.at < lane.end)
        throw fault('HTTP_CUT_SHORT', { host: mirror.host, bytes: lane.at, length: file.size });
    } catch (thrown) {
      // Once the piece is here, the rest of the body is given up.
      if (piece.at < piece.end || this.#over) throw thrown;
    } finally {
      if (lane.answer) mirror.brought(lane.bytes - before, seconds(this.#options.ports.clock) - lane.since);
      lane.answer = undefined;
      answer.close();
    }
  }

  #leave({ mirror }: Lane): void {
    const { clock, random } = this.#options.ports;
    mirror.failed(clock.now(), random(), SLOW_PAUSE);
  }

  /** What a mirror says first is compared with what the file is known to be. @throws BeelineError VERIFICATION */
  #meet(file: File, mirror: Mirror, answer: Answer): void {
    const { host } = mirror;
    const differs = (what: string) => fault('HTTP_MIRROR_DIFFERS', { host, what });
    if (answer.status === 416) throw differs('it is shorter');
    const now = representationOf(answer);
    const known = file.mirrors.find(({ seen }) => seen)?.seen;
    const { stream } = this.#options.offer.space;
    if (!stream && now.length !== file.size)
      throw differs(`it has ${now.length ?? 'an unknown number of'} bytes, and not ${file.size}`);
    const expected = file.expected?.sha256 ?? known?.sha256;
    if (expected !== undefined && now.sha256 !== undefined && expected !== now.sha256)
      throw differs('its SHA-256 is another one');
    mirror.seen = now;
  }

  #put(lane: Lane, piece: Stretch, file: File, bytes: Uint8Array, answer: Answer): void | Promise<void> {
    const { events, ports } = this.#options;
    this.#checkRuns();
    if (lane.at + bytes.length > lane.end) throw misbehaves(answer, 'it sends more than it announced');
    if (lane.bytes === 0) events.lane({ id: lane.id, remote: lane.mirror.host, status: 'open' });
    lane.bytes += bytes.length;
    if (!this.#up) events.up();
    this.#up = true;
    let at = 0;
    while (at < bytes.length && lane.at < piece.end) {
      const took = this.#fill(lane, piece, file, bytes, at);
      // What is not taken at once is somebody else's afterwards.
      if (took === undefined)
        return this.#putLater(lane, piece, file, Uint8Array.from(bytes.subarray(at)), answer);
      at += took;
    }
    ports.progress(this.#bytes, []);
    if (lane.at >= piece.end && lane.at < lane.end) answer.close();
    if (this.#limiter.limited) return this.#limiter.pass(bytes.length);
  }

  /** The same while there is no room: nothing is read meanwhile. */
  async #putLater(lane: Lane, piece: Stretch, file: File, bytes: Uint8Array, answer: Answer): Promise<void> {
    for (let at = 0; at < bytes.length && lane.at < piece.end; ) {
      const took = this.#fill(lane, piece, file, bytes, at);
      if (took === undefined) await new Promise<void>((resolve) => this.#roomWaits.push(resolve));
      this.#checkRuns();
      at += took ?? 0;
    }
    this.#options.ports.progress(this.#bytes, []);
    if (lane.at >= piece.end && lane.at < lane.end) answer.close();
    await this.#limiter.pass(bytes.length);
  }

  #checkRuns(): void {
    if (!this.#running) throw new BeelineError('CANCELLED', 'Fetching was stopped.');
  }

  /** @returns how many bytes were taken, of one chunk at most; undefined: there is no room now */
  #fill(lane: Lane, piece: Stretch, file: File, bytes: Uint8Array, from: number): number | undefined {
    const { chunkSize } = this.#options.offer.space;
    const chunk = file.first + Math.floor(lane.at / chunkSize);
    const within = lane.at % chunkSize;
    let count = Math.min(bytes.length - from, chunkSize - within, piece.end - lane.at);
    if (this.#wanted(chunk)) {
      const gathering = this.#gathering.get(chunk) ?? this.#gather(chunk);
      if (!gathering) return undefined;
      const { slab, extents, filled } = gathering;
      const extent = extents.find(({ entry }) => entry === file.entry)!;
      const have = filled.get(file.entry)!;
      // What is passed through again is not taken again.
      if (within < have) count = Math.min(count, have - within);
      else {
        slab.bytes.set(bytes.subarray(from, from + count), extent.at + within);
        filled.set(file.entry, within + count);
        this.#bytes += count;
        this.#came += count;
        lane.mirror.did();
        if (within + count === extent.length && isFull(gathering)) this.#whole(chunk, gathering);
      }
    }
    lane.at += count;
    piece.at = Math.max(piece.at, lane.at);
    return count;
  }

  #gather(chunk: number): Gathering | undefined {
    const { sink, offer } = this.#options;
    if (chunk >= this.#down.firstMissing + sink.window) return undefined;
    const extents = offer.space.extents(chunk);
    // A chunk of several files waits for each, and what waits for room must not wait for what nobody writes.
    const slab =
      extents.length > 1 || this.#writes.size === 0
        ? (this.#pool.take() ?? this.#pool.extra())
        : this.#pool.take();
    if (!slab) return undefined;
    const filled = new Map<number, number>();
    for (const { entry, at, length } of extents) {
      const wanted = sink.wants(entry);
      // What nobody wants of it is not asked for, and counts as zeros.
      if (!wanted) slab.bytes.fill(0, at, at + length);
      filled.set(entry, wanted ? 0 : length);
    }
    const gathering = { slab, extents, filled };
    this.#gathering.set(chunk, gathering);
    return gathering;
  }

  #wake(): void {
    const waits = this.#roomWaits;
    this.#roomWaits = [];
    for (const wake of waits) wake();
  }

  /** The server says that a file of unknown length ends here. */
  #endStream(lane: Lane, piece: Stretch): void {
    const { space } = this.#options.offer;
    space.end(lane.at);
    piece.end = lane.at;
    this.#left = space.chunks - this.#down.count;
    const last = this.#gathering.get(space.chunks - 1);
    if (!last) return this.#look();
    const extents = space.extents(space.chunks - 1);
    this.#whole(space.chunks - 1, { ...last, extents });
  }

  /** All of a chunk is here. */
  #whole(chunk: number, { slab, extents }: Gathering): void {
    this.#gathering.delete(chunk);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    const data = slab.bytes.subarray(0, length);
    const files: File[] = [];
    for (const { entry, at, length } of extents) {
      const file = this.#byEntry.get(entry);
      if (!file) continue;
      files.push(file);
      file.missing--;
      file.check?.take(chunk, data.subarray(at, at + length));
    }
    const ended = files.filter(({ check, missing }) => check && missing === 0);
    const before = ended.flatMap(({ writes }) => [...writes]);
    const write = this.#write(chunk, extents, data, ended, before)
      .catch((thrown) => this.#writeFailed(thrown))
      .finally(() => {
        this.#writes.delete(write);
        for (const file of files) file.writes.delete(write);
        slab.release();
        this.#wake();
        this.#look();
      });
    this.#writes.add(write);
    for (const file of files) file.writes.add(write);
  }

  /**
   * @param ended files with a digest of which this is the last chunk: each is known to be right before it is written
   * @param before the writes of their other chunks
   */
  async #write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array,
    ended: readonly File[],
    before: readonly Promise<void>[],
  ): Promise<void> {
    const { offer, sink, ports } = this.#options;
    const zeros = isZero(data);
    const hash = zeros ? await this.#zeros.get(data.length) : await this.#digest(data);
    if (ended.length > 0) await Promise.all(before);
    for (const file of ended) {
      if (this.#over) return;
      const { at, length } = extents.find(({ entry }) => entry === file.entry)!;
      const bytes = Promise.resolve(data.subarray(at, at + length));
      await file.check!.follow((next) => (next === chunk ? bytes : this.#readBack(file, next)));
      file.check!.conclude();
      file.checked = true;
    }
    if (this.#over) return;
    await sink.write(chunk, extents, zeros ? undefined : data, hash);
    offer.hashes.set(chunk, hash);
    this.#down.add(chunk);
    this.#left--;
    ports.progress(this.#bytes, extents);
    this.#follow(extents);
  }

  /** What came out of order is read back while the rest comes. */
  #follow(extents: readonly Extent[]): void {
    for (const { entry } of extents) {
      const file = this.#byEntry.get(entry);
      if (!file?.check || file.missing === 0 || !this.#options.sink.read) continue;
      // The one who needs the whole hears of a failure.
      file.check.follow((chunk) => this.#readBack(file, chunk)).catch(() => {});
    }
  }

  #readBack(file: File, chunk: number): Promise<Uint8Array> | undefined {
    const { sink, offer, ports } = this.#options;
    if (this.#over || !this.#down.has(chunk) || !sink.read) return undefined;
    const extent = offer.space.extents(chunk).find(({ entry }) => entry === file.entry)!;
    const into = ports.allocate(extent.length);
    return sink.read(chunk, [{ ...extent, at: 0 }], into).then(() => into);
  }

  #writeFailed(thrown: unknown): void {
    if (this.#over) return;
    if (thrown instanceof BeelineError && thrown.code === 'VERIFICATION') this.#options.events.fail(thrown);
    else this.#options.events.disk(thrown);
  }

  #look(): void {
    if (this.#over || this.#left > 0 || this.#writes.size > 0) return;
    this.rest();
    this.#options.events.complete();
  }

  /** What a connection failed with says what becomes of its mirror. */
  #failed(lane: Lane, thrown: unknown): void {
    const { events, ports } = this.#options;
    const { mirror } = lane;
    const error = thrown instanceof Busy ? thrown.error : thrown;
    lane.reason = error instanceof Error ? error.message : String(error);
    const item = this.#files.find(({ mirrors }) => mirrors.includes(mirror))!;
    const first = item.mirrors.find(({ out }) => !out) === mirror;
    if (thrown instanceof Changed) {
      if (first) return events.changed(item, mirror.host);
      return this.#giveUp(item, mirror, fault('HTTP_CHANGED', { file: 'It', host: mirror.host }));
    }
    if (!(error instanceof BeelineError)) return events.fail(thrown);
    const passes = thrown instanceof Busy || PASSING.has(error.reason);
    const now = ports.clock.now();
    if (thrown instanceof Busy) {
      mirror.most = Math.max(1, mirror.lanes - 1);
      this.#ramp.fewer(now / 1000);
    }
    const often = !mirror.failed(now, ports.random(), thrown instanceof Busy ? thrown.after : undefined);
    if (!passes || (often && error.reason !== 'HTTP_AWAY')) return this.#giveUp(item, mirror, error);
    for (const other of this.#lanes) if (other !== lane && other.bytes > 0) return;
    if (this.#up) events.down(error);
    this.#up = false;
  }

  #giveUp(item: RemoteFile, mirror: Mirror, error: BeelineError): void {
    const { events } = this.#options;
    if (mirror.out) return;
    mirror.out = error;
    if (item.mirrors.every(({ out }) => out)) events.fail(error);
    else events.warn(error);
  }
}

/** Parts of it from several answers make the file. */
function inParts({ expected }: RemoteFile, seen: Representation | undefined): boolean {
  if (!seen) return true;
  return seen.ranges && (seen.validator ?? seen.sha256 ?? expected) !== undefined;
}

/** It can be told whether another answer is of the same file. */
function identified({ expected }: RemoteFile, seen: Representation): boolean {
  return (seen.validator ?? seen.modified ?? seen.sha256 ?? expected) !== undefined;
}

function isFull({ extents, filled }: Gathering): boolean {
  return extents.every(({ entry, length }) => filled.get(entry) === length);
}
