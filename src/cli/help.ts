/** The texts of `--help` and `--version`. Flags come from the table that is parsed, so they are all there. */
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
      'beeline send film.mkv --receivers 5',
      'beeline send slides.pdf --receivers any --until 2h',
      'beeline send film.mkv --device laptop --device studio',
      'beeline send film.mkv --device laptop --later',
      'beeline send holiday/ --web --qr',
    ],
    notes: [
      'If the receiver stops, leave this command running. The receiver can come back with the same code.',
      'If this command stops, send the same paths again. The receiver keeps what has arrived.',
      'With several receivers, the one code has three words. The receivers help each other, unless you say --no-swarm here,',
      'or --no-share there.',
    ],
  },
  receive: {
    line: 'receive what another machine sends, or files from HTTP servers',
    usage: ['beeline receive [CODE]', 'beeline receive URL...'],
    examples: [
      'beeline receive 7-crossover-clockwork',
      'beeline receive 7-crossover-clockwork --to ~/Downloads --yes',
      'beeline receive 7-crossover-clockwork --at 192.168.1.7:4848',
      'beeline receive --yes --to - < code.txt > disk.img',
      'BEELINE_CODE=7-crossover-clockwork beeline receive --json --yes',
      'beeline receive 7-crossover-clockwork --to ~/mirror --update --receipt today.jsonl',
      'beeline receive https://example.org/disk.img --mirror https://example.net/disk.img',
    ],
    notes: [
      'Without CODE, the code comes from BEELINE_CODE, else from the first line of stdin. On a terminal you are asked for it.',
      'Without --server or --at the two meet on the same network, or over HyperDHT. Its nodes see both IP addresses and a hash',
      'of the number in the code; --no-dht avoids that.',
      'If it stops, receive again into the same folder. It continues where it stopped.',
      '`beeline resume` lists what is unfinished.',
    ],
  },
  listen: {
    line: 'wait for everything that trusted devices send',
    usage: ['beeline listen --to DIR'],
    examples: [
      'beeline listen --to ~/Inbox',
      'beeline listen --to ~/Inbox --server wss://beeline.example.org',
      'beeline listen --to ~/Inbox --once --json',
      'beeline listen --to ~/Inbox --no-lan --limit 10M --log-file inbox.log',
      'beeline listen --http --to ~/Inbox --quota 200GiB   # a link for browsers and curl',
    ],
    notes: [
      'The other side runs `beeline send PATH --device NAME-OF-THIS-DEVICE-THERE`, and nobody has to do anything here.',
      'Both devices must trust each other: see `beeline trust`. What is taken from a device is set by `beeline trust set`.',
      'To meet at a server, both sides need the same --server (or BEELINE_SERVER). Others meet on the local network.',
      'If this command stops, start it again. What was arriving goes on.',
    ],
  },
  serve: {
    line: 'serve files and folders over HTTP, for browsers, curl and others',
    usage: ['beeline serve PATH...'],
    examples: [
      'beeline serve holiday/ notes.txt',
      'beeline serve disk.img --qr --downloads 1',
      'beeline serve ~/share --password --tls',
      'beeline serve ~/share --public --port 80 --host 192.168.1.7',
      'beeline serve ~/share --tls-cert fullchain.pem --tls-key privkey.pem --expires 2h --limit 10M',
    ],
    notes: [
      'Whoever has the link that is shown can read what is served, as it is now, and nothing else. Links and hidden names',
      'inside folders are left out. Downloads that were cut off can go on, also after this command was started again with',
      '--password or --public; the secret of a link is new each time.',
      'The password can also come from BEELINE_SERVE_PASSWORD. Without --tls or --tls-cert, others on the network can read',
      'along, the password and the link too.',
      '--downloads counts whole files and archives, each for one address, in any number of parts. The command ends with',
      'exit code 0 when they or --expires are used up, and after Ctrl-C.',
    ],
  },
  outbox: {
    line: 'list, send and cancel what waits for devices that were not there',
    usage: [
      'beeline outbox',
      'beeline outbox send',
      'beeline outbox cancel ID...|--all',
      'beeline outbox retry',
    ],
    examples: [
      'beeline outbox',
      'beeline outbox send --wait 1h',
      'beeline outbox cancel 3',
      'beeline outbox cancel --all',
    ],
    notes: [
      '`beeline send PATH --device NAME --later` puts something in. It keeps the paths, not copies: leave the files in place.',
      '`beeline listen` on this machine delivers it when the device is there. Without that, `beeline outbox send` does, and',
      'ends when nothing waits any more. What is cut off goes on.',
      '`retry` lets those wait again that have failed.',
      'Exit codes of `send`: 0 all sent   1 something is left   2 wrong usage',
    ],
  },
  server: {
    line: 'run a server where senders and receivers meet',
    usage: ['beeline server'],
    examples: [
      'beeline server',
      'beeline server --port 443 --tls-cert fullchain.pem --tls-key privkey.pem',
      'beeline server --port 8080 --host 127.0.0.1 --trust-proxy --log-level info',
      'beeline server --relay-limit 20G --relay-rate 10M',
      'beeline server --turn-url turn:turn.example.org --turn-secret-file /etc/beeline/turn',
    ],
    notes: [
      'The server cannot read what is sent: it sees the number in a code, but not the words, and no file names.',
      'Browsers get the page at the URL of the server. Unless that is on localhost, the page needs TLS: use --tls-cert, or a',
      'proxy in front of the server.',
      'SIGINT and SIGTERM stop the server. SIGHUP stops it too; with --tls-cert it reads the certificate again instead.',
      'For access from outside, open these ports: TCP --port; for STUN also UDP --port, and TCP and UDP --stun-port.',
    ],
  },
  trust: {
    line: 'list, add and remove devices that need no code',
    usage: [
      'beeline trust',
      'beeline trust add NAME KEY',
      'beeline trust remove NAME|KEY',
      'beeline trust set NAME|KEY [RULES]',
    ],
    examples: [
      'beeline trust',
      'beeline trust add laptop bl1...',
      'beeline trust remove laptop',
      'beeline trust set laptop --to ~/FromLaptop --max-size 10G --quota 500G',
      'beeline trust set laptop --ask',
      'beeline trust set laptop',
    ],
    notes: [
      'Both devices must trust each other. `beeline trust` shows the key of this device: add it on the other one.',
      '`set` says what `beeline listen` does with what a device sends. It sets all rules at once: without flags there are none,',
      'and everything is taken into the folder of `listen`, without a question.',
    ],
  },
  resume: {
    line: 'list unfinished transfers in a folder, or remove them',
    usage: ['beeline resume [DIR]', 'beeline resume clean [DIR]'],
    examples: [
      'beeline resume',
      'beeline resume ~/Downloads --json',
      'beeline resume clean',
      'beeline resume clean ~/Downloads --yes',
    ],
    notes: [
      'DIR is the folder that you received into; default: the current folder. If it is called clean, write ./clean.',
      'To continue a transfer, receive again into DIR. The same code works while the sender waits; else you need a new one.',
      '`clean` removes only what belongs to an unfinished transfer. It leaves a transfer alone that runs now.',
      'Files that already have their final names stay.',
      'Exit codes: 0 done, or nothing is unfinished   1 something was left   2 wrong usage   7 nobody to ask',
    ],
  },
  verify: {
    line: 'check files against the receipt of their transfer',
    usage: ['beeline verify RECEIPT PATH'],
    examples: [
      'beeline verify ~/.local/state/beeline/receipts/2026-11-23T00-22-57Z-9f86d081884c.jsonl ~/Downloads',
      'beeline verify receipt.jsonl ~/Downloads/holiday',
      'beeline verify receipt.jsonl /mnt/backup --quiet',
    ],
    notes: [
      'PATH is the folder that you received into, or the one file or folder that you received.',
      'Names, kinds, sizes, link targets and contents are compared. Modes, times and files that the receipt does not name',
      'are not compared.',
      'If the file system could not hold a name as it was sent, the file is looked up under the name that it got instead.',
      'Links that lead out, or that the file system cannot hold, are listed as left out. To find out what it can hold, a',
      'trial folder is made and removed again.',
      'If the transfer did not move a file (it was skipped or up to date), only its presence is checked. If --overwrite',
      'rename renamed a file, it is looked up under the name that it was sent with.',
      'Exit codes: 0 all as received   5 something differs   2 wrong usage   1 failed   130 interrupted',
    ],
  },
  doctor: {
    line: 'show what this network allows, and what you can do about it',
    usage: ['beeline doctor'],
    examples: ['beeline doctor --server wss://beeline.example.org', 'beeline doctor --json --no-port-map'],
    notes: [
      'This takes some seconds. Without --server (or BEELINE_SERVER) it looks only at this machine and its router. With a',
      'server outside it also finds the kind of NAT, what is blocked, and whether the relay and the TURN server work.',
      'It uses HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. What it finds does not leave this machine.',
      'Exit codes: 0 looked, however bad it is   6 the server cannot be reached   2 wrong usage   130 interrupted',
    ],
  },
};

