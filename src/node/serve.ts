/** `serve`: files and folders of this machine over HTTP, until it is told to stop or what was allowed is used up. */
import { createHash, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { TokenBucket } from '../base/bucket.ts';
import { realClock } from '../base/clock.ts';
import { escapingLog } from '../base/log-fields.ts';
import { Access, type AccessWay } from '../http/serving/access.ts';
import { Allowance } from '../http/serving/allowance.ts';
import { servingApp } from '../http/serving/app.ts';
import { FileDigests } from '../http/serving/digests.ts';
import { type OpenPort, openPort } from '../http/serving/open.ts';
import { pathText } from '../http/serving/paths.ts';
import { type DownloadEvent, type ServingCounts, ServingRecords } from '../http/serving/records.ts';
import { makeCertificate } from '../identity/certificate.ts';
import { versionKey } from '../identity/version-key.ts';
import { type CertificateFiles, openCertificate, type ServerCertificate } from '../server/certificate.ts';
import type { ServerLog } from '../server/log.ts';
import { publicContext } from '../server/tls.ts';
import { formatAddress } from '../wire/candidate.ts';
import { localHosts } from './addresses.ts';
import { FolderTree } from './serving/folder-tree.ts';

export interface ServeOptions {
  /** TCP port; default 8080; 0 for any free one. */
  port?: number;
  /** Address to listen on; absent: all, IPv4 and IPv6. */
  host?: string;
  /** Who may come: whoever has the link (the default), everybody, or whoever knows the password. */
  access?: AccessWay;
  /** Names by which browsers may ask, if everybody may come, beside addresses and this machine's own name. */
  hostNames?: readonly string[];
  /** Serve names that begin with a dot too. */
  hidden?: boolean;
  /** Seconds from now, after which nothing more is begun. */
  expires?: number;
  /** So many whole files or archives, and nothing more is begun. */
  downloads?: number;
  /** Bytes a second, of all together. */
  limit?: number;
  /** `self-signed`, or two PEM files; absent: plain HTTP. */
  tls?: 'self-signed' | CertificateFiles;
  /** Read client addresses from X-Forwarded-For; only behind a proxy that sets it. */
  trustProxy?: boolean;
  configDir?: string;
  log?: ServerLog;
  onDownload?: (event: DownloadEvent) => void;
  /** Gets a warning for the person who runs it. */
  warn?: (sentence: string) => void;
}

export interface SelfSigned {
  /** SHA-256 of the certificate, 64 hex digits, as browsers show it. */
  fingerprint: string;
  /** SHA-256 of its public key in base64, for `curl --pinnedpubkey sha256//…`. */
  pin: string;
}

export type ServeEnd = ServingCounts & {
  /** It was closed, or all that was allowed is used up. */
  why: 'closed' | 'used-up';
};

export interface RunningServe {
  readonly port: number;
  /** Where it is to be had, best first; the link's secret is in them. */
  readonly urls: readonly string[];
  /** The first part of each path, which is the secret of a link; undefined without one. */
  readonly secret: string | undefined;
  /** Of a self-signed certificate. */
  readonly certificate: SelfSigned | undefined;
  counts(): ServingCounts;
  /** Resolves when it has ended; never rejects. */
  readonly done: Promise<ServeEnd>;
  /** Ends it, what is under way too. Resolves when the port is free. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 8080;
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
/** Milliseconds between two looks whether all is used up. */
const LOOK_MS = 500;

/**
 * @throws BeelineError NO_SUCH_PATH, UNREADABLE, USAGE; SERVER if it cannot listen on the port
 */
export async function serve(paths: readonly string[], options: ServeOptions = {}): Promise<RunningServe> {
  const { host, hidden = false, tls, trustProxy = false, limit, expires, downloads } = options;
  const log = options.log && escapingLog(options.log);
  const tree = new FolderTree(paths, { hidden, versionKey: await versionKey(options.configDir) });
  const access = new Access(options.access ?? 'link', ownNames(options.hostNames));
  const begins = realClock.now();
  const allowance = new Allowance({
    downloads,
    expires: expires === undefined ? undefined : begins + 1000 * expires,
  });
  const records = new ServingRecords({ log, onDownload: options.onDownload });
  const digests = new FileDigests(tree);
  let open: OpenPort | undefined;
  const app = servingApp({
    ...{ tree, access, allowance, records, digests, trustProxy },
    limit: limit === undefined ? undefined : new TokenBucket(limit),
    front: () => open!.front,
  });
  const secure = await secureOf(tls, options);
  try {
    const port = options.port ?? DEFAULT_PORT;
    open = await openPort({ app, port, host, tls: secure?.context, trustProxy, log });
  } catch (error) {
    secure?.close();
    throw error;
  }
  const { port } = open;
  const hosts = host !== undefined && !ANYWHERE.has(host) ? [host] : localHosts();
  const scheme = secure ? 'https' : 'http';
  const path = `${access.prefix}${tree.only === undefined ? '/' : pathText([tree.only])}`;
  const urls = hosts.map((each) => `${scheme}://${formatAddress({ host: each, port })}${path}`);

  let end: (why: ServeEnd['why']) => void = () => {};
  const ended = new Promise<ServeEnd['why']>((resolve) => {
    end = resolve;
  });
  const looks = setInterval(() => {
    if (records.counts.open === 0 && allowance.over(realClock.now())) end('used-up');
  }, LOOK_MS);
  const running = open;
  const done = ended.then(async (why) => {
    clearInterval(looks);
    digests.close();
    secure?.close();
    await running.close();
    const counts = { ...records.counts };
    log?.info({ audit: true, role: 'serve', why, ...counts }, 'served');
    return { why, ...counts };
  });
  log?.info({ port, tls: secure !== undefined }, 'listening');
  return {
    port,
    urls,
    secret: access.prefix === '' ? undefined : access.prefix.slice(1),
    certificate: secure?.selfSigned,
    counts: () => ({ ...records.counts }),
    done,
    async close() {
      end('closed');
      await done;
    },
  };
}

/** A page elsewhere cannot take these names for itself. */
function ownNames(given: readonly string[] = []): string[] {
  const own = hostname().toLowerCase();
  const short = own.split('.', 1)[0]!;
  return [...given.map((name) => name.toLowerCase()), own, short, `${short}.local`];
}

interface Secure {
  context: () => ServerCertificate['context'];
  selfSigned?: SelfSigned;
  close(): void;
}

async function secureOf(tls: ServeOptions['tls'], { log, warn }: ServeOptions): Promise<Secure | undefined> {
  if (tls === undefined) return undefined;
  if (tls === 'self-signed') {
    const { cert, key, fingerprint } = await makeCertificate();
    const context = publicContext(cert, key);
    const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
    const pin = createHash('sha256').update(spki).digest('base64');
    return { context: () => context, selfSigned: { fingerprint, pin }, close: () => {} };
  }
  const certificate = await openCertificate({ ...tls, log, warn });
  return { context: () => certificate.context, close: () => certificate.close() };
}
