/** Where the receiver's code comes from when it is not an argument, and help with one that was typed wrongly. */

import { BeelineError } from '../base/errors.ts';
import type { Code } from '../identity/code.ts';
import { usage } from './args.ts';
import type { Codes, Input } from './host.ts';
import { interrupted } from './interrupt.ts';
import type { Prompt } from './prompt.ts';

/** Bytes of a first line, and milliseconds to wait for it. */
const LINE_MAX = 2048;
const LINE_MS = 60_000;

/**
 * The first line of a stream; the rest is left unread and the stream is put aside.
 * @throws BeelineError USAGE (too long), TIMEOUT, INTERRUPTED
 */
export async function firstLine(input: Input, signal?: AbortSignal, deadline = LINE_MS): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  let settle: (() => void) | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      const parts: Buffer[] = [];
      let length = 0;
      const text = () => Buffer.concat(parts).toString('utf8').split('\n', 1)[0]!.trim();
      const onData = (data: Buffer | string) => {
        const part = Buffer.from(data as string);
        const end = part.indexOf(10);
        length += end < 0 ? part.length : end;
        if (length > LINE_MAX)
          return reject(
            usage(
              'receive',
              `The first line of stdin should be the code, but it is longer than ${LINE_MAX} bytes.`,
            ),
          );
        parts.push(part.subarray(0, end < 0 ? undefined : end + 1));
        if (end >= 0) resolve(text());
      };
      const onEnd = () => resolve(text());
      const onError = (cause: Error) =>
        reject(new BeelineError('UNREADABLE', `stdin cannot be read: ${cause.message}`, { cause }));
      const onAbort = () => reject(interrupted());
      input.on('data', onData).on('end', onEnd).on('error', onError);
      signal?.addEventListener('abort', onAbort, { once: true });
      settle = () => {
        input.off('data', onData).off('end', onEnd).off('error', onError);
        signal?.removeEventListener('abort', onAbort);
        input.pause();
      };
      timer = setTimeout(
        () =>
          reject(
            new BeelineError('TIMEOUT', 'No code came on stdin. Give it as an argument or in BEELINE_CODE.'),
          ),
        deadline,
      );
    });
  } finally {
    clearTimeout(timer);
    settle?.();
  }
}

export interface CodeQuestion {
  input: Input;
  prompt: Prompt;
  codes: () => Promise<Codes>;
  signal: AbortSignal;
  /** One line for the person. */
  say: (line: string) => void;
}

/**
 * A well-formed code, without what was typed or pasted around it. A wrong guess burns it, so one that looks mistyped is
 * asked about before anything is tried; where nobody can be asked it is refused.
 * @param given from an argument or the environment
 * @throws BeelineError USAGE, TIMEOUT, INTERRUPTED
 */
export async function obtainCode(given: string | undefined, question: CodeQuestion): Promise<string> {
  const { prompt, say } = question;
  const { parseCode, formatCode, doubtAbout, describeDoubt } = await question.codes();
  let text = given;
  if (text === undefined && question.input.isTTY !== true)
    text = await firstLine(question.input, question.signal);
  if (text === undefined && !prompt.possible)
    throw usage('receive', 'Which code? Give it as an argument, in BEELINE_CODE or on stdin.');
  if (text === '')
    throw usage('receive', 'stdin holds no code. Give one there, as an argument or in BEELINE_CODE.');

  for (;;) {
    const typed = text ?? (await answer('Code: '));
    let code: Code;
    try {
      code = parseCode(typed);
    } catch (error) {
      // What was typed at the prompt can be typed again; a script's code cannot.
      if (text !== undefined || !(error instanceof BeelineError) || typed === '') throw error;
      say(error.message);
      continue;
    }
    const doubt = doubtAbout(code.password);
    if (!doubt) return formatCode(code);
    if (!prompt.possible)
      throw usage(
        'receive',
        `${describeDoubt(doubt)} Nothing was tried, so the code still works: give it again.`,
      );
    if (doubt.meant !== undefined) {
      const meant = formatCode({ ...code, password: doubt.meant });
      const yes = await answer(`Did you mean ${meant}? [Y/n] `);
      return yes === '' || /^y(es)?$/i.test(yes) ? meant : formatCode(code);
    }
    const again = await answer(`${describeDoubt(doubt)} The code again, or Enter if it is right: `);
    if (again === '') return formatCode(code);
    text = again;
  }

  async function answer(to: string): Promise<string> {
    const text = await prompt.ask(to);
    if (text === undefined) throw usage('receive', 'No code was given.');
    return text;
  }
}
