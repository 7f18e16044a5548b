/** How far an IP address reaches. */
import { BlockList, isIPv6 } from 'node:net';
import { plainHost } from '../protocol/candidate.ts';

/** `shared`: 100.64.0.0/10 (RFC 6598) and 192.0.0.0/29 (DS-Lite, RFC 6333), between a provider's NAT and its customers. */
export type Scope = 'global' | 'private' | 'shared' | 'link-local' | 'loopback';

const SUBNETS: { readonly [S in Exclude<Scope, 'global'>]: readonly string[] } = {
  loopback: ['127.0.0.0/8', '::1/128'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  shared: ['100.64.0.0/10', '192.0.0.0/29'],
  // RFC 1918, unique local addresses (RFC 4193) and the site-local ones that they replaced.
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
};

const LISTS = Object.entries(SUBNETS).map(([scope, subnets]) => {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = '', prefix] = subnet.split('/');
    list.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  return { scope: scope as Scope, list };
});

/** @param address IPv4 or IPv6, with or without a zone */
export function scopeOf(address: string): Scope {
  const plain = plainHost(address).split('%')[0]!;
  const family = isIPv6(plain) ? 'ipv6' : 'ipv4';
  return LISTS.find(({ list }) => list.check(plain, family))?.scope ?? 'global';
}
