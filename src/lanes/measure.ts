/** What the lanes carry, measured where the bytes arrive, and what the tuner makes of it. */

import { type Clock, seconds } from '../base/clock.ts';
import { BLOCK_BYTES, LANE_QUIET } from '../base/limits.ts';
import type { KnownKind, Sort } from '../transports/transport.ts';
import type { Dials } from './dials.ts';
import type { Lane } from './lane.ts';
import { type Targets, Tuner } from './tuner.ts';

/** Seconds between samples: shorter ones see bursts. */
const INTERVAL_S = 0.5;
/** The part of the best rate seen through a relay that direct lanes must carry before the relay is left. */
const WELL = 0.5;
/** Weight of what a lane brought before the last sample. */
const LATELY = 0.7;
/**
 * On a slow link a lane's turn comes seldom: silence says nothing before each has had so many turns, of a block each, and
 * nothing beyond so many seconds.
 */
const TURNS = 4;
const LONGEST_QUIET_S = 8;
/** Bytes a second: less is not data on a slow link, but only pings. */
const IDLE_BYTES_PER_S = 4096;
/** Seconds that direct lanes have to show what they carry. */
const TRIED_S = 1;
/**
 * Where one bottleneck is before all lanes (the sender's uplink or its limit), direct lanes beside a relay never show what they
 * could carry alone. So the relay is spared now and then: for so many seconds after what it was asked for has come.
 */
const SPARED_S = 2;
/** The part of a relay's best rate that counts as nothing more. */
const TRICKLE = 0.1;
/** Seconds that what it was asked for may take to come. */
const LONGEST_DRAIN_S = 15;
/** Seconds after which the relay is first spared; each next pause is twice as long. */
const FIRST_SPARING_S = 2;

/** Whether the relay is spared. Times are seconds of the clock. */
interface Sparing {
  is: boolean;
  since: number;
  until: number;
  /** Seconds for which it is asked again after the next time. */
  pause: number;
}

export class Measure {
  readonly #clock: Clock;
  readonly #tuner: Tuner;
  readonly #sorts: ReadonlyMap<string, Sort | undefined>;
  /** Bytes of each lane at the last sample, and of late in one sample once there was a whole one. */
  readonly #seen = new Map<number, { received: number; lately?: number }>();
  /** Bytes of lanes that closed since then. */
  #rest = { direct: 0, relayed: 0 };
  #last: number | undefined;
  #bestRelayed = 0;
  /** Bytes a second of all lanes, of the last LONGEST_QUIET_S. */
  #rates: { at: number; rate: number }[] = [];
  #directSince: number | undefined;
  #well = false;
  #sparing: Sparing = { is: false, since: 0, until: 0, pause: FIRST_SPARING_S };

  /** @param fixed lanes that somebody asked for */
  constructor(clock: Clock, kinds: readonly KnownKind[], fixed?: number) {
    this.#clock = clock;
    this.#sorts = new Map(kinds.map(({ kind, traits }) => [kind, traits.sort]));
    this.#tuner = new Tuner(fixed);
  }

  get targets(): Targets {
    return this.#tuner.targets;
  }

  /** Opening the first lane, a stream, took so many milliseconds. */
  opened(ms: number): void {
    this.#tuner.opened(ms / 1000);
  }

  /** The direct lanes do at least about as well as the relayed ones did. */
  get carriesWell(): boolean {
    return this.#well;
  }

  /** Milliseconds for which the silence of one of so many lanes is normal. */
  quietAfter(lanes: number): number {
    const best = this.#rates.reduce((most, { rate }) => Math.max(most, rate), 0);
    const turns = best < IDLE_BYTES_PER_S ? 0 : (TURNS * lanes * BLOCK_BYTES) / best;
    return Math.max(LANE_QUIET, 1000 * Math.min(LONGEST_QUIET_S, turns));
  }

  /** What a lane has brought lately, to compare lanes by. A new lane counts as the best. */
  lately(lane: Lane): number {
    return this.#seen.get(lane.id)?.lately ?? Infinity;
  }

