/**
 * The engine of a transfer whose other side is no peer but servers that have files. To its session it is what `sync/receiver.ts` is: it
 * makes the offer from what the servers say, has the sink opened, fetches, and ends with a root. No message crosses.
 */
import { Alarm, sleep } from '../../base/clock.ts';
import { asBeelineError, BeelineError, fault } from '../../base/errors.ts';
import { MIN_CHUNK, PROTOCOL_VERSION, STALL_LOOK } from '../../base/limits.ts';
import { escapeName } from '../../base/printable.ts';
import { Slices } from '../../base/slices.ts';
import { COMMON_HASH } from '../../offer/hashing.ts';
import type { Entry } from '../../offer/manifest.ts';
import { numbered } from '../../offer/names.ts';
import { Offer } from '../../offer/offer.ts';
import { chooseChunkSize } from '../../offer/space.ts';
import type { ReceiverPorts } from '../../sync/engine-ports.ts';
import type { Peer } from '../../sync/peer.ts';
import type { Sink } from '../../sync/ports.ts';
import type { Client } from './client.ts';
import type { Expected } from './digest-check.ts';
import { Busy, Mirror } from './mirror.ts';
import { type Probed, passes, probe } from './probe.ts';
import type { Representation } from './representation.ts';
import { type FileUrl, shownUrl } from './url.ts';
import { type LaneNews, MOST_LANES, type RemoteFile, Work } from './work.ts';

/** A file to fetch. */
export interface WantedFile {
  /** Where it is: several places have the same file. */
  readonly places: readonly FileUrl[];
  /** 64 hex digits, if the person knows them. */
  readonly sha256?: string | undefined;
  /** Its name, if it is not to be what the server calls it. */
  readonly name?: string | undefined;
}

export interface FetchOptions {
  wanted: readonly WantedFile[];
  client: Client;
  ports: ReceiverPorts;
  /** So many connections; absent: it is found out. */
  lanes: number | undefined;
  /** Seconds to wait for a server that cannot be reached from the beginning; 0: not at all. */
  patience: number;
  /** 16 hex digits for what tells one content from another. */
  version: (text: string) => Promise<string>;
  /** It goes where no name is needed. */
  nameless: boolean;
  events: FetchEvents;
}

export interface FetchEvents {
  /** The servers have answered. */
  met(agent: string): void;
  /** Something comes, for the first time or again. */
  up(): void;
  /** Nothing comes, though something is missing. */
  down(error: Error): void;
  lane(news: LaneNews): void;
  warn(error: BeelineError): void;
}

/** Times that a file may be another one before it is given up. */
const MOST_CHANGES = 5;
/** Milliseconds, between attempts to reach a server from the beginning; doubled. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** For so long a server that is there, and wants to be left alone, is waited for from the beginning. */
const BUSY_MS = 120_000;
/** Files that are asked about at a time. */
const PROBES = 8;
const MODE = 0o644;

/** What there is of one offer. */
interface Going {
  readonly offer: Offer;
  readonly sink: Sink;
  readonly items: readonly RemoteFile[];
  work: Work;
}

export class HttpReceiver implements Peer {
  readonly awaits = undefined;
  readonly restartable = true;
  readonly #options: FetchOptions;
  readonly #stop = new AbortController();
  readonly #retry: Alarm;
  #going: Going | undefined;
  #disk: 'well' | 'failed' | 'reopening' = 'well';
  #resting = false;
  #finishing = false;
  #over = false;
  #changes = 0;
  /** Milliseconds since 1970. */
  #started = 0;

  constructor(options: FetchOptions) {
    this.#options = options;
    this.#retry = new Alarm(options.ports.clock);
  }

  /** No lane is a peer's. */
  addLane(): void {}
  removeLane(): void {}
  restart(): void {}
  message(): void {}

  rest(): void {
    this.#resting = true;
    this.#going?.work.rest();
  }

