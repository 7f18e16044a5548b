/** IP addresses: what is one, how it is spelled, and how far it reaches. Pure; on ipaddr.js. */
import ipaddr from 'ipaddr.js';

type Ip = ipaddr.IPv4 | ipaddr.IPv6;
type Subnet = [Ip, number];

/**
 * - `shared`: 100.64.0.0/10 (RFC 6598) and 192.0.0.0/29 (DS-Lite, RFC 6333), between a provider's NAT and its customers.
 * - `none`: no host has it ("this network", or the unspecified address).
 * - `many`: multicast, broadcast and what is reserved above them.
 */
export type Scope = 'global' | 'private' | 'shared' | 'link-local' | 'loopback' | 'none' | 'many';

const SUBNETS: { readonly [S in Exclude<Scope, 'global'>]: readonly string[] } = {
  none: ['0.0.0.0/8', '::/128'],
  loopback: ['127.0.0.0/8', '::1/128'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  shared: ['100.64.0.0/10', '192.0.0.0/29'],
  // RFC 1918, unique local addresses (RFC 4193) and the site-local ones that they replaced.
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
  many: ['224.0.0.0/3', 'ff00::/8'],
};

const RANGES: Record<string, Subnet[]> = Object.fromEntries(
  Object.entries(SUBNETS).map(([scope, subnets]) => [scope, subnets.map((each) => ipaddr.parseCIDR(each))]),
);
/** Where NAT64 leads to an IPv4 address (RFC 6052): `ipv4Behind` says which. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/** INET6_ADDRSTRLEN: the longest spelling. */
const MAX_LENGTH = 45;

/** Undefined for what is no address; one with a zone is none. IPv4 is four decimal numbers, as everywhere but in old C libraries. */
function parse(text: string): Ip | undefined {
  if (text.length > MAX_LENGTH || text.includes('%')) return undefined;
  if (!text.includes(':'))
    return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : undefined;
  // A dotted quad at the end stands for two groups (RFC 4291, 2.2.3); the library would take more spellings of it.
  const groups = text.replace(/[^:]*\.[^:]*$/, inGroups);
  return ipaddr.IPv6.isValid(groups) ? ipaddr.IPv6.parse(groups) : undefined;
}

function inGroups(quad: string): string {
  const [a, b, c, d] = parse(quad)?.toByteArray() ?? [];
  // The library would take more spellings of it than four decimal numbers: 'x' is none at all.
  return d === undefined ? 'x' : `${((a! << 8) | b!).toString(16)}:${((c! << 8) | d).toString(16)}`;
}

/** With an IPv4 address in the place of one that is mapped into IPv6 (RFC 4291, 2.5.5.2), and without a zone. */
function known(text: string): Ip | undefined {
  return unmapped(parse(text.split('%', 1)[0]!));
}

function unmapped<I extends Ip | undefined>(ip: I): I | ipaddr.IPv4 {
  return ip instanceof ipaddr.IPv6 && ip.isIPv4MappedAddress() ? ip.toIPv4Address() : ip;
}

/** True for an IPv4 or IPv6 address as text, false for a name: a name would make this side ask a name server of the peer's choosing. */
export function isAddress(host: string): boolean {
  return parse(host) !== undefined;
}

/** Undefined for a name. A zone does not matter, and a mapped address is one of IPv6. */
export function familyOf(host: string): 4 | 6 | undefined {
  const ip = parse(host.split('%', 1)[0]!);
  return ip && (ip instanceof ipaddr.IPv4 ? 4 : 6);
}

/** Sockets for both families report IPv4 peers as `::ffff:1.2.3.4`: those as IPv4, anything else as it is. */
export function plainHost(host: string): string {
  const ip = host.includes(':') ? parse(host) : undefined;
  return ip && unmapped(ip) !== ip ? unmapped(ip).toString() : host;
}

/** 4 or 16 bytes; an IPv4 address mapped into IPv6 as its 4, a zone dropped. Undefined for anything else. */
export function ipBytes(host: string): Uint8Array | undefined {
  const ip = known(host);
  return ip && Uint8Array.from(ip.toByteArray());
}

/** The text that the operating system shows too (RFC 5952). @param bytes 4 or 16 */
export function ipText(bytes: Uint8Array): string {
  return unmapped(ipaddr.fromByteArray([...bytes])).toString();
}

/** The address in the one spelling in which sockets report it, without a zone; undefined for what is none. */
export function spelled(host: string): string | undefined {
  return known(host)?.toString();
}

/** @param host with or without a zone. A name is `global`, since nobody knows where it leads */
export function scopeOf(host: string): Scope {
  const ip = known(host);
  return ip ? (ipaddr.subnetMatch(ip, RANGES, 'global') as Scope) : 'global';
}

/** Link-local IPv6: it leads nowhere without a zone, and a zone means nothing to another machine. */
export function needsZone(host: string): boolean {
  return familyOf(host) === 6 && scopeOf(host) === 'link-local';
}

/** The address in one spelling; where NAT64 leads to an IPv4 address, that one. Undefined for what is no address. */
export function behindNat64(host: string): string | undefined {
  const ip = known(host);
  const translated = ip instanceof ipaddr.IPv6 && ip.match(NAT64);
  return (translated ? new ipaddr.IPv4(ip.toByteArray().slice(12)) : ip)?.toString();
}

/** Tells whether an address is in one of them. @param subnets `192.168.1.0/24`; one that cannot be read holds nobody */
export function within(subnets: readonly string[]): (host: string) => boolean {
  const all = subnets.filter((each) => ipaddr.isValidCIDR(each)).map((each) => ipaddr.parseCIDR(each));
  return (host) => {
    const ip = known(host);
    return ip !== undefined && ipaddr.subnetMatch(ip, { in: all }, '') === 'in';
  };
}

/**
 * The key that limits count by: an IPv4 address as it is, IPv6 by /64 (one household or host usually has a whole
 * one, RFC 6177), an IPv4-mapped address as IPv4. Anything else is its own key.
 */
export function addressKey(address: string): string {
  const ip = known(address);
  if (!ip) return address;
  return ip instanceof ipaddr.IPv4
    ? ip.toString()
    : `${new ipaddr.IPv6([...ip.parts.slice(0, 4), 0, 0, 0, 0])}/64`;
}
