/** Ctrl-C and similar signals: the first asks for an orderly, resumable end, the second ends the process at once. */
import { BeelineError } from '../base/errors.ts';
import { EXIT_INTERRUPTED } from './exit.ts';
import type { Tracker } from './tracker.ts';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Milliseconds that an orderly end may take, and that the process has after them to say that it ends anyway. */
const GRACE_MS = 10_000;
const LAST_WORD_MS = 1_000;

export class Interrupt {
  readonly #controller = new AbortController();
  readonly #overdue = new AbortController();
  readonly #signals: readonly NodeJS.Signals[];
  readonly #exit: (code: number) => void;
  readonly #graceMs: number;
  #grace: NodeJS.Timeout | undefined;
  readonly #onSignal = () => this.now();

  /** @param longer milliseconds that an orderly end may take beyond the usual */
  constructor(signals = SIGNALS, exit: (code: number) => void = (code) => process.exit(code), longer = 0) {
    this.#signals = signals;
    this.#exit = exit;
    this.#graceMs = GRACE_MS + longer;
    for (const name of signals) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Aborted when the orderly end takes too long: nothing is waited for then. */
  get overdue(): AbortSignal {
    return this.#overdue.signal;
  }

  /** What a signal does, for Ctrl-C where a raw terminal sends it as a character. */
  now(): void {
    if (this.signal.aborted) return this.#exit(EXIT_INTERRUPTED);
    this.#after(this.#graceMs, () => {
      this.#after(LAST_WORD_MS, () => this.#exit(EXIT_INTERRUPTED));
      this.#overdue.abort(interrupted());
    });
    this.#controller.abort(interrupted());
  }

  #after(ms: number, run: () => void): void {
    this.#grace = setTimeout(run, ms);
    this.#grace.unref();
  }

  close(): void {
    clearTimeout(this.#grace);
    for (const name of this.#signals) process.off(name, this.#onSignal);
  }
}

/** @param afterwards what that means for what was begun */
export function interrupted(afterwards?: string): BeelineError {
  return new BeelineError('INTERRUPTED', ['Interrupted.', afterwards].filter(Boolean).join(' '));
}

export interface InterruptedSide {
  role: 'send' | 'receive';
  /** At a sender: Beeline makes the code. At a receiver: it needs a code. */
  newCode: boolean;
  /** False if it goes to stdout, where nothing can be kept. */
  keeps: boolean;
  /** A sender's receivers are more than one. */
  several?: boolean;
}

/** What an interruption means for what has moved, and how to go on. */
export function afterInterrupt({ role, newCode, keeps, several }: InterruptedSide, view: Tracker): string {
  if (view.bytes === 0) return 'Nothing had moved yet.';
  if (!keeps || view.stream) return 'This transfer cannot go on later: it has to be sent anew.';
  if (role === 'send')
    return `${several ? 'Receivers keep' : 'The receiver keeps'} what has arrived: send again ${newCode ? 'for a new code ' : ''}to go on.`;
  const how = newCode ? ', with the same code while the sender waits, or with a new one' : '';
  return `What has arrived is kept: receive again into the same folder to go on${how}.`;
}

/** What it means for what has moved that one side cancelled. */
export function afterCancel({ role, keeps }: InterruptedSide, view: Tracker): string {
  if (view.bytes === 0) return 'Nothing had moved yet.';
  if (!keeps || view.stream) return 'Nothing of it is kept.';
  if (role === 'send') return 'The receiver keeps only files that are whole.';
  return view.files > 0 ? 'Only files that are whole are kept here.' : 'Nothing of it is kept here.';
}
