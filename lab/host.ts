/** A machine of the lab that can be unplugged, moved to other addresses, and cut off from others. */
import type { Backbone } from './backbone.ts';
import { type Cut, cut, heal } from './cut.ts';
import { ipBatch, makeNamespace, prefixOf, removeNamespace, uniqueName } from './ip.ts';
import type { End } from './join.ts';
import type { LanAddresses, Router } from './router.ts';

/** The one interface of a host. */
const DEVICE = 'net0';

/** Where a host is plugged in: a router's LAN, or the backbone itself. */
export interface Place {
  /** The other end of the host's wire. */
  readonly port: End;
  /** Takes other addresses, giving up those that it had. */
  lease(): LanAddresses;
  /** What the host does to use its addresses. */
  configure(device: string, addresses: LanAddresses): string[];
  /** The IPv4 address that the internet sees; undefined: the host's own. */
  readonly public4?: string;
  /** The host is gone. */
  release(): void;
}

export class LabHost {
  readonly namespace: string;
  /** Words that run a command on this host. */
  readonly prefix: readonly string[];
  /** The router with the NAT that is nearest to this host; undefined when it has a public address itself. */
  readonly router: Router | undefined;
  readonly #place: Place;
  #addresses: LanAddresses;
  #removed = false;

  private constructor(namespace: string, place: Place, router: Router | undefined) {
    this.namespace = namespace;
    this.prefix = prefixOf(namespace);
    this.router = router;
    this.#place = place;
    this.#addresses = place.lease();
    ipBatch(namespace, [`link set ${DEVICE} up`, ...this.#configuration()]);
  }

  /** Makes a namespace, has `plug` put an interface into it, and takes addresses there. */
  static async make(
    part: string,
    plug: (far: End) => Place | Promise<Place>,
    router?: Router,
  ): Promise<LabHost> {
    const namespace = uniqueName(part);
    try {
      makeNamespace(namespace);
      return new LabHost(namespace, await plug({ namespace, device: DEVICE }), router);
    } catch (error) {
      removeNamespace(namespace);
      throw error;
    }
  }

  /** The address of the host's own interface: IPv4, or IPv6 where it has no other. */
  get address(): string {
    return this.#addresses.v4 ?? this.#addresses.v6!;
  }

  get address6(): string | undefined {
    return this.#addresses.v6;
  }

  /** The address from which the internet sees the host: its router's, behind a NAT. */
  get publicAddress(): string {
    return this.#place.public4 ?? this.address;
  }

  /** All addresses by which others may know this host; for `cut({ to: other.addresses })`. */
  get addresses(): string[] {
    const { v4, v6 } = this.#addresses;
    const all = [this.publicAddress, v4, v6].filter((address) => address !== undefined);
    return [...new Set(all)];
  }

  /** Drops what matches between this host and the rest, silently, both ways; adds to what is cut already. */
  cut(rule: Cut = {}): void {
    cut(this.#place.port, rule);
  }

  /** Takes all cuts away. */
  heal(): void {
    heal(this.#place.port);
  }

  /** Pulls the plug of the host's interface, or puts it back in. Addresses stay the same. */
  setLink(state: 'up' | 'down'): void {
    const lines = [`link set ${DEVICE} ${state}`];
    // Downing an interface takes its routes and IPv6 addresses away.
    if (state === 'up') lines.push(...this.#configuration());
    ipBatch(this.namespace, lines);
  }

  /** Gives the host other addresses on the same network; those that it had go away. Answers the new `address`. */
  changeAddress(): string {
    this.#addresses = this.#place.lease();
    ipBatch(this.namespace, [`addr flush dev ${DEVICE} scope global`, ...this.#configuration()]);
    return this.address;
  }

  /** Removes the host, what still runs on it, and its router when it was the last one there. Safe to call twice. */
  remove(): void {
    if (this.#removed) return;
    this.#removed = true;
    this.#place.release();
    removeNamespace(this.namespace);
  }

  #configuration(): string[] {
    return this.#place.configure(DEVICE, this.#addresses);
  }
}

/** A place on a router's LAN. */
export function onLan(router: Router, far: End, public4?: string): Place {
  const port = router.plug(far);
  return {
    port,
    public4,
    lease: () => router.lease(),
    configure: (device, addresses) => router.configure(device, addresses),
    release: () => router.unplug(port),
  };
}

/** A place on the backbone, with public addresses that `choose` gives. */
export function onBackbone(backbone: Backbone, port: End, choose: () => LanAddresses): Place {
  let routes: string[] = [];
  return {
    port,
    lease() {
      backbone.unroute(port, routes);
      const addresses = choose();
      routes = [];
      if (addresses.v4 !== undefined) routes.push(`${addresses.v4}/32`);
      if (addresses.v6 !== undefined) routes.push(`${addresses.v6}/128`);
      backbone.route(port, routes);
      return addresses;
    },
    configure: (device, { v4, v6 }) =>
      backbone.configure(device, { v4: v4 === undefined ? [] : [v4], v6: v6 === undefined ? [] : [v6] }),
    release: () => backbone.unlink(port),
  };
}
