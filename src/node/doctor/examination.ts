/** Runs checks side by side, each for a bounded time, and notes what they find. */
import { atMost, realClock, withDeadline } from '../../base/clock.ts';
import { BeelineError, fault, faultFrom } from '../../base/errors.ts';
import { type Check, type CheckName, type Diagnosis, type Facts, failure } from './diagnosis.ts';

/** Milliseconds: of one check, and of all. */
const CHECK = 5_000;
const ALL = 8_000;
/** Milliseconds to give things back at the end (a mapped port, an allocation). */
const GIVING_BACK = 1_000;

export type OnCheck = (name: CheckName, check: Check) => void;

export class Examination {
  readonly diagnosis: Diagnosis = {};
  readonly #onCheck: OnCheck | undefined;
  readonly #outer: AbortSignal | undefined;
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #returns: Promise<unknown>[] = [];

  constructor(onCheck?: OnCheck, outer?: AbortSignal) {
    this.#onCheck = onCheck;
    this.#outer = outer;
    this.#timer = setTimeout(() => this.#end.abort(late(ALL)), ALL);
    outer?.addEventListener('abort', this.#stop);
    if (outer?.aborted) this.#stop();
  }

  /** Aborted when all is over: nothing of a check may outlive it. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** What is noted first stays. */
  note<N extends CheckName>(name: N, check: Check<N>): void {
    if (this.diagnosis[name] || this.#outer?.aborted) return;
    (this.diagnosis as { [M in N]?: Check<M> })[name] = check;
    this.#onCheck?.(name, check as Check);
  }

  /** Notes what the probe finds, if anything, or why it failed; never rejects. */
  async check<N extends CheckName>(
    name: N,
    probe: (signal: AbortSignal) => Promise<Facts[N] | undefined>,
  ): Promise<void> {
    try {
      const facts = await this.bounded(probe);
      if (facts) this.note(name, { ok: true, ...facts });
    } catch (thrown) {
      this.note(name, failure(faultFrom(thrown, 'CHECK_FAILED')));
    }
  }

  /** Ends at the deadline even if the probe ignores its signal. @throws BeelineError */
  async bounded<T>(probe: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#end;
    signal.throwIfAborted();
    return withDeadline(realClock, signal, CHECK, () => late(CHECK), probe);
  }

  /** Something that is being given back: the end waits a moment for it. */
  returning(done: Promise<unknown>): void {
    this.#returns.push(done.catch(() => {}));
  }

  /** @throws BeelineError INTERRUPTED, or what the outer signal was aborted with, if it was one */
  throwIfStopped(): void {
    if (this.#outer?.aborted) throw stopped(this.#outer);
  }

  /** Ends all that is still open. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#stop);
    this.#end.abort(late(ALL));
    await atMost(realClock, GIVING_BACK, Promise.all(this.#returns));
  }

  readonly #stop = () => this.#end.abort(stopped(this.#outer!));
}

/** What a signal says that was aborted. */
export function stopped({ reason }: AbortSignal): BeelineError {
  if (reason instanceof BeelineError) return reason;
  return new BeelineError('INTERRUPTED', 'The check was stopped.', { cause: reason });
}

function late(milliseconds: number): BeelineError {
  return fault('CHECK_LATE', { seconds: milliseconds / 1000 });
}
