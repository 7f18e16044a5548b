/** Turns a command's arguments into flags and positionals, or a USAGE error that names the near miss. */
import { parseArgs } from 'node:util';
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { type Command, FLAGS } from './flags.ts';
import { hint } from './near.ts';

export interface Parsed {
  strings: Map<string, string>;
  /** Every value of a flag that was given more than once, in order; `strings` has the last. */
  all: Map<string, string[]>;
  switches: Set<string>;
  positionals: string[];
}

/**
 * `node:util`'s own strict mode is not used: its texts speak to programmers and know no near misses.
 * @throws BeelineError USAGE
 */
export function parse(command: Command, argv: readonly string[]): Parsed {
  const flags = FLAGS[command];
  const options = Object.fromEntries(
    flags.map((flag) => [
      flag.name,
      { type: flag.value ? 'string' : 'boolean', ...(flag.short ? { short: flag.short } : {}) } as const,
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const parsed: Parsed = { strings: new Map(), all: new Map(), switches: new Set(), positionals: [] };
  for (const token of tokens) {
    if (token.kind === 'positional') parsed.positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = flags.find((candidate) => candidate.name === token.name);
    const shown = escapeName(token.rawName);
    if (!flag) {
      const meant = hint(
        token.name,
        flags.map((candidate) => candidate.name),
        '--',
      );
      throw usage(command, `There is no ${shown}.${meant}`);
    }
    if (!flag.value) {
      if (token.value !== undefined) throw usage(command, `${shown} takes no value.`);
      parsed.switches.add(flag.name);
      continue;
    }
    if (token.value === undefined || token.value === '')
      throw usage(command, `${shown} needs a value: ${shown} ${flag.value}.`);
    // `--to --yes` is a forgotten value, not a folder of that name; `-` alone stands for stdin or stdout.
    if (!token.inlineValue && token.value.length > 1 && token.value.startsWith('-'))
      throw usage(
        command,
        `${shown} needs a value: ${shown} ${flag.value}. If it does begin with a dash, write ${shown}=${escapeName(token.value)}.`,
      );
    parsed.strings.set(flag.name, token.value);
    parsed.all.set(flag.name, [...(parsed.all.get(flag.name) ?? []), token.value]);
  }
  return parsed;
}

export function usage(command: Command, what: string): BeelineError {
  return new BeelineError('USAGE', `${what} \`beeline ${command} --help\` shows what there is.`);
}