  run(): void {
    this.#resting = false;
    if (this.#disk === 'failed') void this.#reopen();
    else if (this.#disk === 'well' && !this.#finishing) this.#going?.work.run();
  }

  async stop(): Promise<void> {
    this.#over = true;
    this.#retry.clear();
    this.#stop.abort();
    await this.#going?.work.stop();
  }

  /** Never rejects. */
  async begin(): Promise<void> {
    try {
      await this.#begin();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  async #begin(): Promise<void> {
    const { wanted, ports, events, lanes } = this.#options;
    const all = wanted.map(({ places }) => places.map((place) => new Mirror(place, lanes ?? MOST_LANES)));
    const probed = await this.#probeAll(all);
    const [first] = probed;
    if (this.#over) return first!.answer?.close();
    this.#refusePages(probed);
    events.met(first!.agent);
    const entries = await this.#entries(probed);
    const kind = probed.some(({ seen }) => seen.length === undefined) ? 'stream' : 'files';
    const total = entries.reduce((sum, { size }) => sum + size, 0);
    const offer = Offer.of(kind, entries, kind === 'stream' ? MIN_CHUNK : chooseChunkSize(total));
    const bytes = kind === 'stream' ? undefined : total;
    offer.hash = ports.hashes(bytes)[0] ?? COMMON_HASH;
    const { pages, space, hash } = offer;
    const fixed = { version: PROTOCOL_VERSION, kind, chunkSize: space.chunkSize, hash } as const;
    const header = {
      ...fixed,
      sha256: false,
      update: false,
      entries: entries.length,
      pages: pages.length,
      bytes,
    };
    this.#started = ports.clock.date();
    let sink: Sink;
    try {
      sink = await ports.open(header, offer);
    } catch (thrown) {
      first!.answer?.close();
      throw thrown;
    }
    const items = probed.map(({ mirror, seen }, entry) => {
      // The one that was asked comes first: the offer is made of what it said.
      const mirrors = [mirror, ...all[entry]!.filter((other) => other !== mirror)];
      return { entry, mirrors, expected: this.#expected(entry, mirror, seen) };
    });
    const given = first!.answer && { mirror: first!.mirror, answer: first!.answer };
    if (this.#over) return given?.answer.close();
    this.#going = { offer, sink, items, work: this.#work(offer, sink, items) };
    if (this.#resting) given?.answer.close();
    else this.#going.work.run(given);
  }

  /** Nobody wants the page as a file who has not named it: the URL was to be another one. */
  #refusePages(probed: readonly Probed[]): void {
    const { wanted, nameless } = this.#options;
    const page = probed.findIndex((one, at) => one.page && wanted[at]!.name === undefined);
    if (page < 0 || nameless) return;
    for (const { answer } of probed) answer?.close();
    throw fault('HTTP_PAGE', { url: shownUrl(wanted[page]!.places[0]!.url) });
  }

  #expected(entry: number, { host }: Mirror, seen: Representation): Expected | undefined {
    const { sha256 } = this.#options.wanted[entry]!;
    if (sha256 !== undefined) return { sha256, who: 'The one who asked for it' };
    return seen.sha256 === undefined ? undefined : { sha256: seen.sha256, who: `The server ${host}` };
  }

  async #probeAll(all: readonly (readonly Mirror[])[]): Promise<Probed[]> {
    const probed: Probed[] = [];
    const alone = all.length === 1;
    for (let from = 0; from < all.length; from += PROBES) {
      const some = all.slice(from, from + PROBES);
      for (const one of await Promise.all(some.map((mirrors) => this.#probe(mirrors, alone))))
        probed.push(one);
    }
    return probed;
  }

  async #probe(mirrors: readonly Mirror[], alone: boolean): Promise<Probed> {
    const { client, ports, patience } = this.#options;
    const { clock, random } = ports;
    const since = clock.now();
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, 2 * pause)) {
      try {
        return await probe(mirrors, client, this.#stop.signal, alone);
      } catch (thrown) {
        const busy = thrown instanceof Busy;
        const error = busy ? thrown.error : thrown;
        const most = Math.max(patience * 1000, busy ? BUSY_MS : 0);
        const wait = Math.max(pause * (0.5 + random() / 2), (busy && thrown.after) || 0);
        if (!passes(thrown) || clock.now() + wait - since > most) throw error;
        await sleep(clock, wait, this.#stop.signal);
      }
    }
  }

  async #entries(probed: readonly Probed[]): Promise<Entry[]> {
    const { wanted, ports, version } = this.#options;
    const taken = new Set<string>();
    const entries: Entry[] = [];
    for (const [index, { seen, name: called }] of probed.entries()) {
      const { name = called, places, sha256 } = wanted[index]!;
      let path = name;
      for (let n = 2; taken.has(path); n++) path = numbered(name, n);
      taken.add(path);
      const { length, time } = seen;
      const by = identity(places[0]!, seen, sha256);
      entries.push({
        ...{ path, kind: 'file', size: length ?? 0, mode: MODE, target: '' },
        mtime: (time ?? Math.floor(ports.clock.date())) * 1000,
        version: by === undefined ? '' : await version(by),
      });
    }
    return entries;
  }

  #work(offer: Offer, sink: Sink, items: readonly RemoteFile[]): Work {
    const { client, ports, lanes, events } = this.#options;
    const work: Work = new Work({
      ...{ offer, sink, items, client, ports, lanes },
      events: {
        up: () => events.up(),
        down: (error) => events.down(error),
        lane: (news) => events.lane(news),
        warn: (error) => events.warn(error),
        changed: (item, host) => void this.#anew(item, host),
        complete: () => void this.#finish(),
        disk: (thrown) => this.#diskFailed(thrown),
        fail: (thrown) => this.#fail(thrown),
      },
    });
    return work;
  }

  /** A file is another one now: nothing of what is here belongs to it. */
  async #anew({ entry }: RemoteFile, host: string): Promise<void> {
    const going = this.#going;
    if (this.#over || !going) return;
    const { events } = this.#options;
    const { sink, work, offer } = going;
    const file = `'${escapeName(offer.entries[entry]!.path)}'`;
    const error = fault('HTTP_CHANGED', { file, host });
    // What has gone out of a pipe cannot be called back.
    const gone = work.begun && sink.held === undefined;
    if (gone || ++this.#changes > MOST_CHANGES) return this.#fail(error);
    this.#going = undefined;
    try {
      events.warn(error);
      await work.stop();
      await sink.close('keep');
      if (!this.#over) await this.#begin();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  async #finish(): Promise<void> {
    const going = this.#going;
    if (this.#over || this.#finishing || !going) return;
    this.#finishing = true;
    const { offer, sink, work } = going;
    const { ports } = this.#options;
    try {
      await work.conclude();
      await sink.finish();
    } catch (thrown) {
      this.#finishing = false;
      if (thrown instanceof BeelineError && thrown.code === 'VERIFICATION') this.#fail(thrown);
      else this.#diskFailed(thrown);
      return;
    }
    try {
      const { hashes, space } = offer;
      const slices = new Slices(ports.clock);
      const root = await slices.run(offer.rooting(hashes, (chunk) => !work.down.has(chunk)));
      if (this.#over) return;
      const hash = (chunk: number) => (work.down.has(chunk) ? hashes.get(chunk) : undefined);
      const ended = ports.clock.date();
      ports.complete({ root, hash, chunks: space.chunks, started: this.#started, ended });
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #diskFailed(thrown: unknown): void {
    if (this.#over || this.#disk !== 'well') return;
    const error = asBeelineError(thrown);
    // Before anybody hears of it, who may have this side rest at once.
    this.#disk = 'failed';
    void this.#going?.work.stop();
    if (!this.#options.ports.stalled(error)) return this.#fail(error);
    // A session that was not connected just then has not paused, and nothing would wake this up.
    if (!this.#resting) this.#retry.set(STALL_LOOK, () => this.run());
  }

  /** The disk may take bytes again: what it certainly has is looked up, the rest comes again. */
  async #reopen(): Promise<void> {
    const going = this.#going;
    if (!going || this.#over) return;
    this.#disk = 'reopening';
    try {
      const { offer, sink, items, work } = going;
      await work.stop();
      if (this.#over) return;
      await sink.reopen?.();
      this.#disk = 'well';
      going.work = this.#work(offer, sink, items);
      if (!this.#resting) going.work.run();
    } catch (thrown) {
      this.#disk = 'well';
      this.#diskFailed(thrown);
    }
  }

  #fail(thrown: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.ports.fail(asBeelineError(thrown));
  }
}

/** What a later run knows a file by; undefined: by nothing. */
function identity({ url }: FileUrl, seen: Representation, sha256 = seen.sha256): string | undefined {
  const { length, validator } = seen;
  if (sha256 !== undefined) return `sha256 ${sha256} ${length}`;
  return validator === undefined ? undefined : `${url.href} ${validator} ${length}`;
}

/** Every place of these, for people. */
export function shownPlaces(wanted: readonly WantedFile[]): string[] {
  return wanted.map(({ places }) => shownUrl(places[0]!.url));
}
