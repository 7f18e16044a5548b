/** `beeline completion bash|zsh|fish`: a script for that shell, on stdout. It runs nothing of Beeline when Tab is pressed. */
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { escapeName } from '../../base/printable.ts';
import { hint } from '../../base/suggestion.ts';
import { parse, usage } from '../args.ts';
import { EXIT_DONE } from '../exit.ts';
import { COMMANDS, FLAGS, type Flag, TOPICS, undoing } from '../flags.ts';
import { ABOUT } from '../help-texts.ts';
import type { Host } from '../host.ts';
import { SETTINGS } from '../settings.ts';

const SHELLS = { bash, zsh, fish };
type Shell = keyof typeof SHELLS;
/** Those of which the first argument is one of a few words. */
const VERBS: Readonly<Record<string, readonly string[]>> = {
  help: [...COMMANDS, ...TOPICS],
  completion: Object.keys(SHELLS),
  outbox: ['send', 'cancel', 'retry'],
  trust: ['add', 'remove', 'set'],
  resume: ['clean'],
  config: ['get', 'set', 'unset', 'path'],
};
/** Of these an argument is a file. */
const OF_FILES: readonly string[] = ['send', 'serve', 'verify', 'resume'];
const EVERY = [...COMMANDS, 'help', 'version'];

/** Resolves to the exit code. @throws BeelineError USAGE */
export async function completionCommand(argv: readonly string[], host: Host): Promise<number> {
  const { positionals } = parse('completion', argv);
  const [shell = '', ...rest] = positionals;
  if (!Object.hasOwn(SHELLS, shell) || rest.length > 0) {
    const names = Object.keys(SHELLS);
    const given = shell === '' ? 'Which shell?' : `There is no completion for ${escapeName(shell)}.`;
    throw usage('completion', `${given} It is one of ${names.join(', ')}.${hint(shell, names)}`);
  }
  host.stdout.write(SHELLS[shell as Shell]());
  return EXIT_DONE;
}

/** With those that take back what a person has set. */
function flagsOf(name: string): [string, Flag][] {
  const command = COMMANDS.find((one) => one === name);
  if (!command) return [];
  const undo = [...undoing(command)].filter(([, taken]) => taken in SETTINGS);
  return [
    ...Object.entries<Flag>(FLAGS[command]),
    ...undo.map(([flag, taken]): [string, Flag] => [flag, { help: `although ${taken} is set` }]),
  ];
}

/** What a flag's value may be: one of a few words, a path, or anything. */
function kindOf({ value, read }: Flag): readonly string[] | 'path' | 'any' | undefined {
  if (!read) return undefined;
  return read.choices ?? (value === 'FILE' || value === 'DIR' ? 'path' : 'any');
}

function bash(): string {
  const values = new Map<string, string>();
  const cases = EVERY.map((command) => {
    for (const [name, flag] of flagsOf(command)) {
      const value = kindOf(flag);
      if (value === undefined) continue;
      const action = value === 'path' ? 'files' : value === 'any' ? 'none' : `words ${[...value].join(' ')}`;
      values.set(`${command}:--${name}`, action);
    }
    const names = flagsOf(command).map(([name]) => `--${name}`);
    return `    ${command}) flags='${names.join(' ')}' verbs='${(VERBS[command] ?? []).join(' ')}' ;;`;
  });
  const byAction = new Map<string, string[]>();
  for (const [flag, action] of values) byAction.set(action, [...(byAction.get(action) ?? []), flag]);
  const actions: Readonly<Record<string, string>> = {
    files: 'compopt -o default 2>/dev/null; return',
    none: 'return',
  };
  return `# bash completion for beeline: source <(beeline completion bash)
_beeline_words='${wordlist.join(' ')}'
_beeline() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} flags='' verbs=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${EVERY.join(' ')}' -- "$cur"))
    return
  fi
  case "$command:$prev" in
${[...byAction]
  .map(([action, flags]) => {
    const run = actions[action] ?? `COMPREPLY=($(compgen -W '${action.slice(6)}' -- "$cur")); return`;
    return `    ${flags.join('|')}) ${run} ;;`;
  })
  .join('\n')}
  esac
  case "$command" in
${cases.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ $command == receive && $cur == [0-9]*-* ]]; then
    compopt -o nospace 2>/dev/null
    COMPREPLY=($(compgen -P "\${cur%-*}-" -W "$_beeline_words" -- "\${cur##*-}"))
  elif [ -n "$verbs" ] && [ "$COMP_CWORD" -eq 2 ]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
    [ "$command" = resume ] && compopt -o default 2>/dev/null
  else
    case "$command" in ${OF_FILES.join('|')}) compopt -o default 2>/dev/null ;; esac
  fi
  return 0
}
complete -F _beeline beeline
`;
}

