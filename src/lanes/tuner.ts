/**
 * How many lanes of each sort a session should have, found by trying: one more step of a sort is opened, and stays if
 * the whole carries clearly more than before. Pure: time and rates are given, in seconds and bytes a second.
 *
 * Two sorts: `stream` (TCP in any form; several help where losses keep each of them small) and `udx` (UDP; fills lossy
 * and long paths that TCP cannot, and costs several times TCP's CPU where TCP could).
 */
import { DEFAULT_LANES, MAX_STREAM_LANES, MAX_UDX_LANES } from '../protocol/limits.ts';

export type Sort = 'stream' | 'udx';
export type Targets = { readonly [S in Sort]: number };

export interface Sample {
  /** Seconds. */
  now: number;
  /** Bytes a second since the last sample, all lanes together. */
  rate: number;
  /** Live lanes by sort. */
  lanes: Targets;
  /** What there is a path for. */
  possible: { readonly [S in Sort]: boolean };
  /** Smallest round trip seen, in seconds; 0 while unknown. */
  roundTrip: number;
  /** Nothing but the network holds it back: neither a pause, nor a limit, nor an end near by. */
  free: boolean;
}

const MOST: Targets = { stream: MAX_STREAM_LANES, udx: MAX_UDX_LANES };
const FIRST: Targets = { stream: DEFAULT_LANES, udx: 4 };
/** A path this long is likely to lose packets somewhere, and one lane's window is soon too small for it. */
const LONG = 0.015;
/** A trial stays if the whole grew by this factor. */
const GAIN = 1.1;
/** Above this UDX has nothing to add, and more TCP lanes cost more than they bring. Bytes a second. */
const FAST = 80e6;
const SETTLE = 2;
const MEASURE = 2;
/** Between rounds of trials that brought nothing: paths change. */
const REST = 20;
const LONGEST_REST = 320;

interface Trial {
  sort: Sort;
  before: number;
  baseline: number;
  /** When its lanes were all up; undefined until then. */
  since?: number;
  given: number;
}

export class Tuner {
  readonly #fixed: number | undefined;
  #targets: { [S in Sort]: number };
  #history: { at: number; rate: number }[] = [];
  #trial: Trial | undefined;
  /** Sorts still to be tried in this round. */
  #round: Sort[] = [];
  #nextRound: number | undefined;
  #rest = REST;
  /** A long path has had its first UDX lanes. */
  #begun = false;

  /** @param fixed lanes asked for by the person: then nothing is tried */
  constructor(fixed?: number) {
    this.#fixed = fixed;
    this.#targets = { stream: fixed ?? DEFAULT_LANES, udx: 0 };
  }

  get targets(): Targets {
    return this.#targets;
  }

  /** Call about twice a second while a transfer runs. */
  sample(sample: Sample): void {
    this.#start(sample);
    if (this.#fixed !== undefined) return;
    if (!sample.free) {
      // What is measured now says nothing about the path.
      this.#history = [];
      if (this.#trial) this.#revert(this.#trial);
      return;
    }
    if (sample.lanes.stream + sample.lanes.udx === 0) {
      // Nothing direct to judge; what comes next is to be judged afresh.
      this.#history = [];
      this.#trial = undefined;
      this.#round = [];
      this.#nextRound = undefined;
      this.#begun = false;
      return;
    }
    this.#history.push({ at: sample.now, rate: sample.rate });
    while (this.#history.length > 0 && this.#history[0]!.at < sample.now - 3 * MEASURE) this.#history.shift();
    if (this.#trial) this.#judge(this.#trial, sample);
    else this.#tryMore(sample);
  }

  /** What is needed at all, and what a long path gets without a trial. */
  #start({ possible, lanes, roundTrip }: Sample): void {
    const { udx } = this.#targets;
    if (!possible.udx) this.#targets.udx = 0;
    else if (udx > 0) return;
    else if (!possible.stream && lanes.stream === 0) this.#targets.udx = this.#fixed ?? FIRST.udx;
    else if (this.#fixed === undefined && roundTrip > LONG && !this.#begun) {
      this.#begun = true;
      this.#targets.udx = FIRST.udx;
    }
  }

  #mean(from: number, to: number): number | undefined {
    const seen = this.#history.filter(({ at }) => at > from && at <= to);
    return seen.length < 2 ? undefined : seen.reduce((sum, { rate }) => sum + rate, 0) / seen.length;
  }

  #tryMore({ now, lanes, possible }: Sample): void {
    this.#nextRound ??= now + SETTLE;
    if (this.#round.length === 0) {
      if (now < this.#nextRound) return;
      this.#round = ['udx', 'stream'];
    }
    const baseline = this.#mean(now - MEASURE, now);
    if (baseline === undefined) return;
    const sort = this.#round.shift()!;
    const before = this.#targets[sort];
    const fast = baseline > FAST;
    // A sort whose lanes could not all be opened will not have more of them.
    const short = lanes[sort] < before;
    if (possible[sort] && !fast && !short && before < MOST[sort]) {
      this.#targets[sort] = Math.min(MOST[sort], before === 0 ? FIRST[sort] : before * 2);
      this.#trial = { sort, before, baseline, given: now };
    } else if (this.#round.length === 0) this.#endRound(now);
  }

  #judge(trial: Trial, { now, lanes, roundTrip }: Sample): void {
    const { sort, before, baseline, given } = trial;
    if (trial.since === undefined) {
      const up = lanes[sort] >= this.#targets[sort];
      // Those that came count: not every path carries as many as were asked for.
      if (!up && now < given + SETTLE) return;
      if (lanes[sort] <= before) return this.#revert(trial);
      trial.since = now;
    }
    const ramp = Math.max(SETTLE, 15 * roundTrip);
    if (now < trial.since + ramp + MEASURE) return;
    const after = this.#mean(now - MEASURE, now) ?? 0;
    if (after < GAIN * baseline) return this.#revert(trial, now);
    this.#trial = undefined;
    this.#rest = REST;
    // More of the same, at once.
    this.#round.unshift(sort);
  }

  #revert({ sort, before }: Trial, now?: number): void {
    this.#targets[sort] = before;
    this.#trial = undefined;
    if (now !== undefined && this.#round.length === 0) this.#endRound(now);
  }

  #endRound(now: number): void {
    this.#nextRound = now + this.#rest;
    this.#rest = Math.min(LONGEST_REST, this.#rest * 2);
  }
}
