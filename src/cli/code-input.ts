/** Where the receiver's code comes from when it is not an argument, and help with one that was typed wrongly. */
import { on } from 'node:events';
import { isIP } from 'node:net';
import { realClock, withDeadline } from '../base/clock.ts';
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import type { Code } from '../identity/code.ts';
import { usage } from './args.ts';
import { formatBytes } from './format.ts';
import type { Host, Input } from './host.ts';
import { isNo, isYes } from './prompt.ts';
import type { TransferRun } from './session.ts';

/** Bytes of a first line, and milliseconds to wait for it. */
const LINE_MAX = 2048;
const LINE_MS = 60_000;

/**
 * The first line of a stream. The rest is not used, and the stream is paused.
 * @throws BeelineError USAGE (too long), TIMEOUT, INTERRUPTED, UNREADABLE
 */
function firstLine(input: Input, signal: AbortSignal): Promise<string> {
  const late = () =>
    new BeelineError('TIMEOUT', 'No code came on stdin in time. Give it as an argument or in BEELINE_CODE.');
  return withDeadline(realClock, signal, LINE_MS, late, async (signal) => {
    let bytes = Buffer.alloc(0);
    try {
      // Not an iterator of the stream itself: that would close it.
      for await (const [data] of on(input, 'data', { signal, close: ['end'] })) {
        bytes = Buffer.concat([bytes, Buffer.from(data as string)]);
        if (bytes.includes(10) || bytes.length > LINE_MAX) break;
      }
    } catch (cause) {
      throw new BeelineError('UNREADABLE', `stdin cannot be read: ${(cause as Error).message}`, { cause });
    } finally {
      input.pause();
    }
    const end = bytes.indexOf(10);
    const line = end < 0 ? bytes : bytes.subarray(0, end);
    if (line.length > LINE_MAX)
      throw usage(
        'receive',
        `The first line of stdin should be the code, but it is longer than ${formatBytes(LINE_MAX)}.`,
      );
    return line.toString('utf8').trim();
  });
}

/** Where the two sides meet, as what was pasted with the code says, and what the person is told of it. */
export interface Pasted {
  server?: string;
  at?: string;
  said: string;
  /** What named it, in words. */
  whose: string;
}

export interface Obtained {
  code: string;
  pasted?: Pasted | undefined;
}

export function placeOf(link: string): Pasted {
  const whose = 'the link';
  const given = link.includes('://') ? link : `https://${link}`;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (!url) return { whose, said: 'The link names no server that makes sense. Its code alone is used.' };
  const { host, hostname, protocol } = url;
  const shown = escapeName(host);
  // The page of `send --web`: by TLS, at an address, on a port that is not that of the sender's own rendezvous.
  if (protocol === 'https:' && isIP(hostname.replace(/^\[|\]$/g, '')) !== 0)
    return {
      whose,
      said: `The link is taken for the sender's own page at ${shown}: looking for the sender itself. If that is a server, use --server URL.`,
    };
  return { whose, server: given, said: `Meeting at ${escapeName(given)}, the server of the link.` };
}

/**
 * A well-formed code, without what was typed or pasted around it. A wrong guess burns the code. So the person is asked
 * about a code that looks mistyped before it is tried. Where nobody can be asked, it is refused.
 * @param given from an argument or the environment
 * @param asTyped the person says that it is right
 * @throws BeelineError USAGE, TIMEOUT, INTERRUPTED
 */
export async function obtainCode(
  given: string | undefined,
  { stdin, codes }: Host,
  { prompt, screen, interrupt }: Pick<TransferRun, 'prompt' | 'screen' | 'interrupt'>,
  asTyped: boolean,
): Promise<Obtained> {
  const {
    parseCode,
    linkIn,
    flagsIn,
    formatCode,
    doubtAbout,
    describeDoubt,
    hintAtDoubt,
    lacksNumber,
    completionOf,
  } = await codes();
  let text = given;
  if (text === undefined && stdin.isTTY !== true) text = await firstLine(stdin, interrupt.signal);
  if (text === undefined && !prompt.possible)
    throw usage('receive', 'Which code? Give it as an argument, in BEELINE_CODE or on stdin.');
  if (text === '')
    throw usage('receive', 'stdin holds no code. Give one there, as an argument or in BEELINE_CODE.');

  let pasted: Pasted | undefined;
  // A script's code cannot be typed again; what was typed at the prompt can.
  let code = text === undefined ? await typedCode('Code: ') : taken(text);
  for (;;) {
    const doubt = asTyped ? undefined : doubtAbout(code.password);
    if (!doubt) return { code: formatCode(code), pasted };
    if (!prompt.possible)
      throw usage(
        'receive',
        `${hintAtDoubt(doubt, code.password)} Nothing was tried, so the code still works: give it again, or add --as-typed if it is right.`,
      );
    const meant = doubt.meant === undefined ? undefined : formatCode({ ...code, password: doubt.meant });
    const said = await answer(
      meant === undefined
        ? `${describeDoubt(doubt)} Type the code again, or y if it is right: `
        : `Did you mean ${meant}? [Y/n, or type the code again] `,
    );
    if (meant !== undefined && (said === '' || isYes(said))) return { code: meant, pasted };
    if (meant === undefined ? isYes(said) : isNo(said)) return { code: formatCode(code), pasted };
    if (said === '') continue;
    // Neither yes nor no: to take it for one of them might burn the code.
    code = attempt(said) ?? (await typedCode('Code: '));
  }

  async function typedCode(question: string): Promise<Code> {
    for (;;) {
      const typed = await answer(question, completions);
      if (typed === '') throw usage('receive', 'No code was given.');
      const code = attempt(typed);
      if (code) return code;
    }
  }

  /** Undefined if it is no code; that is said. */
  function attempt(typed: string): Code | undefined {
    try {
      return taken(typed);
    } catch (error) {
      if (!(error instanceof BeelineError)) throw error;
      screen.line(error.message);
      return undefined;
    }
  }

  function taken(typed: string): Code {
    const code = parseCode(typed);
    if (!asTyped && lacksNumber(code))
      throw usage(
        'receive',
        'The number at the front of the code is missing, or the dash behind it. If it has none, add --as-typed.',
      );
    // A code that is given once more has the place of the first.
    pasted = placeGiven(typed) ?? pasted;
    return code;
  }

  function placeGiven(typed: string): Pasted | undefined {
    const link = linkIn(typed);
    if (link !== undefined) return placeOf(link);
    const flags = flagsIn(typed);
    const place = flags.server ?? flags.at;
    if (place === undefined) return undefined;
    const whose = 'the pasted command';
    return { ...flags, whose, said: `Meeting at ${escapeName(place)}, as ${whose} says.` };
  }

  /** All, for Tab goes on with what they have in common. */
  function completions(typed: string): string[] {
    const { before, words } = completionOf(typed);
    return words.map((word) => before + word);
  }

  async function answer(to: string, complete?: typeof completions): Promise<string> {
    const text = await prompt.ask(to, complete);
    if (text === undefined) throw usage('receive', 'No code was given.');
    return text;
  }
}
