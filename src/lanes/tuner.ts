/**
 * How many lanes of each sort a session should have, found by trying: a step of a sort is made, and stays if the whole
 * carries clearly more than before (or, of a step down, no less). Pure: time and rates are given, in seconds and bytes a
 * second.
 *
 * Three sorts: `stream` (TCP in any form; several help where losses keep each of them small), `datagram` (UDP; fills lossy
 * and long paths that TCP cannot, and costs several times TCP's CPU where TCP could), and `channel` (WebRTC, the only one
 * that a page has beside relays: each connection more costs both sides CPU, which is what bounds it on a good path).
 */

import {
  DEFAULT_LANES,
  LANE_OPEN_DEADLINE,
  MAX_DATAGRAM_LANES,
  MAX_STREAM_LANES,
  MAX_WEBRTC_LANES,
} from '../base/limits.ts';
import type { Sort } from '../transports/transport.ts';

export type Targets = { readonly [S in Sort]: number };

export interface Sample {
  /** Seconds. */
  now: number;
  /** Bytes a second since the last sample, all lanes together. */
  rate: number;
  /** Of these, those of streams. */
  streams: number;
  /** Live lanes by sort. */
  lanes: Targets;
  /** The sorts that have a path. */
  possible: { readonly [S in Sort]: boolean };
  /** Smallest round trip seen, in seconds; 0 while unknown. */
  roundTrip: number;
  /** Only the network holds the transfer back: no pause, no limit, and its end is not near. */
  free: boolean;
  /** Others fetch from the same peer. */
  shared: boolean;
  /** The other side's streams bear losses: what slows others down is no reason for UDX. */
  bears: boolean;
}

const MOST: Targets = { stream: MAX_STREAM_LANES, datagram: MAX_DATAGRAM_LANES, channel: MAX_WEBRTC_LANES };
const FIRST: Targets = { stream: DEFAULT_LANES, datagram: 4, channel: 2 };
/** Of a line that is shared with others, by sort: what one of them gains by more lanes the others lose. */
const SHARED: Targets = { stream: 2, datagram: 2, channel: 1 };
/** Each of these, with the measurement behind it, is in docs/lanes.md. Round trips above which a path is long, and very long. */
const LONG_S = 0.04;
const VERY_LONG_S = 0.08;
/** Seconds after which TCP without losses carries START_BYTES_PER_S on a very long path, and the other side has said whether it bears losses. */
const START_S = 2.5;
const START_BYTES_PER_S = 5e6;
/**
 * Of the streams that a very long path has more of from its start, a part stays each so many seconds, once they carry well and the
 * other side has had time to say that they bear losses.
 */
const EASED = 0.75;
const EASE_S = 1;
const EASE_AFTER_S = 6;
/** Round trips of TCP and TLS until a lane is open. */
const OPENING_ROUND_TRIPS = 2;
/**
 * More lanes of a sort stay if the whole grew by this factor, the first UDX lanes beside streams by the next: on a full link each takes
 * from others, and gains less than where losses keep it small. A step down stays if the whole is still at least `SAME` of it.
 */
const GAIN = 1.4;
const UDX_GAIN = 2;
const SAME = 0.95;
/** What the rate may change by in the time of a measurement without being said to grow. */
const GROWTH = 1.1;
/** Beside UDX, streams with less than this part of the whole are on a path that is not for TCP: two stay, in reserve. */
const POOR = 0.15;
const RESERVE = 2;
/** With more than this part of it they may do as well alone. */
const RICH = 0.4;
/** What UDX lanes have to find what the path gives before anything is judged beside them; the longer of both. */
const RAMP_S = 8;
const RAMP_ROUND_TRIPS = 30;
/** Above this more lanes cost more than they bring. */
const FAST_BYTES_PER_S = 80e6;
/** Below this a handshake of TLS is a noticeable part of what the link carries. */
const SLOW_BYTES_PER_S = 1e6;
/** Until a step shows, and to measure it; of both at least so many round trips. */
const SETTLE_S = 2;
const MEASURE_S = 2;
const SPAN_ROUND_TRIPS = 15;
/** After which growth is no reason to wait any more. */
const GROWTH_S = 15;
/** A rate is even if this share of the samples of so long is so near to the median: that of a full link, or of one shaped so. */
const EVEN = 0.02;
const EVEN_SHARE = 0.6;
const EVEN_FOR_S = 4;
/** Samples that it takes to say so. */
const EVEN_SAMPLES = 5;
/** The same where little time has been to see it: of a path with losses hardly a sample is so near to the others. */
const EVEN_START = 0.05;
/** For how long samples are kept. */
const KEPT_S = 20;
/** Between rounds of trials that brought nothing, doubled each time: paths change. */
const REST_S = 20;
const LONGEST_REST_S = 320;

