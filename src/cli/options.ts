/** What the person asked for, from flags and environment, as the library's options. No I/O happens here. */

import { MAX_TEXT } from '../base/limits.ts';
import { escapeName } from '../base/printable.ts';
import type { CommonOptions, DownloadOptions, ReceiveOptions, Remote, SendOptions } from '../node/api.ts';
import type { ListenOptions } from '../node/inbox.ts';
import type { ServeOptions } from '../node/serve.ts';
import type { WebPortOptions } from '../node/serving/web-port.ts';
import type { CertificateFiles, ServerOptions } from '../server/index.ts';
import { parse, usage } from './args.ts';
import { type Command, type FlagValues, RECEIVER_ONLY, WEB_PORT } from './flags.ts';
import { formatBytes } from './format.ts';
import { hostPort, isFileUrl, serverUrl } from './values.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** How the command shows itself. */
export interface Face {
  json: boolean;
  quiet: boolean;
  logLevel?: FlagValues<'server'>['log-level'];
  logFile?: string;
}

interface TransferArgs<O extends CommonOptions> {
  face: Face;
  /** The library's, without what is still to be read or asked for. */
  options: O;
  pskFile?: string;
  metricsPort?: number;
  /** Everything goes through it. */
  proxy?: string;
}

export interface SendArgs extends TransferArgs<SendOptions> {
  what: readonly string[] | { text: string };
  /** Among the paths is `-`. */
  stdin: boolean;
  qr: boolean;
  /** A code of the person's own may look mistyped. */
  asTyped: boolean;
  /** Only show what would be sent. */
  dryRun: boolean;
  /** How many are to receive it; absent: one. */
  several?: number | 'any';
  /** If this device is not there, the paths go into the outbox. */
  later?: string;
  /** Flags given that only a receiver acts on. */
  ignored: string[];
}

export type ReceiveArgs = TransferArgs<
  Omit<ReceiveOptions, 'accept'> & Required<Pick<ReceiveOptions, 'to' | 'overwrite'>>
> & {
  yes: boolean;
  /** A code that looks mistyped is tried. */
  asTyped: boolean;
  /** The folder is shown on the desktop at the end. */
  open: boolean;
  /** --server or --at was typed. */
  placed: boolean;
  /** What to receive in turn, if it is more than one. */
  several?: readonly Pick<ReceiveOptions, 'code' | 'device'>[];
};

export interface DownloadArgs {
  face: Face;
  proxy?: string;
  metricsPort?: number;
  open: boolean;
  what: Remote[];
  options: DownloadOptions & Required<Pick<DownloadOptions, 'to' | 'overwrite'>>;
}

export interface ServeArgs {
  paths: readonly string[];
  /** The library's, without the password. */
  options: Omit<ServeOptions, 'access'>;
  access: 'link' | 'public' | PasswordArgs;
  face: Face;
  qr: boolean;
  metricsPort?: number;
}

/** A password, the file that it is in, or neither: it is asked for. */
export interface PasswordArgs {
  password?: string;
  passwordFile?: string;
}

export interface ServerArgs
  extends Pick<ServerOptions, 'port' | 'host' | 'trustProxy' | 'tls' | 'allowOrigins' | 'relay'>,
    Pick<ServerOptions, 'stun' | 'stunPort' | 'status' | 'publicUrl' | 'near'> {
  face: Face;
  /** Bytes of one meeting. */
  relayLimit?: number;
  /** Bytes a second, all meetings together. */
  relayRate?: number;
  turn?: TurnArgs;
  /** `HOST:PORT`. */
  metrics?: string;
  /** Only check. */
  check: boolean;
  /** Seconds for relayed connections at the end. */
  drain: number;
  redis?: RedisArgs;
}

/** The URL, or the file that it is in. */
export interface RedisArgs {
  url?: string;
  urlFile?: string;
}

/** Seconds: a lane that finds a direct path, or a last chunk, is over by then. */
const DRAIN_S = 30;

/** A secret, or the file that it is in. */
export interface TurnArgs {
  urls: string[];
  secret?: string;
  secretFile?: string;
}

