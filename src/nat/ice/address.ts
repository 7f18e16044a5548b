/** What this side makes of the addresses that a peer names. */
import { createSocket } from 'node:dgram';
import { needsZone, type Scope, scopeOf, spelled } from '../../base/addresses.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';

/** Milliseconds within which the kernel says which address it would send from: no packet is sent for it. */
const SOURCE_DEADLINE = 500;

/** In the one spelling in which sockets report it; undefined for what one host cannot be reached at. */
export function usable({ host, port }: Address): Address | undefined {
  const text = host.includes('%') ? undefined : spelled(host);
  if (!text || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  const scope = scopeOf(text);
  return scope === 'none' || scope === 'many' || needsZone(text) ? undefined : { host: text, port };
}

const NEAR: ReadonlySet<Scope> = new Set(['private', 'loopback', 'link-local']);

/** An address of a private network (RFC 1918, RFC 4193), of the same link, or of this machine: where it answers, nothing is shorter. */
export function isNear(host: string): boolean {
  return NEAR.has(scopeOf(host));
}

/** Which local address leads there, as `host:port`: a socket for every address does not know. */
export function localAddress(to: Address, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(to.host.includes(':') ? 'udp6' : 'udp4');
    const settle = (host: string) => {
      clearTimeout(timer);
      socket.close();
      resolve(formatAddress({ host, port }));
    };
    const unknown = () => settle(to.host.includes(':') ? '::' : '0.0.0.0');
    const timer = setTimeout(unknown, SOURCE_DEADLINE);
    socket.once('error', unknown);
    socket.connect(to.port, to.host, () => settle(socket.address().address));
  });
}
