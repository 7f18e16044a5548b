/**
 * Who asks for what next. Pure: lanes are numbers, time is given. Every lane keeps as many chunks asked for as its
 * measured rate would carry in HORIZON, so a fast or long path is kept full and a slow one never holds much back.
 * A lane that dies gives its chunks back; near the end an idle lane doubles what a slow one still owes.
 */
import type { HaveMap } from './have.ts';

/**
 * Seconds of a lane's own rate to keep asked for: many round trips, since a path whose sender runs dry now and then is
 * never probed for more. Asked for is not yet in memory: a chunk has a buffer once it comes.
 */
const HORIZON = 3;
/** A lane that brings nothing for long is not given more. */
const MIN_WINDOW = 2;
/** While a lane has brought nothing yet. */
const FIRST_WINDOW = 4;
/** One that brings a chunk at least every LIVELY seconds is kept this busy, so that its path is asked for all it has. */
const LIVELY_WINDOW = 8;
const LIVELY = 5;
const MAX_WINDOW = 32;
/** An idle lane takes over from one that would need longer than this, in seconds, for what it still owes. */
const SLOW = 0.5;

interface LaneState {
  /** Chunks asked for and not come, oldest first. */
  owed: Set<number>;
  /** Chunks a second, smoothed; 0 before the first. */
  rate: number;
  lastArrival: number;
  /** Nothing more is asked for on it. */
  retired: boolean;
}

export interface SchedulerOptions {
  have: HaveMap;
  /** How many chunks there are; Infinity while unknown. */
  total: () => number;
  /** Chunks that are not to be fetched. */
  unwanted: (chunk: number) => boolean;
  /** How far past the first missing chunk may be asked; Infinity for random-access sinks. */
  window: number;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #lanes = new Map<number, LaneState>();
  /** Chunks that came back from dead lanes, to be asked for before new ones. */
  readonly #returned = new Set<number>();
  #next = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  addLane(lane: number, now: number): void {
    this.#lanes.set(lane, { owed: new Set(), rate: 0, lastArrival: now, retired: false });
  }

  /** Its chunks become askable again. */
  removeLane(lane: number): void {
    const state = this.#lanes.get(lane);
    if (!state) return;
    this.#lanes.delete(lane);
    for (const chunk of state.owed) this.#giveBack(chunk);
  }

  /** What it owes still comes; nothing more is asked for on it. True if it is worth waiting for that. */
  retire(lane: number): boolean {
    const state = this.#lanes.get(lane);
    if (state) state.retired = true;
    return state !== undefined && !this.spent(lane);
  }

  /** True once a retired lane owes nothing that somebody else does not bring too. */
  spent(lane: number): boolean {
    const state = this.#lanes.get(lane);
    if (!state?.retired) return false;
    return [...state.owed].every((chunk) => this.#options.have.has(chunk) || this.#owedTwice(chunk));
  }

  /** A chunk came on a lane at `now` (seconds); false if it was not asked for on it. */
  arrived(lane: number, chunk: number, now: number): boolean {
    const state = this.#lanes.get(lane);
    if (!state?.owed.delete(chunk)) return false;
    const elapsed = Math.max(now - state.lastArrival, 1e-6);
    const rate = 1 / elapsed;
    // Arrivals come in bursts: a long memory in chunks, so that a burst does not look like a rate.
    state.rate = state.rate === 0 ? rate : 1 / (0.75 / state.rate + 0.25 / rate);
    state.lastArrival = now;
    return true;
  }

  /** What was down may be missing again: everything is looked at anew. */
  again(): void {
    this.#returned.clear();
    this.#next = 0;
  }

  /** True if nothing is owed on the lane. */
  idle(lane: number): boolean {
    const state = this.#lanes.get(lane);
    return state?.owed.size === 0 && !state.retired;
  }

  /** Nobody brings this chunk any more: it is to be asked for again, before new ones. */
  #giveBack(chunk: number): void {
    if (this.#options.have.has(chunk)) return;
    if (!this.#owed(chunk)) this.#returned.add(chunk);
  }

  /** What to ask for on a lane now; empty when its window is full or nothing is left. */
  ask(lane: number, now: number): number[] {
    const state = this.#lanes.get(lane);
    if (!state || state.retired) return [];
    const window = windowOf(state, now);
    const chunks: number[] = [];
    // Half-empty before it is refilled: fewer and larger requests.
    if (state.owed.size > window / 2) return chunks;
    if (state.owed.size === 0) state.lastArrival = now;
    while (state.owed.size < window) {
      const chunk = this.#pick() ?? (state.owed.size === 0 ? this.#double(lane, now) : undefined);
      if (chunk === undefined) break;
      state.owed.add(chunk);
      chunks.push(chunk);
    }
    return chunks;
  }

  /** The next chunk nobody owes. */
  #pick(): number | undefined {
    const { have, total, unwanted, window } = this.#options;
    for (const chunk of this.#returned) {
      this.#returned.delete(chunk);
      if (chunk < total() && !have.has(chunk) && !unwanted(chunk)) return chunk;
    }
    const skip = (chunk: number) => have.has(chunk) || unwanted(chunk) || this.#owed(chunk);
    while (this.#next < total() && skip(this.#next)) this.#next++;
    if (this.#next >= total() || this.#next >= have.firstMissing + window) return undefined;
    return this.#next++;
  }

  /** Near the end: the chunk that the slowest other lane would bring last. */
  #double(lane: number, now: number): number | undefined {
    let slowest: LaneState | undefined;
    let longest = SLOW;
    for (const [id, other] of this.#lanes) {
      if (id === lane || other.owed.size === 0) continue;
      // One that has brought nothing yet is judged by how long it has kept us waiting.
      const waited = now - other.lastArrival;
      const seconds = other.rate === 0 ? waited : Math.max(waited, other.owed.size / other.rate);
      if (seconds > longest) {
        longest = seconds;
        slowest = other;
      }
    }
    const owed = slowest ? [...slowest.owed] : [];
    return owed.reverse().find((chunk) => !this.#options.have.has(chunk) && !this.#owedTwice(chunk));
  }

  #owed(chunk: number): boolean {
    for (const state of this.#lanes.values()) if (state.owed.has(chunk)) return true;
    return false;
  }

  #owedTwice(chunk: number): boolean {
    let lanes = 0;
    for (const state of this.#lanes.values()) if (state.owed.has(chunk)) lanes++;
    return lanes > 1;
  }
}

/** Chunks to keep asked for on a lane. */
function windowOf({ rate, lastArrival }: LaneState, now: number): number {
  if (rate === 0) return FIRST_WINDOW;
  const least = now - lastArrival < LIVELY ? LIVELY_WINDOW : MIN_WINDOW;
  return Math.min(MAX_WINDOW, Math.max(least, Math.ceil(rate * HORIZON)));
}
