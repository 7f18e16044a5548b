/**
 * Machines on a switch, each by a cable with a rate up and a rate down: the kernel's token buckets. A LAN is a second switch, which
 * one more cable joins to the first. All TCP is on CUBIC, as most hosts have it. Needs root, iproute2, and a kernel with bridges and
 * TBF. Nothing of it leads anywhere else.
 */
import { execFileSync } from 'node:child_process';
import { ip, ipBatch, makeNamespace, prefixOf, removeNamespace, sweep, uniqueName } from './ip.ts';
import type { End } from './join.ts';
import { whyNoNamespaces } from './namespaces.ts';

/** 10^6 bits a second, seen from the far end of the cable: `up` is towards the (first) switch. */
export interface Rates {
  up: number;
  down: number;
}

export interface StarHost {
  readonly namespace: string;
  readonly address: string;
  /** Words that run a command on this host. */
  readonly prefix: readonly string[];
}

/** A second switch, and what names its cable. */
export interface Lan {
  readonly bridge: string;
  readonly cable: string;
}

/** Bytes that have gone over a cable, all headers included. */
export interface Carried {
  up: number;
  down: number;
}

/** Milliseconds that one `tc` may take. */
const TC_DEADLINE_MS = 10_000;
/** What a bucket holds: so much of its rate, and at least what the kernel hands on in one piece. */
const BURST_MS = 10;
const LEAST_BURST_BYTES = 64 * 1024;
/** How long a packet may wait for its tokens before it is dropped instead. */
const QUEUE_MS = 200;
const FIRST_SWITCH = 'switch0';
const HOST_DEVICE = 'net0';
const SUBNET = '10.99.0.0/24';
const MOST_HOSTS = 250;

/** Why no star can be made here, or undefined when one can. */
export function whyNoStar(): string | undefined {
  const missing = whyNoNamespaces();
  if (missing !== undefined) return missing;
  let star: Star | undefined;
  try {
    star = new Star();
    star.addHost({ up: 1, down: 1 });
    return undefined;
  } catch (error) {
    return `no switch with rates can be made here: ${error instanceof Error ? error.message : error}`;
  } finally {
    star?.remove();
  }
}

export class Star {
  readonly #namespace = uniqueName('switch');
  readonly #hosts: StarHost[] = [];
  readonly #atExit = () => this.remove();
  /** The devices whose buckets bound a cable's two directions. */
  readonly #ends = new Map<StarHost | Lan, { up: End; down: End }>();
  #lans = 0;

  constructor() {
    sweep();
    process.once('exit', this.#atExit);
    makeNamespace(this.#namespace);
    this.#addBridge(FIRST_SWITCH);
  }

  /** Plugs a new machine into the first switch, or into a LAN's. */
  addHost(rates: Rates, lan?: Lan): StarHost {
    const number = this.#hosts.length + 1;
    if (number > MOST_HOSTS) throw new Error('this switch has given out all its addresses');
    const namespace = uniqueName('star');
    const host = { namespace, address: `10.99.0.${number}`, prefix: prefixOf(namespace) };
    this.#hosts.push(host);
    makeNamespace(namespace);
    const port = `port${number}`;
    ip(
      ...['-n', this.#namespace, 'link', 'add', port, 'type', 'veth'],
      ...['peer', 'name', HOST_DEVICE, 'netns', namespace],
    );
    this.#plug(port, lan?.bridge ?? FIRST_SWITCH);
    ipBatch(namespace, [
      `addr add ${host.address}/24 dev ${HOST_DEVICE} noprefixroute`,
      `link set ${HOST_DEVICE} up`,
      `route add ${SUBNET} dev ${HOST_DEVICE} scope link src ${host.address} congctl cubic`,
    ]);
    const up = { namespace, device: HOST_DEVICE };
    return this.#limit(host, rates, up, { namespace: this.#namespace, device: port });
  }

  /** A second switch, joined to the first by a cable with these rates. */
  addLan(rates: Rates): Lan {
    const number = ++this.#lans;
    const lan = { bridge: `switch${number}`, cable: `cable${number}` };
    const near = `${lan.cable}-near`;
    this.#addBridge(lan.bridge);
    ip('-n', this.#namespace, 'link', 'add', lan.cable, 'type', 'veth', 'peer', 'name', near);
    this.#plug(lan.cable, lan.bridge);
    this.#plug(near, FIRST_SWITCH);
    const namespace = this.#namespace;
    return this.#limit(lan, rates, { namespace, device: lan.cable }, { namespace, device: near });
  }

  /** What a host's cable, or a LAN's, has carried so far. */
  carried(end: StarHost | Lan): Carried {
    const { up, down } = this.#ends.get(end)!;
    return { up: passed(up), down: passed(down) };
  }

  /** Removes everything, and the processes that still run there. Safe to call twice. */
  remove(): void {
    process.off('exit', this.#atExit);
    for (const { namespace } of this.#hosts.splice(0)) removeNamespace(namespace);
    removeNamespace(this.#namespace);
  }

  #limit<T extends StarHost | Lan>(end: T, rates: Rates, up: End, down: End): T {
    limit(up, rates.up);
    limit(down, rates.down);
    this.#ends.set(end, { up, down });
    return end;
  }

  #addBridge(name: string): void {
    ipBatch(this.#namespace, [`link add ${name} type bridge mcast_snooping 0`, `link set ${name} up`]);
  }

  #plug(device: string, bridge: string): void {
    ipBatch(this.#namespace, [`link set ${device} master ${bridge}`, `link set ${device} up`]);
  }
}

/** Bounds what leaves through a device. */
function limit({ namespace, device }: End, mbit: number): void {
  const burst = Math.max(LEAST_BURST_BYTES, Math.round((mbit * BURST_MS * 1000) / 8));
  const bucket = ['rate', `${Math.round(mbit * 1000)}kbit`, 'burst', String(burst)];
  const latency = ['latency', `${QUEUE_MS}ms`];
  tc('-n', namespace, 'qdisc', 'replace', 'dev', device, 'root', 'tbf', ...bucket, ...latency);
}

/** What a device's bucket has let through. A device's own counter has one header for a burst of packets. */
function passed({ namespace, device }: End): number {
  const [bucket] = JSON.parse(tc('-n', namespace, '-s', '-j', 'qdisc', 'show', 'dev', device));
  return bucket.bytes;
}

function tc(...args: string[]): string {
  return execFileSync('tc', args, {
    timeout: TC_DEADLINE_MS,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
