/** How the world sees a UDP port, and whether that depends on who looks: the kind of NAT (RFC 4787, 4.1). */

import { every, realClock, withDeadline } from '../../base/clock.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { readXorAddress } from '../stun/attributes.ts';
import { ATTRIBUTE, attributeOf } from '../stun/message.ts';
import { usable } from './address.ts';
import { type Checks, keyOf, type UdpPort } from './checks.ts';

/** A STUN server, or a node of the DHT. Nodes are anybody's: what only one of them says is believed only where no two agree. */
export type Observer = Address & { dht?: true };

export interface SeenMapping {
  /** What servers saw, each address once. */
  reflexive: Address[];
  /** Two servers saw two addresses of one family: each destination gets another. */
  symmetric: boolean;
}

/** From the start: when a server without an answer is asked again, and when the wait ends. */
const ASK_AT_MS = [0, 100, 300, 700, 1500, 2500];
const GATHER_DEADLINE_MS = 3_500;
/** Milliseconds that the other servers get after the first answer. */
const STRAGGLER_MS = 1_000;
/** When so many nodes of the DHT have answered, the others are not waited for. */
const ENOUGH_NODES = 3;
/** More servers than these are not asked. */
const MAX_SERVERS = 8;
/** Between requests that keep the mapping: more than RFC 8445's least of 15 s, less than NATs' 30 s. */
const KEEP_EVERY_MS = 20_000;

export class Gatherer {
  readonly #checks: Checks;
  readonly #socket: UdpPort;
  readonly #changed: (mapping: SeenMapping) => void;
  #seen = new Map<string, Seen>();
  #endKeeping = () => {};
  #end = () => {};
  #closed = false;

  /** @param changed called when the mapping has changed */
  constructor(checks: Checks, socket: UdpPort, changed: (mapping: SeenMapping) => void) {
    this.#checks = checks;
    this.#socket = socket;
    this.#changed = changed;
  }

  /** Resolves when all have answered, time is up, or `signal` is aborted. A second call ends the first. */
  async run(servers: readonly Observer[], signal?: AbortSignal): Promise<SeenMapping> {
    this.#end();
    this.#endKeeping();
    const asked = servers
      .flatMap((each): Observer[] => {
        const address = usable(each);
        return address ? [{ ...address, ...(each.dht && { dht: true }) }] : [];
      })
      .slice(0, MAX_SERVERS);
    const seen = new Map<string, Seen>();
    this.#seen = seen;
    if (asked.length === 0 || signal?.aborted || this.#closed) return mappingOf(seen);
    const timers: (() => void)[] = [];
    const later = (ms: number, run: () => void) => void timers.push(realClock.after(ms, run));
    const gathered = () =>
      new Promise<void>((resolve) => {
        this.#end = resolve;
        const enough = () =>
          seen.size === asked.length || [...seen.values()].filter(({ dht }) => dht).length >= ENOUGH_NODES;
        const answered = () => (enough() ? resolve() : later(STRAGGLER_MS, resolve));
        const ask = () => {
          for (const server of asked) if (!seen.has(keyOf(server))) this.#ask(server, seen, answered);
        };
        for (const at of ASK_AT_MS) later(at, ask);
      });
    const late = () => new Error('Some servers did not answer.');
    await withDeadline(realClock, signal, GATHER_DEADLINE_MS, late, gathered).catch(() => {});
    for (const cancel of timers) cancel();
    if (!this.#closed && this.#seen === seen) this.#keepAlive(asked, seen);
    return mappingOf(seen);
  }

  close(): void {
    this.#closed = true;
    this.#endKeeping();
    this.#end();
  }

  #ask(server: Observer, seen: Map<string, Seen>, answered: () => void): void {
    const see = (mapped: Address | undefined) => {
      const address = mapped && usable(mapped);
      if (!address || this.#seen !== seen) return;
      seen.set(keyOf(server), { ...address, dht: server.dht === true });
      answered();
    };
    if (server.dht) return this.#checks.askNode(this.#socket, server, see);
    this.#checks.askServer(this.#socket, server, (answer) => {
      const value = attributeOf(answer, ATTRIBUTE.xorMappedAddress);
      const read = readXorAddress(value, answer.transaction);
      if (answer.class === 'success') see(read);
    });
  }

  /**
   * All are asked: a symmetric NAT has a mapping for each server, and a silent server may have been asked only while
   * the network was still coming up. Only changes are told.
   */
  #keepAlive(servers: readonly Observer[], seen: Map<string, Seen>): void {
    this.#endKeeping = every(realClock, KEEP_EVERY_MS, () => {
      for (const server of servers) {
        const before = textOf(mappingOf(seen));
        this.#ask(server, seen, () => {
          const now = mappingOf(seen);
          if (textOf(now) !== before) this.#changed(now);
        });
      }
    });
  }
}

type Seen = Address & { dht: boolean };

function mappingOf(seen: ReadonlyMap<string, Seen>): SeenMapping {
  const nodes = [...seen.values()].filter(({ dht }) => dht).map(formatAddress);
  const confirmed = new Set(nodes.filter((text, index) => nodes.indexOf(text) !== index));
  const believed = [...seen.values()].filter(
    (address) => !address.dht || confirmed.size === 0 || confirmed.has(formatAddress(address)),
  );
  const unique = new Map(believed.map(({ host, port }) => [formatAddress({ host, port }), { host, port }]));
  const reflexive = [...unique.values()];
  const families = [4, 6].map((family) =>
    reflexive.filter(({ host }) => host.includes(':') === (family === 6)),
  );
  return { reflexive, symmetric: families.some((of) => of.length > 1) };
}

function textOf({ reflexive, symmetric }: SeenMapping): string {
  return `${reflexive.map(formatAddress).sort().join(' ')} ${symmetric}`;
}
