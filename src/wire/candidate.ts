/** Where a side can be reached, as it crosses, sealed, between the peers. Pure. */
import { isAddress, plainHost } from '../base/addresses.ts';

/** An IP address (never a name) and a port, 1 to 65535. */
export interface Address {
  host: string;
  port: number;
}

/** `host:port`, with brackets around IPv6; an IPv4 address mapped into IPv6 is shown as IPv4. */
export function formatAddress({ host, port }: Address): string {
  const plain = plainHost(host);
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

const WRITTEN = /^(?:\[([^\]]{2,45})\]|([^:[\]]{7,15})):(\d{1,5})$/;

/** The reverse of `formatAddress`; undefined if it is none. */
export function decodeAddress(text: unknown): Address | undefined {
  const [, v6, v4, digits] = (typeof text === 'string' && WRITTEN.exec(text)) || [];
  const host = v6 ?? v4;
  const port = Number(digits);
  return host !== undefined && isAddress(host) && port >= 1 && port <= 65535 ? { host, port } : undefined;
}
