/** What the person asked for, from flags and environment, as the library's options. No I/O happens here. */

import { BeelineError } from '../base/errors.ts';
import { MAX_LANES, MAX_TEXT, MAX_WAIT } from '../base/limits.ts';
import type { CommonOptions, Overwrite } from '../node/api.ts';
import { type Parsed, parse, usage } from './args.ts';
import { LINKS_RECEIVED, LINKS_SENT, LOG_LEVELS, OVERWRITE, RECEIVER_ONLY, RELAY } from './flags.ts';
import { parseSize } from './size.ts';
import { duration, hostPort, integer, oneOf, serverUrl } from './values.ts';

export type LogLevel = (typeof LOG_LEVELS)[number];
export type Env = Readonly<Record<string, string | undefined>>;

/** How the command shows itself. */
export interface Face {
  json: boolean;
  quiet: boolean;
  logLevel?: LogLevel;
  logFile?: string;
}

interface TransferArgs {
  face: Face;
  common: CommonOptions;
  pskFile?: string;
  metricsPort?: number;
}

export interface SendArgs extends TransferArgs {
  paths: string[];
  text?: string;
  stdinName?: string;
  qr: boolean;
  /** Serve the page for browsers from this process too. */
  web: boolean;
  update: boolean;
  skipUnreadable: boolean;
  links: (typeof LINKS_SENT)[number];
  /** Flags given that only a receiver acts on. */
  ignored: string[];
}

export interface ReceiveArgs extends TransferArgs {
  to: string;
  overwrite: Overwrite;
  links: (typeof LINKS_RECEIVED)[number];
  yes: boolean;
}

export interface ServerArgs {
  face: Face;
  port: number;
  host?: string;
  trustProxy: boolean;
  /** Files. */
  tls?: { cert: string; key: string };
  allowOrigins?: string[];
  relay: boolean;
  /** Bytes of one meeting. */
  relayLimit?: number;
  /** Bytes a second, all meetings together. */
  relayRate?: number;
  stun: boolean;
  stunPort?: number;
  turn?: TurnArgs;
}

/** A secret, or the file that it is in. */
export interface TurnArgs {
  urls: string[];
  secret?: string;
  secretFile?: string;
}

const PORT_MAX = 65_535;

/** @throws BeelineError USAGE */
export function sendArgs(argv: readonly string[], env: Env): SendArgs {
  const parsed = parse('send', argv);
  const { strings, switches, positionals: paths } = parsed;
  const text = strings.get('text');
  if (text !== undefined && paths.length > 0) throw usage('send', 'Give either paths or --text, not both.');
  if (text === undefined && paths.length === 0)
    throw usage('send', 'What shall be sent? Give files or folders, `-` for stdin, or --text "...".');
  if (paths.includes('-') && paths.length > 1)
    throw usage('send', '`-` (stdin) goes alone: send other files with another command.');
  if (paths.includes('')) throw usage('send', 'A path is empty; is a shell variable unset?');
  if (strings.has('name') && !paths.includes('-'))
    throw usage('send', '--name is for `-` (stdin); other files keep their names.');
  if (text !== undefined && Buffer.byteLength(text) > MAX_TEXT)
    throw usage('send', `--text takes at most ${MAX_TEXT} bytes; put it into a file.`);
  const web = switches.has('web');
  const other = ['server', 'psk-file', 'device'].find((name) => strings.has(name));
  if (web && other === 'server')
    throw usage('send', '--web serves the page from here, and --server has one of its own; choose one.');
  if (web && other !== undefined)
    throw usage('send', `--web is for browsers, which need a code; --${other} is for commands. Choose one.`);
  return {
    // As --at does, --web says where to meet.
    ...transferArgs('send', parsed, web ? { ...env, BEELINE_SERVER: undefined } : env, strings.get('code')),
    paths,
    text,
    stdinName: strings.get('name'),
    qr: switches.has('qr'),
    web,
    update: switches.has('update'),
    skipUnreadable: switches.has('skip-unreadable'),
    links: oneOf('links', strings.get('links') ?? 'keep', LINKS_SENT),
    ignored: RECEIVER_ONLY.filter((name) => strings.has(name) || switches.has(name)),
  };
}

