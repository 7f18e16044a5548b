/** `@beeline-transfer/beeline/server`: a whole server in one call, or only its rendezvous, on an HTTP server of your own. */
import { createServer } from 'node:http';
import { harmless } from '../base/callback.ts';
import { fault, unlessInterrupted } from '../base/errors.ts';
import { escapingLog } from '../base/log-fields.ts';
import { checkOptionNames } from '../base/option-names.ts';
import { type CertificateFiles, openCertificate, type ServerCertificate } from './certificate.ts';
import { createFront, type Front } from './front.ts';
import { DEFAULT_LIMITS, MAX_HEADER_BYTES } from './limits.ts';
import { listen } from './listen.ts';
import { type ServerLog, SILENT } from './log.ts';
import type { MeetingStore } from './meeting-store.ts';
import { SERVER } from './option-names.ts';
import { parseOrigins } from './origin.ts';
import { answerPlain, type MadeAnswers } from './page.ts';
import { hasPage } from './page-files.ts';
import { checkRedis } from './redis-url.ts';
import { NO_RELAY, type Relay } from './relay.ts';
import { openRendezvous, type RendezvousOptions } from './rendezvous.ts';
import type { ServerCounts, ServerReport } from './report.ts';
import { statusAnswers } from './status.ts';
import { MAX_STUN_CONNECTIONS, type StunServer, startStun } from './stun.ts';
import { Tally } from './tally.ts';
import { turnCredentials } from './turn.ts';
import { version } from './version.ts';

export type { CertificateFiles } from './certificate.ts';
export type { LocalConnection } from './connections.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export type { ServerLog } from './log.ts';
export { Mailboxes } from './mailboxes.ts';
export type { RelayCounts } from './relay.ts';
export { createRendezvous, type Rendezvous, type RendezvousOptions } from './rendezvous.ts';
export type { ServerCounts } from './report.ts';

/** `relay` and `page` are on by default. The page is served only if it has been built. */
export interface ServerOptions
  extends Omit<RendezvousOptions, 'stun' | 'turn' | 'hosts' | 'tally' | 'answers' | 'store'> {
  /** Closes it. */
  signal?: AbortSignal;
  /** TCP port, and the first UDP port of STUN; 0 for any free one. */
  port: number;
  /** Address to listen on; absent: all, IPv4 and IPv6. */
  host?: string;
  /** Answer STUN on `port` and on a second one; default true. */
  stun?: boolean;
  /** The second port of STUN, TCP and UDP; default `port` + 1; 0 for any free one. */
  stunPort?: number;
  /** Beside other instances of one server: the Redis that they share, `redis://` or `rediss://`. */
  redis?: string;
  /** Beside others: where clients reach this instance and no other, to be relayed. An http or https URL. */
  publicUrl?: string;
  /** A TURN server that shares a secret with this one. */
  turn?: { urls: string[]; secret: string };
  /** Speak TLS on `port`: two PEM files, looked at every minute and read again when they change. */
  tls?: CertificateFiles;
  /** Where numbers for Prometheus are read, and the status page: an address of their own. Absent: nowhere. */
  metrics?: { host: string; port: number };
  /** Show the status page to everybody; default false. */
  status?: boolean;
  /** Called with a warning for the person who runs the server. The log has it too. */
  warn?: (sentence: string) => void;
}

export interface RunningServer {
  /** What goes after `--server` on this machine. */
  readonly url: string;
  readonly port: number;
  /** STUN's two ports; empty without it. */
  readonly stunPorts: readonly number[];
  /** Where metrics are read, if anywhere. */
  readonly metricsUrl: string | undefined;
  /** The present numbers, for metrics. */
  counts(): ServerCounts;
  /** Reads the certificate again. New connections get the new one. Never rejects: an error goes to `warn`. */
  reload(): Promise<void>;
  /**
   * Takes nobody new: clients at meetings are told to go, `/readyz` answers 503, and what the relay carries goes on. Resolves when
   * nothing is carried any more, or after so many milliseconds. Only `close` follows.
   */
  drain(milliseconds: number): Promise<void>;
  /** Refuses everyone still connected, and resolves when the port is free. */
  close(): Promise<void>;
}

