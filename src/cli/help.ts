/** The texts of `--help` and `--version`. Flags come from the table that is parsed, so they are all there. */
import { readFileSync } from 'node:fs';
import { COMMANDS, type Command, FLAGS, type Flag } from './flags.ts';

const ABOUT: {
  readonly [C in Command]: { line: string; usage: string[]; examples: string[]; notes?: string[] };
} = {
  send: {
    line: 'send files, folders, stdin or a text to another machine',
    usage: ['beeline send PATH...', 'beeline send -', 'beeline send --text "..."'],
    examples: [
      'beeline send holiday/ notes.txt',
      'tar c src | beeline send - --name src.tar',
      'beeline send --text "the gate code is 4711"',
      'beeline send disk.img --at 0.0.0.0:4848 --limit 10M',
      'beeline send report.pdf --device laptop',
      'beeline send photos/ --update',
      'beeline send holiday/ --web --qr',
    ],
    notes: [
      'Should the receiver stop or die, leave this waiting: it can come back with the same code. Should this stop or die,',
      'send the same paths again: the receiver keeps what has arrived.',
    ],
  },
  receive: {
    line: 'receive what another machine sends',
    usage: ['beeline receive [CODE]'],
    examples: [
      'beeline receive 7-crossover-clockwork',
      'beeline receive 7-crossover-clockwork --to ~/Downloads --yes',
      'beeline receive 7-crossover-clockwork --at 192.168.1.7:4848',
      'beeline receive --yes --to - < code.txt > disk.img',
      'BEELINE_CODE=7-crossover-clockwork beeline receive --json --yes',
      'beeline receive 7-crossover-clockwork --to ~/mirror --update --receipt today.jsonl',
    ],
    notes: [
      'Without CODE: BEELINE_CODE, else the first line of stdin, else a prompt.',
      'Whatever stopped it: received again into the same folder it goes on. `beeline resume` lists what is unfinished.',
    ],
  },
  server: {
    line: 'run a meeting point for senders and receivers',
    usage: ['beeline server'],
    examples: [
      'beeline server',
      'beeline server --port 443 --tls-cert fullchain.pem --tls-key privkey.pem',
      'beeline server --port 8080 --host 127.0.0.1 --trust-proxy --log-level info',
      'beeline server --relay-limit 20G --relay-rate 10M',
      'beeline server --turn-url turn:turn.example.org --turn-secret-file /etc/beeline/turn',
    ],
    notes: [
      'It sees nameplates and opaque messages, never a code or a name. What it relays is encrypted from end to end.',
      'Browsers get the page at its URL; away from localhost they need TLS for it: --tls-cert, or a proxy in front.',
      'With --tls-cert, SIGHUP reads the certificate again; without, it ends the server as SIGINT and SIGTERM do.',
      'Open to the world: TCP --port, and for STUN UDP --port and TCP and UDP --stun-port.',
    ],
  },
  trust: {
    line: 'show, add and remove devices that need no code',
    usage: ['beeline trust', 'beeline trust add NAME KEY', 'beeline trust remove NAME|KEY'],
    examples: ['beeline trust', 'beeline trust add laptop bl1...', 'beeline trust remove laptop'],
    notes: ['Both devices must trust each other. `beeline trust` shows the key to give to the other one.'],
  },
  resume: {
    line: 'list what is unfinished in a folder, or give it up',
    usage: ['beeline resume [DIR]', 'beeline resume clean [DIR]'],
    examples: [
      'beeline resume',
      'beeline resume ~/Downloads --json',
      'beeline resume clean',
      'beeline resume clean ~/Downloads --yes',
    ],
    notes: [
      'DIR is the folder that was received into; default the current one. A folder of the name clean is ./clean.',
      'To go on, receive again into DIR: with the same code while the sender waits, or with a new one.',
      '`clean` removes only what the journal of an unfinished receive names, and nothing that is being received now.',
      'Files that have their final names already stay.',
      'Exit codes: 0 done, or nothing is unfinished   1 something was left   2 wrong usage   7 nobody to ask',
    ],
  },
  verify: {
    line: 'check files against the receipt of the transfer that brought them',
    usage: ['beeline verify RECEIPT PATH'],
    examples: [
      'beeline verify ~/.local/state/beeline/receipts/2026-11-23T00-22-57Z-9f86d081884c.jsonl ~/Downloads',
      'beeline verify receipt.jsonl ~/Downloads/holiday',
      'beeline verify receipt.jsonl /mnt/backup --quiet',
    ],
    notes: [
      'PATH is the folder that was received into, or the one file or folder that was received. Names, kinds, sizes,',
      'link targets and contents are compared; modes, times and files that the receipt does not name are not.',
      'What the file system could not hold as it was sent is looked for under the name that it was given there, and links',
      'that lead out or cannot be there are told as left out; to find that out a trial folder is made and removed again.',
      'What did not move in that transfer (skipped, or up to date) is only looked for, not checked; what',
      '--overwrite rename renamed is looked for under the name that it was sent with.',
      'Exit codes: 0 all as received   5 something differs   2 wrong usage   1 failed   130 interrupted',
    ],
  },
  doctor: {
    line: 'tell what this network allows, and what to do about it',
    usage: ['beeline doctor'],
    examples: ['beeline doctor --server wss://beeline.example.org', 'beeline doctor --json --no-port-map'],
    notes: [
      'It takes some seconds. Without --server (or BEELINE_SERVER) only this machine and its router are looked at; a',
      'server outside tells the kind of NAT, what is blocked, and whether its relay and TURN server work from here.',
      'HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are heeded. Nothing of what is found out leaves this machine.',
      'Exit codes: 0 looked, however bad it is   6 the server cannot be reached   2 wrong usage   130 interrupted',
    ],
  },
};

