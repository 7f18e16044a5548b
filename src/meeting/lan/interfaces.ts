/** The machine's network interfaces: those that matter most first, and as mDNS sees them, one IPv4 and one IPv6 way into each link. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { familyOf, needsZone, within } from '../../base/addresses.ts';

export type InterfaceListing = Record<string, NetworkInterfaceInfo[] | undefined>;

/** What the system knows of its interfaces. */
interface Routing {
  /** Interfaces that a default route goes through. */
  defaults: ReadonlySet<string>;
  /** False if a cable, or whatever takes its place, is known to be missing. */
  carrier(name: string): boolean;
}

/** Bridges, and ends of pairs, that container and virtual machine programs make, on Linux, macOS and Windows. */
const VIRTUAL =
  /^(?:docker|br-|veth|virbr|vnet|cni|cali|cilium|flannel|lxc|lxd|podman|kube|nerdctl|vmnet|vboxnet|bridge\d|vEthernet|VMware|VirtualBox)/i;

/** Container hosts have hundreds, and lists of them are bounded. Every interface with its addresses, the likeliest to lead to other people's machines first; else as the system has them. */
export function rankedInterfaces(
  listing: InterfaceListing = networkInterfaces(),
  routing: Routing = systemRouting(),
): [name: string, infos: NetworkInterfaceInfo[]][] {
  const rank = (name: string, infos: readonly NetworkInterfaceInfo[]): number => {
    // Always one: two shells on a machine without a network meet by it.
    if (infos.some(({ internal }) => internal)) return 1;
    if (routing.defaults.has(name)) return 0;
    if (VIRTUAL.test(name)) return 4;
    if (!routing.carrier(name)) return 5;
    // Whoever has the first address of a private network is its router, as each container host is of its own.
    const v4 = infos.filter(({ family }) => family === 'IPv4');
    return v4.length > 0 && v4.every(({ address }) => address.endsWith('.1')) ? 3 : 2;
  };
  return Object.entries(listing)
    .map(([name, infos = []]) => ({ name, infos, at: rank(name, infos) }))
    .sort((a, b) => a.at - b.at)
    .map(({ name, infos }) => [name, infos]);
}

/** On Linux from /proc and /sys; elsewhere nothing is known, and names decide. */
function systemRouting(): Routing {
  // proc(5): interface, destination; the destination of a default route is zero, and so is its mask.
  const v4 = lines('/proc/net/route').filter(([, to, , , , , , mask]) => to === ZERO && mask === ZERO);
  const v6 = lines('/proc/net/ipv6_route').filter(([to, prefix]) => to === '0'.repeat(32) && prefix === '00');
  return {
    defaults: new Set([...v4.map(([name]) => name!), ...v6.map((fields) => fields.at(-1)!)]),
    carrier: (name) => name.includes('/') || lines(`/sys/class/net/${name}/carrier`)[0]?.[0] !== '0',
  };
}

const ZERO = '00000000';
const MOST_BYTES = 64 * 1024;

function lines(path: string): string[][] {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    // Default routes stand first; a router's whole table may have a million lines.
    const buffer = Buffer.alloc(MOST_BYTES);
    const length = readSync(file, buffer, 0, MOST_BYTES, 0);
    const text = buffer.toString('latin1', 0, length);
    return text.split('\n').map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

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
  listing: InterfaceListing = networkInterfaces(),
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
  listing: InterfaceListing = networkInterfaces(),
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
