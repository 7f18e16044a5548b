/** Whose address a request counts under. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { addressKey } from '../protocol/address-key.ts';

/** Loopback, private and link-local addresses: where a proxy of one's own is. */
const NEAR = new BlockList();
for (const [net, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const)
  NEAR.addSubnet(net, prefix);
NEAR.addAddress('::1', 'ipv6');
NEAR.addSubnet('fc00::', 7, 'ipv6');
NEAR.addSubnet('fe80::', 10, 'ipv6');

/**
 * The address a request counts under. Behind a trusted proxy that is the last entry of X-Forwarded-For: the one that
 * the proxy itself added; those before it are whatever the client wrote. Believed from near by only: the port is open to
 * everybody else too, for STUN.
 */
export function clientAddress(request: IncomingMessage, trustProxy: boolean): string {
  const direct = request.socket.remoteAddress ?? 'unknown';
  const proxy = addressKey(direct);
  const family = isIPv6(direct) && !isIP(proxy) ? 'ipv6' : 'ipv4';
  if (!trustProxy || !NEAR.check(family === 'ipv6' ? direct.split('%')[0]! : proxy, family)) return direct;
  const header = request.headers['x-forwarded-for'];
  const last = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').at(-1)!.trim();
  return isIP(last) ? last : direct;
}