const KEYS = 'p pauses, r resumes, c (twice) cancels, on either side. Ctrl-C stops.';
const EXITS = [
  '0 done   1 failed   2 wrong usage   3 cancelled   4 wrong code or authentication',
  '5 verification   6 no peer or no path   7 refused   130 interrupted',
];
const ENVIRONMENT = [
  ['BEELINE_SERVER', 'as --server'],
  ['BEELINE_CODE', 'as --code, but not shown by `ps`'],
  ['BEELINE_CONFIG_DIR', 'as --config-dir'],
  ['BEELINE_STATE_DIR', 'where receipts are kept, in a folder `receipts`'],
  ['NO_COLOR', 'no colours'],
] as const;

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

function flagLine(flag: Flag): string {
  const short = flag.short ? `-${flag.short}, ` : '    ';
  return `${short}${`--${flag.name}${flag.value ? ` ${flag.value}` : ''}`.padEnd(22)} ${flag.help}`;
}

export function commandHelp(command: Command): string {
  const { line, usage, examples, notes = [] } = ABOUT[command];
  const transfers = command === 'send' || command === 'receive';
  return [
    `beeline ${command}: ${line}`,
    '',
    'Usage:',
    ...indent(usage),
    '',
    'Examples:',
    ...indent(examples),
    '',
    ...(notes.length > 0 ? [...notes, ''] : []),
    'Flags:',
    ...indent(FLAGS[command].map(flagLine)),
    ...(transfers
      ? [
          '',
          'Environment:',
          ...indent(ENVIRONMENT.map(([name, text]) => `${name.padEnd(20)} ${text}`)),
          '',
          `Keys while it runs: ${KEYS}`,
          '',
          'Exit codes:',
          ...indent(EXITS),
        ]
      : []),
    '',
  ].join('\n');
}

export function overview(): string {
  return [
    'beeline: files of any size, straight from one machine to another',
    '',
    'Usage:',
    ...indent(COMMANDS.map((command) => `beeline ${command.padEnd(8)} ${ABOUT[command].line}`)),
    '',
    'Example:',
    '  here:   beeline send holiday/',
    '  there:  beeline receive 7-crossover-clockwork',
    '',
    '`beeline COMMAND --help` shows the flags and more examples; `beeline --version` the version.',
    '',
  ].join('\n');
}

/** From package.json, two folders above: src/cli, dist/cli and dist/chunks (where the bundler puts this) are alike in that. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