/** With --no-server, no server of a setting or of the environment either. @throws BeelineError USAGE */
function parseIn<C extends Command>(
  command: C,
  argv: readonly string[],
  given: Env,
): { flags: FlagValues<C>; positionals: string[]; env: Env } {
  const { undone, ...parsed } = parse(command, argv);
  return { ...parsed, env: undone.has('server') ? { ...given, BEELINE_SERVER: undefined } : given };
}

/** @throws BeelineError USAGE if both flags of a pair were given */
function refuseBoth(command: Command, flags: object, ...pairs: [one: string, other: string, why?: string][]) {
  for (const [one, other, why = 'contradict each other'] of pairs)
    if (one in flags && other in flags) throw usage(command, `--${one} and --${other} ${why}; choose one.`);
}

/** @throws BeelineError USAGE */
export function sendArgs(argv: readonly string[], given: Env): SendArgs {
  const { flags, positionals: paths, env } = parseIn('send', argv, given);
  const { text, web = false } = flags;
  if (text !== undefined && paths.length > 0) throw usage('send', 'Give either paths or --text, not both.');
  if (text === undefined && paths.length === 0)
    throw usage('send', 'What shall be sent? Give files or folders, `-` for stdin, or --text "...".');
  if (paths.includes('-') && paths.length > 1)
    throw usage('send', '`-` (stdin) goes alone: send other files with another command.');
  if (paths.includes('')) throw usage('send', 'A path is empty; is a shell variable unset?');
  if (flags.name !== undefined && !paths.includes('-') && !flags.zip)
    throw usage('send', '--name is for `-` (stdin) and --zip; other files keep their names.');
  if (flags.zip) checkZip(flags, text === undefined && !paths.includes('-'));
  if (text !== undefined && Buffer.byteLength(text) > MAX_TEXT)
    throw usage('send', `--text takes at most ${formatBytes(MAX_TEXT)}; put it into a file.`);
  if (flags.receivers === 'any' && paths.includes('-'))
    throw usage(
      'send',
      '`-` (stdin) needs to know how many receive it: --receivers N. It begins when all are there.',
    );
  const needsCode = 'exclude each other, because browsers need a code';
  refuseBoth(
    'send',
    flags,
    ['web', 'server', 'are two pages, because a server has one of its own'],
    ['web', 'psk-file', needsCode],
    ['web', 'device', needsCode],
    ['http', 'later', 'exclude each other, because a link ends with this command'],
    ['trust', 'device', 'exclude each other, because that device is trusted already'],
    ['trust', 'psk-file', 'exclude each other: the other side has to come with a code'],
    ['receivers', 'device', 'both say who receives: repeat --device for several'],
  );
  if (flags.http && (text !== undefined || paths.includes('-')))
    throw usage('send', '--http is for files: a link needs something that can be read again.');
  const filter = (['exclude', 'include', 'gitignore', 'dry-run'] as const).find((name) => name in flags);
  if (filter && (text !== undefined || paths.includes('-')))
    throw usage('send', `--${filter} is for files and folders.`);
  if (flags.later && (flags.device?.length !== 1 || text !== undefined || paths.includes('-')))
    throw usage('send', '--later is for files and one --device: what it keeps are paths.');
  return {
    // --web says where to meet, as --at does.
    ...transferArgs('send', flags, web ? { ...env, BEELINE_SERVER: undefined } : env, flags.code, {
      onUnreadable: flags['skip-unreadable'] ? 'skip' : 'fail',
      links: flags.links,
      exclude: flags.exclude,
      include: flags.include,
      gitignore: flags.gitignore ?? false,
      ...(flags.zip && { zip: true }),
      stdinName: flags.name,
      update: flags.update ?? false,
      web,
      http: flags.http ?? false,
      device: flags.device,
      trust: flags.trust,
      receivers: flags.receivers,
      until: flags.until,
      swarm: !flags['no-swarm'],
    }),
    what: text === undefined ? paths : { text },
    stdin: paths.includes('-'),
    qr: flags.qr ?? false,
    asTyped: flags['as-typed'] ?? false,
    dryRun: flags['dry-run'] ?? false,
    several: severalOf(flags),
    ...(flags.later && { later: flags.device![0] }),
    ignored: RECEIVER_ONLY.filter((name) => name in flags),
  };
}

