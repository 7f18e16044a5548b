/** What this side makes of the addresses that a peer names. */
import { createSocket } from 'node:dgram';
import { type Address, formatAddress } from '../../protocol/candidate.ts';
import { ipBytes, ipText } from '../../stun/ip.ts';

/** Milliseconds within which the kernel says which address it would send from: no packet is sent for it. */
const SOURCE_DEADLINE = 500;

/** In the one spelling in which sockets report it; undefined for what one host cannot be reached at. */
export function usable({ host, port }: Address): Address | undefined {
  const bytes = host.includes('%') ? undefined : ipBytes(host);
  if (!bytes || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  const first = bytes[0]!;
  const multicast = bytes.length === 4 ? first >= 224 : first === 0xff;
  // Link-local IPv6 leads nowhere without a zone, and a zone means nothing to another machine.
  const nowhere = bytes.length === 4 ? first === 0 : bytes.every((byte) => byte === 0) || isLinkLocal(bytes);
  return multicast || nowhere ? undefined : { host: ipText(bytes), port };
}

/** An address of a private network (RFC 1918, RFC 4193) or of this machine: where it answers, nothing is shorter. */
export function isNear(host: string): boolean {
  const bytes = ipBytes(host);
  if (!bytes) return false;
  const [a, b] = [bytes[0]!, bytes[1]!];
  if (bytes.length === 16)
    return (a & 0xfe) === 0xfc || (bytes[15] === 1 && bytes.every((byte, i) => i === 15 || byte === 0));
  return (
    a === 10 ||
    a === 127 ||
    (a === 172 && b >> 4 === 1) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254)
  );
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

function isLinkLocal(bytes: Uint8Array): boolean {
  return bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}
