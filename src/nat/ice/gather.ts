/** How the world sees a UDP port, and whether that depends on who looks: the kind of NAT (RFC 4787, 4.1). */
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { readXorAddress } from '../stun/attributes.ts';
import { ATTRIBUTE, attributeOf } from '../stun/message.ts';
import { usable } from './address.ts';
import { type Checks, keyOf } from './checks.ts';
import type { UdpPort } from './port.ts';

export interface Mapping {
  /** What servers saw, each address once. */
  reflexive: Address[];
  /** Two servers saw two addresses of one family: each destination gets another. */
  symmetric: boolean;
}

/** Milliseconds from the start at which a server that has not answered is asked again, and when none is waited for. */
const ASK_AT = [0, 100, 300, 700, 1500, 2500];
const GATHER_DEADLINE = 3_500;
/** When one server has answered, the others get so many milliseconds more. */
const STRAGGLER = 1_000;
/** More servers than these are not asked. */
const MAX_SERVERS = 8;
/** Milliseconds between requests that keep the mapping: more than RFC 8445's least of 15 s, less than NATs' 30 s. */
const KEEP_EVERY = 20_000;

export class Gatherer {
  readonly #checks: Checks;
  readonly #socket: UdpPort;
  readonly #changed: (mapping: Mapping) => void;
  #seen = new Map<string, Address>();
  #keep: NodeJS.Timeout | undefined;
  #end: (() => void) | undefined;
  #closed = false;

  /** @param changed the mapping is another one than it was */
  constructor(checks: Checks, socket: UdpPort, changed: (mapping: Mapping) => void) {
    this.#checks = checks;
    this.#socket = socket;
    this.#changed = changed;
  }

  /** What is known when all have answered, or time is up, or `signal` says so; a second call ends the first. */
  run(servers: readonly Address[], signal?: AbortSignal): Promise<Mapping> {
    this.#end?.();
    clearInterval(this.#keep);
    const asked = servers
      .map(usable)
      .filter((each) => each !== undefined)
      .slice(0, MAX_SERVERS);
    const seen = new Map<string, Address>();
    this.#seen = seen;
    if (asked.length === 0 || signal?.aborted || this.#closed) return Promise.resolve(mappingOf(seen));
    return new Promise((resolve) => {
      const timers: NodeJS.Timeout[] = [];
      const end = () => {
        if (this.#end !== end) return;
        this.#end = undefined;
        for (const timer of timers) clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        if (!this.#closed && this.#seen === seen) this.#keepAlive(asked, seen);
        resolve(mappingOf(seen));
      };
      const ask = () => {
        for (const server of asked)
          if (!seen.has(keyOf(server)))
            this.#ask(server, seen, () => {
              if (seen.size === asked.length) end();
              else timers.push(setTimeout(end, STRAGGLER));
            });
      };
      this.#end = end;
      for (const at of ASK_AT) timers.push(setTimeout(ask, at));
      timers.push(setTimeout(end, GATHER_DEADLINE));
      signal?.addEventListener('abort', end);
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#keep);
    this.#end?.();
  }

  #ask(server: Address, seen: Map<string, Address>, answered: () => void): void {
    this.#checks.askServer(this.#socket, server, (answer) => {
      const value = attributeOf(answer, ATTRIBUTE.xorMappedAddress);
      const read = readXorAddress(value, answer.transaction);
      const address = read && usable(read);
      if (answer.class !== 'success' || !address || this.#seen !== seen) return;
      seen.set(keyOf(server), address);
      answered();
    });
  }

  /**
   * All are asked: of a symmetric NAT each has a mapping of its own, and one that was silent may only have been asked while
   * the network was still coming up. Only changes are told.
   */
  #keepAlive(servers: readonly Address[], seen: Map<string, Address>): void {
    this.#keep = setInterval(() => {
      for (const server of servers) {
        const before = textOf(mappingOf(seen));
        this.#ask(server, seen, () => {
          const now = mappingOf(seen);
          if (textOf(now) !== before) this.#changed(now);
        });
      }
    }, KEEP_EVERY);
  }
}

function mappingOf(seen: ReadonlyMap<string, Address>): Mapping {
  const unique = new Map([...seen.values()].map((address) => [formatAddress(address), address]));
  const reflexive = [...unique.values()];
  const families = [4, 6].map((family) =>
    reflexive.filter(({ host }) => host.includes(':') === (family === 6)),
  );
  return { reflexive, symmetric: families.some((of) => of.length > 1) };
}

function textOf({ reflexive, symmetric }: Mapping): string {
  return `${reflexive.map(formatAddress).sort().join(' ')} ${symmetric}`;
}
