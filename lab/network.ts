/**
 * An internet of network namespaces: a backbone, a public server machine, and hosts behind real kernel NATs of every
 * kind that matters. Nothing of it leads out of the namespaces. Needs root, iproute2 and nft; see `whyNoLab`.
 */
import { Backbone } from './backbone.ts';
import { LabHost, onBackbone, onLan } from './host.ts';
import { ipBatch, sweep } from './ip.ts';
import type { Join } from './join.ts';
import type { NatKind } from './nat.ts';
import { Router } from './router.ts';

export type { Cut } from './cut.ts';
export type { LabHost } from './host.ts';
export { type End, type Join, joinByVeth, type Unjoin } from './join.ts';
export { whyNoLab } from './prerequisites.ts';

export const HOST_KINDS = [
  'open',
  'full-cone',
  'cone',
  'symmetric',
  'double',
  'udp-blocked',
  'only-443',
  'ipv6-only',
] as const;
/** What is between a host and the internet: nothing, a NAT of this kind, two cones in a row, or an IPv6 firewall. */
export type HostKind = (typeof HOST_KINDS)[number];

export interface HostOptions {
  /** Puts the host on the LAN of another one that is behind a router; `kind` must be that one's. */
  behind?: LabHost;
  /** Makes the link between the backbone and the host's (outer) router, or an open host; default a plain veth pair. */
  join?: Join;
  /** Whether the host has a global IPv6 address beside IPv4 (with a firewall where there is a NAT); default: only 'open' does. */
  ipv6?: boolean;
  /** First three bytes of its LAN's addresses, such as '192.168.1'; default: one that no other LAN has. */
  lan?: string;
}

export interface InternetOptions {
  /** Makes the link between the backbone and the server; default a plain veth pair. */
  join?: Join;
  /**
   * First three bytes of the public IPv4 addresses; default TEST-NET-3. Debian's miniupnpd refuses to work with an
   * address that RFC 6890 reserves, such as that one; for it, use `ROUTABLE_NET`.
   */
  net?: string;
}

/** Addresses that look like any other; inside the namespaces only. */
export const ROUTABLE_NET = '11.22.33';

/** The public machine: for `beeline server` and coturn. */
export interface LabServer extends LabHost {
  /** A second public IPv4 address of the same machine. */
  readonly address2: string;
}

const SERVER = 10;
const FIRST_HOST = 20;

export class Internet {
  readonly backbone: Backbone;
  readonly #hosts = new Set<LabHost>();
  readonly #routers = new Set<Router>();
  readonly #options: InternetOptions;
  readonly #atExit = () => this.remove();
  #server: LabServer | undefined;
  #numbers = FIRST_HOST;

  /** Use `makeInternet`. */
  constructor(options: InternetOptions) {
    this.#options = options;
    this.backbone = new Backbone(options.net);
    process.once('exit', this.#atExit);
  }

  get server(): LabServer {
    return this.#server!;
  }

  async start(): Promise<void> {
    const { backbone } = this;
    const [first, second] = [backbone.address4(SERVER), backbone.address4(SERVER + 1)];
    const addresses = { v4: first, v6: backbone.address6(SERVER) };
    const host = await LabHost.make('server', async (far) => {
      const port = await backbone.link(far, this.#options.join);
      backbone.route(port, [`${second}/32`]);
      return onBackbone(backbone, port, () => addresses);
    });
    this.#hosts.add(host);
    ipBatch(host.namespace, [`addr add ${second}/32 dev net0`]);
    this.#server = Object.assign(host, { address2: second });
  }

  /** Adds a machine. Throws, with nothing of it left behind, when that fails. */
  async addHost(kind: HostKind, options: HostOptions = {}): Promise<LabHost> {
    const host = kind === 'open' ? await this.#openHost(options) : await this.#hostBehind(kind, options);
    this.#hosts.add(host);
    return host;
  }

  /** Removes everything: machines, routers, links, and processes that still run there. Safe to call twice. */
  remove(): void {
    process.off('exit', this.#atExit);
    for (const part of [...this.#hosts, ...this.#routers, this.backbone]) part.remove();
    this.#hosts.clear();
    this.#routers.clear();
  }

  #openHost({ join, ipv6 = true }: HostOptions): Promise<LabHost> {
    const { backbone } = this;
    return LabHost.make('open', async (far) => {
      const port = await backbone.link(far, join);
      return onBackbone(backbone, port, () => {
        const number = this.#number();
        return { v4: backbone.address4(number), v6: ipv6 ? backbone.address6(number) : undefined };
      });
    });
  }

  async #hostBehind(kind: Exclude<HostKind, 'open'>, options: HostOptions): Promise<LabHost> {
    if (options.behind !== undefined) {
      const { router, publicAddress } = options.behind;
      if (router === undefined) throw new Error('there is no LAN behind an open host');
      const public4 = kind === 'ipv6-only' ? undefined : publicAddress;
      return LabHost.make(kind, (far) => onLan(router, far, public4), router);
    }
    const number = this.#number();
    const lan6 = kind === 'ipv6-only' || options.ipv6 === true ? number : undefined;
    const lan4 = kind === 'ipv6-only' ? undefined : (options.lan ?? `192.168.${number}`);
    const home = this.#router({ nat: NATS[kind], lan4, lan6 });
    let outer = home;
    try {
      if (kind === 'double') {
        if (lan6 !== undefined) throw new Error('two NATs in a row have no IPv6 in this lab');
        outer = this.#router({ nat: 'cone', lan4: `100.64.${number}` });
        home.toRouter(outer);
      }
      const public4 = await outer.toBackbone(number, options.join);
      return await LabHost.make(kind, (far) => onLan(home, far, public4), home);
    } catch (error) {
      home.remove();
      outer.remove();
      throw error;
    }
  }

  #router(options: ConstructorParameters<typeof Router>[1]): Router {
    const router = new Router(this.backbone, options);
    this.#routers.add(router);
    return router;
  }

  #number(): number {
    if (this.#numbers > 250) throw new Error('this lab has given out all its addresses');
    return this.#numbers++;
  }
}

const NATS: Record<Exclude<HostKind, 'open'>, NatKind> = {
  cone: 'cone',
  'full-cone': 'full-cone',
  symmetric: 'symmetric',
  double: 'cone',
  'udp-blocked': 'udp-blocked',
  'only-443': 'only-443',
  'ipv6-only': 'firewall',
};

/** Makes the backbone and the server. Throws, with nothing left behind, when that fails. */
export async function makeInternet(options: InternetOptions = {}): Promise<Internet> {
  sweep();
  const internet = new Internet(options);
  try {
    await internet.start();
    return internet;
  } catch (error) {
    internet.remove();
    throw error;
  }
}
