/** A question on the terminal. Who asks several waits for each answer. Every question has a deadline, and Ctrl-C ends all of them. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { realClock, until } from '../base/clock.ts';
import { escapeName } from '../base/printable.ts';
import type { Input } from './host.ts';
import { type Interrupt, interrupted } from './interrupt.ts';
import type { Output } from './screen.ts';

/** Milliseconds that a person has for an answer. */
export const ANSWER_MS = 10 * 60_000;
/** Characters of an answer that are looked at. */
const MAX_ANSWER = 2048;

export interface PromptOptions {
  input: Input;
  output: Output & NodeJS.WritableStream;
  interrupt: Interrupt;
  /** Takes the progress off the screen and the keys off the input. */
  before?: () => void;
  after?: () => void;
}

export class Prompt {
  readonly #options: PromptOptions;

  constructor(options: PromptOptions) {
    this.#options = options;
  }

  /** True where there is a person to ask. */
  get possible(): boolean {
    return this.#options.input.isTTY === true && this.#options.output.isTTY === true;
  }

  /** What is typed is not shown, nor trimmed. Else as `ask`. */
  async askSecret(question: string): Promise<string | undefined> {
    const { output } = this.#options;
    output.write(escapeName(question));
    const answer = await this.#answer('', new Writable({ write: (_chunk, _encoding, done) => done() }));
    output.write('\n');
    return answer;
  }

  /**
   * The answer, trimmed; undefined if none came in time or the input ended (Ctrl-D).
   * @param complete what Tab offers for what has been typed
   * @throws BeelineError INTERRUPTED
   */
  async ask(question: string, complete?: (typed: string) => string[]): Promise<string | undefined> {
    const answer = await this.#answer(question, this.#options.output, complete);
    return answer?.trim();
  }

  /** True for yes. What is neither yes nor no is asked about once more: it must not decide. Silence is no. */
  async confirm(question: string): Promise<boolean> {
    for (let asked = question; ; asked = 'Type y for yes, or n for no: ') {
      const answer = await this.ask(asked);
      if (isYes(answer)) return true;
      if (answer === undefined || answer === '' || isNo(answer)) return false;
    }
  }

  async #answer(
    question: string,
    output: NodeJS.WritableStream,
    complete?: (typed: string) => string[],
  ): Promise<string | undefined> {
    const { input, interrupt, before, after } = this.#options;
    const { signal } = interrupt;
    if (signal.aborted) throw interrupted();
    before?.();
    const lines = createInterface({
      ...{ input, output, terminal: true, historySize: 0 },
      ...(complete && { completer: (typed: string) => [complete(typed), typed] }),
    });
    const forget = realClock.after(ANSWER_MS, () => lines.close());
    const answer = new Promise<string | undefined>((resolve) => {
      lines.on('SIGINT', () => {
        // What is said next begins a line.
        output.write('\n');
        interrupt.now();
      });
      lines.on('close', () => resolve(undefined));
      lines.question(escapeName(question), (text) => resolve(text.slice(0, MAX_ANSWER)));
    });
    try {
      return await until(
        signal,
        () => answer,
        () => interrupted(),
      );
    } finally {
      forget();
      lines.close();
      after?.();
    }
  }
}

/** True for y and yes, in any case. Anything else, and silence, is no. */
export function isYes(answer: string | undefined): boolean {
  return answer !== undefined && /^y(es)?$/i.test(answer);
}

/** True for n and no, in any case. */
export function isNo(answer: string): boolean {
  return /^no?$/i.test(answer);
}
