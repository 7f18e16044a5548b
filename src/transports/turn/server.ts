/** Where a TURN server is: `turn:` and `turns:` URIs (RFC 7065). */
import { type LookupAddress, type LookupOptions, lookup as lookupName } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { behindNat64, scopeOf } from '../../base/addresses.ts';
import { type BeelineError, fault } from '../../base/errors.ts';
import { usable } from '../../nat/ice/address.ts';
import { formatAddress } from '../../wire/candidate.ts';
import type { TurnServer } from '../../wire/rendezvous.ts';

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

/** TURN's, TURN's over TLS (RFC 8656, 18.8), and those that lead through firewalls. */
const WELL_KNOWN: ReadonlySet<number> = new Set([3478, 5349, 443, 80]);
const FIRST_FREE = 1024;

export const isTurnPort = (port: number): boolean => WELL_KNOWN.has(port) || port >= FIRST_FREE;

/** The addresses of the rendezvous server's host; none if that name leads nowhere from here. */
async function homeOf(host: string): Promise<string[]> {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare)) return [bare];
  return (await lookup(bare, { all: true }).catch(() => [])).map(({ address }) => address);
}

/** @param home addresses of the rendezvous server */
export function mayGoTo(address: string, home: readonly string[]): boolean {
  const text = behindNat64(address);
  if (text === undefined) return false;
  const near = home.flatMap((each) => behindNat64(each) ?? []);
  if (near.includes(text)) return true;
  if (!usable({ host: text, port: 1 })) return false;
  const scope = scopeOf(text);
  // Of link-local addresses only the server's own: on another link the same address is another host.
  return scope === 'global' || (scope !== 'link-local' && near.some((each) => scopeOf(each) === scope));
}

/**
 * The name lookup for a connection to a TURN server: it finds allowed addresses only, so that a name which leads elsewhere
 * the second time gains nothing.
 * @throws BeelineError SERVER for a port or an address that is not allowed.
 */
export async function boundedLookup(target: TurnTarget, rendezvous: string) {
  if (!isTurnPort(target.port)) throw refused(target, 'on a port that is not one for TURN');
  const home = await homeOf(rendezvous);
  if (isIP(target.host) && !mayGoTo(target.host, home)) throw refused(target, NOT_ITS_PLACE);
  return (
    name: string,
    options: LookupOptions,
    done: (error: Error | null, found: string | LookupAddress[], family?: number) => void,
  ): void => {
    lookupName(name, { ...options, all: true }, (error, found) => {
      if (error) return done(error, []);
      const allowed = found.filter(({ address }) => mayGoTo(address, home));
      const [first] = allowed;
      if (!first) return done(refused(target, NOT_ITS_PLACE), []);
      if (options.all) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
}

/** For WebRTC, which looks names up itself: the same server with the allowed addresses in the place of each name. */
export async function boundedServer(server: TurnServer, rendezvous: string): Promise<TurnServer> {
  const home = await homeOf(rendezvous);
  const urls = server.urls.map(async (url) => {
    const target = parseTurnUrl(url);
    // WebRTC here has no TLS to a TURN server.
    if (!target || target.secure || !isTurnPort(target.port)) return [];
    const [, query] = url.split('?');
    const found = await homeOf(target.host);
    const allowed = found.filter((address) => mayGoTo(address, home));
    return allowed.map(
      (host) => `turn:${formatAddress({ host, port: target.port })}${query ? `?${query}` : ''}`,
    );
  });
  return { ...server, urls: (await Promise.all(urls)).flat() };
}

const NOT_ITS_PLACE = 'in a network that the rendezvous server itself is not in';

function refused(target: TurnTarget, why: string): BeelineError {
  return fault('TURN_FORBIDDEN', { name: formatAddress(target), why });
}
