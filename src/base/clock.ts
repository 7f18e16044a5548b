/**
 * Time as a port: a machine's own, or a simulation's. Code that takes time only from here can be run
 * under a virtual clock, where a day's wait costs nothing and the same seed is the same run. All times are milliseconds.
 */

export interface Clock {
  /** Since some moment in the past; it never goes back. */
  now(): number;
  /** Since 1970: for what is written down, not for what is waited for. */
  date(): number;
  /** Calls back once, after so long. @returns takes it back */
  after(ms: number, run: () => void): () => void;
}

/** This machine's. */
export const realClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** The time of `now`, in seconds, beside rates in bytes a second. */
export function seconds(clock: Clock): number {
  return clock.now() / 1000;
}

/** Calls back again and again, the first time after `ms`. @returns ends that */
export function every(clock: Clock, ms: number, run: () => void): () => void {
  const alarm = new Alarm(clock);
  const next = () =>
    alarm.set(ms, () => {
      next();
      run();
    });
  next();
  return () => alarm.clear();
}

/** One wait at a time. To set it again ends the earlier wait. */
export class Alarm {
  readonly #clock: Clock;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It is set, and its time has not come. */
  get waits(): boolean {
    return this.#cancel !== undefined;
  }

  set(ms: number, ring: () => void): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined;
      ring();
    });
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

/** Does something when it is asked for, at most once in `ms`. Whoever asks too soon has it done once more at the end of that time. */
export class Spaced {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #act: () => void;
  readonly #later: Alarm;
  #last: number;

  /** @param last when it was done last, by the clock */
  constructor(clock: Clock, ms: number, act: () => void, last = Number.NEGATIVE_INFINITY) {
    this.#clock = clock;
    this.#ms = ms;
    this.#act = act;
    this.#later = new Alarm(clock);
    this.#last = last;
  }

  ask(): void {
    const since = this.#clock.now() - this.#last;
    if (since < this.#ms) return this.#later.set(this.#ms - since, () => this.ask());
    this.#last = this.#clock.now();
    this.#act();
  }

  clear(): void {
    this.#later.clear();
  }
}

/** Resolves after so long. Rejects with the signal's reason as soon as that is aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const aborted = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    });
    signal?.addEventListener('abort', aborted, { once: true });
  });
}

/** Calls back once the signal is aborted: at once, if it is. @returns takes it back */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  if (signal?.aborted) run();
  else signal?.addEventListener('abort', run, { once: true });
  return () => signal?.removeEventListener('abort', run);
}

/**
 * Work that may take so long and no longer. Its signal is aborted when the time is over, with what `late` makes, or when the
 * outer signal is, with what `stopped` makes. The promise rejects with the same at that moment, even if the work does not listen:
 * work that opens something closes it again once its signal is aborted.
 * @param ms Infinity: only the outer signal ends it
 * @param stopped default: the outer signal's reason
 */
export function withDeadline<T>(
  clock: Clock,
  outer: AbortSignal | undefined,
  ms: number,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
  stopped: () => unknown = () => outer?.reason,
): Promise<T> {
  const control = new AbortController();
  const { signal } = control;
  return new Promise<T>((resolve, reject) => {
    let cancel = () => {};
    let forget = () => {};
    const settle = () => {
      cancel();
      forget();
    };
    onAbort(signal, () => {
      settle();
      reject(signal.reason);
    });
    forget = onAbort(outer, () => control.abort(stopped()));
    if (signal.aborted) return;
    if (ms !== Infinity) cancel = clock.after(ms, () => control.abort(late()));
    (async () => work(signal))().then(resolve, reject).finally(settle);
  });
}

/** Work that only a signal ends, as in `withDeadline`. */
export function until<T>(
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  stopped?: () => unknown,
): Promise<T> {
  return withDeadline(realClock, outer, Infinity, () => new Error(), work, stopped);
}

/** The result if it comes within so long; undefined if it is late or fails. */
export function atMost<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  const late = () => new Error('It came too late.');
  return withDeadline(clock, undefined, ms, late, () => work).catch(() => undefined);
}

/** Calls back at once, and again after waits that double from `first` to at most `most`. @returns ends that */
export function doubling(clock: Clock, first: number, most: number, run: () => void): () => void {
  const alarm = new Alarm(clock);
  let over = false;
  const next = (wait: number) => {
    run();
    if (!over) alarm.set(wait, () => next(Math.min(most, 2 * wait)));
  };
  next(first);
  return () => {
    over = true;
    alarm.clear();
  };
}
