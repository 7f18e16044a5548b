/** Turns a command's arguments into the values of its flags and positionals, or a USAGE error that suggests a similar name. */
import { parseArgs } from 'node:util';
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { hint } from '../base/suggestion.ts';
import { COMMANDS, type Command, FLAGS, type Flag, type FlagValues, undoing } from './flags.ts';

/**
 * The strict mode of `node:util` is not used: its texts are for programmers and suggest no similar names.
 * @throws BeelineError USAGE
 */
export function parse<C extends Command>(
  command: C,
  argv: readonly string[],
): { flags: FlagValues<C>; positionals: string[]; undone: ReadonlySet<string> } {
  const known = new Map<string, Flag>(Object.entries(FLAGS[command]));
  const undo = undoing(command);
  const options = Object.fromEntries([
    ...[...known].map(
      ([name, { read, short }]) =>
        [name, { type: read ? 'string' : 'boolean', ...(short && { short }) } as const] as const,
    ),
    ...[...undo.keys()].map((name) => [name, { type: 'boolean' } as const] as const),
  ]);
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const positionals: string[] = [];
  const flags = new Map<string, unknown>();
  const undone = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, value, inlineValue } = token;
    const shown = escapeName(token.rawName);
    const flag = known.get(name);
    const taken = undo.get(name);
    // `-exclude` is read as `-e -x ...`.
    const whole = token.rawName.startsWith('--') ? undefined : argv[token.index]?.slice(1);
    if (!flag && whole !== undefined && known.has(whole))
      throw usage(command, `There is no -${whole}. Did you mean --${whole}?`);
    if (!flag && taken === undefined)
      throw usage(
        command,
        `There is no ${shown}${insteadOf(name, known) || elsewhere(name) || `.${hint(name, [...known.keys(), ...undo.keys()], '--')}`}`,
      );
    if (!flag?.read) {
      if (value !== undefined) throw usage(command, `${shown} takes no value.`);
      // The later one counts.
      if (taken === undefined) {
        flags.set(name, true);
        undone.delete(name);
      } else {
        flags.delete(taken);
        undone.add(taken);
      }
      continue;
    }
    if (!value) throw usage(command, `${shown} needs a value: ${shown} ${flag.value}.`);
    // `--to --yes` is a forgotten value, not a folder of that name; `-` alone stands for stdin or stdout.
    if (!inlineValue && value.length > 1 && value.startsWith('-'))
      throw usage(
        command,
        `${shown} needs a value: ${shown} ${flag.value}. If it does begin with a dash, write ${shown}=${escapeName(value)}.`,
      );
    const read = flag.read(shown, value);
    flags.set(name, flag.list ? [...((flags.get(name) as unknown[]) ?? []), ...(read as unknown[])] : read);
  }
  return { flags: Object.fromEntries(flags) as FlagValues<C>, positionals, undone };
}

/** That a flag has a value in place of this, if it has one. */
function insteadOf(name: string, known: ReadonlyMap<string, Flag>): string {
  const meant = name.startsWith('no-') ? name.slice(3) : '';
  const value = known.get(meant)?.value;
  return value === undefined ? '' : `. Did you mean --${meant} ${value}?`;
}

/** That other commands have such a flag, if some do. */
function elsewhere(name: string): string {
  const others = COMMANDS.filter((other) => Object.hasOwn(FLAGS[other], name) || undoing(other).has(name));
  return others.length > 0 ? ` here: it is a flag of ${others.join(', ')}.` : '';
}

export function usage(command: Command, what: string): BeelineError {
  return new BeelineError('USAGE', `${what} \`beeline ${command} --help\` shows what there is.`);
}
