/** What goes wrong is told once, to people in one sentence and to programs as an event. */
import { asBeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { BrokenPipe, EXIT_FAILED, exitCode } from './exit.ts';
import { withHint } from './hints.ts';
import type { Host } from './host.ts';
import { Mistakes } from './mistakes.ts';

/** Which of several offers it is about. */
export interface OfSeveral {
  /** From 1. */
  arrival: number;
  of: number;
}

/** Tells an error to person and program and gives the exit code. Also for what nothing caught. */
export async function fail(
  thrown: unknown,
  argv: readonly string[],
  host: Host,
  which?: OfSeveral,
): Promise<number> {
  if (thrown instanceof BrokenPipe) return EXIT_FAILED;
  const error = asBeelineError(thrown, 'INTERNAL', 'This should not have happened');
  const message = withHint(error);
  const flags = beforeTerminator(argv);
  if (flags.includes('--json')) {
    const { jsonLine } = await import('./json.ts');
    const { code, reason } = error;
    const event = { event: 'error', code, ...(reason && { reason }), message };
    host.stdout.write(`${jsonLine(which ? { ...event, arrival: which.arrival } : event)}\n`);
  }
  const lines = error instanceof Mistakes ? error.lines : [message];
  const whose = which ? `offer ${which.arrival} of ${which.of}: ` : '';
  host.stderr.write(`beeline: ${whose}${lines.map(escapeName).join('\n')}\n`);
  if (wantsStack(flags)) host.stderr.write(`${stackOf(error).split('\n').map(escapeName).join('\n')}\n`);
  return exitCode(error.code);
}

/** The words that may be flags. */
export function beforeTerminator(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}

/** The arguments may not even parse, so this looks at them as they are. */
function wantsStack(flags: readonly string[]): boolean {
  const level = flags[flags.indexOf('--log-level') + 1];
  return ['debug', 'trace'].some(
    (name) => flags.includes(`--log-level=${name}`) || (flags.includes('--log-level') && level === name),
  );
}

function stackOf(error: Error): string {
  const texts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 5; depth++) {
    texts.push(current.stack ?? String(current));
    current = current.cause;
  }
  return texts.join('\ncaused by ');
}
