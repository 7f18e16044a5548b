/** The receiver's end of a meeting over the DHT: who announces a nameplate, and a wire to each of those. */
import type { DhtKeyPair, DhtStream } from 'hyperdht';
import { realClock, sleep, until } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import type { Address } from '../../wire/candidate.ts';
import type { Claimant } from '../contest.ts';
import type { Dial } from '../ports.ts';
import { type DhtSeeds, topicOf } from './keys.ts';
import type { DhtNode } from './node.ts';
import { wireOver } from './wire.ts';

/** Keys that are remembered of one nameplate: anybody may announce as many as it likes. */
const MOST_KEYS = 512;
/** Relays that an announcement names: nodes of the DHT by which its sender is reached without another search. */
const MOST_RELAYS = 3;

/** For one that was met before to answer, until somebody is looked for who has taken its place. */
const SUCCESSOR_MS = 1_500;

interface FindOptions {
  nameplate: string;
  seeds?: DhtSeeds | undefined;
  /** A stream to one of them has opened. */
  onStream: () => void;
}

/** Looks for senders in rounds, each told of once in a round. */
export class DhtSearch {
  readonly #node: DhtNode;
  readonly #options: FindOptions;
  readonly #own: DhtKeyPair;
  /** By the hex of its key. */
  readonly #announcers = new Map<string, Announcer>();

  constructor(node: DhtNode, options: FindOptions) {
    this.#node = node;
    this.#options = options;
    this.#own = node.keyPair(options.seeds?.guest);
  }

  /** One round. Resolves when all nodes that are asked have answered. @throws what the signal was aborted with */
  async look(found: (claimant: Claimant) => void, signal: AbortSignal): Promise<void> {
    const { nameplate, seeds } = this.#options;
    if (seeds)
      return void found(this.#claimant({ key: this.#node.keyPair(seeds.host).publicKey, relays: [] }));
    const told = new Set<string>();
    for await (const announcer of this.#announced(topicOf(nameplate), signal)) {
      const id = announcer.key.toString('hex');
      if (told.has(id)) continue;
      told.add(id);
      if (!this.#announcers.has(id) && this.#announcers.size >= MOST_KEYS) continue;
      this.#announcers.set(id, announcer);
      found(this.#claimant(announcer));
    }
  }

  async *#announced(topic: Uint8Array, signal: AbortSignal): AsyncGenerator<Announcer> {
    const query = this.#node.engine.lookup(topic);
    const stop = () => query.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const { peers } of query)
        for (const { publicKey, relayAddresses } of peers)
          yield { key: publicKey, relays: this.#nodesAmong(relayAddresses) };
    } catch (error) {
      // A query that is ended, or that no node answers: the next round asks again.
      if (!signal.aborted) return;
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
    signal.throwIfAborted();
  }

  /** Anybody may have announced, and names what it likes: packets go to no network that the DHT is not in. */
  #nodesAmong(named: readonly Address[]): Address[] {
    return named.filter((each) => this.#node.mayAsk(each)).slice(0, MOST_RELAYS);
  }

  /** One who announces the nameplate now, and did not before. */
  async #successor(signal: AbortSignal): Promise<Announcer | undefined> {
    const { nameplate, seeds } = this.#options;
    if (seeds) return undefined;
    for await (const announcer of this.#announced(topicOf(nameplate), signal)) {
      const id = announcer.key.toString('hex');
      if (this.#announcers.has(id) || this.#announcers.size >= MOST_KEYS) continue;
      this.#announcers.set(id, announcer);
      return announcer;
    }
    return undefined;
  }

  #claimant(announcer: Announcer): Claimant {
    return { id: announcer.key.toString('hex'), dial: this.#dial(announcer) };
  }

  #dial(announcer: Announcer): Dial {
    let again = false;
    return async (events, signal) => {
      const stream = await (again ? this.#anew(announcer, signal) : this.#open(announcer, signal));
      again = true;
      this.#options.onStream();
      return wireOver(stream, events);
    };
  }

  /** To one that was met before. If it was started again, it has another key, and the old one answers nobody. */
  async #anew(announcer: Announcer, signal: AbortSignal): Promise<DhtStream> {
    const end = new AbortController();
    const during = AbortSignal.any([signal, end.signal]);
    const successor = async () => {
      await sleep(realClock, SUCCESSOR_MS, during);
      const found = await this.#successor(during);
      return this.#open(found ?? announcer, during);
    };
    try {
      return await Promise.any([this.#open(announcer, during), successor()]);
    } catch (thrown) {
      throw thrown instanceof AggregateError ? thrown.errors[0] : thrown;
    } finally {
      end.abort();
    }
  }

  async #open({ key, relays }: Announcer, signal: AbortSignal): Promise<DhtStream> {
    const stream = this.#node.engine.connect(key, {
      keyPair: this.#own,
      relayAddresses: relays,
      // Anybody may have announced that key: it is not told the addresses of this network.
      localConnection: false,
    });
    await opened(stream, signal);
    return stream;
  }
}

interface Announcer {
  key: Buffer;
  relays: readonly Address[];
}

/** @throws BeelineError NO_PEER if no node knows of anybody with that key; SERVER if it does not open */
async function opened(stream: DhtStream, signal: AbortSignal): Promise<void> {
  let why = 'it does not answer';
  let nobody = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    why = error.message;
    nobody = error.code === 'PEER_NOT_FOUND';
  });
  try {
    const open = await until(signal, () => stream.opened);
    if (!open) throw nobody ? fault('NOBODY_SENDS') : fault('MEETING_STREAM_LOST', { why });
    // Another one was sooner.
    signal.throwIfAborted();
  } catch (error) {
    stream.destroy();
    throw error;
  }
}
