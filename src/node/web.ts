/**
 * The page, served from the sender's own process for browsers on the local network. They encrypt nothing on a page that
 * came by plain HTTP from another machine, so that it comes by TLS, with this session's own certificate: nobody vouches
 * for that, and browsers ask before they show the page.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:net';
import type { Certificate } from '../identity/certificate.ts';
import { createFront } from '../server/front.ts';
import { MAX_HEADER_BYTES } from '../server/limits.ts';
import { listen } from '../server/listen.ts';
import { answerPlain } from '../server/page.ts';
import type { Rendezvous } from '../server/rendezvous.ts';
import { publicContext } from '../server/tls.ts';
import type { Running } from '../session/transfer.ts';
import { type Address, formatAddress } from '../wire/candidate.ts';
import { localHosts, portBeside } from './addresses.ts';

/** Connections at once, of one person's few browsers. */
const MOST = 512;
/** Before they are WebSockets, in all and of one address. Those that are, the rendezvous bounds. */
const MOST_UNTOLD = 128;
const MOST_UNTOLD_OF_ADDRESS = 32;
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * Closed with the transfer.
 * @param bind of lanes: the page is on the next port, or on any if that one was any
 * @returns where the page is, best first
 * @throws BeelineError SERVER if the port cannot be listened on, USAGE if there is none.
 */
export async function serveWeb(
  transfer: Running,
  rendezvous: Rendezvous,
  { cert, key }: Certificate,
  bind: Partial<Address>,
): Promise<string[]> {
  const http = createServer({ maxHeaderSize: MAX_HEADER_BYTES });
  rendezvous.serve(http);
  const context = publicContext(cert, key);
  const front = createFront({
    http,
    tls: {
      context: () => context,
      plain: createServer({ maxHeaderSize: MAX_HEADER_BYTES }, answerPlain),
    },
    stun: () => undefined,
    strangers: { inAll: MOST_UNTOLD, ofAddress: MOST_UNTOLD_OF_ADDRESS },
    maxConnections: MOST,
  });
  const port = await listenBeside(front.server, bind);
  front.server.on('error', (error) => transfer.log?.warn({ error: error.message }, 'page'));
  transfer.cleanup.push(async () => {
    // Whoever is still connected is told why first.
    await rendezvous.close();
    await front.close();
  });
  const hosts = bind.host && !ANYWHERE.has(bind.host) ? [bind.host] : localHosts();
  return hosts.map((host) => `https://${formatAddress({ host, port })}/`);
}

async function listenBeside(server: Server, { port: first, host }: Partial<Address>): Promise<number> {
  const port = portBeside(first, 1);
  return listen(server, { port, host }, `port ${port} for the page`);
}