/** @throws BeelineError USAGE */
export function receiveArgs(argv: readonly string[], env: Env): ReceiveArgs {
  const parsed = parse('receive', argv);
  const { strings, switches, positionals } = parsed;
  const argument = codeArgument(positionals);
  if (argument !== undefined && strings.has('code'))
    throw usage('receive', 'The code was given twice: as an argument and by --code.');
  const code = argument ?? strings.get('code');
  if (code === '') throw usage('receive', 'The code is empty.');
  const args = transferArgs('receive', parsed, env, code);
  const to = strings.get('to') ?? '.';
  if (to === '-' && args.face.json) throw usage('receive', '--to - and --json both want stdout; choose one.');
  return {
    ...args,
    to,
    overwrite: overwrite(parsed),
    links: oneOf('links', strings.get('links') ?? 'safe', LINKS_RECEIVED),
    yes: switches.has('yes'),
  };
}

/** A code whose words a shell took apart, or the whole command as the sender shows it, is one argument all the same. */
function codeArgument(positionals: readonly string[]): string | undefined {
  if (positionals.length < 2) return positionals[0];
  const command = positionals[0] === 'beeline' && positionals[1] === 'receive';
  const words = command ? positionals.slice(2) : positionals;
  // A word more is no part of the code but a folder, say: trying it with the code would burn that.
  if (words.length === 1 || (words.length === 3 && words.every((word) => /^[\p{L}\d]+[.,]?$/u.test(word))))
    return words.join(' ');
  throw usage(
    'receive',
    'Give one code, its words joined by hyphens: 7-crossover-clockwork. The folder comes after --to.',
  );
}

function overwrite({ strings, switches }: Parsed): Overwrite {
  const how = strings.get('overwrite');
  const chosen = how === undefined ? undefined : oneOf('overwrite', how, OVERWRITE);
  if (!switches.has('update')) return chosen ?? 'ask';
  if (chosen !== undefined && chosen !== 'update')
    throw usage('receive', `--update and --overwrite ${chosen} contradict each other; choose one.`);
  return 'update';
}

/** @throws BeelineError USAGE */
export function serverArgs(argv: readonly string[], env: Env = {}): ServerArgs {
  const parsed = parse('server', argv);
  const { strings, switches } = parsed;
  if (parsed.positionals.length > 0) throw usage('server', 'It takes flags only.');
  const exclude = (no: string, ...others: string[]) => {
    for (const other of others)
      if (switches.has(no) && strings.has(other))
        throw usage('server', `--${no} and --${other} contradict each other; choose one.`);
  };
  exclude('no-relay', 'relay-limit', 'relay-rate');
  exclude('no-stun', 'stun-port');
  const [cert, key] = [strings.get('tls-cert'), strings.get('tls-key')];
  if ((cert === undefined) !== (key === undefined))
    throw usage('server', 'TLS needs both: --tls-cert and --tls-key.');
  const size = (name: string) => {
    const value = strings.get(name);
    return value === undefined ? undefined : parseSize(name, value);
  };
  const stunPort = strings.get('stun-port');
  return {
    face: face(parsed),
    port: integer('port', strings.get('port') ?? '4848', 0, PORT_MAX),
    host: strings.get('host'),
    trustProxy: switches.has('trust-proxy'),
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    allowOrigins: parsed.all.get('allow-origin'),
    relay: !switches.has('no-relay'),
    relayLimit: size('relay-limit'),
    relayRate: size('relay-rate'),
    stun: !switches.has('no-stun'),
    stunPort: stunPort === undefined ? undefined : integer('stun-port', stunPort, 0, PORT_MAX),
    turn: turnArgs(parsed, env),
  };
}

function turnArgs({ strings, all }: Parsed, env: Env): TurnArgs | undefined {
  const urls = all.get('turn-url');
  const [secret, secretFile] = [strings.get('turn-secret'), strings.get('turn-secret-file')];
  if (secret !== undefined && secretFile !== undefined)
    throw usage('server', '--turn-secret and --turn-secret-file are one secret; choose one.');
  const given = secret ?? secretFile;
  if (!urls && given !== undefined)
    throw usage('server', 'A TURN secret needs --turn-url: which server is it for?');
  if (!urls) return undefined;
  const fromEnv = given === undefined ? env.BEELINE_TURN_SECRET || undefined : undefined;
  if (given === undefined && fromEnv === undefined)
    throw usage('server', '--turn-url needs --turn-secret-file, BEELINE_TURN_SECRET or --turn-secret.');
  return { urls, secret: secret ?? fromEnv, secretFile };
}

