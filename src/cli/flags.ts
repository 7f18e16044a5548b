/** Every flag of every command, once: what `args.ts` parses and what `help.ts` prints cannot differ. */
import { DEFAULT_LANES, MAX_LANES } from '../base/limits.ts';

export const COMMANDS = ['send', 'receive', 'server', 'trust', 'verify', 'resume', 'doctor'] as const;
export type Command = (typeof COMMANDS)[number];

export interface Flag {
  name: string;
  short?: string;
  /** What stands for the value in the help; absent: a switch. */
  value?: string;
  help: string;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const RELAY = ['auto', 'never', 'only'] as const;
/** What a receiver may have of links, and what a sender may make of them. */
export const LINKS_RECEIVED = ['safe', 'all', 'skip'] as const;
export const LINKS_SENT = ['keep', 'follow', 'skip'] as const;
export const OVERWRITE = ['ask', 'skip', 'rename', 'replace', 'update'] as const;

const CONFIG_DIR: Flag = {
  name: 'config-dir',
  value: 'DIR',
  help: "where this device's key and the known devices are kept",
};
const JSON_FLAG: Flag = { name: 'json', help: 'one JSON object a line on stdout, nothing else there' };
const QUIET: Flag = { name: 'quiet', short: 'q', help: 'errors only' };
const LOGGING: Flag[] = [
  { name: 'log-level', value: 'LEVEL', help: `structured log: ${LOG_LEVELS.join(', ')}` },
  { name: 'log-file', value: 'FILE', help: 'write the log there (mode 0600) instead of to stderr' },
];
const ALWAYS: Flag[] = [
  { name: 'help', short: 'h', help: 'show this text' },
  { name: 'version', help: 'show the version' },
];

const COMMON: Flag[] = [
  {
    name: 'server',
    value: 'URL',
    help: 'meet at a standing `beeline server` (ws://, wss://, http://, https://)',
  },
  {
    name: 'at',
    value: 'HOST:PORT',
    help: "the sender's own meeting point: it listens there, the receiver goes there",
  },
  { name: 'port', value: 'N', help: 'local port for connections; default any' },
  {
    name: 'lanes',
    value: 'N',
    help: `parallel connections, 1 to ${MAX_LANES}; default ${DEFAULT_LANES}, 2 with a page, and more where they help`,
  },
  {
    name: 'relay',
    value: 'WHEN',
    help: `lanes through a relay: ${RELAY.join(', ')}; default auto, while nothing direct carries`,
  },
  { name: 'no-port-map', help: 'do not ask the router to map a port (asked only with --server)' },
  { name: 'no-lan', help: 'neither announce nor look on the local network' },
  {
    name: 'code',
    value: 'CODE',
    help: 'the code, such as 7-crossover-clockwork; the sender may choose its own',
  },
  { name: 'psk-file', value: 'FILE', help: 'a shared secret of at least 16 bytes instead of a code' },
  { name: 'device', value: 'NAME', help: 'a trusted device instead of a code (see `beeline trust`)' },
  { name: 'limit', value: 'RATE', help: 'bytes a second at most, such as 800k, 10M or 1.5MiB' },
  {
    name: 'wait',
    value: 'TIME',
    help: 'how long to wait for a lost other side, as 10m or 2h; default 24h to send, 1h to receive',
  },
  { name: 'sha256', help: "show each file's plain SHA-256 at the end" },
  {
    name: 'receipt',
    value: 'FILE',
    help: 'where to write the receipt, even over a file; default a new file in the receipts folder',
  },
  { name: 'no-receipt', help: 'write no receipt' },
  {
    name: 'update',
    help: 'receive: replace what differs, and move only that; send: say that this is a refresh',
  },
  {
    name: 'to',
    value: 'DIR',
    help: 'where to put what is received; `-` for stdout; default the current folder',
  },
  { name: 'overwrite', value: 'HOW', help: `files that exist already: ${OVERWRITE.join(', ')}; default ask` },
  { name: 'yes', short: 'y', help: 'accept what is offered without asking' },
  JSON_FLAG,
  { ...QUIET, help: 'errors only, and a code that was not chosen' },
  ...LOGGING,
  { name: 'metrics-port', value: 'N', help: 'serve Prometheus metrics at 127.0.0.1:N/metrics' },
  CONFIG_DIR,
];

export const FLAGS: { readonly [C in Command]: readonly Flag[] } = {
  send: [
    { name: 'text', value: 'TEXT', help: 'send this text instead of files' },
    { name: 'name', value: 'FILE', help: 'file name for what comes from stdin; default stdin' },
    { name: 'qr', help: 'show the code, or the link to the page if there is one, as a QR code too' },
    {
      name: 'web',
      help: 'also serve the page from this process, for browsers on the local network',
    },
    {
      name: 'links',
      value: 'HOW',
      help: 'links in folders: keep (default), follow what they point to, or skip',
    },
    { name: 'skip-unreadable', help: 'name files that cannot be read or named, and send the rest' },
    ...COMMON,
    ...ALWAYS,
  ],
  receive: [
    {
      name: 'links',
      value: 'HOW',
      help: 'safe (default) leaves out links that lead elsewhere, all writes them, skip leaves out all',
    },
    ...COMMON,
    ...ALWAYS,
  ],
  server: [
    { name: 'port', value: 'N', help: 'port to listen on; default 4848' },
    { name: 'host', value: 'ADDRESS', help: 'address to listen on; default all' },
    {
      name: 'trust-proxy',
      help: 'take client addresses from X-Forwarded-For; only behind a proxy that sets it',
    },
    {
      name: 'tls-cert',
      value: 'FILE',
      help: 'speak TLS with this certificate (PEM, its whole chain); a new one is read by itself',
    },
    { name: 'tls-key', value: 'FILE', help: 'its private key (PEM, not encrypted)' },
    {
      name: 'allow-origin',
      value: 'URL',
      help: 'let pages of another site use this server, such as https://example.org; may be repeated',
    },
    { name: 'no-relay', help: 'carry no bytes for peers that find no path of their own' },
    { name: 'relay-limit', value: 'SIZE', help: 'relayed bytes of one meeting at most; default 256GiB' },
    { name: 'relay-rate', value: 'RATE', help: 'relayed bytes a second, all meetings together; default any' },
    {
      name: 'stun-port',
      value: 'N',
      help: 'second port for STUN (UDP and TCP); default the port after --port',
    },
    { name: 'no-stun', help: 'do not tell peers how their addresses look from outside' },
    {
      name: 'turn-url',
      value: 'URL',
      help: 'a TURN server to recommend, such as turn:HOST:3478; may be repeated',
    },
    {
      name: 'turn-secret-file',
      value: 'FILE',
      help: "the secret shared with it (coturn's static-auth-secret)",
    },
    {
      name: 'turn-secret',
      value: 'SECRET',
      help: 'the same, seen by `ps`; better BEELINE_TURN_SECRET or the file',
    },
    JSON_FLAG,
    QUIET,
    ...LOGGING,
    ...ALWAYS,
  ],
  trust: [JSON_FLAG, CONFIG_DIR, ...ALWAYS],
  resume: [{ name: 'yes', short: 'y', help: 'remove without asking' }, JSON_FLAG, ...ALWAYS],
  verify: [JSON_FLAG, { name: 'quiet', short: 'q', help: 'only what differs' }, ...ALWAYS],
  doctor: [
    {
      name: 'server',
      value: 'URL',
      help: 'look at the way to this `beeline server` too (ws://, wss://, http://, https://)',
    },
    { name: 'no-port-map', help: 'do not ask the router to map a port for a moment' },
    JSON_FLAG,
    ...ALWAYS,
  ],
};

/** Flags that only one side acts on; the other takes them, because scripts share one set, and says so. */
export const RECEIVER_ONLY = ['to', 'overwrite', 'yes'] as const;