/** @throws BeelineError USAGE */
function checkZip(flags: FlagValues<'send'>, files: boolean): void {
  if (!files) throw usage('send', '--zip is for files and folders.');
  if (flags.links === 'keep')
    throw usage('send', '--zip leaves links out: --links follow sends what they point to.');
  if (flags.receivers === 'any')
    throw usage(
      'send',
      '--zip needs to know how many receive it: --receivers N. It begins when all are there.',
    );
  refuseBoth(
    'send',
    flags,
    ['zip', 'http', 'exclude each other: what the link gives can be had as a ZIP anyway'],
    ['zip', 'later', 'exclude each other: what is in the outbox has to be able to go on'],
    ['zip', 'update', 'exclude each other: an archive is always sent whole'],
  );
}

function severalOf({ receivers, device }: FlagValues<'send'>): number | 'any' | undefined {
  const wanted = receivers ?? new Set(device).size;
  return wanted === 'any' || wanted > 1 ? wanted : undefined;
}

/** @throws BeelineError USAGE */
export function receiveArgs(argv: readonly string[], given: Env): ReceiveArgs {
  const { flags, positionals, env } = parseIn('receive', argv, given);
  const { update, overwrite, links, yes = false } = flags;
  const { to, within } = destinationOf(flags.to);
  const codes = codeArguments(positionals);
  const { device: devices = [] } = flags;
  const several = [...codes.map((code) => ({ code })), ...devices.map((device) => ({ device }))];
  const argument = codes[0];
  if (argument !== undefined && flags.code !== undefined)
    throw usage('receive', 'The code was given twice: as an argument and by --code.');
  if (argument === '') throw usage('receive', 'The code is empty.');
  if (to === '-' && flags.json) throw usage('receive', '--to - and --json both want stdout; choose one.');
  if (update && overwrite !== undefined && overwrite !== 'update')
    throw usage('receive', `--update and --overwrite ${overwrite} contradict each other; choose one.`);
  if (several.length > 1) checkSeveral(several, flags);
  const own = {
    ...(within !== undefined && { within }),
    ...{
      to,
      overwrite: update ? 'update' : (overwrite ?? 'ask'),
      links,
      device: devices[0],
      trust: flags.trust,
    },
    list: flags.list ?? false,
    share: !flags['no-share'],
  } as const;
  return {
    ...transferArgs('receive', flags, env, argument ?? flags.code, own),
    yes,
    asTyped: flags['as-typed'] ?? false,
    open: opens(flags),
    placed: 'server' in flags || 'at' in flags,
    ...(several.length > 1 && { several }),
  };
}

/** @throws BeelineError USAGE for what has room for one offer only */
function checkSeveral(several: NonNullable<ReceiveArgs['several']>, flags: FlagValues<'receive'>): void {
  if (flags.to === '-') throw usage('receive', '--to - takes one offer.');
  const alone = (['receipt', 'trust', 'psk-file'] as const).find(
    // `--receipt auto` is a new file for each.
    (name) => flags[name] !== undefined && flags[name] !== true,
  );
  if (alone) throw usage('receive', `--${alone} is for one offer, and there are ${several.length}.`);
}

/** @throws BeelineError USAGE */
function opens({ open, to }: FlagValues<'receive'>): boolean {
  if (open && to === '-') throw usage('receive', '--open shows a folder, and --to - has none.');
  return open ?? false;
}

/** A folder as it is typed: from the first part with a placeholder on, it is the library's `within`. */
export function destinationOf(
  typed = '.',
  windows = process.platform === 'win32',
): { to: string; within?: string } {
  const placeholder = typed.replaceAll('{{', '  ').indexOf('{');
  if (placeholder < 0) return { to: singleBraces(typed) };
  const path = windows ? typed.replaceAll('\\', '/') : typed;
  const cut = path.lastIndexOf('/', placeholder);
  const to = singleBraces(path.slice(0, cut + 1));
  return { to: to === '' ? '.' : to, within: path.slice(cut + 1) };
}

/** A brace that means itself was doubled. */
const singleBraces = (text: string): string => text.replaceAll(/\{\{|\}\}/g, (brace) => brace[0]!);

/** With these somebody sends: a server of files does not. */
const OF_A_SENDER = [
  ...[
    'as-typed',
    'at',
    'code',
    'device',
    'links',
    'no-lan',
    'no-dht',
    'dht-bootstrap',
    'no-port-map',
    'no-share',
    'port',
    'psk-file',
    'quic',
    'relay',
    'server',
    'threads',
    'trust',
  ],
] as const;
const OF_URLS = ['mirror', 'expect', 'name', 'allow-private'] as const;

