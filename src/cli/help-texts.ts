/** What the help says beside the flags: of each command, and of each topic. */
import type { Command, Topic } from './flags.ts';

export interface About {
  line: string;
  usage: string[];
  /** Each parses, and a test runs that. */
  examples: string[];
  /** A paragraph each. */
  notes?: string[];
}

export const ABOUT: { readonly [C in Command]: About } = {
  send: {
    line: 'send files, folders, stdin or a text to another machine',
    usage: ['beeline send PATH...', 'beeline send -', 'beeline send --text "..."'],
    examples: [
      'beeline send holiday/ notes.txt',
      'tar c src | beeline send - --name src.tar',
      'beeline send film.mkv --receivers 5',
      'beeline send report.pdf --device laptop --later',
    ],
    notes: ['Keys: p pauses, r resumes, c (twice) cancels. After Ctrl-C, send the same paths to go on.'],
  },
  receive: {
    line: 'receive what another machine sends, or files from HTTP servers',
    usage: ['beeline receive [CODE...]', 'beeline receive URL...'],
    examples: [
      'beeline receive 7-velvet-canyon',
      'beeline receive 7-velvet-canyon --to ~/Downloads --yes',
      'beeline receive --yes --to - < code.txt > disk.img',
      'beeline receive https://example.org/disk.img',
    ],
    notes: [
      'Without CODE it comes from BEELINE_CODE, else from stdin; on a terminal you are asked.',
      'If it stops, receive again into the same folder: it goes on. `beeline resume` lists what is unfinished.',
    ],
  },
  listen: {
    line: 'wait for everything that trusted devices send',
    usage: ['beeline listen --to DIR'],
    examples: [
      'beeline listen --to ~/Inbox',
      'beeline listen --to ~/Inbox --server wss://beeline.example.org',
      'beeline listen --to ~/Inbox --once --json',
      'beeline listen --http --to ~/Inbox --quota 200GiB',
    ],
    notes: [
      'The other side runs `beeline send PATH --device NAME-OF-THIS-DEVICE-THERE`. Both devices must trust each other (`beeline help devices`), and need the same --server, or the same local network. If this command stops, start it again. What was arriving goes on.',
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
    ],
    notes: [
      'Whoever has the link can read what is served, and nothing else. `beeline help http` tells more.',
    ],
  },
  outbox: {
    line: 'list, send and cancel what waits for devices that were away',
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
      '`beeline send PATH --device NAME --later` puts something in. It keeps the paths, not copies: leave the files in place. `beeline listen` on this machine delivers it when the device is there. Without that, `beeline outbox send` does, and ends when nothing waits any more. What is cut off goes on. `retry` lets those wait again that have failed. Each goes with the flags of its `beeline send`.',
      'Exit codes of `send`: 0 all sent, 1 something is left, 2 wrong usage',
    ],
  },
  server: {
    line: 'run a server where senders and receivers meet',
    usage: ['beeline server'],
    examples: [
      'beeline server',
      'beeline server --port 443 --tls-cert fullchain.pem --tls-key privkey.pem',
      'beeline server --port 8080 --host 127.0.0.1 --trust-proxy',
    ],
    notes: [
      'It cannot read what is sent: it sees the number in a code, but neither its words nor file names. Browsers get the page at its URL; anywhere but on localhost that needs TLS. `beeline help hosting` tells more.',
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
      'beeline trust set laptop',
    ],
    notes: [
      'Both devices must trust each other. `beeline trust` shows the key of this device: add it on the other one.',
      '`set` says what `beeline listen` does with what a device sends. It sets all rules at once: without flags there are none, and everything is taken into the folder of `listen`, without a question. --to takes {placeholders} (`beeline help files`).',
    ],
  },
  resume: {
    line: 'list unfinished transfers in a folder, or remove them',
    usage: ['beeline resume [DIR]', 'beeline resume clean [DIR]'],
    examples: [
      'beeline resume',
      'beeline resume ~/Downloads --json',
      'beeline resume clean ~/Downloads --yes',
    ],
    notes: [
      'DIR is what --to was, also with {placeholders}; default: the current folder. If it is called clean, write ./clean.',
      'To continue a transfer, receive again into DIR. The same code works while the sender waits; else you need a new one.',
      '`clean` removes only what belongs to an unfinished transfer, and none that runs now. Files that already have their final names stay.',
      'Exit codes: 0 done, or nothing is unfinished, 1 something was left, 2 wrong usage, 7 nobody to ask',
    ],
  },
  verify: {
    line: 'check files against the receipt of their transfer',
    usage: ['beeline verify RECEIPT PATH'],
    examples: [
      'beeline verify receipt.jsonl ~/Downloads/holiday',
      'beeline verify receipt.jsonl /mnt/backup --quiet',
    ],
    notes: [
      'PATH is the folder that you received into, or the one file or folder that you received. Names, kinds, sizes, link targets and contents are compared. Modes, times and files that the receipt does not name are not.',
      'If the file system could not hold a name as it was sent, the file is looked up under the name that it got instead. Links that lead out, or that the file system cannot hold, are listed as left out. To find out what it can hold, a trial folder is made and removed again.',
      'If the transfer did not move a file (it was skipped or up to date), only its presence is checked. If --overwrite rename renamed a file, it is looked up under the name that it was sent with.',
      'Exit codes: 0 all as received, 5 something differs, 2 wrong usage, 1 failed, 130 interrupted',
    ],
  },
  doctor: {
    line: 'show what this network allows, and what you can do about it',
    usage: ['beeline doctor'],
    examples: ['beeline doctor --server wss://beeline.example.org', 'beeline doctor --json --no-port-map'],
    notes: [
      'This takes some seconds. Without --server (or BEELINE_SERVER) it looks only at this machine and its router. With a server outside it also finds the kind of NAT, what is blocked, and whether the relay and the TURN server work. It uses HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. What it finds does not leave this machine.',
      'Exit codes: 0 looked, however bad it is, 6 the server cannot be reached, 2 wrong usage, 130 interrupted',
    ],
  },
  config: {
    line: 'show and change your own settings: server, folder, limits',
    usage: [
      'beeline config',
      'beeline config get NAME',
      'beeline config set NAME VALUE',
      'beeline config unset NAME',
      'beeline config path',
    ],
    examples: [
      'beeline config set server wss://beeline.example.org',
      'beeline config set to ~/Downloads',
      'beeline config set limit 10M',
      'beeline config set no-dht true',
      'beeline config unset limit',
    ],
    notes: [
      'Names are those of flags: server, proxy, to, overwrite, limit, lanes, relay, wait, no-lan, no-dht, no-port-map, no-receipt, qr. They hold for `send`, `receive`, `listen` and `doctor`, wherever there is such a flag. What is typed wins, and so does the environment. A switch that is set is taken back by `no-` before its name, or without it: --no-qr, --lan. So are server, proxy, limit, lanes and wait: --no-limit. The others have a value for it: --to ., --overwrite ask, --relay auto, --receipt auto.',
      'The file is YAML, `NAME: VALUE` in each line. You can write it with any editor; a mistake in it is told with its line.',
    ],
  },
  completion: {
    line: 'print a script by which a shell completes commands, flags and codes',
    usage: ['beeline completion bash|zsh|fish'],
    examples: [
      'beeline completion bash > ~/.local/share/bash-completion/completions/beeline',
      'beeline completion zsh > /usr/local/share/zsh/site-functions/_beeline',
      'beeline completion fish > ~/.config/fish/completions/beeline.fish',
    ],
    notes: [
      'Begin a new shell after that. `beeline receive 7-cro` and Tab completes the words of a code, from the list that all codes are made of.',
    ],
  },
};

