/** A port of this machine for HTTP: its certificate, its addresses for people, and what is answered there. */
import { createHash, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import type { ServingApp } from '../../http/serving/app.ts';
import { type OpenPort, openPort } from '../../http/serving/open.ts';
import { makeCertificate } from '../../identity/certificate.ts';
import { type CertificateFiles, openCertificate, type ServerCertificate } from '../../server/certificate.ts';
import type { Front } from '../../server/front.ts';
import type { ServerLog } from '../../server/log.ts';
import { publicContext } from '../../server/tls.ts';
import { formatAddress } from '../../wire/candidate.ts';
import { localHosts } from '../addresses.ts';

export interface WebPortOptions {
  /** TCP port; default 8080; 0 for any free one. */
  port?: number;
  /** Address to listen on; absent: all, IPv4 and IPv6. */
  host?: string;
  /** `self-signed`, or two PEM files; absent: plain HTTP. */
  tls?: 'self-signed' | CertificateFiles;
  /** Read client addresses from X-Forwarded-For; only behind a proxy that sets it. */
  trustProxy?: boolean;
  log?: ServerLog;
  /** Gets a warning for the person who runs it. */
  warn?: (sentence: string) => void;
}

export interface SelfSigned {
  /** SHA-256 of the certificate, 64 hex digits, as browsers show it. */
  fingerprint: string;
  /** SHA-256 of its public key in base64, for `curl --pinnedpubkey sha256//…`. */
  pin: string;
}

export interface WebPort {
  readonly port: number;
  readonly certificate: SelfSigned | undefined;
  /** Where a path is to be had, best first. */
  urls(path: string): string[];
  /** Ends what is under way too. Resolves when the port is free. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 8080;
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** @throws BeelineError SERVER if it cannot listen on the port; what is wrong with a certificate */
export async function openWebPort(
  options: WebPortOptions,
  makeApp: (front: () => Front) => ServingApp,
): Promise<WebPort> {
  const { port: wanted = DEFAULT_PORT, host, trustProxy = false, log } = options;
  let open: OpenPort | undefined;
  const app = makeApp(() => open!.front);
  const secure = await secureOf(options);
  try {
    open = await openPort({ app, port: wanted, host, tls: secure?.context, trustProxy, log });
  } catch (error) {
    secure?.close();
    throw error;
  }
  const { port, close } = open;
  const hosts = host !== undefined && !ANYWHERE.has(host) ? [host] : localHosts();
  const scheme = secure ? 'https' : 'http';
  log?.info({ port, tls: secure !== undefined }, 'listening');
  return {
    port,
    certificate: secure?.selfSigned,
    urls: (path) => hosts.map((each) => `${scheme}://${formatAddress({ host: each, port })}${path}`),
    async close() {
      secure?.close();
      await close();
    },
  };
}

/** A page elsewhere cannot take these names for itself. */
export function ownNames(given: readonly string[] = []): string[] {
  const own = hostname().toLowerCase();
  const short = own.split('.', 1)[0]!;
  return [...given.map((name) => name.toLowerCase()), own, short, `${short}.local`];
}

interface Secure {
  context: () => ServerCertificate['context'];
  selfSigned?: SelfSigned;
  close(): void;
}

async function secureOf({ tls, log, warn }: WebPortOptions): Promise<Secure | undefined> {
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