interface Trial {
  sort: Sort;
  before: number;
  baseline: number;
  /** Of the baseline, what must come of it. */
  factor: number;
  /** When its lanes were all up, or gone; undefined until then. */
  since?: number;
  /** Seconds more until it shows: the first UDX lanes of a long path. */
  ramp?: number;
  given: number;
}

export class Tuner {
  readonly #fixed: number | undefined;
  #targets: { [S in Sort]: number };
  #history: { at: number; rate: number; streams: number }[] = [];
  #trial: Trial | undefined;
  /** Steps still to be tried in this round. */
  #round: ('down' | Sort)[] = [];
  #nextRound: number | undefined;
  #rest = REST_S;
  /** When the first lane came up, and when UDX lanes did. */
  #since: number | undefined;
  /** From when on it may be growing by itself: the start, or a step taken back; and what it then should grow to again. */
  #growing = 0;
  #before = 0;
  #datagramSince: number | undefined;
  /** A long path has had its first UDX lanes. */
  #begun = false;
  /** There are more streams than `FIRST` since the path is very long; and when some of these went last. */
  #early = false;
  #eased: number | undefined;

  /** @param fixed lanes asked for by the person: then nothing is tried */
  constructor(fixed?: number) {
    this.#fixed = fixed;
    const channel = Math.min(MOST.channel, fixed ?? FIRST.channel);
    this.#targets = { stream: fixed ?? FIRST.stream, datagram: 0, channel };
  }

  get targets(): Targets {
    return this.#targets;
  }

