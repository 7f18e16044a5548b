/** Every flag of every command, once: what `args.ts` parses and what `help.ts` prints cannot differ. */
import { DEFAULT_LANES, MAX_LANES, MAX_RECEIVERS, MAX_THREADS, MAX_WAIT } from '../base/limits.ts';
import {
  duration,
  homePath,
  hostPort,
  integer,
  integerOr,
  oneOf,
  proxyUrl,
  type ReadValue,
  rate,
  serverUrl,
  size,
} from './values.ts';

export const COMMANDS = [
  'send',
  'receive',
  'listen',
  'serve',
  'outbox',
  'server',
  'trust',
  'verify',
  'resume',
  'doctor',
  'config',
  'completion',
] as const;
export type Command = (typeof COMMANDS)[number];

/** What `beeline help TOPIC` is about, beside the commands. A flag that has one stands there, and not in the help of its commands. */
export const TOPICS = [
  ...([
    'codes',
    'files',
    'several',
    'devices',
    'network',
    'http',
    'urls',
    'scripts',
    'environment',
    'hosting',
  ] as const),
];
export type Topic = (typeof TOPICS)[number];

/** @typeParam T what its value is read as; of a switch, true */
export interface Flag<T = unknown> {
  help: string;
  /** Which page of the help has it; absent: that of the command. */
  topic?: Topic;
  short?: string;
  /** What stands for the value in the help. */
  value?: string;
  /** Absent: a switch. */
  read?: ReadValue<T>;
  /** It may be repeated: all its values count, not the last one alone. */
  list?: true;
  /** A setting of it is taken back by `no-` before its name: there is no value that says so. */
  undone?: true;
  /** No configuration file has it; says what to do instead. */
  typedOnly?: string;
}

const on = (help: string, short?: string): Flag<true> => ({ help, short });
const takes = <T>(value: string, help: string, read: ReadValue<T>): Flag<T> => ({ value, help, read });
const text = (value: string, help: string) => takes(value, help, (_, given) => given);
/** Of a file or a folder. */
const path = (value: string, help: string) => takes(value, help, (_, given) => homePath(given));
const texts = (value: string, help: string): Flag<string[]> => ({
  ...takes(value, `${help}; you can repeat it`, (_, given) => [given]),
  list: true,
});

const port = integer(0, 65_535);
const hostPorts: ReadValue<string[]> = (name, given) => [hostPort(1)(name, given)];
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** They stand on the page about this. */
const under = <F extends Readonly<Record<string, Flag>>>(topic: Topic, flags: F): F =>
  Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, { ...flag, topic }])) as F;

const dhtBootstrap = {
  ...takes('HOST:PORT', 'a node of another DHT than the public one; you can repeat it', hostPorts),
  list: true,
} satisfies Flag<string[]>;
const json = on('one JSON object a line on stdout, and nothing else');
const log = under('scripts', {
  'log-level': takes('LEVEL', `write a structured log: ${LOG_LEVELS.join(', ')}`, oneOf(...LOG_LEVELS)),
  'log-file': path('FILE', 'write the log to this file (mode 0600) instead of stderr'),
});
const face = { json, quiet: on('show only errors', 'q'), ...log };
const typedOnly = <T>(flag: Flag<T>, instead = 'it is for the command line'): Flag<T> => ({
  ...flag,
  typedOnly: instead,
});
const trust = text(
  'NAME',
  'trust the other side as NAME from now on, if it shows its key (--trust there, or a page): then no code is needed',
);
const config = under('devices', {
  'config-dir': path('DIR', "the folder with this device's key and the known devices"),
});
const metrics = under('scripts', {
  'metrics-port': takes('N', 'serve Prometheus metrics at 127.0.0.1:N/metrics', port),
});
const always = {
  help: typedOnly(on('show this text', 'h')),
  version: typedOnly(on('show the version', 'V')),
};

