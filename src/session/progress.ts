/** Progress as events: the first with the first bytes, then at most ten a second, and one at the end. */
import { Alarm, type Clock, every, seconds } from '../base/clock.ts';
import type { Entry } from '../offer/manifest.ts';
import type { Extent } from '../offer/space.ts';
import { FileProgress } from '../sync/file-progress.ts';
import { RateMeter } from '../sync/rate.ts';
import type { Session } from './session.ts';
import { WholeNames } from './whole-names.ts';

const INTERVAL_MS = 100;
/** Between looks at whether the other side is heard of. */
const LOOK_MS = 1_000;
/** Pings come each second, and behind a full link a little later. */
const SILENT_MS = 3_000;

/** What it has to know of the session. */
export type Watched = Pick<Session, 'clock' | 'state' | 'lanes' | 'carried' | 'cleanup' | 'emit' | 'watch'>;

/** A file is whole once all of its bytes have moved; or once it is among those that were put in their places since this was called last. */
export type Ticks = 'moved' | (() => Iterable<number>);

export class Progress {
  readonly #session: Watched;
  readonly #clock: Clock;
  readonly #soon: Alarm;
  readonly #entries: readonly Entry[];
  readonly #ticks: Ticks | undefined;
  /** Undefined where nobody ticks anything off. */
  #names: WholeNames | undefined;
  #files: FileProgress;
  readonly #meter = new RateMeter();
  /** One for each kind of lane. */
  readonly #kinds = new Map<string, RateMeter>();
  readonly #total: () => number | undefined;
  /** When bytes could first move: waiting for the other side, or for its person, is no part of a duration. */
  #accepted: number | undefined;
  #bytes = 0;
  #resumed = 0;
  #current: number | undefined;
  #wasSilent = false;
  #told = false;

  /**
   * @param total bytes, undefined while a stream runs
   * @param ticks when a file counts as whole, for those that show a list; undefined: nobody is told
   */
  constructor(session: Watched, entries: readonly Entry[], total: () => number | undefined, ticks?: Ticks) {
    this.#session = session;
    this.#clock = session.clock;
    this.#soon = new Alarm(this.#clock);
    this.#entries = entries;
    this.#ticks = ticks;
    this.#names = ticks && new WholeNames(entries);
    this.#files = this.#counted();
    this.#total = total;
    // A pause is no part of the rate after it.
    session.watch((_, to) => {
      if (to === 'transferring') this.#meterAnew();
    });
    session.cleanup.push(() => this.stop());
    session.cleanup.push(every(this.#clock, LOOK_MS, () => this.#look()));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of these, what an earlier run had moved. */
  get resumed(): number {
    return this.#resumed;
  }

  /** Files that are whole. */
  get files(): number {
    return this.#files.done;
  }

  /** Since it was accepted. */
  get seconds(): number {
    return this.#accepted === undefined ? 0 : seconds(this.#clock) - this.#accepted;
  }

  /** The receiver has said yes and bytes may move; said again it changes nothing. */
  accepted(): void {
    if (this.#accepted !== undefined) return;
    this.#accepted = seconds(this.#clock);
    this.#meterAnew();
  }

  /** The other side is a new process, which has to be asked again. */
  restart(): void {
    this.#accepted = undefined;
  }

  moved(bytes: number, extents: readonly Extent[]): void {
    this.#bytes = bytes;
    this.#files.add(extents);
    this.#current = extents.at(-1)?.entry ?? this.#current;
    if (this.#soon.waits) return;
    if (this.#told) this.#soon.set(INTERVAL_MS, () => this.#emit());
    // That bytes move is told at once.
    else this.#emit();
  }

  /** So many bytes were across before this run, and are no part of the rate. 0: counting begins anew. */
  start(resumed: number): void {
    if (resumed === 0) {
      // What was put in its place is told once.
      if (this.#ticks === 'moved') this.#names = new WholeNames(this.#entries);
      this.#files = this.#counted();
      this.#bytes = 0;
    }
    this.#resumed = resumed;
    this.#meterAnew();
  }

  /** So many of the next bytes were here already, and were only compared. */
  kept(bytes: number): void {
    this.#resumed += bytes;
  }

  #counted(): FileProgress {
    const names = this.#ticks === 'moved' ? this.#names : undefined;
    return new FileProgress(this.#entries, names && ((entry) => names.done(entry)));
  }

  #tick(): void {
    if (typeof this.#ticks === 'function') for (const entry of this.#ticks()) this.#names!.done(entry);
    const names = this.#names?.take() ?? [];
    if (names.length > 0) this.#session.emit({ event: 'whole', names });
  }

  /** Tells the rate and the silence also while nothing moves. */
  #look(): void {
    const silent = this.#silence !== undefined;
    if ((silent || this.#wasSilent) && !this.#soon.waits) this.#emit();
    else if (!this.#soon.waits) this.#tick();
    this.#wasSilent = silent;
  }

  /** Whole seconds; undefined while the other side is heard of, or no lane is open. */
  get #silence(): number | undefined {
    const { state, lanes } = this.#session;
    let silence = Number.POSITIVE_INFINITY;
    for (const lane of lanes) silence = Math.min(silence, lane.silence);
    if (state !== 'transferring' || silence < SILENT_MS || silence === Infinity) return undefined;
    return Math.floor(silence / 1000);
  }

  /** Emits one more event, so that a display reaches the end. */
  stop(): void {
    if (this.#soon.waits) this.#emit();
  }

  #meterAnew(): void {
    this.#meter.reset();
    this.#meter.add(this.#bytes, seconds(this.#clock));
    this.#kinds.clear();
  }

  #emit(): void {
    this.#soon.clear();
    this.#told = true;
    this.#tick();
    const at = seconds(this.#clock);
    this.#meter.add(this.#bytes, at);
    // What was under way at a pause or a loss still comes. It is counted, but is part of no rate.
    const moving = this.#session.state === 'transferring';
    const rate = moving ? this.#meter.rate(at) : 0;
    const total = this.#total();
    const current = this.#current;
    const entry = current === undefined ? undefined : this.#entries[current];
    const silent = this.#silence;
    this.#session.emit({
      event: 'progress',
      bytes: this.#bytes,
      total: total ?? null,
      rate: Math.round(rate),
      eta: total === undefined || rate === 0 ? null : Math.max(0, (total - this.#bytes) / rate),
      files: this.#files.done,
      by: moving ? this.#by(at) : {},
      ...(silent !== undefined && { silent }),
      ...(entry && {
        file: entry.path,
        fileSize: entry.size,
        fileBytes: entry.size - this.#files.left(current!),
      }),
    });
  }

  /** What each kind of lane carries, in bytes a second with all that is around the data. */
  #by(at: number): Record<string, number> {
    const rates: Record<string, number> = {};
    for (const [kind, bytes] of this.#session.carried) {
      const meter = this.#kinds.get(kind) ?? new RateMeter();
      this.#kinds.set(kind, meter);
      meter.add(bytes, at);
      const rate = Math.round(meter.rate(at));
      if (rate > 0) rates[kind] = rate;
    }
    return rates;
  }
}