type Where = NonNullable<ServerOptions['metrics']>;

/** Connections that are on their way out, beside those that count anywhere. */
const CLOSING = 1_000;
/** How often another port is tried, when any will do and the one found is taken for UDP. */
const PORT_TRIES = 8;

/**
 * @throws BeelineError SERVER if it cannot listen on a port. USAGE if TURN options, an origin, the folder of the page or the certificate
 * cannot be used. NO_SUCH_PATH or UNREADABLE if a file of the certificate cannot be read.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, turn, tls, page = true, signal } = options;
  checkOptionNames('startServer', Object.keys(SERVER), options);
  unlessInterrupted(signal);
  const log = options.log && escapingLog(options.log);
  const warn = options.warn && harmless('`warn`', options.warn);
  const makeTurn = await checkOptions(options);
  let stun: StunServer | undefined;
  const tally = new Tally();
  const started = performance.now();
  const counts = (): ServerCounts => ({
    ...NO_RELAY,
    ...rendezvous.mailboxes.counts,
    near: rendezvous.mailboxes.near,
    ...rendezvous.relay?.counts,
  });
  const report = (): ServerReport => ({
    version: version(),
    uptime: performance.now() - started,
    unready: rendezvous.health.unready,
    counts: counts(),
    tally,
    limits: rendezvous.mailboxes.limits,
    relay: rendezvous.relay !== undefined,
    turn: turn !== undefined,
    stunPorts: stun?.ports ?? [],
  });
  const status = statusAnswers(report);
  let relay: Relay | undefined;
  const store = await openStore(options, log ?? SILENT, () => relay?.counts.relayConnections ?? 0, warn);
  const rendezvous = openRendezvous({
    ...options,
    ...(store && { store }),
    page,
    relay: options.relay ?? true,
    stun: () => (stun ? [...stun.ports] : []),
    turn: makeTurn,
    tally,
    ...(options.status && { answers: status }),
  });
  relay = rendezvous.relay;
  let certificate: ServerCertificate | undefined;
  let front: Front | undefined;
  let port = 0;
  let metrics: { url: string; close(): void } | undefined;
  try {
    if (options.metrics) metrics = await openMetrics(options.metrics, report, status);
    if (tls) certificate = await openCertificate({ ...tls, log, warn });
    for (let attempt = 1; !front; attempt++) {
      const candidate = openFront(rendezvous, options, certificate, () => stun);
      try {
        const what = `port ${options.port} of ${host ?? 'any address'}`;
        port = await listen(candidate.server, { port: options.port, host }, what);
        if (wantsStun(options)) stun = await openStun(port, { ...options, log }, tally);
        front = candidate;
      } catch (error) {
        await candidate.close();
        if (options.port !== 0 || attempt === PORT_TRIES) throw error;
      }
    }
  } catch (error) {
    metrics?.close();
    certificate?.close();
    await rendezvous.close();
    throw error;
  }
  const { server, close } = front;
  server.on('error', (error) => log?.warn({ error: error.message }, 'server error'));
  const url = urlOf(port, host, certificate);
  const stunPorts = stun?.ports ?? [];
  log?.info({ url, relay: rendezvous.relay !== undefined, stunPorts, turn: turn?.urls ?? [] }, 'listening');
  const running: RunningServer = {
    url,
    port,
    stunPorts,
    metricsUrl: metrics?.url,
    reload: async () => certificate?.reload(),
    counts,
    drain: (milliseconds) => rendezvous.drain(milliseconds),
    async close() {
      signal?.removeEventListener('abort', abort);
      certificate?.close();
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all([rendezvous.close(), stun?.close()]);
      await Promise.all([close(), stopped]);
      metrics?.close();
    },
  };
  const abort = () => void running.close();
  // It may have been aborted while the ports were opened.
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return running;
}

/** Everything that `startServer` would refuse before it listens, the certificate too. @throws BeelineError as `startServer` */
export async function checkServer(options: ServerOptions): Promise<void> {
  const { tls, warn, port } = options;
  await checkOptions(options);
  parseOrigins(options.allowOrigins);
  if (wantsStun(options) && port !== 0) secondPort(port, options);
  if (tls) (await openCertificate({ ...tls, warn })).close();
}

