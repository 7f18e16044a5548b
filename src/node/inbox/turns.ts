/**
 * Decides when something is received: for each device, and each way on which it can come, one receive at a time. A sender that is there
 * is tried at once. If that fails it is tried again, later each time, for as long as the sender is there.
 */
import type { Clock } from '../../base/clock.ts';

/** Milliseconds before a failed receive is tried again: at first, and at most. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 300_000;
/** Receives at the same time. */
const MOST_AT_ONCE = 16;

/** Milliseconds after which one that was in another's way is tried again, if none has ended before. */
const BUSY_MS = 30_000;

/**
 * How one receive went. `nobody`: the sender was not there. `declined`: it is not tried again before it comes anew. `busy`: another
 * receive is in its way.
 */
export type TurnOutcome = 'done' | 'nobody' | 'declined' | 'busy' | 'failed';

export interface TurnsOptions {
  clock: Clock;
  /** Receives once. Never rejects. It ends soon after the signal is aborted. */
  receive: (slot: string, signal: AbortSignal) => Promise<TurnOutcome>;
  /** Nobody was met there. */
  absent?: (slot: string) => void;
  /** Receives at the same time, at most. */
  most?: number;
}

interface Slot {
  readonly name: string;
  present: boolean;
  /** Stops its receive, while there is one. */
  running: AbortController | undefined;
  /** A sender came while one was being received from. */
  again: boolean;
  failures: number;
  /** Another receive was in its way. */
  busy: boolean;
  /** The clock's time before which it is not tried. */
  notBefore: number;
  /** Ends the wait for that. */
  forget: (() => void) | undefined;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #queue = new Set<Slot>();
  readonly #ends = new Set<Promise<void>>();
  #running = 0;
  #closed = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Receives that run now. */
  get running(): number {
    return this.#running;
  }

  /** A sender is there, for the first time or anew. */
  came(name: string): void {
    if (this.#closed) return;
    const slot = this.#slots.get(name) ?? this.#make(name);
    slot.present = true;
    if (slot.running) slot.again = true;
    else this.#await(slot);
  }

  /** No sender is there any more. What is being received from it goes on as long as it can. */
  gone(name: string): void {
    const slot = this.#slots.get(name);
    if (!slot) return;
    slot.present = false;
    slot.again = false;
    this.#queue.delete(slot);
    slot.forget?.();
    slot.forget = undefined;
  }

  /** Nothing is received there any more, from now on. */
  forget(name: string): void {
    this.gone(name);
    this.#slots.get(name)?.running?.abort();
    this.#slots.delete(name);
  }

  /** Resolves when every receive has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const name of [...this.#slots.keys()]) this.forget(name);
    await Promise.all(this.#ends);
  }

  #make(name: string): Slot {
    const slot: Slot = {
      ...{ name, present: false, running: undefined, again: false, failures: 0, busy: false },
      ...{ notBefore: Number.NEGATIVE_INFINITY, forget: undefined },
    };
    this.#slots.set(name, slot);
    return slot;
  }

  #await(slot: Slot): void {
    if (slot.forget || this.#queue.has(slot)) return;
    const left = slot.notBefore - this.#options.clock.now();
    if (left <= 0) return this.#enqueue(slot);
    slot.forget = this.#options.clock.after(left, () => {
      slot.forget = undefined;
      this.#enqueue(slot);
    });
  }

  #enqueue(slot: Slot): void {
    this.#queue.add(slot);
    this.#next();
  }

  #next(): void {
    const { most = MOST_AT_ONCE } = this.#options;
    for (const slot of this.#queue) {
      if (this.#running >= most) return;
      this.#queue.delete(slot);
      const run = this.#run(slot).finally(() => this.#ends.delete(run));
      this.#ends.add(run);
    }
  }

  async #run(slot: Slot): Promise<void> {
    const stop = new AbortController();
    slot.running = stop;
    slot.again = false;
    this.#running++;
    const outcome = await this.#options.receive(slot.name, stop.signal).catch((): TurnOutcome => 'failed');
    this.#running--;
    slot.running = undefined;
    this.#wayIsFree();
    if (!this.#closed && this.#slots.get(slot.name) === slot) this.#after(slot, outcome);
    this.#next();
  }

  /** Whoever was in another's way may not be any more. */
  #wayIsFree(): void {
    for (const slot of this.#slots.values()) {
      if (!slot.busy || !slot.forget) continue;
      slot.busy = false;
      slot.forget();
      slot.forget = undefined;
      this.#queue.add(slot);
    }
  }

  #after(slot: Slot, outcome: TurnOutcome): void {
    const now = this.#options.clock.now();
    slot.busy = outcome === 'busy';
    if (outcome === 'done') slot.failures = 0;
    else if (!slot.busy) slot.failures++;
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(slot.failures - 1, 30));
    slot.notBefore = now + (outcome === 'done' ? 0 : slot.busy ? BUSY_MS : wait);
    if (outcome === 'nobody' && !slot.again) this.#options.absent?.(slot.name);
    const further = outcome !== 'done' && outcome !== 'declined';
    if (slot.present && (further || slot.again)) this.#await(slot);
  }
}