export interface DoctorArgs {
  json: boolean;
  server?: string;
  portMap: boolean;
}

/** @throws BeelineError USAGE */
export function doctorArgs(argv: readonly string[], env: Env): DoctorArgs {
  const { positionals, strings, switches } = parse('doctor', argv);
  if (positionals.length > 0) throw usage('doctor', 'It takes flags only.');
  const server = strings.get('server') ?? (env.BEELINE_SERVER || undefined);
  return {
    json: switches.has('json'),
    server: server === undefined ? undefined : checkedServer(strings.has('server'), server),
    portMap: !switches.has('no-port-map'),
  };
}

export function face({ strings, switches }: Parsed): Face {
  const level = strings.get('log-level');
  return {
    json: switches.has('json'),
    quiet: switches.has('quiet'),
    logLevel: level === undefined ? undefined : oneOf('log-level', level, LOG_LEVELS),
    logFile: strings.get('log-file'),
  };
}

function transferArgs(
  command: 'send' | 'receive',
  parsed: Parsed,
  env: Env,
  code: string | undefined,
): TransferArgs {
  const { strings, switches } = parsed;
  const keys = [
    code === undefined ? '' : 'a code',
    ...['psk-file', 'device'].map((n) => (strings.has(n) ? `--${n}` : '')),
  ];
  const given = keys.filter((key) => key !== '');
  if (given.length > 1) throw usage(command, `Choose one of ${given.join(' and ')}.`);
  if (strings.has('server') && strings.has('at'))
    throw usage(command, '--server and --at are two places to meet; choose one.');
  if (strings.has('receipt') && switches.has('no-receipt'))
    throw usage(command, '--receipt and --no-receipt contradict each other; choose one.');

  const number = (name: string, least: number, most: number): number | undefined => {
    const value = strings.get(name);
    return value === undefined ? undefined : integer(name, value, least, most);
  };
  const at = strings.get('at');
  // A flag beats the environment, also where it is another flag for the same purpose.
  const server = strings.get('server') ?? (at === undefined ? env.BEELINE_SERVER || undefined : undefined);
  if (strings.get('relay') === 'only' && server === undefined)
    throw usage(command, '--relay only needs a server that relays: --server URL.');
  const limit = strings.get('limit');
  const wait = strings.get('wait');
  return {
    face: face(parsed),
    pskFile: strings.get('psk-file'),
    metricsPort: number('metrics-port', 0, PORT_MAX),
    common: {
      server: server === undefined ? undefined : checkedServer(strings.has('server'), server),
      // Port 0 means "any" to one who listens and nothing to one who dials.
      at: at === undefined ? undefined : hostPort('at', at, command === 'send' ? 0 : 1),
      code: code ?? (given.length === 0 ? env.BEELINE_CODE || undefined : undefined),
      device: strings.get('device'),
      configDir: strings.get('config-dir') ?? (env.BEELINE_CONFIG_DIR || undefined),
      port: number('port', 0, PORT_MAX),
      lanes: number('lanes', 1, MAX_LANES),
      lan: !switches.has('no-lan'),
      relay: oneOf('relay', strings.get('relay') ?? 'auto', RELAY),
      portMap: !switches.has('no-port-map'),
      limit: limit === undefined ? undefined : parseSize('limit', limit),
      wait: wait === undefined ? undefined : duration('wait', wait, MAX_WAIT),
      sha256: switches.has('sha256'),
      receipt: strings.get('receipt') ?? !switches.has('no-receipt'),
    },
  };
}

function checkedServer(byFlag: boolean, url: string): string {
  if (byFlag) return serverUrl('server', url);
  try {
    return serverUrl('server', url);
  } catch (cause) {
    throw new BeelineError('USAGE', 'BEELINE_SERVER is not a URL such as wss://beeline.example.org.', {
      cause,
    });
  }
}
