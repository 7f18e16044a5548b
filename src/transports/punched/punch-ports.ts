/** The local ports from which a session punches, and what the world sees of them. */
import { isAddress, plainHost, type Scope, scopeOf } from '../../base/addresses.ts';
import { realClock, withDeadline } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { askTcp } from '../../nat/stun/ask.ts';
import type { Address } from '../../wire/candidate.ts';
import { PunchBudget } from './attempt.ts';
import { PunchPort } from './punch-port.ts';

/** Milliseconds to know what the first answers say; what comes later is told by onChange. */
const OPEN_DEADLINE = 3_000;
/** Addresses of a peer that are ever tried. */
export const MAX_PUNCHED = 8;

export interface PunchPorts {
  /** Those to punch from: their mapping is known, and is one for all destinations. */
  readonly usable: readonly PunchPort[];
  /** What the world sees of those: the `punch` candidates to tell the peer, in this order. */
  readonly candidates: Address[];
  /** Of every port, for people; undefined while no server has answered on it. */
  readonly mapped: (Address | undefined)[];
  /** The mapping differs for each destination: what the server sees is not what a peer would, so punching is hopeless. */
  readonly dependent: boolean;
  readonly budget: PunchBudget;
  close(): void;
}

export interface OpenPunchPorts {
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
    options.signal.removeEventListener('abort', close);
    for (const port of ports) port.close();
  };
  options.signal.addEventListener('abort', close);
  if (options.signal.aborted) close();
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
  await withDeadline(realClock, undefined, OPEN_DEADLINE, late, () => Promise.all(learned)).catch(() => {});
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
    close,
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

/** What a STUN server can see: neither this machine itself, nor no address, many at once, or one link only. */
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
  const ask = async (signal: AbortSignal) => {
    const { mapped, socket } = await askTcp(server, { localPort: await port.choose(), signal });
    socket.destroy();
    return mapped;
  };
  return withDeadline(realClock, signal, OPEN_DEADLINE, late, ask).catch(() => undefined);
}

const late = () => fault('STUN_SILENT', { transport: 'TCP' });

function isSame(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}