  closed(lane: Lane): void {
    const seen = this.#seen.get(lane.id)?.received ?? 0;
    this.#rest[lane.relayed ? 'relayed' : 'direct'] += lane.received - seen;
    this.#seen.delete(lane.id);
  }

  take(lanes: Iterable<Lane>, dials: Dials, free: boolean, shared: boolean): void {
    const now = seconds(this.#clock);
    const elapsed = now - (this.#last ?? now - INTERVAL_S);
    if (elapsed < INTERVAL_S) return;
    this.#last = now;
    const all = [...lanes];
    let streams = 0;
    const bytes = this.#rest;
    this.#rest = { direct: 0, relayed: 0 };
    for (const lane of all) {
      const { received } = lane;
      const seen = this.#seen.get(lane.id);
      const came = received - (seen?.received ?? 0);
      bytes[lane.relayed ? 'relayed' : 'direct'] += came;
      if (this.#sorts.get(lane.kind) === 'stream') streams += came;
      const lately = seen && LATELY * (seen.lately ?? came) + (1 - LATELY) * came;
      this.#seen.set(lane.id, { received, ...(lately !== undefined && { lately }) });
    }
    const rate = (bytes.direct + bytes.relayed) / elapsed;
    this.#rates.push({ at: now, rate });
    this.#rates = this.#rates.filter(({ at }) => at > now - LONGEST_QUIET_S);
    const quietAfterMs = this.quietAfter(all.length);
    for (const lane of all) lane.quietAfterMs = quietAfterMs;
    const live = all.filter((lane) => !lane.quiet);
    const direct = live.filter(({ relayed }) => !relayed);
    this.#compare(now, direct.length > 0, bytes.direct / elapsed, bytes.relayed / elapsed, free);
    for (const lane of all) lane.spared = lane.relayed && this.#sparing.is;
    const roundTrip = direct.reduce(
      (least, lane) => Math.min(least, lane.roundTrip),
      Number.POSITIVE_INFINITY,
    );
    const of = (sort: Sort) => direct.filter(({ kind }) => this.#sorts.get(kind) === sort).length;
    const paths = dials.paths.some(({ kind }) => this.#sorts.get(kind) === 'datagram');
    this.#tuner.sample({
      now,
      rate,
      streams: streams / elapsed,
      lanes: { stream: of('stream'), datagram: of('datagram'), channel: of('channel') },
      possible: { stream: of('stream') > 0, datagram: paths, channel: of('channel') > 0 },
      roundTrip: Number.isFinite(roundTrip) ? roundTrip / 1000 : 0,
      free,
      shared,
      bears: direct.some(({ kind, bearsLosses }) => bearsLosses && this.#sorts.get(kind) === 'stream'),
    });
  }

  #compare(now: number, up: boolean, direct: number, relayed: number, free: boolean): void {
    if (!up) this.#directSince = undefined;
    else if (this.#directSince === undefined) {
      this.#directSince = now;
      this.#sparing = { is: false, since: now, until: now + FIRST_SPARING_S, pause: 2 * FIRST_SPARING_S };
    }
    // What a relay carried an hour ago says little about now, unless it is kept from carrying.
    this.#bestRelayed = Math.max(relayed, this.#bestRelayed * (this.#sparing.is ? 1 : 0.95));
    const tried = this.#directSince !== undefined && now - this.#directSince >= TRIED_S;
    this.#well = tried && (!free || direct >= WELL * this.#bestRelayed || (this.#well && relayed === 0));
    this.#spare(now, up, relayed);
  }

  #spare(now: number, up: boolean, relayed: number): void {
    const { is, since, until, pause } = this.#sparing;
    if (!up || this.#well) this.#sparing.is = false;
    else if (is && relayed > TRICKLE * this.#bestRelayed && now < since + LONGEST_DRAIN_S)
      this.#sparing.until = now + SPARED_S;
    else if (now < until) return;
    else if (is) this.#sparing = { is: false, since: now, until: now + pause, pause: 2 * pause };
    else this.#sparing = { is: true, since: now, until: now + SPARED_S, pause };
  }
}
