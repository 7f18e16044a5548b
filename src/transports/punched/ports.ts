/**
 * A local TCP port for punching: a connection from it to the STUN server tells what address the NAT gives it, and keeps
 * that mapping alive. The port is never listened on; connections out of it share it (SO_REUSEADDR, set by libuv).
 */
import { createServer, type Socket } from 'node:net';
import { isAddress, plainHost, type Scope, scopeOf } from '../../base/addresses.ts';
import { TokenBucket } from '../../base/bucket.ts';
import { Alarm, atMost, onAbort, realClock } from '../../base/clock.ts';
import { askTcp } from '../../nat/stun/ask.ts';
import type { Address } from '../../wire/candidate.ts';

/** Milliseconds for one question to the server: two lost SYNs on a slow path. */
const ASK_DEADLINE = 5_000;
/** Milliseconds without an answer. askTcp asks every 20 s, to keep the connection alive. */
const SILENCE = 50_000;
/** Milliseconds until a lost server is asked again. */
const FIRST_BACKOFF = 1_000;
const MAX_BACKOFF = 60_000;

/** How often a session may try at all, whatever its peer asks for: so many at once, and so many a second after that. */
export class PunchBudget extends TokenBucket {
  static readonly most = 256;
  static readonly perSecond = 16;

  constructor() {
    super(PunchBudget.perSecond, PunchBudget.most);
  }
}

export class PunchPort {
  readonly family: 4 | 6;
  readonly #server: Address;
  readonly #onChange: () => void;
  #local = 0;
  #chosen: Promise<number> | undefined;
  #mapped: Address | undefined;
  readonly #life = new AbortController();
  #socket: Socket | undefined;
  readonly #retry = new Alarm(realClock);
  #backoff = FIRST_BACKOFF;
  #asking = false;
  #taken = false;

  constructor(server: Address, onChange: () => void) {
    this.#server = server;
    this.#onChange = onChange;
    this.family = server.host.includes(':') ? 6 : 4;
  }

  /** 0 before it is chosen. */
  get local(): number {
    return this.#local;
  }

  /** The address that the server sees. It stays as it was while the server is lost. */
  get mapped(): Address | undefined {
    return this.#mapped;
  }

