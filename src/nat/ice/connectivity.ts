/**
 * When which pair is checked: paced and backing off until it works (RFC 8445, 6.1.4 and 14), then for as long as it does
 * (RFC 7675), which keeps NATs open and notices a path that died.
 */
import { TokenBucket } from '../../base/bucket.ts';
import type { Checks } from './checks.ts';
import type { Pair, Pairs } from './pairs.ts';

/** Milliseconds between two packets, RFC 8445's Ta. */
const PACE = 10;
/** Milliseconds between a pair's first requests, then every SLOW; after MOST none, until something is new. */
const BACKOFF = [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000];
const SLOW = 10_000;
const MOST = 60;
/** Requests to addresses that never answered: at once, and a second. */
const UNPROVEN_BURST = 2000;
const UNPROVEN_RATE = 10;
/** Milliseconds between requests of a pair that works: in use, and in reserve. */
const IN_USE = 1_000;
const IN_RESERVE = 5_000;
/** Between requests of one that has not answered in time. */
const AGAIN = 250;
/** Milliseconds of silence, beside two round trips, after which a pair is lost: in use, and in reserve. */
const LOST_IN_USE = 2_500;
const LOST_IN_RESERVE = 15_000;
/** Longest wait between looks. Silence is counted by looks, so that a process that stood still does not blame the path. */
const LOOK = 250;

interface ConnectivityOptions {
  checks: Checks;
  pairs: Pairs;
  /** In use, beyond the streams it has. */
  selected: () => Pair | undefined;
  /** It was answered: the first time, or once more. */
  onAnswer: (pair: Pair, first: boolean) => void;
  onLost: (pair: Pair) => void;
}

export class Connectivity {
  readonly #options: ConnectivityOptions;
  readonly #unproven = new TokenBucket(UNPROVEN_RATE, UNPROVEN_BURST);
  #timer: NodeJS.Timeout | undefined;
  #looked = performance.now();
  #closed = false;

  constructor(options: ConnectivityOptions) {
    this.#options = options;
  }

  /** Checks begin again with all that do not work. */
  restart(): void {
    for (const pair of this.#options.pairs) {
      if (pair.working) continue;
      pair.asked = 0;
      pair.due = performance.now();
    }
    this.wake();
  }

  /** The peer asked over it, so its NAT is open now: a triggered check (RFC 8445, 7.3.1.4). */
  trigger(pair: Pair): void {
    if (pair.working) return;
    // Once for a burst of them.
    if (performance.now() - pair.last < 2 * PACE) return;
    pair.asked = Math.min(pair.asked, BACKOFF.length - 1);
    this.#check(pair);
  }

  /** It answered. */
  answered(pair: Pair, roundTrip: number): void {
    const first = !pair.working;
    pair.working = true;
    pair.asked = 0;
    pair.silent = 0;
    pair.roundTrip = first ? roundTrip : pair.roundTrip * 0.8 + roundTrip * 0.2;
    pair.due = performance.now() + this.#interval(pair);
    this.#options.onAnswer(pair, first);
  }

  /** Something is due earlier than it was. */
  wake(): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => this.#look(), 0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const passed = Math.min(now - this.#looked, 2 * LOOK);
    this.#looked = now;
    let next: Pair | undefined;
    for (const pair of this.#options.pairs) {
      if (pair.working) this.#age(pair, passed);
      if (pair.asked < MOST && pair.due < (next?.due ?? Infinity)) next = pair;
    }
    const due = (next?.due ?? Infinity) <= now;
    if (next && due) this.#check(next);
    if (this.#closed) return;
    const wait = due ? PACE : Math.max(PACE, Math.min(LOOK, (next?.due ?? Infinity) - now));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), wait);
  }

  #age(pair: Pair, passed: number): void {
    pair.silent += passed;
    // A pair that has just been taken into use is asked at once, and its silence in reserve does not count.
    const inUse = this.#inUse(pair);
    if (inUse && !pair.inUse) pair.silent = 0;
    pair.inUse = inUse;
    pair.due = Math.min(pair.due, performance.now() + this.#interval(pair));
    const most = inUse ? LOST_IN_USE : LOST_IN_RESERVE;
    if (pair.silent < most + 2 * pair.roundTrip) return;
    pair.working = false;
    pair.asked = 0;
    pair.due = performance.now();
    this.#options.onLost(pair);
  }

  #check(pair: Pair): void {
    const wait = pair.working ? Math.max(AGAIN, 2 * pair.roundTrip) : (BACKOFF[pair.asked] ?? SLOW);
    pair.last = performance.now();
    pair.due = pair.last + wait;
    pair.asked++;
    if (!pair.working && !this.#unproven.take()) return;
    this.#options.checks.ask(pair.socket, pair.remote, [], (answer, roundTrip) => {
      // It may have been forgotten meanwhile.
      const kept = this.#options.pairs.find(pair.socket, pair.remote) === pair;
      if (answer.class === 'success' && kept && !this.#closed) this.answered(pair, roundTrip);
    });
  }

  #inUse(pair: Pair): boolean {
    return pair.streams.size > 0 || this.#options.selected() === pair;
  }

  #interval(pair: Pair): number {
    if (pair.asked > 0) return Math.max(AGAIN, 2 * pair.roundTrip);
    return this.#inUse(pair) ? IN_USE : IN_RESERVE;
  }
}