  /** The first stream was opened, in so many seconds. Nothing else is known of the path yet, and what it needs needs long to open too. */
  opened(seconds: number): void {
    if (this.#fixed !== undefined || this.#since !== undefined) return;
    const roundTrip = seconds / OPENING_ROUND_TRIPS;
    if (roundTrip <= VERY_LONG_S) return;
    this.#early = true;
    this.#targets.stream = veryLongStreams(roundTrip);
  }

  /** Call about twice a second while a transfer runs. */
  sample(sample: Sample): void {
    if (sample.shared && this.#fixed === undefined) return this.#share(sample);
    this.#start(sample);
    if (this.#fixed !== undefined) return;
    this.#ease(sample);
    const { now, rate, streams, lanes } = sample;
    if (this.#since === undefined) {
      this.#since = this.#growing = now;
      this.#before = 0;
    }
    this.#datagramSince = lanes.datagram === 0 ? undefined : (this.#datagramSince ?? now);
    if (lanes.stream + lanes.datagram + lanes.channel === 0) return this.#reset();
    if (!sample.free) {
      // What is measured now says nothing about the path. After a rest a connection grows anew.
      this.#history = [];
      this.#growing = now;
      this.#before = 0;
      // What a long path began with has been measured by now, and stays.
      if (this.#trial?.ramp !== undefined) this.#trial = undefined;
      if (this.#trial) this.#revert(this.#trial, now);
      return;
    }
    this.#history.push({ at: now, rate, streams });
    while (this.#history[0]!.at < now - KEPT_S) this.#history.shift();
    if (this.#trial) this.#judge(this.#trial, sample);
    else if (!this.#early) this.#tryMore(sample);
  }

  /** Few lanes, and no trials: each would only take from others what it seems to win. */
  #share({ possible, lanes }: Sample): void {
    this.#reset();
    const streams = possible.stream || lanes.stream > 0;
    const datagram = possible.datagram && !streams ? SHARED.datagram : 0;
    this.#targets = { ...SHARED, datagram };
  }

  /** What is needed at all, and what a long path gets without a trial. */
  #start({ now, rate, possible, lanes, roundTrip, bears }: Sample): void {
    const { datagram } = this.#targets;
    // Without UDX, the streams are no reserve any more.
    if (lanes.datagram === 0)
      this.#targets.stream = Math.max(this.#targets.stream, this.#fixed ?? FIRST.stream);
    if (!possible.datagram) this.#targets.datagram = 0;
    else if (datagram > 0) return;
    else if (!possible.stream && lanes.stream === 0) {
      this.#targets.datagram = this.#fixed ?? FIRST.datagram;
      return;
    }
    if (this.#fixed !== undefined || roundTrip <= LONG_S || this.#begun) return;
    const veryLong = roundTrip > VERY_LONG_S;
    // On one that is not so long TCP needs little time to show what it can, and a queue of its own may be what makes it look long.
    if (now < (this.#since ?? now) + (veryLong ? START_S : EVEN_FOR_S)) return;
    // A slow link that TCP fills: UDX would only take its place, and lose much of what it sends.
    if (bears || rate >= START_BYTES_PER_S || this.#even(now, EVEN_START)) {
      this.#begun = true;
      if (this.#early) this.#eased = now + EASE_AFTER_S - EASE_S;
      return;
    }
    if (!possible.datagram) return;
    this.#begun = true;
    // Losses keep it small: what there is of streams stays beside UDX.
    this.#early = false;
    const baseline = this.#typical(now - MEASURE_S, now)?.rate ?? rate;
    this.#targets.datagram = veryLong ? 2 * FIRST.datagram : FIRST.datagram;
    if (veryLong) this.#targets.stream = Math.max(this.#targets.stream, 2 * FIRST.stream);
    const ramp = Math.max(RAMP_S, RAMP_ROUND_TRIPS * roundTrip);
    this.#trial = { sort: 'datagram', before: 0, baseline, factor: UDX_GAIN, given: now, ramp };
  }

  /** Streams that were opened early let others on the link have their part again: a few at a time, so that the rest takes their place. */
  #ease({ now, roundTrip, bears }: Sample): void {
    if (bears && roundTrip > VERY_LONG_S) {
      this.#targets.stream = Math.max(this.#targets.stream, veryLongStreams(roundTrip));
      this.#early = true;
      this.#eased = now;
    }
    if (!this.#early || roundTrip === 0) return;
    // Else opening took long for another reason.
    const long = roundTrip > VERY_LONG_S;
    if (long && now < (this.#eased ?? Infinity) + EASE_S) return;
    this.#eased = now;
    this.#targets.stream = Math.max(FIRST.stream, long ? Math.floor(EASED * this.#targets.stream) : 0);
    this.#early = this.#targets.stream > FIRST.stream;
    // More would be what there was before.
    if (!this.#early) this.#endRound(now);
  }

  /** No direct lane is up: the next one is judged anew. */
  #reset(): void {
    this.#history = [];
    if (this.#trial) this.#targets[this.#trial.sort] = this.#trial.before;
    this.#trial = undefined;
    this.#round = [];
    this.#nextRound = undefined;
    this.#since = undefined;
    this.#begun = false;
    this.#eased = undefined;
  }

  /** Medians, since what a stall held back comes in one later sample, and is more than the path ever carries. */
  #typical(from: number, to: number): { rate: number; streams: number; mean: number } | undefined {
    const seen = this.#history.filter(({ at }) => at > from && at <= to);
    if (seen.length < 2) return undefined;
    const rates = seen.map(({ rate }) => rate);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    return { rate: median(rates), streams: median(seen.map(({ streams }) => streams)), mean };
  }

  /** The rate hardly changes. */
  #even(now: number, within = EVEN): boolean {
    const rates = this.#history.filter(({ at }) => at > now - EVEN_FOR_S).map(({ rate }) => rate);
    if (rates.length < EVEN_SAMPLES) return false;
    const middle = median(rates);
    const near = rates.filter((rate) => Math.abs(rate - middle) <= within * middle);
    return near.length >= EVEN_SHARE * rates.length;
  }

  #tryMore({ now, lanes, possible, roundTrip }: Sample): void {
    this.#nextRound ??= now + span(SETTLE_S, roundTrip);
    if (now < (this.#datagramSince ?? -Infinity) + Math.max(RAMP_S, RAMP_ROUND_TRIPS * roundTrip)) return;
    if (this.#round.length === 0) {
      if (now < this.#nextRound) return;
      this.#round = ['down', 'datagram', 'stream', 'channel'];
    }
    const measure = span(MEASURE_S, roundTrip);
    const seen = this.#typical(now - measure, now);
    const before = this.#typical(now - 2 * measure, now - measure);
    if (seen === undefined || before === undefined) return;
    // Nothing comes, or it comes in bursts, as into a disk that is slower than the path: more lanes would change nothing.
    if (seen.rate <= seen.mean / 2) return;
    // While the rate grows by itself, a step would get the credit for that.
    const growing = now < this.#growing + GROWTH_S;
    if (growing && seen.rate > GROWTH * before.rate) return;
    const baseline = Math.max(seen.rate, growing ? this.#before : 0);
    const what = this.#round.shift()!;
    if (what === 'down') return this.#stepDown(now, lanes, seen);
    const count = this.#targets[what];
    // Beside streams that fill a link, or their part of it, UDX would only take their place and that of others, and cost what they lose meanwhile.
    const first = what === 'datagram' && lanes.stream > 0 && lanes.datagram === 0;
    const full = first && (seen.rate >= START_BYTES_PER_S || this.#even(now));
    // More streams find nothing on a full slow link either: each would only cost a handshake.
    const slow = what === 'stream' && seen.rate < SLOW_BYTES_PER_S && this.#even(now, EVEN_START);
    const reserve = what === 'stream' && lanes.datagram > 0 && count <= RESERVE;
    const enough = seen.rate > FAST_BYTES_PER_S || full || slow || reserve;
    // A sort whose lanes could not all be opened will not have more of them.
    const short = lanes[what] < count;
    if (possible[what] && !enough && !short && count < MOST[what]) {
      this.#targets[what] = Math.min(MOST[what], count === 0 ? FIRST[what] : count * 2);
      this.#trial = { sort: what, before: count, baseline, factor: first ? UDX_GAIN : GAIN, given: now };
    } else if (this.#round.length === 0) this.#endRound(now);
  }

  #stepDown(now: number, lanes: Targets, { rate, streams }: { rate: number; streams: number }): void {
    if (lanes.datagram === 0 || lanes.stream === 0) return;
    if (streams < POOR * rate) this.#targets.stream = RESERVE;
    if (streams < RICH * rate) return;
    const before = this.#targets.datagram;
    this.#targets.datagram = 0;
    this.#trial = { sort: 'datagram', before, baseline: rate, factor: SAME, given: now };
    // If it is taken away, the next round tries it again.
    this.#round = ['stream'];
  }

  #judge(trial: Trial, { now, lanes, roundTrip }: Sample): void {
    const { sort, before, baseline, given, factor } = trial;
    if (trial.since === undefined) {
      const target = this.#targets[sort];
      const there = target > before ? lanes[sort] >= target : lanes[sort] <= target;
      // Those that came count: not every path carries as many as were asked for.
      const opening = sort === 'channel' ? LANE_OPEN_DEADLINE / 1000 : SETTLE_S;
      if (!there && now < given + span(opening, roundTrip)) return;
      if (target > before && lanes[sort] <= before) return this.#revert(trial, now);
      trial.since = now;
    }
    const measure = span(MEASURE_S, roundTrip);
    if (now < trial.since + Math.max(span(SETTLE_S, roundTrip), trial.ramp ?? 0) + measure) return;
    const after = this.#typical(now - measure, now)?.rate ?? 0;
    if (after < factor * baseline) return this.#revert(trial, now);
    this.#trial = undefined;
    this.#rest = REST_S;
    // Tries more of the same at once.
    if (factor > 1) this.#round.unshift(sort);
  }

  #revert({ sort, before, baseline }: Trial, now: number): void {
    this.#targets[sort] = before;
    this.#trial = undefined;
    if (sort === 'datagram' && before === 0 && this.#targets.stream > FIRST.stream) {
      // Its streams have no losses to make up for either.
      this.#early = true;
      this.#eased = now;
    }
    // The lanes from before the step must first regain their rate. Then the next step is compared with it.
    this.#history = [];
    this.#growing = now;
    this.#before = baseline;
    if (this.#round.length === 0) this.#endRound(now);
  }

  #endRound(now: number): void {
    this.#nextRound = now + this.#rest;
    this.#rest = Math.min(LONGEST_REST_S, this.#rest * 2);
  }
}

/** Streams of a path that is very long: each needs many round trips to grow, and a loss costs it more of them the longer they are. */
function veryLongStreams(roundTrip: number): number {
  return roundTrip > 2 * VERY_LONG_S ? MOST.stream : 2 * FIRST.stream;
}

/** Seconds: what is asked, or longer on a long path. */
function span(seconds: number, roundTrip: number): number {
  return Math.max(seconds, SPAN_ROUND_TRIPS * roundTrip);
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