  /** For tries, or a lane: one at a time. False if it is taken. */
  take(): boolean {
    if (this.#taken) return false;
    this.#taken = true;
    return true;
  }

  release(): void {
    this.#taken = false;
    if (this.#mapped && !this.#socket) this.#later(0);
  }

  /** Asks the server; goes on asking by itself when that fails. Never rejects. */
  async learn(): Promise<void> {
    if (this.#life.signal.aborted || this.#asking) return;
    this.#asking = true;
    try {
      const localPort = await this.choose();
      const chosen = this.#chosen;
      const { signal } = this.#life;
      const { mapped, socket } = await askTcp(this.#server, { localPort, deadline: ASK_DEADLINE, signal });
      if (chosen === this.#chosen && !signal.aborted) this.#keep(socket, mapped);
      else socket.destroy();
      if (chosen !== this.#chosen) this.#later(0);
    } catch {
      // Another program may have taken the port meanwhile. A port that a peer knows is not given up.
      if (!this.#mapped) this.#chosen = undefined;
      this.#later();
    } finally {
      this.#asking = false;
    }
  }

  /** The local port, chosen at the first call. */
  async choose(): Promise<number> {
    this.#chosen ??= freePort(this.family);
    this.#local = await this.#chosen;
    return this.#local;
  }

  /** Takes another local port, and so another mapping: this one's old connections stand in the way. */
  renew(): void {
    if (this.#life.signal.aborted) return;
    this.letGo();
    this.#chosen = undefined;
    this.#backoff = FIRST_BACKOFF;
    this.#later(0);
  }

  /** Gives up the connection to the server, so that the port is free for others. */
  letGo(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  close(): void {
    this.#life.abort();
    this.#retry.clear();
    this.letGo();
  }

  #keep(socket: Socket, mapped: Address): void {
    this.letGo();
    this.#socket = socket;
    this.#backoff = FIRST_BACKOFF;
    this.#listen(socket);
    const same = this.#mapped?.host === mapped.host && this.#mapped.port === mapped.port;
    this.#mapped = mapped;
    if (!same) this.#onChange();
  }

  /** A lost path gives no sign, and the kernel needs a quarter of an hour to notice. */
  #listen(socket: Socket): void {
    const silent = setTimeout(() => socket.destroy(), SILENCE);
    silent.unref();
    socket.on('data', () => silent.refresh());
    socket.once('close', () => {
      clearTimeout(silent);
      if (this.#socket === socket) this.#later();
    });
  }

  #later(wait = this.#backoff): void {
    this.#backoff = Math.min(MAX_BACKOFF, this.#backoff * 2);
    if (!this.#life.signal.aborted) this.#retry.set(wait, () => void this.learn());
  }
}

/**
 * A port that nothing uses. Chosen by listening for a moment: a port that the system picks while connecting cannot be
 * shared afterwards.
 */
function freePort(family: 4 | 6): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ port: 0, host: family === 6 ? '::' : '0.0.0.0' }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Milliseconds to wait for the first answers. Later answers call onChange. */
const OPEN_DEADLINE = 3_000;
/** Addresses of a peer that are ever tried. */
export const MAX_PUNCHED = 8;

export interface PunchPorts {
  /** The ports to punch from: their mapping is known, and is the same for all destinations. */
  readonly usable: readonly PunchPort[];
  /** What the world sees of those: the `punch` candidates to tell the peer, in this order. */
  readonly candidates: Address[];
  /** Of every port, for people; undefined while no server has answered on it. */
  readonly mapped: (Address | undefined)[];
  /** Each destination gets another mapping. A peer would not see what the server sees, so punching cannot work. */
  readonly dependent: boolean;
  readonly budget: PunchBudget;
  close(): void;
}

interface OpenPunchPorts {
  /** Ports for each family that the servers have. */
  count: number;
  signal: AbortSignal;
  /** A mapped address was learned or changed: tell the peer. */
  onChange?: () => void;
}

/**
 * Never rejects: without an answer there is just nothing mapped (yet).
 * @param servers the STUN server's TCP ports, IPv4 and IPv6; a second of a family tells whether mappings are dependent
 */
export async function openPunchPorts(servers: Address[], options: OpenPunchPorts): Promise<PunchPorts> {
  let open = false;
  const changed = () => open && options.onChange?.();
  const groups = [4, 6]
    .map((family) => servers.filter(({ host }) => host.includes(':') === (family === 6)))
    .filter((group) => group.length > 0)
    .map(([server, other]) => ({
      other,
      ports: Array.from({ length: options.count }, () => new PunchPort(server!, changed)),
    }));
  const ports = groups.flatMap((each) => each.ports);
  const dependent = new Set<PunchPort>();
  const close = () => {
    for (const port of ports) port.close();
  };
  const forget = onAbort(options.signal, close);
  const learned = groups.map(async (group) => {
    const [first] = group.ports;
    const [other] = await Promise.all([
      first && group.other ? mappedTowards(group.other, first, options.signal) : undefined,
      ...group.ports.map((port) => port.learn()),
    ]);
    if (!other || !first?.mapped || isSame(other, first.mapped)) return;
    for (const port of group.ports) dependent.add(port);
    changed();
  });
  await atMost(realClock, OPEN_DEADLINE, Promise.all(learned));
  open = true;
  const usable = () => ports.filter((port) => port.mapped && !dependent.has(port));
  return {
    get usable() {
      return usable();
    },
    get candidates() {
      return usable().map((port) => port.mapped!);
    },
    get mapped() {
      return ports.map((port) => port.mapped);
    },
    get dependent() {
      return ports.length > 0 && ports.every((port) => dependent.has(port));
    },
    budget: new PunchBudget(),
    close() {
      forget();
      close();
    },
  };
}

/** Our n-th usable port belongs to the peer's n-th candidate, in each family. */
export function pairs(ports: PunchPorts, peer: readonly Address[]): { port: PunchPort; to: Address }[] {
  const sane = peer.slice(0, MAX_PUNCHED).filter(canBeSeen);
  return [4, 6].flatMap((family) => {
    const theirs = sane.filter(({ host }) => host.includes(':') === (family === 6));
    const ours = ports.usable.filter((port) => port.family === family);
    return ours.slice(0, theirs.length).map((port, i) => ({ port, to: theirs[i]! }));
  });
}

/** Whether a STUN server can see this address: loopback, unspecified, multicast and link-local ones it cannot. */
const SEEN: ReadonlySet<Scope> = new Set(['global', 'private', 'shared']);

/** In IPv6's spelling an IPv4 address would be paired with a port of the other family. */
function canBeSeen({ host }: Address): boolean {
  return isAddress(host) && plainHost(host) === host && SEEN.has(scopeOf(host));
}

/** What another port of the server sees of the same local port; undefined if it does not answer. */
async function mappedTowards(
  server: Address,
  port: PunchPort,
  signal: AbortSignal,
): Promise<Address | undefined> {
  const options = { localPort: await port.choose(), deadline: OPEN_DEADLINE, signal };
  const answer = await askTcp(server, options).catch(() => undefined);
  answer?.socket.destroy();
  return answer?.mapped;
}

function isSame(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}
