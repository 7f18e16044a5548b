/** Where a server may send a lane of its relay: as near as it is itself, as with the TURN server that it names. */
import type { LookupFunction } from 'node:net';
import { fault } from '../../base/errors.ts';
import { proxyFor } from '../../websocket/proxy.ts';
import { authorityOf } from '../../websocket/url.ts';
import { isServicePort, NOT_ITS_PLACE, nearLookup } from '../near-lookup.ts';

/**
 * The lookup for the connection there. A proxy looks names up itself, and decides about them.
 * @param there,from WebSocket URLs: of the place, and where the server named it
 * @param peer the IP address that `from` was reached at
 * @throws BeelineError PROTOCOL
 */
export async function movedLookup(there: string, from: string, peer: string): Promise<LookupFunction> {
  const refused = (why: string) =>
    fault('SERVER_MISBEHAVES', { what: `sends its clients to ${authorityOf(there)}, which is ${why}` });
  const port = portOf(there);
  if (!isServicePort(port) && port !== portOf(from)) throw refused('on a port that is not one for a server');
  // The address of a proxy does not tell in which networks the server is.
  const home = (await proxyFor(from)) ? hostOf(from) : peer;
  return nearLookup(hostOf(there), [home], () => refused(NOT_ITS_PLACE));
}

const hostOf = (url: string) => new URL(url).hostname.replace(/^\[|\]$/g, '');

const portOf = (url: string) => Number(authorityOf(url).split(':').at(-1));
