/** The machine's network interfaces as mDNS sees them: one IPv4 and one IPv6 way into each link. */
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { familyOf, needsZone, within } from '../../base/addresses.ts';
import { type Listing, rankedInterfaces } from './rank.ts';

/** Container hosts can have hundreds, and each costs sockets: an IPv4 and an IPv6 one. */
const MOST_INTERFACES = 64;
/** Keeps an announcement within one Ethernet frame. */
const MOST_ADDRESSES = 16;

export interface Interface {
  readonly name: string;
  readonly family: 4 | 6;
  /** The interface's own address; for IPv6 its link-local one, without a zone. */
  readonly address: string;
  readonly loopback: boolean;
  /** What follows `%` in a scoped address here: a name, or a number on Windows. */
  readonly zone: string;
  /** True if a packet from this address can have come from a host on this link (RFC 6762, 11). */
  isOnLink(source: string): boolean;
}

/**
 * Interfaces that can carry multicast; `only` restricts them to these names or addresses. The loopback interface
 * takes part, so that two processes on a machine without a network meet. Those that matter most come first.
 */
export function multicastInterfaces(
  only?: readonly string[],
  listing: Listing = networkInterfaces(),
): Interface[] {
  const found: Interface[] = [];
  let most = MOST_INTERFACES;
  for (const [name, infos] of rankedInterfaces(listing)) {
    const usable = infos.filter((info) => isWanted(name, info, only));
    const v4 = usable.find((info) => info.family === 'IPv4');
    const v6 = usable.find((info) => info.family === 'IPv6' && needsZone(info.address));
    if (v4) found.push(describe(name, v4, infos));
    if (v6) found.push(describe(name, v6, infos));
    if ((v4 || v6) && --most === 0) break;
  }
  return found;
}

/** What to announce on a link: the link's own addresses first, then others that might be reached through a router. */
export function addressesFor(
  link: Interface,
  only?: readonly string[],
  listing: Listing = networkInterfaces(),
): string[] {
  const own: string[] = [];
  const others: string[] = [];
  for (const [name, infos] of rankedInterfaces(listing)) {
    for (const info of infos) {
      if (!isWanted(name, info, only)) continue;
      if (name === link.name) own.push(info.address);
      // Elsewhere a loopback address is the reader's own, and a link-local one means nothing.
      else if (!info.internal && !needsZone(info.address)) others.push(info.address);
    }
  }
  return [...own, ...others].slice(0, MOST_ADDRESSES);
}

function isWanted(name: string, info: NetworkInterfaceInfo, only: readonly string[] | undefined): boolean {
  return only === undefined || only.includes(name) || only.includes(info.address);
}

function describe(name: string, info: NetworkInterfaceInfo, all: NetworkInterfaceInfo[]): Interface {
  const family = info.family === 'IPv4' ? 4 : 6;
  const zone = process.platform === 'win32' && info.family === 'IPv6' ? String(info.scopeid) : name;
  const isHere = within(all.flatMap(({ cidr }) => cidr ?? []));
  // A point-to-point interface has no subnet to compare with.
  const anything = all.some(({ cidr, family }) => family === 'IPv4' && cidr?.endsWith('/32'));
  return {
    name,
    family,
    address: info.address,
    loopback: info.internal,
    zone,
    isOnLink(source) {
      const [address = '', scope] = source.split('%');
      if (familyOf(address) !== family) return false;
      if (needsZone(address)) return scope === zone;
      return (family === 4 && anything) || isHere(address);
    },
  };
}