/** Inside single quotes of a shell. */
const quoted = (text: string) => text.replaceAll("'", "'\\''");
/** In what zsh's _arguments takes for a description. */
const described = (text: string) =>
  quoted(text.replace(/[\\[\]:`$]/g, (sign) => (sign === '`' ? '' : `\\${sign}`)));

function zsh(): string {
  const value = (flag: Flag): string => {
    const kind = kindOf(flag);
    if (kind === undefined) return '';
    const message = described(flag.value ?? '');
    if (kind === 'path') return `:${message}:_files`;
    return kind === 'any' ? `:${message}: ` : `:${message}:(${kind.join(' ')})`;
  };
  const rest = (command: string): string => {
    const verbs = VERBS[command];
    if (command === 'receive') return `'*:code:_beeline_code'`;
    if (verbs) return `'1:what:(${verbs.join(' ')})' '*:more:_files'`;
    return OF_FILES.includes(command) ? `'*:path:_files'` : '';
  };
  const cases = EVERY.map((command) => {
    const flags = flagsOf(command).map(
      ([name, flag]) => `'${flag.list ? '*' : ''}--${name}[${described(flag.help)}]${value(flag)}'`,
    );
    return `    ${command}) _arguments ${[...flags, rest(command)].filter((part) => part !== '').join(' \\\n      ')} ;;`;
  });
  const commands = COMMANDS.map((command) => `'${command}:${described(ABOUT[command].line)}'`);
  return `#compdef beeline
# zsh completion for beeline: beeline completion zsh > "\${fpath[1]}/_beeline"
_beeline_code() {
  local -a list
  list=(${wordlist.join(' ')})
  if compset -P '[0-9]*-'; then
    compadd -S '' -a list
  fi
}
_beeline() {
  local -a commands
  commands=(${[...commands, "'help:what a command or a topic is about'", "'version:show the version'"].join('\n    ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_beeline" ]; then _beeline "$@"; else compdef _beeline beeline; fi
`;
}

function fish(): string {
  const lines = COMMANDS.map(
    (command) =>
      `complete -c beeline -n __fish_use_subcommand -a ${command} -d '${fishText(ABOUT[command].line)}'`,
  );
  lines.push("complete -c beeline -n __fish_use_subcommand -a 'help version'");
  for (const command of EVERY) {
    const when = `-n '__fish_seen_subcommand_from ${command}; and test (__beeline_command) = ${command}'`;
    for (const [name, flag] of flagsOf(command)) {
      const kind = kindOf(flag);
      const value =
        kind === undefined
          ? ''
          : kind === 'path'
            ? ' -r -F'
            : kind === 'any'
              ? ' -x'
              : ` -x -a '${kind.join(' ')}'`;
      const short = flag.short ? ` -s ${flag.short}` : '';
      lines.push(`complete -c beeline ${when} -l ${name}${short}${value} -d '${fishText(flag.help)}'`);
    }
    const verbs = VERBS[command];
    if (verbs) lines.push(`complete -c beeline ${when} -a '${verbs.join(' ')}'`);
    if (OF_FILES.includes(command)) lines.push(`complete -c beeline ${when} -F`);
    if (command === 'receive') lines.push(`complete -c beeline ${when} -a '(__beeline_code)'`);
  }
  return `# fish completion for beeline: beeline completion fish > ~/.config/fish/completions/beeline.fish
set -g __beeline_words ${wordlist.join(' ')}
function __beeline_command
  set -l words (commandline -opc)
  echo $words[2]
end
function __beeline_code
  set -l cur (commandline -ct)
  if string match -qr '^[0-9].*-' -- $cur
    set -l before (string replace -r '[^-]*$' '' -- $cur)
    for word in $__beeline_words
      echo $before$word
    end
  end
end
complete -c beeline -f
${lines.join('\n')}
`;
}

const fishText = (text: string) => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
