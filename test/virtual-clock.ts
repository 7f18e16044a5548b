/** A clock that stands until a test lets time pass: a day's wait costs nothing, and a stall of the machine decides nothing. */
import type { Clock } from '../src/base/clock.ts';

interface Wait {
  at: number;
  order: number;
  run: () => void;
}

const inTurn = (a: Wait, b: Wait) => a.at - b.at || a.order - b.order;

export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  #waiting: Wait[] = [];

  now(): number {
    return this.#now;
  }

  date(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const wait = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#waiting.push(wait);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== wait);
    };
  }

  /** Waits that stand: 0 once everything that was set is over or taken back. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** So long is over at once, as for a machine that stood still: what is overdue is called late, and once. */
  jump(ms: number): void {
    this.#now += ms;
    const due = this.#waiting.filter(({ at }) => at <= this.#now).sort(inTurn);
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#now);
    for (const { run } of due) run();
  }

  /** Lets so many milliseconds pass. Between two waits every promise that can go on does so. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const next = this.#waiting.sort(inTurn)[0];
      if (!next || next.at > end) break;
      this.#waiting.shift();
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
    await settled();
  }
}

/** Everything that waits for nothing but promises has run: ticks come after all promises that are ready. */
export function settled(): Promise<void> {
  return Promise.resolve().then(() => new Promise((resolve) => process.nextTick(resolve)));
}
