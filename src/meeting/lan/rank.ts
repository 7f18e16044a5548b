/** Which of a machine's network interfaces matter most: container hosts have hundreds, and lists of them are bounded. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

export type Listing = Record<string, NetworkInterfaceInfo[] | undefined>;

/** What the system knows of its interfaces. */
export interface Routing {
  /** Interfaces that a default route goes through. */
  defaults: ReadonlySet<string>;
  /** False if a cable, or whatever takes its place, is known to be missing. */
  carrier(name: string): boolean;
}

/** Bridges, and ends of pairs, that container and virtual machine programs make, on Linux, macOS and Windows. */
const VIRTUAL =
  /^(?:docker|br-|veth|virbr|vnet|cni|cali|cilium|flannel|lxc|lxd|podman|kube|nerdctl|vmnet|vboxnet|bridge\d|vEthernet|VMware|VirtualBox)/i;

/** Every interface with its addresses, the likeliest to lead to other people's machines first; else as the system has them. */
export function rankedInterfaces(
  listing: Listing = networkInterfaces(),
  routing: Routing = systemRouting(),
): [name: string, infos: NetworkInterfaceInfo[]][] {
  const rank = (name: string, infos: readonly NetworkInterfaceInfo[]): number => {
    // There is one, and two shells on a machine without a network meet by it.
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