interface AboutTopic {
  line: string;
  /** A paragraph, or lines that stay as they are. */
  body: (string | string[])[];
}

export const ABOUT_TOPICS: { readonly [T in Topic]: AboutTopic } = {
  codes: {
    line: 'what a code is, how to give it, and how two find each other by it',
    body: [
      'The sender shows a code such as 7-velvet-canyon. Whoever has it can receive, once. The number says where the two meet. The words are secret: they prove to each side that the other one has the same code. A wrong guess burns the code, so Beeline asks before it tries one with a word that is none, and without a terminal refuses it. --as-typed says that such a word is right.',
      '',
      'You can paste a link, or the whole command that the sender shows. Spaces and full stops between the words do no harm. In scripts, use BEELINE_CODE or stdin: `ps` shows arguments. A link is shown as a QR code by itself where the terminal has room for it; --qr shows one always.',
      '',
      'Without --server or --at the two meet on the same network, or over HyperDHT. Its nodes see both IP addresses and a hash of the number in the code; --no-dht avoids that.',
      '',
      'Examples:',
      [
        'beeline send photo.jpg --code 1234-my-own-words',
        'beeline receive 7-velvet-canyon',
        'BEELINE_CODE=7-velvet-canyon beeline receive --json --yes',
      ],
    ],
  },
  files: {
    line: 'which files are sent, where they go, and what becomes of links',
    body: [
      'A folder is sent with all that is in it, hidden files too. Links inside are sent as links; one that you name yourself is followed. Sockets, pipes and devices are left out.',
      '',
      'Patterns are those of a .gitignore: `*.log` anywhere, `/drafts` only at the top of each folder that you name, `cache/` only folders, `!keep.log` takes back what one before it says. Quote them, or the shell takes them. What --exclude matches is left out, also of what --include takes.',
      '',
      'A receiver can have a folder for each offer: in --to, {date} and {time} are of its arrival, {sender} is the name of the trusted device (else unknown), {name} the first name in the offer. What was interrupted goes on in the folder where it began. A brace that means itself is doubled.',
      '',
      'Examples:',
      [
        'beeline receive 7-velvet-canyon --to "in/{date}/{name}"',
        'beeline send photos/ --update',
        'beeline send project/ --gitignore --exclude "*.log" --dry-run',
        'beeline send photos/ --include "*.jpg" --exclude "/drafts/"',
        'beeline send . --links follow --skip-unreadable',
        'beeline send holiday/ --zip',
      ],
    ],
  },
  several: {
    line: 'one code for several receivers, and several codes for one',
    body: [
      'With --receivers the code has three words, and each of so many receivers has a session of its own. They help each other, so that each part leaves the sender about once.',
      '',
      '`receive` takes several codes (or --device several times), and receives one after the other. All codes are looked at before the first is tried. If one fails, the next begins; the exit code is that of the first that failed.',
      '',
      'Examples:',
      [
        'beeline receive 7-velvet-canyon 8-copper-lizard --yes',
        'beeline send film.mkv --receivers 5',
        'beeline send slides.pdf --receivers any --until 2h',
        'beeline send film.mkv --device laptop --device studio',
      ],
    ],
  },
  devices: {
    line: 'trusted devices, an inbox, and an outbox: no codes',
    body: [
      'Each device has a key of its own. `beeline trust` shows it. Add it on the other device, and the other one here:',
      ['beeline trust add laptop bl1...'],
      'Or let a transfer do it: with --trust on both sides, or "Remember" in a page, the two trust each other once everything has arrived.',
      '',
      'Then neither side needs a code. With `beeline listen` on the other one, nobody has to be there.',
      '',
      'Examples:',
      [
        'beeline listen --to ~/Inbox',
        'beeline send report.pdf --device laptop',
        'beeline send report.pdf --device laptop --later',
        'beeline outbox',
      ],
    ],
  },
  network: {
    line: 'how the two sides reach each other: servers, ports, relays',
    body: [
      'Beeline tries all ways at once, takes the best, and changes to a better one while it runs. `beeline doctor` shows what a network allows. HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say by which proxy a server is reached; direct ways are tried all the same. With --proxy nothing goes past the proxy: it needs a server that relays.',
      '',
      'Examples:',
      [
        'beeline send disk.img --at 0.0.0.0:4848',
        'beeline receive 7-velvet-canyon --at 192.168.1.7:4848',
        'beeline send a.img --server wss://example.org --proxy socks5://127.0.0.1:9050',
      ],
    ],
  },
  http: {
    line: 'links for browsers and curl: `serve`, `listen --http`, `send --http`',
    body: [
      'Whoever has a link of `serve` can read what is served, as it is now, and nothing else. Links and hidden names inside folders are left out. Downloads that were cut off can go on, also after the command was started again with --password, --public or --keep-link; otherwise the secret of a link is new each time.',
      '',
      'A password can also come from BEELINE_SERVE_PASSWORD (for `listen`: BEELINE_LISTEN_PASSWORD). Without TLS, others on the network can read along, the password and the link too. Browsers warn of a certificate that --tls made: compare its fingerprint.',
      '',
      '--downloads counts whole files and archives, each for one address, in any number of parts. `serve` ends with exit code 0 when they or --expires are used up, and after Ctrl-C.',
      '',
      'Examples:',
      [
        'beeline serve ~/share --tls-cert fullchain.pem --tls-key privkey.pem',
        'beeline listen --http --to ~/Inbox --quota 200GiB',
        'beeline send holiday/ --http',
      ],
    ],
  },
  urls: {
    line: 'files from HTTP servers: `beeline receive URL...`',
    body: [
      'A file comes in parallel parts where that is faster, and from mirrors too. It goes on after whatever stopped it, and begins anew if the file has changed. The link of a folder that `serve` shows brings its ZIP.',
      '',
      'Examples:',
      [
        'beeline receive https://example.org/a.iso --mirror https://example.net/a.iso',
        'beeline receive https://example.org/a.iso --to - > a.iso',
      ],
    ],
  },
  scripts: {
    line: 'JSON, exit codes, logs, receipts and metrics',
    body: [
      'With --json each line of stdout is an object with an `event`. Names, codes and exit codes are stable; there may be more one day. Without a terminal, `receive` needs --yes.',
      '',
      'Exit codes:',
      [
        '0  done                 5    verification failed',
        '1  failed               6    no peer, or no path to it',
        '2  wrong usage          7    refused',
        '3  cancelled            130  interrupted; the same again goes on',
        '4  wrong code or authentication',
      ],
      '',
      'Examples:',
      [
        'beeline send a.img --json --code 1234-my-own-words',
        'BEELINE_CODE=7-velvet-canyon beeline receive --json --yes',
        'beeline verify receipt.jsonl ~/Downloads',
      ],
    ],
  },
  environment: {
    line: 'environment variables',
    body: [
      [
        'BEELINE_SERVER       as --server',
        'BEELINE_DHT          `off`: as --no-dht; HOST:PORT,...: as --dht-bootstrap',
        'BEELINE_CODE         as --code, but `ps` does not show it',
        'BEELINE_CONFIG_DIR   as --config-dir',
        'BEELINE_CONFIG       `off`: the settings (`beeline config`) are not read',
        'BEELINE_STATE_DIR    receipts are kept below it, in `receipts`',
        'NO_COLOR             no colours',
      ],
      '',
      'A flag that is typed wins over a variable, and a variable over a setting (`beeline config`).',
    ],
  },
  hosting: {
    line: 'a server of your own: relay, TURN, several instances',
    body: [
      'SIGINT and SIGTERM stop the server. SIGHUP stops it too; with --tls-cert it reads the certificate again instead. For access from outside, open these ports: TCP --port; for STUN also UDP --port, and TCP and UDP --stun-port.',
      '',
      'Examples:',
      [
        'beeline server --relay-limit 20G --relay-rate 10M',
        'beeline server --turn-url turn:turn.example.org --turn-secret-file secret',
        'beeline server --config beeline.yaml --check',
      ],
    ],
  },
};
