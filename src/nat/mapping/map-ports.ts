/** Has the router forward this session's ports while it runs, by whichever protocol the router speaks. */

import { atMost, onAbort, realClock } from '../../base/clock.ts';
import { asBeelineError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { findGateway } from './gateway.ts';
import type { Gateway, MappedProtocol, Mapper } from './mapper.ts';
import { NatPmp, Pcp } from './pmp.ts';
import { Upnp } from './upnp.ts';

/** Seconds: short enough that what a killed program left behind is soon gone. Renewed at half of it (RFC 6886, 3.3). */
const LIFETIME_S = 3_600;
const MIN_RENEWAL_S = 30;
/** Seconds until a router that refused, or was not there, is asked again: networks change. */
const RETRY_S = 300;
/** Milliseconds that taking mappings back may delay the end of the program. */
const CLOSE_DEADLINE_MS = 800;

interface MapPorts {
  /** This machine's listening ports. */
  tcp?: number;
  udp?: number;
  /** Closes it. */
  signal?: AbortSignal;
  /** The router forwards from there; told again when it changes. */
  onMapped: (transport: MappedProtocol, address: Address, protocol: Mapper['protocol']) => void;
  log?: { debug(fields: object, text: string): void };
}

export interface PortMapper {
  /** Takes the mappings back. Never rejects, and never takes longer than a second. */
  close(): Promise<void>;
}

/** Where the router is and how it may be asked, in order; for tests others than the real ones. */
export interface Router {
  find(): Promise<Gateway | undefined>;
  mappers(gateway: Gateway): Mapper[];
}

const REAL: Router = {
  find: findGateway,
  mappers: (gateway) => [new Pcp(gateway), new NatPmp(gateway), new Upnp(gateway)],
};

/** Returns at once and never throws: what a router does is only told, by onMapped and log. */
export function mapPorts(options: MapPorts, router = REAL): PortMapper {
  const session = new MappingSession(options, router);
  session.start();
  return session;
}

class MappingSession implements PortMapper {
  readonly #options: MapPorts;
  readonly #router: Router;
  readonly #wanted: (readonly [MappedProtocol, number])[] = [];
  readonly #told = new Map<MappedProtocol, string>();
  #forget = () => {};
  /** The one that works, alone; or all that are being tried. */
  #mappers: Mapper[] = [];
  /** Those that may have mapped something: a request may be on its way. */
  readonly #used = new Set<Mapper>();
  /** The one that has mapped something. */
  #granted: Mapper | undefined;
  #gateway: Gateway | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MapPorts, router: Router) {
    this.#options = options;
    this.#router = router;
    for (const transport of ['tcp', 'udp'] as const) {
      const port = options[transport];
      if (port) this.#wanted.push([transport, port]);
    }
  }

  start(): void {
    if (this.#options.signal?.aborted || this.#wanted.length === 0) return;
    this.#forget = onAbort(this.#options.signal, () => void this.close());
    void this.#round();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#forget();
    clearTimeout(this.#timer);
    const ends = [...this.#used].map((mapper) => {
      const all = this.#wanted.map(([transport, port]) => mapper.unmap(transport, port));
      return {
        all: Promise.allSettled(all),
        awaited: mapper === this.#granted || mapper.protocol === 'UPnP',
      };
    });
    // A router that never answered is told, but its answer is not waited for. UPnP itself knows whether it must take anything back.
    const awaited = ends.flatMap(({ all, awaited }) => (awaited ? [all] : []));
    await atMost(realClock, CLOSE_DEADLINE_MS, Promise.all(awaited));
    // Lets what was just queued leave first.
    await new Promise((resolve) => setImmediate(resolve));
    this.#drop();
  }

  /** Maps, or renews, and sees to the next round. */
  async #round(): Promise<void> {
    const lifetime = await this.#map().catch((thrown) => {
      this.#log(asBeelineError(thrown).message);
      return undefined;
    });
    if (this.#closing) return;
    const wait =
      lifetime === undefined ? RETRY_S : Math.max(MIN_RENEWAL_S, Math.min(LIFETIME_S, lifetime) / 2);
    this.#timer = setTimeout(() => void this.#round(), wait * 1000);
    this.#timer.unref();
  }

  /** @returns the shortest lifetime, in seconds; undefined if no router maps. */
  async #map(): Promise<number | undefined> {
    const gateway = await this.#router.find();
    if (this.#closing) return undefined;
    const same = gateway?.gateway === this.#gateway?.gateway && gateway?.local === this.#gateway?.local;
    // Only the protocol that made a mapping can renew it, so one failure is allowed.
    if (!same || this.#failures > 1 || this.#mappers.length > 1) this.#drop();
    this.#gateway = gateway;
    if (!gateway) return undefined;
    if (this.#mappers.length === 0) this.#mappers = this.#router.mappers(gateway);
    const lifetime = await this.#firstOf(this.#mappers);
    this.#failures = lifetime === undefined ? this.#failures + 1 : 0;
    return lifetime;
  }

  /** Asks one after the other, so that no router maps a port twice; keeps the first that does. */
  async #firstOf(mappers: readonly Mapper[]): Promise<number | undefined> {
    for (const mapper of mappers) {
      this.#used.add(mapper);
      const results = await Promise.allSettled(this.#wanted.map((want) => this.#mapOne(mapper, want)));
      if (this.#closing) return undefined;
      const lifetimes = results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      if (lifetimes.length === 0) {
        if (mappers.length > 1) this.#used.delete(mapper);
        continue;
      }
      for (const other of mappers) if (other !== mapper) other.close();
      this.#mappers = [mapper];
      this.#granted = mapper;
      return lifetimes.reduce((least, each) => Math.min(least, each));
    }
    return undefined;
  }

  async #mapOne(mapper: Mapper, [transport, port]: readonly [MappedProtocol, number]): Promise<number> {
    try {
      const { address, lifetime } = await mapper.map(transport, port, LIFETIME_S);
      this.#tell(transport, address, mapper.protocol);
      return lifetime;
    } catch (thrown) {
      this.#log(asBeelineError(thrown).message);
      throw thrown;
    }
  }

  #tell(transport: MappedProtocol, address: Address, protocol: Mapper['protocol']): void {
    const text = formatAddress(address);
    if (this.#closing || this.#told.get(transport) === text) return;
    this.#told.set(transport, text);
    this.#log(`The router forwards ${transport} from ${text} (${protocol}).`);
    this.#options.onMapped(transport, address, protocol);
  }

  #drop(): void {
    for (const mapper of this.#mappers) mapper.close();
    this.#mappers = [];
    this.#used.clear();
    this.#granted = undefined;
    this.#failures = 0;
  }

  #log(text: string): void {
    this.#options.log?.debug({}, text);
  }
}
