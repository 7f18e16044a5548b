/**
 * The page, served from the sender's own process for browsers on the local network. They encrypt nothing on a page that
 * came by plain HTTP from another machine, so that it comes by TLS, with this session's own certificate: nobody vouches
 * for that, and browsers ask before they show the page.
 */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from '../identity/certificate.ts';
import { type Address, formatAddress } from '../protocol/candidate.ts';
import { BeelineError } from '../protocol/errors.ts';
import { HTTP_DEADLINE, MAX_HEADER_BYTES } from '../server/limits.ts';
import type { Rendezvous } from '../server/rendezvous.ts';
import type { Session } from '../session/session.ts';
import { localHosts } from './addresses.ts';

/** Connections at once, of one person's few browsers. */
const MOST = 256;

/**
 * Closed with the session.
 * @param port of lanes: the page is on the next one, or on any if that one was any
 * @returns where the page is, best first
 * @throws BeelineError SERVER if the port cannot be listened on.
 */
export async function serveWeb(
  session: Session,
  rendezvous: Rendezvous,
  { cert, key }: Certificate,
  bind: Partial<Address>,
): Promise<string[]> {
  const https = createServer({ cert, key, maxHeaderSize: MAX_HEADER_BYTES, handshakeTimeout: HTTP_DEADLINE });
  https.maxConnections = MOST;
  https.on('tlsClientError', () => {});
  rendezvous.handle(https);
  const wanted = bind.port ? bind.port + 1 : 0;
  await new Promise<void>((resolve, reject) => {
    https.once('error', (cause) =>
      reject(
        new BeelineError('SERVER', `Cannot serve the page on port ${wanted}: ${cause.message}.`, { cause }),
      ),
    );
    https.listen({ port: wanted, host: bind.host }, resolve);
  });
  session.cleanup.push(() => {
    https.close();
    https.closeAllConnections();
  });
  const { port } = https.address() as AddressInfo;
  const hosts = bind.host ? [bind.host] : localHosts();
  return hosts.map((host) => `https://${formatAddress({ host, port })}/`);
}