/**
 * For `beeline receive URL...`; undefined where it is about a code. A link to a page, which has a code behind its #, is one.
 * @throws BeelineError USAGE
 */
export function downloadArgs(argv: readonly string[], env: Env): DownloadArgs | undefined {
  const { flags, positionals: urls } = parse('receive', argv);
  if (!urls.some(isFileUrl)) {
    const found = OF_URLS.find((name) => name in flags);
    if (found) throw usage('receive', `--${found} is for a URL: beeline receive https://example.org/file.`);
    return undefined;
  }
  if (!urls.every(isFileUrl)) throw usage('receive', 'Give either a code or URLs, not both.');
  const wrong = OF_A_SENDER.find((name) => name in flags);
  if (wrong) throw usage('receive', `--${wrong} is for a code, and not for a URL.`);
  const { update, overwrite, mirror, expect = [], name } = flags;
  const { to, within } = destinationOf(flags.to);
  if (to === '-' && flags.json) throw usage('receive', '--to - and --json both want stdout; choose one.');
  if (to === '-' && urls.length > 1) throw usage('receive', '--to - takes one URL.');
  if (update && overwrite !== undefined && overwrite !== 'update')
    throw usage('receive', `--update and --overwrite ${overwrite} contradict each other; choose one.`);
  refuseBoth('receive', flags, ['receipt', 'no-receipt']);
  for (const alone of ['mirror', 'name'] as const)
    if (alone in flags && urls.length > 1) throw usage('receive', `--${alone} goes with one URL.`);
  if (expect.length > 0 && expect.length !== urls.length)
    throw usage('receive', 'Give --expect once for each URL, in their order, or not at all.');
  return {
    face: faceOf(flags),
    ...(flags.proxy !== undefined && { proxy: flags.proxy }),
    metricsPort: flags['metrics-port'],
    open: opens(flags),
    what: urls.map((url, index) => ({
      url,
      ...(mirror && { mirrors: mirror }),
      ...(expect[index] !== undefined && { sha256: expect[index] }),
      ...(name !== undefined && { name }),
    })),
    options: {
      ...(within !== undefined && { within }),
      ...{ to, overwrite: update ? 'update' : (overwrite ?? 'ask'), configDir: configDir(flags, env) },
      ...{ lanes: flags.lanes, limit: flags.limit, wait: flags.wait, sha256: flags.sha256 ?? false },
      list: flags.list ?? false,
      receipt: flags.receipt ?? !flags['no-receipt'],
      allowPrivate: flags['allow-private'] ?? false,
    },
  };
}