const ENVIRONMENT = [
  ['BEELINE_SERVER', 'the same as --server'],
  ['BEELINE_DHT', '`off` is the same as --no-dht; HOST:PORT,... the same as --dht-bootstrap'],
  ['BEELINE_CODE', 'the same as --code, but `ps` does not show it'],
  ['BEELINE_CONFIG_DIR', 'the same as --config-dir'],
  ['BEELINE_STATE_DIR', 'receipts are kept below this folder, in `receipts`'],
  ['NO_COLOR', 'no colours'],
] as const;

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** What `send` and `receive` have beside their flags. */
const TRANSFER = [
  '',
  'Environment:',
  ...indent(ENVIRONMENT.map(([name, text]) => `${name.padEnd(20)} ${text}`)),
  '',
  'Keys on both sides: p pauses, r resumes, c (twice) cancels. Ctrl-C stops.',
  '',
  'Exit codes:',
  '  0 done   1 failed   2 wrong usage   3 cancelled   4 wrong code or authentication',
  '  5 verification   6 no peer or no path   7 refused   130 interrupted',
];

function flagLine([name, { short, value, help }]: [string, Flag]): string {
  return `${short ? `-${short}, ` : '    '}${`--${name}${value ? ` ${value}` : ''}`.padEnd(22)} ${help}`;
}

export function commandHelp(command: Command): string {
  const { line, usage, examples, notes = [] } = ABOUT[command];
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
    ...indent(Object.entries(FLAGS[command]).map(flagLine)),
    ...(command === 'send' || command === 'receive' ? TRANSFER : []),
    '',
  ].join('\n');
}

export function overview(): string {
  return [
    'beeline: send files of any size straight from one machine to another',
    '',
    'Usage:',
    ...indent(COMMANDS.map((command) => `beeline ${command.padEnd(8)} ${ABOUT[command].line}`)),
    '',
    'Example:',
    '  on this machine:       beeline send holiday/',
    '  on the other machine:  beeline receive 7-crossover-clockwork',
    '',
    '`beeline COMMAND --help` shows the flags of a command and more examples. `beeline --version` shows the version.',
    '',
  ].join('\n');
}
