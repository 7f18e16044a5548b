/** Ctrl-C and its kin: the first asks for an orderly, resumable end, the second ends the process at once. */
import { BeelineError } from '../base/errors.ts';
import { EXIT_INTERRUPTED } from './exit.ts';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Milliseconds that an orderly end may take before the process ends anyway. */
const GRACE_MS = 10_000;

export class Interrupt {
  readonly #controller = new AbortController();
  readonly #signals: readonly NodeJS.Signals[];
  readonly #exit: (code: number) => void;
  #grace: NodeJS.Timeout | undefined;
  readonly #onSignal = () => this.now();

  constructor(signals = SIGNALS, exit: (code: number) => void = (code) => process.exit(code)) {
    this.#signals = signals;
    this.#exit = exit;
    for (const name of signals) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What a signal does, for Ctrl-C where a raw terminal sends it as a character. */
  now(): void {
    if (this.signal.aborted) return this.#exit(EXIT_INTERRUPTED);
    this.#grace = setTimeout(() => this.#exit(EXIT_INTERRUPTED), GRACE_MS);
    this.#grace.unref();
    this.#controller.abort(interrupted());
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