/** A code of which nothing is missing, alone or behind the # of a link. */
const WHOLE_CODE = /^(?:[^\s#]*#)?\d{1,32}(?:[\p{Pd}\u2212][\p{L}\d]+){2,16}[.,]?$/u;

/** The codes. One may be in parts, which a shell has split, or stand in the whole command that the sender shows. */
function codeArguments(positionals: readonly string[]): readonly string[] {
  const other = positionals.find((word) => /^(?!wss?:)[a-z][a-z\d+.-]*:\/\/[^#]*$/i.test(word));
  if (other !== undefined)
    throw usage(
      'receive',
      `${escapeName(other.split('//', 1)[0]!)}// cannot be fetched: http:// and https:// can.`,
    );
  if (positionals.length < 2) return positionals;
  const command = positionals[0] === 'beeline' && positionals[1] === 'receive';
  const words = command ? positionals.slice(2) : positionals;
  // One word more is no part of the code, but perhaps a folder. To try it as a part would burn the code.
  if (words.length === 1 || (words.length === 3 && words.every((word) => /^[\p{L}\d]+[.,]?$/u.test(word))))
    return [words.join(' ')];
  if (words.length > 1 && words.every((word) => WHOLE_CODE.test(word))) return words;
  throw usage(
    'receive',
    'Give a code, or several, the words of each joined by hyphens: 7-velvet-canyon. The folder comes after --to.',
  );
}

export interface ListenArgs {
  face: Face;
  /** Everything goes through it. */
  proxy?: string;
  metricsPort?: number;
  options: Omit<ListenOptions, 'ask'>;
  /** Who may upload; absent: nobody. */
  access?: ServeArgs['access'];
}

/** Those of `listen` that mean nothing without `--http`. */
const FOR_HTTP = [...WEB_PORT, 'new-link', 'max-size', 'quota'] as const;

/** @throws BeelineError USAGE */
export function listenArgs(argv: readonly string[], given: Env): ListenArgs {
  const { flags, positionals, env } = parseIn('listen', argv, given);
  if (positionals.length > 0)
    throw usage('listen', 'It takes flags only. The folder comes after --to, and there is no code.');
  if (flags.to === '-') throw usage('listen', 'What arrives needs a folder: --to DIR.');
  const { relay = 'auto', server = serverFrom(env) } = flags;
  const idle = FOR_HTTP.find((name) => flags[name] !== undefined);
  if (!flags.http && idle) throw usage('listen', `--${idle} is for uploads over HTTP: add --http.`);
  const { proxy } = flags;
  if (proxy !== undefined) checkProxied('listen', flags);
  checkRelayed('listen', { proxy, relay }, server);
  const folder = destinationOf(flags.to);
  if (flags.http && folder.within !== undefined)
    throw usage(
      'listen',
      '--http has one folder for all uploads, so --to takes no {placeholders} with it. Run two of them, or write {{ for a brace.',
    );
  return {
    face: faceOf(flags),
    ...(proxy !== undefined && { proxy }),
    ...(flags.http && { access: accessOf(flags, env.BEELINE_LISTEN_PASSWORD) }),
    metricsPort: flags['metrics-port'],
    options: {
      ...folder,
      once: flags.once ?? false,
      outbox: !flags['no-outbox'] && !flags.once,
      overwrite: flags.overwrite,
      links: flags.links,
      list: flags.list ?? false,
      server,
      relay,
      ...networkOf(flags, env),
      receipt: !flags['no-receipt'],
      ...(flags.http && {
        http: {
          ...webPortOf('listen', flags),
          newLink: flags['new-link'] ?? false,
          maxSize: flags['max-size'],
          quota: flags.quota,
        },
      }),
    },
  };
}

/** @throws BeelineError USAGE */
export function serveArgs(argv: readonly string[], env: Env = {}): ServeArgs {
  const { flags, positionals: paths } = parse('serve', argv);
  if (paths.length === 0)
    throw usage(
      'serve',
      'What shall be served? Give files or folders. (`beeline server` is where senders and receivers meet.)',
    );
  if (paths.includes('')) throw usage('serve', 'A path is empty; is a shell variable unset?');
  return {
    paths,
    access: accessOf(flags, env.BEELINE_SERVE_PASSWORD),
    options: {
      ...webPortOf('serve', flags),
      keepLink: flags['keep-link'] ?? false,
      hidden: flags.hidden ?? false,
      expires: flags.expires,
      downloads: flags.downloads,
      limit: flags.limit,
      configDir: configDir(flags, env),
    },
    face: faceOf(flags),
    qr: flags.qr ?? false,
    metricsPort: flags['metrics-port'],
  };
}

type WebFlags = FlagValues<'serve'> | FlagValues<'listen'>;

/** @param kept a password of the environment */
function accessOf(flags: WebFlags, kept: string | undefined): ServeArgs['access'] {
  const passwordFile = flags['password-file'];
  if (flags.public) return 'public';
  if (passwordFile !== undefined) return { passwordFile };
  const password = kept || undefined;
  return flags.password || password !== undefined ? { password } : 'link';
}

function webPortOf(command: 'serve' | 'listen', flags: WebFlags): WebPortOptions & { hostNames?: string[] } {
  refuseBoth(
    command,
    flags,
    ['public', 'password'],
    ['public', 'password-file'],
    ['password', 'password-file', 'are one password'],
    ['tls', 'tls-cert', 'are two certificates'],
  );
  const files = certificateFiles(command, flags);
  return {
    port: flags.port,
    host: flags.host,
    hostNames: flags['host-name'],
    tls: flags.tls ? 'self-signed' : files,
    trustProxy: flags['trust-proxy'] ?? false,
  };
}

function certificateFiles(
  command: 'serve' | 'server' | 'listen',
  { 'tls-cert': cert, 'tls-key': key }: { 'tls-cert'?: string; 'tls-key'?: string },
): CertificateFiles | undefined {
  if ((cert === undefined) !== (key === undefined))
    throw usage(command, 'TLS needs both: --tls-cert and --tls-key.');
  return cert !== undefined && key !== undefined ? { cert, key } : undefined;
}

/** @param file what a configuration file says; what is typed wins @throws BeelineError USAGE */
export function serverArgs(
  argv: readonly string[],
  env: Env = {},
  file: FlagValues<'server'> = {},
): ServerArgs {
  const { flags: typed, positionals, undone } = parse('server', argv);
  const kept = Object.entries(file).filter(([name]) => !undone.has(name));
  const flags: FlagValues<'server'> = { ...Object.fromEntries(kept), ...typed };
  if (positionals.length > 0) throw usage('server', 'It takes flags only.');
  refuseBoth(
    'server',
    flags,
    ['no-relay', 'relay-limit'],
    ['no-relay', 'relay-rate'],
    ['no-stun', 'stun-port'],
  );
  return {
    face: faceOf(flags),
    port: flags.port ?? 4848,
    host: flags.host,
    trustProxy: flags['trust-proxy'] ?? false,
    tls: certificateFiles('server', flags),
    allowOrigins: flags['allow-origin'],
    near: flags.near ?? 'auto',
    relay: !flags['no-relay'],
    relayLimit: flags['relay-limit'],
    relayRate: flags['relay-rate'],
    stun: !flags['no-stun'],
    stunPort: flags['stun-port'],
    turn: turnArgs(flags, env),
    check: flags.check ?? false,
    drain: flags.drain ?? DRAIN_S,
    metrics: flags.metrics,
    status: flags.status ?? false,
    redis: redisArgs(flags, env),
    publicUrl: flags['public-url'],
  };
}

function redisArgs(flags: FlagValues<'server'>, env: Env): RedisArgs | undefined {
  refuseBoth('server', flags, ['redis', 'redis-url-file', 'are one URL']);
  const { redis, 'redis-url-file': urlFile, 'public-url': publicUrl, 'no-relay': noRelay = false } = flags;
  const url = redis ?? (urlFile === undefined ? env.BEELINE_REDIS_URL || undefined : undefined);
  if (url === undefined && urlFile === undefined) {
    if (publicUrl !== undefined) throw usage('server', '--public-url is for several instances: --redis URL.');
    return undefined;
  }
  if (!noRelay && publicUrl === undefined)
    throw usage(
      'server',
      '--redis needs --public-url, where clients reach this instance alone, or --no-relay.',
    );
  return { url, urlFile };
}

function turnArgs(flags: FlagValues<'server'>, env: Env): TurnArgs | undefined {
  refuseBoth('server', flags, ['turn-secret', 'turn-secret-file', 'are one secret']);
  const { 'turn-url': urls, 'turn-secret': secret, 'turn-secret-file': secretFile } = flags;
  const given = secret ?? secretFile;
  if (!urls && given !== undefined)
    throw usage('server', 'A TURN secret needs --turn-url: which server is it for?');
  if (!urls) return undefined;
  const fromEnv = given === undefined ? env.BEELINE_TURN_SECRET || undefined : undefined;
  if (given === undefined && fromEnv === undefined)
    throw usage('server', '--turn-url needs --turn-secret-file, BEELINE_TURN_SECRET or --turn-secret.');
  return { urls, secret: secret ?? fromEnv, secretFile };
}

/** @throws BeelineError USAGE */
export function doctorArgs(argv: readonly string[], given: Env) {
  const { flags, positionals, env } = parseIn('doctor', argv, given);
  if (positionals.length > 0) throw usage('doctor', 'It takes flags only.');
  const { json = false, server = serverFrom(env), 'no-port-map': noPortMap = false, proxy } = flags;
  if (proxy !== undefined && server === undefined)
    throw usage('doctor', '--proxy is for the way to a server: --server URL.');
  const looked = { json, server, portMap: !noPortMap, dht: dhtOf(flags, env) };
  return { ...looked, ...(proxy !== undefined && { proxy }) };
}

function faceOf(flags: FlagValues<'send' | 'receive' | 'listen' | 'serve' | 'server'>): Face {
  const { json = false, quiet = false } = flags;
  return { json, quiet, logLevel: flags['log-level'], logFile: flags['log-file'] };
}

function transferArgs<O>(
  command: 'send' | 'receive',
  flags: FlagValues<'send' | 'receive'>,
  env: Env,
  code: string | undefined,
  own: O,
): TransferArgs<CommonOptions & O> {
  const keys = [
    ...(code === undefined ? [] : ['a code']),
    ...['psk-file', 'device'].filter((name) => name in flags).map((name) => `--${name}`),
  ];
  if (keys.length > 1) throw usage(command, `Choose one of ${keys.join(' and ')}.`);
  refuseBoth(command, flags, ['server', 'at', 'are two places to meet'], ['receipt', 'no-receipt']);
  const { at, relay = 'auto' } = flags;
  // A flag beats the environment, also where it is another flag for the same purpose.
  const server = flags.server ?? (at === undefined ? serverFrom(env) : undefined);
  const { proxy } = flags;
  if (proxy !== undefined) checkProxied(command, flags);
  // A receiver's may stand in a link that is still to be read.
  if (command === 'send') checkRelayed(command, { proxy, relay }, server);
  return {
    face: faceOf(flags),
    ...(proxy !== undefined && { proxy }),
    pskFile: flags['psk-file'],
    metricsPort: flags['metrics-port'],
    options: {
      ...own,
      server,
      at,
      code: code ?? (keys.length === 0 ? env.BEELINE_CODE || undefined : undefined),
      port: flags.port,
      relay,
      wait: flags.wait,
      dht: dhtOf(flags, env),
      ...networkOf(flags, env),
      receipt: flags.receipt ?? !flags['no-receipt'],
    },
  };
}

/** @param named what should name a server, if there is something @throws BeelineError USAGE */
export function checkRelayed(
  command: 'send' | 'receive' | 'listen',
  { proxy, relay }: { proxy?: string | undefined; relay?: string | undefined },
  server: string | undefined,
  named?: string,
): void {
  const needs = proxy !== undefined ? '--proxy' : relay === 'only' ? '--relay only' : undefined;
  if (needs === undefined || server !== undefined) return;
  const which = named === undefined ? '' : `, and ${named} names none`;
  throw usage(command, `${needs} needs a server that relays${which}: --server URL.`);
}

/** What opens ways past a proxy. @throws BeelineError USAGE */
function checkProxied(command: 'send' | 'receive' | 'listen', flags: object): void {
  const past = ['at', 'web', 'http', 'quic', 'dht-bootstrap'].find((name) => name in flags);
  if (past) throw usage(command, `--${past} would go past --proxy; choose one.`);
  if ((flags as { relay?: string }).relay === 'never')
    throw usage(command, '--proxy needs the relay; leave out --relay never.');
}

/** The environment's BEELINE_DHT is `off`, or nodes of another DHT with commas between them. @throws BeelineError USAGE */
function dhtOf(
  flags: FlagValues<'send' | 'receive' | 'doctor'>,
  { BEELINE_DHT: kept }: Env,
): CommonOptions['dht'] {
  const named = flags['dht-bootstrap'];
  if (flags['no-dht'] || (kept === 'off' && !named)) return false;
  const nodes = named ?? (kept ? kept.split(',').map((node) => hostPort(1)('BEELINE_DHT', node.trim())) : []);
  return nodes.length > 0 ? { bootstrap: nodes } : true;
}

/** What everything that meets others says alike. */
function networkOf(flags: FlagValues<'send' | 'receive' | 'listen'>, env: Env) {
  return {
    configDir: configDir(flags, env),
    lanes: flags.lanes,
    threads: flags.threads,
    lan: !flags['no-lan'],
    portMap: !flags['no-port-map'],
    quic: flags.quic ?? false,
    limit: flags.limit,
    sha256: flags.sha256 ?? false,
  };
}

export function configDir(flags: { 'config-dir'?: string }, env: Env): string | undefined {
  return flags['config-dir'] ?? (env.BEELINE_CONFIG_DIR || undefined);
}

/** Empty is as good as absent. */
function serverFrom({ BEELINE_SERVER: url }: Env): string | undefined {
  return url ? serverUrl('BEELINE_SERVER', url) : undefined;
}
