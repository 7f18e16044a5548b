/**
 * Virtual time for a whole transfer: one queue of what happens when, one source of chance, nothing real. Between two
 * happenings every promise that can go on does so; then the clock jumps to the next one.
 */
import type { Clock } from '../../src/base/clock.ts';
import { randomFrom } from '../seed.ts';

interface Happening {
  at: number;
  order: number;
  run: () => void;
  off: boolean;
}

/** Lines of the trace that a report shows. */
const LAST = 60;

/** Chance in the forms that are needed. */
export class Chance {
  readonly random: () => number;

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  /** An integer from 0 up to `end`, without it. */
  below(end: number): number {
    return Math.floor(this.random() * end);
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export class World extends Chance {
  readonly seed: number;
  /** What must never be, in order; the first ends the run. */
  readonly violations: string[] = [];
  /** Happenings so far. */
  events = 0;
  readonly #queue: Happening[] = [];
  readonly #trace: string[] = [];
  #now = 0;
  #order = 0;

  constructor(seed: number) {
    super(seed);
    this.seed = seed;
  }

  /**
   * Chance for one part of a scenario, of the same seed: what one part draws more or less in some later version leaves
   * the others as they are, and a seed its meaning.
   */
  fork(part: string): Chance {
    let hash = this.seed;
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
    return new Chance(hash);
  }

  /** Seconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  /** Calls `run` in that many seconds; what it returns takes that back. */
  after(seconds: number, run: () => void): () => void {
    const happening = { at: this.#now + Math.max(0, seconds), order: this.#order++, run, off: false };
    push(this.#queue, happening);
    return () => {
      happening.off = true;
    };
  }

  readonly clock: Clock = {
    now: () => this.#now * 1000,
    date: () => Math.floor(this.#now * 1000),
    after: (ms, run) => this.after(ms / 1000, run),
  };

  readonly sleep = (seconds: number): Promise<void> =>
    new Promise((resolve) => {
      this.after(seconds, resolve);
    });

  note(text: string): void {
    this.#trace.push(`${this.#now.toFixed(3)} ${text}`);
    if (this.#trace.length > LAST) this.#trace.shift();
  }

  violate(text: string): void {
    this.note(`VIOLATION ${text}`);
    this.violations.push(text);
  }

  /** Lets things happen until it is over; never longer than `seconds` or `events`, which is a violation. */
  async run(over: () => boolean, seconds: number, events: number): Promise<void> {
    for (;;) {
      await settled();
      if (this.violations.length > 0 || over()) return;
      const next = pop(this.#queue);
      if (!next) return this.violate('it hangs: nothing is left that could happen');
      if (next.off) continue;
      if (next.at > seconds) return this.violate(`it does not end: ${seconds} s have passed`);
      if (++this.events > events) return this.violate(`it does not end: ${events} things have happened`);
      this.#now = next.at;
      next.run();
    }
  }

  /** Goes on for that many seconds, whatever happens. */
  async linger(seconds: number): Promise<void> {
    const end = this.#now + seconds;
    let last = false;
    this.after(seconds, () => {
      last = true;
    });
    while (!last && this.violations.length === 0 && this.#now <= end) {
      await settled();
      const next = pop(this.#queue);
      if (!next) return;
      if (next.off) continue;
      this.#now = next.at;
      next.run();
    }
    await settled();
  }
}

/** Everything that waits for nothing but promises has run. Ticks come after all promises that are ready. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function before(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Happening[], item: Happening): void {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(item, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = item;
}

function pop(heap: Happening[]): Happening | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (!top || !last || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}
