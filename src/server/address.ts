/** Whose address a request counts under. */
import type { IncomingMessage } from 'node:http';
import { isAddress, type Scope, scopeOf } from '../base/addresses.ts';

/** Addresses at which a proxy of one's own may be. */
const NEAR: ReadonlySet<Scope> = new Set(['loopback', 'private', 'link-local']);

/**
 * The address a request counts under. Behind a trusted proxy that is the last entry of X-Forwarded-For: the one that
 * the proxy itself added; those before it are whatever the client wrote. Believed from near by only: the port is open to
 * everybody else too, for STUN.
 */
export function clientAddress(request: IncomingMessage, trustProxy: boolean): string {
  const direct = plain(request.socket.remoteAddress ?? 'unknown');
  if (!trustProxy || !NEAR.has(scopeOf(direct))) return direct;
  const header = request.headers['x-forwarded-for'];
  const last = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').at(-1)!.trim();
  return isAddress(last) ? plain(last) : direct;
}

/** An IPv4 address as people know it, also where it came in over a socket for IPv6. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');
