/** Meeting over the DHT: whether a program wants it, the sender's end of it, and the receiver's. */
import { type BeelineError, fault } from '../base/errors.ts';
import type { SharedSecret } from '../identity/secret.ts';
import type { Claimant } from '../meeting/contest.ts';
import type { DhtSearch } from '../meeting/dht/find.ts';
import type { DhtSeeds } from '../meeting/dht/keys.ts';
import { DhtNode, dhtInstalled } from '../meeting/dht/node.ts';
import type { DhtWire } from '../meeting/dht/wire.ts';
import type { Rendezvous } from '../server/rendezvous.ts';
import type { Address } from '../wire/candidate.ts';
import type { CommonOptions, Logger } from './api.ts';

/** Nodes of the DHT, as of now: they say how this machine looks from outside. */
export type DhtNodes = () => readonly Address[];

/** Whoever names a place to meet meets there and nowhere else. */
export function wantsDht({ dht = false, server, at, log }: CommonOptions): boolean {
  if (dht === false || server !== undefined || at !== undefined) return false;
  if (dhtInstalled()) return true;
  log?.debug({}, fault('DHT_MISSING').message);
  return false;
}

/** @throws BeelineError NO_PEER where the package is missing */
export function openNode({ dht }: Pick<CommonOptions, 'dht'>): Promise<DhtNode> {
  return DhtNode.open(typeof dht === 'object' ? dht.bootstrap : undefined);
}

/** Of a secret that nobody guesses; a code has none, since they would be a test for guesses. */
async function seedsFor(secret: SharedSecret | undefined): Promise<DhtSeeds | undefined> {
  if (!secret || secret.way === 'code') return undefined;
  const { seedsOf } = await import('../meeting/dht/keys.ts');
  return seedsOf(secret.password);
}

interface HostPorts {
  /** Somebody has come over the DHT. */
  onVisitor: (nodes: DhtNodes) => void;
  warn: (error: BeelineError) => void;
  log: Logger | undefined;
}

/** A sender in the DHT, with all its nameplates. What comes there is let into its own rendezvous. */
export class DhtHosting {
  readonly #options: CommonOptions;
  readonly #ports: HostPorts;
  readonly #end = new AbortController();
  #node: Promise<DhtNode | undefined> | undefined;

  constructor(options: CommonOptions, ports: HostPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  /** Never rejects. Resolves when it is announced, or cannot be. */
  async announce(nameplate: string, secret: SharedSecret | undefined, rendezvous: Rendezvous): Promise<void> {
    const { signal } = this.#end;
    const { log } = this.#ports;
    try {
      this.#node ??= this.#open();
      const node = await this.#node;
      if (!node || signal.aborted) return;
      const [{ announceOnDht }, { wireOver }, seeds] = await Promise.all([
        import('../meeting/dht/announce.ts'),
        import('../meeting/dht/wire.ts'),
        seedsFor(secret),
      ]);
      const onStream: Parameters<typeof announceOnDht>[1]['onStream'] = (stream, address) => {
        this.#ports.onVisitor(() => node.known);
        const wire: DhtWire = wireOver(stream, {
          text: (text) => seat?.receive(text),
          closed: () => seat?.closed(),
        });
        const seat = admitted(rendezvous, address, wire);
        if (!seat) wire.close();
      };
      await announceOnDht(node, { nameplate, seeds, onStream, log }, signal);
      log?.debug({}, 'dht: announced');
    } catch (error) {
      log?.debug({ error: String(error) }, 'dht: not announced');
    }
  }

  async close(): Promise<void> {
    this.#end.abort();
    await (await this.#node?.catch(() => undefined))?.close();
  }

  /** Undefined where there is none. Where its network does not lead to others, it waits for one that does. */
  async #open(): Promise<DhtNode | undefined> {
    const node = await openNode(this.#options);
    node.answered(this.#end.signal).catch((error: BeelineError) => {
      if (!this.#end.signal.aborted) this.#ports.warn(error);
    });
    return node;
  }
}

function admitted(
  rendezvous: Rendezvous,
  address: string,
  wire: DhtWire,
): ReturnType<Rendezvous['admit']> | undefined {
  try {
    return rendezvous.admit({
      address,
      get queued() {
        return wire.queued;
      },
      send: (text) => wire.send(text),
      close: () => wire.close(),
    });
  } catch {
    // As full as it gets.
    return undefined;
  }
}

interface GuestPorts {
  /** Somebody was met over the DHT. */
  onMet: (nodes: DhtNodes) => void;
  /** Nobody can be met there. */
  warn: (error: BeelineError) => void;
}

/** A receiver's search in the DHT. */
export class DhtLooking {
  readonly #nameplate: string;
  readonly #secret: SharedSecret;
  readonly #options: CommonOptions;
  readonly #ports: GuestPorts;
  #node: Promise<DhtNode> | undefined;
  #search: DhtSearch | undefined;

  constructor(secret: SharedSecret, options: CommonOptions, ports: GuestPorts) {
    this.#nameplate = secret.nameplate;
    this.#secret = secret;
    this.#options = options;
    this.#ports = ports;
  }

  /** One round. @throws BeelineError NO_PEER where the DHT cannot be had, after `warn` */
  async look(found: (claimant: Claimant) => void, signal: AbortSignal): Promise<void> {
    try {
      this.#search ??= await this.#begin(signal);
    } catch (error) {
      if (!signal.aborted) this.#ports.warn(error as BeelineError);
      throw error;
    }
    await this.#search.look(found, signal);
  }

  async close(): Promise<void> {
    await (await this.#node?.catch(() => undefined))?.close();
  }

  async #begin(signal: AbortSignal): Promise<DhtSearch> {
    this.#node ??= openNode(this.#options);
    const node = await this.#node;
    const [{ DhtSearch }, seeds] = await Promise.all([
      import('../meeting/dht/find.ts'),
      seedsFor(this.#secret),
      node.answered(signal),
    ]);
    const onStream = () => this.#ports.onMet(() => node.known);
    return new DhtSearch(node, { nameplate: this.#nameplate, seeds, onStream });
  }
}