/** @throws BeelineError USAGE */
async function checkOptions({ turn, page = true, redis, publicUrl, relay = true }: ServerOptions) {
  if (redis !== undefined) checkRedis(redis, publicUrl, relay);
  const makeTurn = turn && turnCredentials(turn);
  if (typeof page === 'string' && !(await hasPage(page)))
    throw fault('PAGE_MISSING', { folder: JSON.stringify(page) });
  return makeTurn;
}

/** Undefined for a server that is alone. */
async function openStore(
  { redis, publicUrl }: ServerOptions,
  log: ServerLog,
  load: () => number,
  warn: ServerOptions['warn'],
): Promise<MeetingStore | undefined> {
  if (redis === undefined) return undefined;
  const { openRedisStore } = await import('./redis-store.ts');
  return openRedisStore({ url: redis, publicUrl, load, log, warn });
}

function openFront(
  rendezvous: ReturnType<typeof openRendezvous>,
  { limits, trustProxy }: ServerOptions,
  certificate: ServerCertificate | undefined,
  stun: () => StunServer | undefined,
): Front {
  const http = createServer({ maxHeaderSize: MAX_HEADER_BYTES });
  rendezvous.serve(http);
  const plain = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, answerPlain);
  const { connections, connectionsPerAddress, strangers, relayConnections, relayStrangers } = {
    ...DEFAULT_LIMITS,
    ...limits,
  };
  return createFront({
    http,
    tls: certificate && { context: () => certificate.context, plain },
    stun: () => {
      const server = stun();
      return server && ((socket) => server.accept(socket));
    },
    strangers: { inAll: strangers, ofAddress: trustProxy ? undefined : connectionsPerAddress },
    // More than all rooms together, since connections that are being closed have left theirs.
    maxConnections:
      strangers + connections + relayStrangers + relayConnections + MAX_STUN_CONNECTIONS + CLOSING,
  });
}

/** With TLS under a name that the certificate has, where the host is left open: no other one would be trusted. */
function urlOf(port: number, host: string | undefined, certificate: ServerCertificate | undefined): string {
  const any = host === undefined || host === '::' || host === '0.0.0.0';
  const name = any ? (certificate?.name ?? 'localhost') : host;
  return `${certificate ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** On the port that the server listens on and a second one. */
const openStun = async (port: number, options: ServerOptions, tally: Tally): Promise<StunServer> =>
  startStun({
    ...{ ports: [port, secondPort(port, options)], host: options.host, log: options.log },
    onAnswer: (over) => {
      tally.stun[over]++;
    },
  });

/** @throws BeelineError USAGE if the port cannot be had */
async function openMetrics({ host, port }: Where, report: () => ServerReport, status: MadeAnswers) {
  const [{ serverMetrics }, { serveMetrics }] = await Promise.all([
    import('./metrics.ts'),
    import('./metrics-listener.ts'),
  ]);
  const { type, text } = serverMetrics(report);
  const pages = [...status].map(
    ([path, make]) => [path, async () => ({ type: 'text/plain', ...make() })] as const,
  );
  return serveMetrics(
    { host, port, option: 'metrics' },
    { '/metrics': async () => ({ type, text: await text() }), ...Object.fromEntries(pages) },
  );
}

/** @throws BeelineError USAGE if there is none, or it is the first */
function secondPort(port: number, { stunPort, ...options }: ServerOptions): number {
  // If the first port may be any, so may the second.
  const second = stunPort ?? (options.port === 0 ? 0 : port + 1);
  if (second > 65_535) throw fault('STUN_NO_PORT', { port });
  if (second === port) throw fault('STUN_SAME_PORT', { port });
  return second;
}

/** Behind a proxy on the same machine, only the proxy gets there: nobody else could ask for an address. */
function wantsStun({ stun = true, host, trustProxy }: ServerOptions): boolean {
  const hidden = trustProxy === true && host !== undefined && /^(127\.|::1$|localhost$)/.test(host);
  return stun && !hidden;
}
