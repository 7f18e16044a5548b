/** Where a TURN server is: `turn:` and `turns:` URIs (RFC 7065). */
import { isIPv6 } from 'node:net';

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
