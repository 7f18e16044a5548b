/** What every way of asking a router for a port has in common. */
import { familyOf, type Scope, scopeOf } from '../../base/addresses.ts';
import type { Address } from '../../wire/candidate.ts';

export type MappedProtocol = 'tcp' | 'udp';

export interface PortMapping {
  /** What the router says the world sees; may be private, behind a second NAT. */
  address: Address;
  /** Seconds until the router forgets it; Infinity: never. */
  lifetime: number;
}

export interface Mapper {
  readonly protocol: 'PCP' | 'NAT-PMP' | 'UPnP';
  /**
   * Maps a port of this machine, or renews that.
   * @param lifetime seconds wished for
   * @throws BeelineError NO_PATH or TIMEOUT, within a few seconds
   */
  map(transport: MappedProtocol, port: number, lifetime: number): Promise<PortMapping>;
  /** Takes it back. @throws BeelineError like map */
  unmap(transport: MappedProtocol, port: number): Promise<void>;
  close(): void;
}

/** This machine as its router knows it, and the router. IPv4: what IPv6 needs is no mapping. */
export interface Gateway {
  gateway: string;
  local: string;
}

/** This machine, no address (a router that is offline says so), or many: nothing to tell a peer. */
const NOWHERE: ReadonlySet<Scope> = new Set(['loopback', 'none', 'many']);

/** The address, if a peer could make anything of it. */
export function worldAddress(host: string, port: number): Address | undefined {
  if (familyOf(host) !== 4 || NOWHERE.has(scopeOf(host))) return undefined;
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}