const asTyped = under('codes', {
  'as-typed': typedOnly(on('the code is right, though it looks mistyped: its words are of your own')),
});
const undone = <T>(flag: Flag<T>): Flag<T> => ({ ...flag, undone: true });
const limit = undone(takes('RATE', 'the most bytes a second, such as 800k, 10M or 1.5MiB', rate));
const server = undone(takes('URL', 'meet at this `beeline server` (wss:// or https://)', serverUrl));

/** How the two sides reach each other. @param leastPort 0 means "any" to the side that listens, and nothing to the side that connects */
const network = (leastPort: 0 | 1) =>
  under('network', {
    at: takes(
      'HOST:PORT',
      'meet at the sender itself: it listens there, and the receiver connects to it',
      hostPort(leastPort),
    ),
    port: takes('N', 'the local port for connections; default: any', port),
    lanes: undone(
      takes(
        'N',
        `parallel connections, 1 to ${MAX_LANES}; default: ${DEFAULT_LANES} (2 with a page), and more where that is faster`,
        integer(1, MAX_LANES),
      ),
    ),
    threads: takes(
      'N',
      `threads to encrypt and hash, 0 to ${MAX_THREADS}; default: up to 4 on 4 cores and more, else none`,
      integer(0, MAX_THREADS),
    ),
    relay: takes(
      'WHEN',
      'use a relay: auto (the default, while there is no direct path), never, or only',
      oneOf('auto', 'never', 'only'),
    ),
    'no-port-map': on('do not ask the router for a port (Beeline asks with --server and with the DHT)'),
    proxy: undone(
      takes(
        'URL',
        'reach the server and its relay by this proxy (socks5://, http://, https://), and nobody past it',
        proxyUrl,
      ),
    ),
    quic: on('use QUIC in place of UDX, on a path that loses no packets; both sides must say so'),
    'no-lan': on('do not announce or search on the local network'),
    'no-dht': on('do not meet over the DHT either (only the local network, --at or --server)'),
    'dht-bootstrap': dhtBootstrap,
    wait: undone(
      takes(
        'TIME',
        'if the other side is lost, wait this long: 10m, 2h; default: 24h to send, 1h to receive',
        duration(MAX_WAIT),
      ),
    ),
  });

/** What `send` and `receive` have for those who automate them. */
const forScripts = {
  ...under('scripts', {
    'psk-file': path('FILE', 'use the secret in this file instead of a code; it has at least 16 bytes'),
    sha256: on('show the SHA-256 of each file at the end'),
    receipt: takes<string | true>(
      'FILE',
      'write the receipt here, even over an old one; auto (the default): a new file in the receipts folder',
      (_, given) => given === 'auto' || homePath(given),
    ),
    'no-receipt': on('write no receipt'),
  }),
  ...log,
  ...metrics,
  ...config,
};
const list = under('scripts', { list: on('list each file at the end, by the name that it has here') });
const OVERWRITE = oneOf('ask', 'skip', 'rename', 'replace', 'update');
const quietTransfer = on('show only errors, and a code that Beeline made', 'q');

/** What stays as it is for all arrivals. */
const forInbox = () => {
  const { lanes, threads, relay, 'no-port-map': noPortMap, proxy, quic, 'no-lan': noLan } = network(1);
  const { sha256, 'no-receipt': noReceipt } = forScripts;
  return {
    ...{ server, limit, lanes, threads, relay, 'no-port-map': noPortMap, proxy, quic, 'no-lan': noLan },
    ...{ sha256, 'no-receipt': noReceipt },
    ...list,
    ...face,
    ...metrics,
    ...config,
    ...always,
  };
};

