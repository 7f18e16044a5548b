/**
 * The lab's internet proper: one router to which every public machine and every NAT router has a link of its own.
 * Addresses are routed one by one, so that any link will do and nobody shares a segment with anybody.
 * What is sent to an address that nobody has is swallowed without a word, as the real one does: an ICMP error, or
 * ENETUNREACH for a server's own sends, would end sessions (coturn's, for one) that should stay.
 */
import { deleteLink, ipBatch, makeNamespace, removeNamespace, uniqueName } from './ip.ts';
import { type End, type Join, joinByVeth, type Unjoin } from './join.ts';

/** First three bytes of the public IPv4 addresses: TEST-NET-3, of RFC 5737. */
export const TEST_NET = '203.0.113';

export class Backbone {
  readonly namespace = uniqueName('backbone');
  readonly #net: string;
  readonly #unjoin = new Map<string, Unjoin>();
  #links = 0;

  constructor(net = TEST_NET) {
    this.#net = net;
    makeNamespace(this.namespace, { 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 });
    ipBatch(this.namespace, [
      // Frames to a hardware address that nobody has: sent well, and dropped by the other end.
      'link add void type veth peer name void-end',
      'link set void up',
      'link set void-end up',
      `addr add ${this.address4(1)}/32 dev void`,
      `neigh add ${this.address4(2)} lladdr 02:00:00:00:00:02 dev void nud permanent`,
      `route add default via ${this.address4(2)} dev void onlink`,
      'neigh add fe80::2 lladdr 02:00:00:00:00:02 dev void nud permanent',
      'route add default via fe80::2 dev void',
    ]);
  }

  address4(number: number): string {
    return `${this.#net}.${number}`;
  }

  /** An address of IPv6 network `number`, a /64. */
  address6(number: number, host = 1): string {
    return `2001:db8:${number.toString(16)}::${host.toString(16)}`;
  }

  /** Links `far` to the backbone, both ends up. Answers the backbone's end. */
  async link(far: End, join: Join = joinByVeth): Promise<End> {
    const near = { namespace: this.namespace, device: `up${++this.#links}` };
    const unjoin = await join(near, far);
    if (unjoin !== undefined) this.#unjoin.set(near.device, unjoin);
    ipBatch(this.namespace, [
      `link set ${near.device} up`,
      `addr add ${this.address4(1)}/32 dev ${near.device}`,
      `addr add fe80::1/64 dev ${near.device} nodad`,
    ]);
    ipBatch(far.namespace, [`link set ${far.device} up`]);
    return near;
  }

  /** Sends these addresses and networks, each with its prefix length, down a link from now on. */
  route(near: End, routes: readonly string[]): void {
    ipBatch(
      this.namespace,
      routes.map((route) => `route add ${route} ${via(route)} dev ${near.device}`),
    );
  }

  unroute(near: End, routes: readonly string[]): void {
    ipBatch(
      this.namespace,
      routes.map((route) => `route del ${route} ${via(route)} dev ${near.device}`),
    );
  }

  /** What the far end has to do to have these addresses and reach the rest. Safe to do again. */
  configure(device: string, addresses: { v4: readonly string[]; v6: readonly string[] }): string[] {
    const lines: string[] = [];
    if (addresses.v4.length > 0) {
      lines.push(
        ...addresses.v4.map((address) => `addr replace ${address}/32 dev ${device}`),
        `route replace ${this.address4(1)} dev ${device} scope link`,
        `route replace default via ${this.address4(1)} dev ${device}`,
      );
    }
    lines.push(`addr replace fe80::2/64 dev ${device} nodad`);
    lines.push(...addresses.v6.map((address) => `addr replace ${address}/128 dev ${device} nodad`));
    if (addresses.v6.length > 0) lines.push(`route replace default via fe80::1 dev ${device}`);
    return lines;
  }

  /** Takes a link and its routes away. */
  unlink({ device }: End): void {
    this.#unjoin.get(device)?.();
    this.#unjoin.delete(device);
    deleteLink({ namespace: this.namespace, device });
  }

  remove(): void {
    for (const unjoin of this.#unjoin.values()) unjoin();
    this.#unjoin.clear();
    removeNamespace(this.namespace);
  }
}

// An IPv6 network is behind its router; an IPv4 address is at the other end itself.
const via = (route: string): string => (route.includes(':') ? 'via fe80::2' : '');
