/** Where a TURN server is: `turn:` and `turns:` URIs (RFC 7065). */
import { isIPv6, type LookupFunction } from 'node:net';
import { type BeelineError, fault } from '../../base/errors.ts';
import { mayGoTo } from '../../base/nearness.ts';
import { formatAddress } from '../../wire/candidate.ts';
import type { TurnServer } from '../../wire/rendezvous.ts';
import { addressesOf, isServicePort, NOT_ITS_PLACE, nearLookup } from '../near-lookup.ts';

export interface TurnTarget {
  /** A name, or an IP address without brackets. */
  host: string;
  port: number;
  /** TLS to the server, its certificate checked like a web server's. */
  secure: boolean;
}

const URI =
  /^(turns?):(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;
const PORT = 3478;
const TLS_PORT = 5349;

/**
 * The places that the URIs name, each once, those meant for TCP before those that say UDP: most servers answer TCP on
 * the same port. What is no TURN URI is left out.
 */
export function turnTargets(urls: readonly string[]): TurnTarget[] {
  const parsed = urls.map(parseTurnUrl).filter((each) => each !== undefined);
  const ordered = [...parsed.filter(({ udp }) => !udp), ...parsed.filter(({ udp }) => udp)];
  const targets = new Map<string, TurnTarget>();
  for (const { host, port, secure } of ordered) {
    const name = `${secure} ${host} ${port}`;
    if (!targets.has(name)) targets.set(name, { host, port, secure });
  }
  return [...targets.values()];
}

/** Undefined for what is no TURN URI. */
export function parseTurnUrl(url: string): (TurnTarget & { udp: boolean }) | undefined {
  const [, scheme, bracketed, name, digits, transport] = URI.exec(url) ?? [];
  const host = bracketed ?? name;
  if (!scheme || !host || (bracketed !== undefined && !isIPv6(bracketed))) return undefined;
  const secure = scheme.toLowerCase() === 'turns';
  const port = digits === undefined ? (secure ? TLS_PORT : PORT) : Number(digits);
  if (port < 1 || port > 65535) return undefined;
  return { host: host.toLowerCase(), port, secure, udp: transport?.toLowerCase() === 'udp' };
}

/**
 * The name lookup for a connection to a TURN server: it finds allowed addresses only.
 * @throws BeelineError SERVER for a port or an address that is not allowed.
 */
export async function boundedLookup(target: TurnTarget, rendezvous: string): Promise<LookupFunction> {
  if (!isServicePort(target.port)) throw refused(target, 'on a port that is not one for TURN');
  const home = await addressesOf(rendezvous);
  return nearLookup(target.host, home, () => refused(target, NOT_ITS_PLACE));
}

/** For WebRTC, which looks names up itself: the same server with the allowed addresses in the place of each name. */
export async function boundedServer(server: TurnServer, rendezvous: string): Promise<TurnServer> {
  const home = await addressesOf(rendezvous);
  const urls = server.urls.map(async (url) => {
    const target = parseTurnUrl(url);
    // WebRTC here has no TLS to a TURN server.
    if (!target || target.secure || !isServicePort(target.port)) return [];
    const [, query] = url.split('?');
    const found = await addressesOf(target.host);
    const allowed = found.filter((address) => mayGoTo(address, home));
    return allowed.map(
      (host) => `turn:${formatAddress({ host, port: target.port })}${query ? `?${query}` : ''}`,
    );
  });
  return { ...server, urls: (await Promise.all(urls)).flat() };
}

function refused(target: TurnTarget, why: string): BeelineError {
  return fault('TURN_FORBIDDEN', { name: formatAddress(target), why });
}
