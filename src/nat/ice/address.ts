/** What this side makes of the addresses that a peer names. */
import { createSocket } from 'node:dgram';
import { needsZone, type Scope, scopeOf, spelled } from '../../base/addresses.ts';
import { atMost, realClock } from '../../base/clock.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';

/** Within which the kernel says which address it would send from. */
const SOURCE_DEADLINE_MS = 500;

/** The address as sockets spell it; undefined if no single host can be reached at it. */
export function usable({ host, port }: Address): Address | undefined {
  const text = host.includes('%') ? undefined : spelled(host);
  if (!text || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  const scope = scopeOf(text);
  return scope === 'none' || scope === 'many' || needsZone(text) ? undefined : { host: text, port };
}

const NEAR: ReadonlySet<Scope> = new Set(['private', 'loopback', 'link-local']);

/** An address of a private network (RFC 1918, RFC 4193), of the same link, or of this machine. If it answers, no way is shorter. */
export function isNear(host: string): boolean {
  return NEAR.has(scopeOf(host));
}

/** The local address that leads there, as `host:port`. A socket for all addresses cannot say it. */
export async function localAddress(to: Address, port: number): Promise<string> {
  const host = (await sourceAddress(to)) ?? (to.host.includes(':') ? '::' : '0.0.0.0');
  return formatAddress({ host, port });
}

/** The address that the routing table would send from. Connecting a UDP socket sends nothing. */
export async function sourceAddress({ host, port }: Address): Promise<string | undefined> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const found = new Promise<string>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, host, () => resolve(socket.address().address));
  });
  return atMost(realClock, SOURCE_DEADLINE_MS, found).finally(() => socket.close());
}
