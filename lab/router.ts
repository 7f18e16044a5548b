/** A router with a NAT or a firewall between its LAN, a bridge, and its uplink: the backbone, or another router's LAN. */
import type { Backbone } from './backbone.ts';
import { deleteLink, ipBatch, makeNamespace, nft, prefixOf, removeNamespace, uniqueName } from './ip.ts';
import { type End, type Join, joinByVeth } from './join.ts';
import { type NatKind, natRules } from './nat.ts';

/** Addresses of a machine on a LAN. */
export interface LanAddresses {
  v4?: string;
  v6?: string;
}

export interface RouterOptions {
  nat: NatKind;
  /** First three bytes of the LAN's IPv4 addresses, or undefined for a LAN without IPv4. */
  lan4?: string;
  /** Number of the LAN's IPv6 network, or undefined for a LAN without. */
  lan6?: number;
}

export class Router {
  readonly namespace: string;
  /** Words that run a command on this router. */
  readonly prefix: readonly string[];
  readonly #backbone: Backbone;
  readonly #options: RouterOptions;
  #ports = 0;
  #machines = 1;
  #users = 0;
  #unlink: () => void = () => {};

  constructor(backbone: Backbone, options: RouterOptions) {
    this.#backbone = backbone;
    this.#options = options;
    this.namespace = uniqueName(`router-${options.nat}`);
    this.prefix = prefixOf(this.namespace);
    makeNamespace(this.namespace, { 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 });
    ipBatch(this.namespace, [
      'link add lan type bridge mcast_snooping 0',
      'link set lan up',
      ...(options.lan4 === undefined ? [] : [`addr add ${options.lan4}.1/24 dev lan`]),
      ...(options.lan6 === undefined
        ? []
        : [
            'addr add fe80::1/64 dev lan nodad',
            `addr add ${backbone.address6(options.lan6)}/64 dev lan nodad`,
          ]),
    ]);
    nft(this.namespace, natRules(options.nat));
  }

  /** Joins the router to the backbone, with public address number `number` when its LAN has IPv4. */
  async toBackbone(number: number, join?: Join): Promise<string | undefined> {
    const { lan4, lan6 } = this.#options;
    const near = await this.#backbone.link({ namespace: this.namespace, device: 'wan' }, join);
    const v4 = lan4 === undefined ? [] : [this.#backbone.address4(number)];
    const routes = [...v4.map((address) => `${address}/32`)];
    if (lan6 !== undefined) routes.push(`${this.#backbone.address6(lan6, 0)}/64`);
    this.#backbone.route(near, routes);
    const lines = this.#backbone.configure('wan', { v4, v6: [] });
    if (lan6 !== undefined) lines.push('route replace default via fe80::1 dev wan');
    ipBatch(this.namespace, lines);
    this.#unlink = () => this.#backbone.unlink(near);
    return v4[0];
  }

  /** Puts the router behind another one, as a machine of its LAN. */
  toRouter(carrier: Router): void {
    const far = { namespace: this.namespace, device: 'wan' };
    const port = carrier.plug(far);
    ipBatch(this.namespace, ['link set wan up', ...carrier.configure('wan', carrier.lease())]);
    this.#unlink = () => carrier.unplug(port);
  }

  /** Plugs an interface into the LAN; answers the router's end of the wire. */
  plug(far: End): End {
    const port = { namespace: this.namespace, device: `port${++this.#ports}` };
    joinByVeth(port, far);
    ipBatch(this.namespace, [`link set ${port.device} master lan up`]);
    this.#users++;
    return port;
  }

  /** Addresses that no machine of the LAN had yet. */
  lease(): LanAddresses {
    const machine = ++this.#machines;
    const { lan4, lan6 } = this.#options;
    return {
      v4: lan4 === undefined ? undefined : `${lan4}.${machine}`,
      v6: lan6 === undefined ? undefined : this.#backbone.address6(lan6, machine),
    };
  }

  /** What a machine of the LAN does to use these addresses. Safe to do again. */
  configure(device: string, { v4, v6 }: LanAddresses): string[] {
    const lines: string[] = [];
    if (v4 !== undefined) {
      lines.push(`addr replace ${v4}/24 dev ${device}`);
      lines.push(`route replace default via ${this.#options.lan4}.1 dev ${device}`);
    }
    if (v6 !== undefined) {
      lines.push(`addr replace ${v6}/64 dev ${device} nodad`);
      lines.push(`route replace default via fe80::1 dev ${device}`);
    }
    return lines;
  }

  /** Takes a machine off the LAN; the last one takes the router with it. */
  unplug(port: End): void {
    deleteLink(port);
    if (--this.#users <= 0) this.remove();
  }

  remove(): void {
    const unlink = this.#unlink;
    this.#unlink = () => {};
    unlink();
    removeNamespace(this.namespace);
  }
}
