/** Has the router there is now forward the ports that transports listen on, and no others. */
import { oncePerTurn } from '../../base/callback.ts';
import { realClock, Spaced } from '../../base/clock.ts';
import { mapPorts, type PortMapper } from '../../nat/mapping/map-ports.ts';
import type { MappedProtocol } from '../../nat/mapping/mapper.ts';
import type { Transport } from '../../transports/transport.ts';
import type { Address } from '../../wire/candidate.ts';
import type { CommonOptions, Logger } from '../api.ts';

type Told = (address: Address | undefined) => void;

/** Milliseconds at least between two times that a router is asked anew. */
const SPACE_MS = 1_000;

interface ForwardsPorts {
  log: Logger | undefined;
  map: typeof mapPorts;
}

/** A port that the router is asked for, for all who listen on it. */
class Forward {
  readonly users = new Set<Told>();
  readonly #protocol: MappedProtocol;
  readonly #port: number;
  readonly #ports: ForwardsPorts;
  #mapping: PortMapper;
  #address: Address | undefined;
  /** Of two changes in one second the second one counts too. */
  readonly #changes = new Spaced(realClock, SPACE_MS, () => void this.#mapAnew(), realClock.now());

  constructor(protocol: MappedProtocol, port: number, ports: ForwardsPorts) {
    this.#protocol = protocol;
    this.#port = port;
    this.#ports = ports;
    this.#mapping = this.#map();
  }

  add(told: Told): void {
    this.users.add(told);
    if (this.#address) told(this.#address);
  }

  /** The router may be another: the old one is told that it need not forward any more, and then whoever is there is asked. */
  readonly anew = oncePerTurn(() => this.#changes.ask());

  close(): Promise<void> {
    this.#changes.clear();
    return this.#mapping.close();
  }

  async #mapAnew(): Promise<void> {
    this.#tell(undefined);
    const old = this.#mapping;
    // What takes an old mapping back would end its successor.
    await old.close();
    // Another change may have come while the old router did not answer: one successor is enough for both.
    if (this.users.size > 0 && this.#mapping === old) this.#mapping = this.#map();
  }

  #map(): PortMapper {
    const { map, log } = this.#ports;
    return map({
      [this.#protocol]: this.#port,
      onMapped: (_, address) => this.#tell(address),
      ...(log && { log }),
    });
  }

  #tell(address: Address | undefined): void {
    this.#address = address;
    for (const told of this.users) told(address);
  }
}

/** The ports of one process. Several networks may share one: it is forwarded until the last of them is closed. */
export class Forwards {
  readonly #ports: ForwardsPorts;
  readonly #all = new Map<string, Forward>();

  constructor(log: Logger | undefined, map: typeof mapPorts = mapPorts) {
    this.#ports = { log, map };
  }

  use(protocol: MappedProtocol, port: number, told: Told): void {
    const key = `${protocol} ${port}`;
    const forward = this.#all.get(key) ?? new Forward(protocol, port, this.#ports);
    this.#all.set(key, forward);
    forward.add(told);
  }

  /** Resolves when the router has the port back if nobody else uses it, or does not say so soon. */
  async leave(protocol: MappedProtocol, port: number, told: Told): Promise<void> {
    const key = `${protocol} ${port}`;
    const forward = this.#all.get(key);
    if (!forward?.users.delete(told) || forward.users.size > 0) return;
    this.#all.delete(key);
    await forward.close();
  }

  anew(protocol: MappedProtocol, port: number): void {
    this.#all.get(`${protocol} ${port}`)?.anew();
  }
}

/** The ports of one network. */
export class Forwarding {
  readonly #forwards: Forwards;
  readonly #transports: readonly Transport[];
  readonly #onChange: () => void;
  #used: { protocol: MappedProtocol; port: number; told: Told }[] = [];
  #over = false;

  constructor(forwards: Forwards, transports: readonly Transport[], onChange: () => void) {
    this.#forwards = forwards;
    this.#transports = transports;
    this.#onChange = onChange;
  }

  /** The router may be another: it is asked once more. */
  anew(): void {
    for (const { protocol, port } of this.#used) this.#forwards.anew(protocol, port);
  }

  /** Asks for the ports that there are now, unless it has. */
  update(): void {
    if (this.#over) return;
    const listening = this.#transports.flatMap((transport) => {
      const at = transport.port?.();
      return at ? [{ ...at, transport }] : [];
    });
    const same = (a: { protocol: string; port: number }) => (b: { protocol: string; port: number }) =>
      a.protocol === b.protocol && a.port === b.port;
    const gone = this.#used.filter((used) => !listening.some(same(used)));
    for (const { protocol, port, told } of gone) {
      told(undefined);
      void this.#forwards.leave(protocol, port, told);
    }
    this.#used = this.#used.filter((used) => !gone.includes(used));
    for (const at of listening) {
      if (this.#used.some(same(at))) continue;
      const { protocol, port, transport } = at;
      const told: Told = (address) => {
        transport.forwarded?.(address);
        this.#onChange();
      };
      this.#used.push({ protocol, port, told });
      this.#forwards.use(protocol, port, told);
    }
  }

  /** Resolves when the router has its ports back, or does not say so soon. */
  async close(): Promise<void> {
    this.#over = true;
    const used = this.#used.splice(0);
    await Promise.all(used.map(({ protocol, port, told }) => this.#forwards.leave(protocol, port, told)));
  }
}

/**
 * Whether the router is asked for a port. Not for a sender's own meeting point, whose page and relay are for its network
 * only; nor for a server on this very machine: whoever meets there is here too, and no router stands between.
 */
export function mapsPort({ portMap, server }: Pick<CommonOptions, 'portMap' | 'server'>): boolean {
  if (portMap === false || server === undefined) return false;
  return !/^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(server).hostname);
}
