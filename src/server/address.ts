/** Whose address a request counts under, and who is near whom by that. */
import type { IncomingMessage } from 'node:http';
import { addressKey, isAddress, type Scope, scopeOf } from '../base/addresses.ts';

/** Of this machine's own networks: a proxy of one's own is there, and those are one network where this server itself is in it. */
const LOCAL: ReadonlySet<Scope> = new Set(['loopback', 'private', 'link-local']);

/**
 * The address a request counts under. Behind a trusted proxy that is the last entry of X-Forwarded-For: the one that
 * the proxy itself added; those before it are whatever the client wrote. Believed from near by only: the port is open to
 * everybody else too, for STUN.
 */
export function clientAddress(request: IncomingMessage, trustProxy: boolean): string {
  const direct = plain(request.socket.remoteAddress ?? 'unknown');
  if (!trustProxy || !LOCAL.has(scopeOf(direct))) return direct;
  const header = request.headers['x-forwarded-for'];
  const last = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').at(-1)!.trim();
  return isAddress(last) ? plain(last) : direct;
}

/** An IPv4 address as people know it, also where it came in over a socket for IPv6. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/** Which clients are near each other: those of one address (`auto`), also all of private addresses (`lan`), or none. */
export const NEAR_WAYS = ['auto', 'lan', 'off'] as const;
export type NearWay = (typeof NEAR_WAYS)[number];

/** What proxies add. The address is one of theirs then, and who comes through it may be anywhere. */
const PROXIED = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via', 'cf-connecting-ip'] as const;
const ALL_LOCAL = 'lan';

/**
 * The group that a client is in: its address, IPv6 by /64. Undefined: it cannot be told who is near it. A private address is no place: behind a
 * proxy that is not trusted, or a container's NAT, clients of everywhere have the same one. But where the page itself was opened at a
 * name or an address of a local network, server and client are in it, and all such clients are one group. Browsers do not lie about that;
 * whoever writes both headers itself comes into that group too, if it has a private address to this server.
 * @param address as `clientAddress` says it
 */
export function nearGroup(
  { headers }: Pick<IncomingMessage, 'headers'>,
  address: string,
  trustProxy: boolean,
  way: NearWay,
): string | undefined {
  if (way === 'off' || !isAddress(address)) return undefined;
  // Of a trusted proxy, more entries than its own say that it has another one before it.
  const several = String(headers['x-forwarded-for'] ?? '').includes(',');
  if (trustProxy ? several : PROXIED.some((name) => headers[name] !== undefined)) return undefined;
  const scope = scopeOf(address);
  if (LOCAL.has(scope)) return way === 'lan' || isOpenedLocally(headers) ? ALL_LOCAL : undefined;
  return scope === 'global' || scope === 'shared' ? addressKey(address) : undefined;
}

/**
 * Whether the page is this server's own, opened at an address that leads nowhere but into its own network. A name of one label may lead
 * anywhere: resolvers add a domain to it.
 */
function isOpenedLocally({ origin = '', host = '' }: IncomingMessage['headers']): boolean {
  const name = hostOf(origin);
  if (name === undefined || name !== hostOf(`http://${host}`)) return false;
  return isAddress(name)
    ? LOCAL.has(scopeOf(name))
    : /^localhost$|\.(?:local|localhost|home\.arpa|internal)$/.test(name);
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : undefined;
}
