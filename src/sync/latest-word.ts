/** The latest word of somebody, handed on at a bounded rate. One that comes too fast replaces the one that still waits. */
import { TokenBucket } from '../base/bucket.ts';
import { Alarm, type Clock } from '../base/clock.ts';

export interface NumberedWord {
  /** The higher one is the later one: they may come by several lanes. */
  readonly seq: number;
  readonly body: string;
}

/** Words at once, and words a second afterwards. */
const BURST = 8;
const PER_S = 1;

export class LatestWord {
  readonly #allowance: TokenBucket;
  readonly #later: Alarm;
  readonly #pass: (word: NumberedWord) => void;
  #word: NumberedWord | undefined;

  constructor(clock: Clock, pass: (word: NumberedWord) => void) {
    this.#allowance = new TokenBucket(PER_S, BURST, clock);
    this.#later = new Alarm(clock);
    this.#pass = pass;
  }

  get word(): NumberedWord | undefined {
    return this.#word;
  }

  take({ seq, body }: NumberedWord): void {
    if (seq <= (this.#word?.seq ?? 0)) return;
    this.#word = { seq, body };
    if (this.#later.waits) return;
    if (this.#allowance.take()) this.#pass(this.#word);
    else this.#wait();
  }

  end(): void {
    this.#later.clear();
  }

  #wait(): void {
    this.#later.set(1000 / PER_S, () => {
      if (this.#allowance.take()) this.#pass(this.#word!);
      else this.#wait();
    });
  }
}