/** Of a port for browsers and everybody's tools: what most need, and the rest. */
const webPortFirst = {
  port: takes('N', 'the port to listen on; default: 8080; 0 for any', port),
  host: text('ADDRESS', 'the address to listen on; default: all'),
  public: on('let in everybody, without a secret link'),
  password: on('ask for a password here, in place of a secret link'),
  tls: on('speak TLS with a new certificate of its own'),
};
const webPortRest = under('http', {
  'password-file': path('FILE', 'as --password, with the password in the first line of this file'),
  'tls-cert': path(
    'FILE',
    'speak TLS with this certificate (PEM, the whole chain); a renewed one is noticed',
  ),
  'tls-key': path('FILE', 'the private key of the certificate (PEM, not encrypted)'),
  'host-name': texts('NAME', 'with --public: a name by which browsers may ask'),
  'trust-proxy': on('read client addresses from X-Forwarded-For; only behind a proxy that sets it'),
});
/** What those are called that mean something with `listen --http` only. */
export const WEB_PORT = [...Object.keys(webPortFirst), ...Object.keys(webPortRest)] as (
  | keyof typeof webPortFirst
  | keyof typeof webPortRest
)[];

const OVERWRITE_AT_ONCE = oneOf('skip', 'rename', 'replace', 'update');
/** What a person may put on the web at most. */
const MOST_DOWNLOADS = 999_999_999;
/** Seconds that a server may take to end: a day. */
const MAX_DRAIN = 86_400;

export const FLAGS = {
  send: {
    text: text('TEXT', 'send this text instead of files'),
    qr: on('show a QR code too, of the code or of the page'),
    web: on('serve a page too, for browsers on this network'),
    http: on('show a secret link too, to download without a code'),
    receivers: takes(
      'N',
      `how many receive it: 1 to ${MAX_RECEIVERS}, or any; default: 1`,
      integerOr('any', 1, MAX_RECEIVERS),
    ),
    ...under('several', {
      until: takes(
        'TIME',
        'let nobody new in after this long: 10m, 2h; who is receiving then finishes',
        duration(MAX_WAIT),
      ),
      'no-swarm': on('send: do not let several receivers help each other'),
    }),
    device: texts('NAME', 'to this trusted device, no code'),
    ...under('devices', {
      trust,
      later: on('with --device: if it is not there, keep the paths in the outbox, and send them when it is'),
    }),
    server,
    code: text('CODE', 'a code of your own, such as 7-velvet-canyon'),
    ...asTyped,
    limit,
    update: on('suggest to the receiver to replace only what differs'),
    'dry-run': on('show what would be sent, and how much; send nothing'),
    ...under('files', {
      exclude: texts('PATTERN', 'leave out what matches, as in a .gitignore'),
      include: texts('PATTERN', 'send only files that match, or in folders that do'),
      gitignore: on('leave out what .gitignore files leave out, and .git'),
      name: text('FILE', 'send: the file name for what comes from stdin, or for the ZIP; default: stdin'),
      links: takes(
        'HOW',
        'links in folders: keep (the default), follow (send what they point to) or skip',
        oneOf('keep', 'follow', 'skip'),
      ),
      zip: on('send all as one ZIP, made on the way; after an interruption it begins anew'),
      'skip-unreadable': on('list the files that cannot be read or named, and send the rest'),
    }),
    ...network(0),
    json,
    quiet: quietTransfer,
    ...forScripts,
    ...under('scripts', {
      to: path('DIR', 'nothing at a sender: for scripts that have the same flags for both sides'),
      overwrite: takes('HOW', 'the same', OVERWRITE),
      yes: on('the same', 'y'),
    }),
    ...always,
  },
  receive: {
    to: path('DIR', 'the folder to receive into, such as in/{date}/{sender}; `-`: stdout'),
    yes: on('accept the offer without a question', 'y'),
    overwrite: takes('HOW', 'files that exist: ask, skip, rename, replace, update', OVERWRITE),
    update: on('replace files that differ; only differences move'),
    server,
    device: texts('NAME', 'from this trusted device, no code'),
    ...under('devices', { trust }),
    code: text('CODE', 'the code, if it is not an argument'),
    ...asTyped,
    limit,
    ...under('files', {
      links: takes(
        'HOW',
        'safe (the default) leaves out links that lead elsewhere, all keeps all, skip keeps none',
        oneOf('safe', 'all', 'skip'),
      ),
    }),
    ...under('files', {
      open: on('show the folder on the desktop at the end; no file is opened'),
    }),
    ...under('several', {
      'no-share': on(
        'if others receive the same: give them nothing, take nothing from them, stay unknown to them',
      ),
    }),
    ...under('urls', {
      mirror: texts('URL', 'with one URL: the same file is here too'),
      expect: texts('HEX', 'the SHA-256 of the file; of several URLs, each one in their order'),
      name: text('FILE', 'with one URL: the name of the file here; default: as the server calls it'),
      'allow-private': on('follow redirects from servers into private networks'),
    }),
    ...network(1),
    json,
    quiet: quietTransfer,
    ...list,
    ...forScripts,
    ...always,
  },
  listen: {
    to: path('DIR', 'the folder, unless a device has one of its own'),
    once: on('end after the first whole transfer'),
    overwrite: takes('HOW', 'files that exist: rename, skip, replace or update', OVERWRITE_AT_ONCE),
    links: takes(
      'HOW',
      'safe (the default) leaves out links that lead elsewhere, all keeps all, skip keeps none',
      oneOf('safe', 'all', 'skip'),
    ),
    'no-outbox': on('do not deliver the outbox of this machine'),
    http: on('take uploads too, from browsers and curl, by a link'),
    ...under('http', {
      ...webPortFirst,
      ...webPortRest,
      'new-link': on('the link of before leads nowhere any more, and there is a new one'),
      'max-size': takes('SIZE', 'the most bytes of one file, such as 2GiB', size),
      quota: takes('SIZE', 'take no more once the folder holds this much', size),
    }),
    ...forInbox(),
  },
  serve: {
    ...webPortFirst,
    ...webPortRest,
    'keep-link': on('the same link as when these paths were served before'),
    expires: takes('TIME', 'begin nothing more after this long (2h, 1d), and end', duration(MAX_WAIT)),
    downloads: takes('N', 'end after so many whole downloads', integer(1, MOST_DOWNLOADS)),
    limit,
    hidden: on('serve names that begin with a dot too'),
    qr: on('show the link as a QR code too'),
    ...face,
    ...metrics,
    ...config,
    ...always,
  },
  outbox: {
    all: on('cancel: everything'),
    wait: takes(
      'TIME',
      'send: end after this long though something still waits: 10m, 2h',
      duration(MAX_WAIT),
    ),
    proxy: undone(
      takes('URL', 'send: reach servers by this proxy alone, and what has none not at all', proxyUrl),
    ),
    ...face,
    ...always,
  },
  server: {
    config: typedOnly(path('FILE', 'read flags from this YAML file; those typed here win')),
    check: typedOnly(on('only check the flags and their files, and end')),
    port: takes('N', 'the port to listen on; default: 4848', port),
    host: text('ADDRESS', 'the address to listen on; default: all'),
    'tls-cert': path(
      'FILE',
      'speak TLS with this certificate (PEM, the whole chain); a renewed one is noticed',
    ),
    'tls-key': path('FILE', 'the private key of the certificate (PEM, not encrypted)'),
    'no-relay': on('carry no data for those without a direct path'),
    'relay-limit': takes(
      'SIZE',
      'the most bytes that the relay carries for one meeting; default: 256GiB',
      size,
    ),
    metrics: takes(
      'HOST:PORT',
      'serve Prometheus metrics and /status there, such as 127.0.0.1:9848',
      hostPort(0),
    ),
    ...under('hosting', {
      'trust-proxy': on('read client addresses from X-Forwarded-For; only behind a proxy that sets it'),
      'allow-origin': texts(
        'URL',
        'let pages of this other site use the server, such as https://example.org',
      ),
      near: takes(
        'WHO',
        'whose pages may see each other: auto (those at one public address), lan, off; default: auto',
        oneOf('auto', 'lan', 'off'),
      ),
      'relay-rate': takes(
        'RATE',
        'the most bytes a second that the relay carries in all; default: no limit',
        rate,
      ),
      'stun-port': takes('N', 'the second port for STUN (UDP and TCP); default: the port after --port', port),
      'no-stun': on('do not tell peers how their addresses look from outside'),
      redis: text('URL', 'be one of several instances that share this Redis, such as redis://HOST:6379'),
      'redis-url-file': path(
        'FILE',
        'the same in a file, or as BEELINE_REDIS_URL: `ps` would show a password',
      ),
      'public-url': takes(
        'URL',
        'with --redis: where clients reach this instance and no other, to be relayed',
        serverUrl,
      ),
      'turn-url': texts('URL', 'recommend this TURN server, such as turn:HOST:3478'),
      'turn-secret-file': path(
        'FILE',
        "the secret shared with the TURN server (coturn's static-auth-secret)",
      ),
      'turn-secret': typedOnly(
        text('SECRET', 'the same; `ps` shows it, so prefer BEELINE_TURN_SECRET or the file'),
        'put the secret into a file of its own, and name that file by turn-secret-file',
      ),
      drain: takes(
        'TIME',
        'at the end, let relayed connections go on for so long: 10m; default: 30s; 0: not at all',
        duration(MAX_DRAIN),
      ),
      status: on('show everybody /status: sums and limits, nothing about one client'),
    }),
    ...face,
    ...always,
  },
  trust: {
    to: path('DIR', 'set: the folder for what this device sends to `beeline listen`, also with {date}'),
    'max-size': takes('SIZE', 'set: the most that it may send at once, such as 10G', size),
    quota: takes('SIZE', 'set: the most that it may send in all, from now on', size),
    ask: on('set: somebody at the terminal of `beeline listen` is asked each time'),
    overwrite: takes(
      'HOW',
      'set: what to do with files that exist: rename, skip, replace or update',
      OVERWRITE_AT_ONCE,
    ),
    refuse: on('set: take nothing from this device'),
    json,
    ...config,
    ...always,
  },
  resume: { yes: on('remove without a question', 'y'), json, ...always },
  verify: { json, quiet: on('show only what differs', 'q'), ...always },
  doctor: {
    server: undone(takes('URL', 'test the way to this `beeline server` too', serverUrl)),
    proxy: undone(takes('URL', 'reach that server by this proxy, and look at nothing past it', proxyUrl)),
    'no-port-map': on('do not test whether the router maps a port'),
    'no-dht': on('do not ask whether the DHT answers'),
    'dht-bootstrap': dhtBootstrap,
    json,
    ...always,
  },
  config: { json, ...config, ...always },
  completion: always,
} satisfies { readonly [C in Command]: Readonly<Record<string, Flag>> };

type Flags = typeof FLAGS;
/** What was given of a command's flags. */
export type FlagValues<C extends Command> = {
  [N in keyof Flags[C]]?: Flags[C][N] extends Flag<infer T> ? T : never;
};

/** Flags that only the receiver acts on. A sender takes them too, for scripts with one set for both, and says so. */
export const RECEIVER_ONLY = ['to', 'overwrite', 'yes'] as const;

/**
 * What takes back what a setting or a file says, with the flag: `no-qr` of `qr`, `lan` of `no-lan`, `no-limit` of `limit`. Not
 * `receipt`, which is a flag of its own.
 */
export function undoing(command: Command): ReadonlyMap<string, string> {
  const flags: Readonly<Record<string, Flag>> = FLAGS[command];
  const taken = Object.keys(flags).filter((name) => {
    const { read, typedOnly, undone } = flags[name]!;
    return !typedOnly && (!read || undone);
  });
  const undo = (name: string) => (name.startsWith('no-') ? name.slice(3) : `no-${name}`);
  return new Map(taken.filter((name) => !(undo(name) in flags)).map((name) => [undo(name), name] as const));
}
