/**
 * One node of HyperDHT in this process: ephemeral, so that it answers nobody's questions and keeps nothing for others. The package is
 * optional, has native parts and takes a tenth of a second to load, so it is loaded when the DHT is wanted.
 */
import { createRequire } from 'node:module';
import type HyperDHT from 'hyperdht';
import type { DhtKeyPair } from 'hyperdht';
import { atMost, realClock, withDeadline } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { mayGoTo } from '../../base/nearness.ts';
import type { Address } from '../../wire/candidate.ts';

/** For the first node to answer. */
const ANSWER_MS = 6_000;
/** A row of guessed ports may find none, and a person waits for the next one: HyperDHT's own 20 s are for peers that nobody waits for. */
const GUESS_EVERY_MS = 5_000;
/** Its streams get so long to say that they end. */
const CLOSE_MS = 300;
/** Nodes that say how this machine looks from outside. */
const MOST_KNOWN = 6;

/** Whether the optional package is there, without loading it. */
export function dhtInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve('hyperdht');
    return true;
  } catch {
    return false;
  }
}

export class DhtNode {
  readonly engine: HyperDHT;
  /** Its own if there is a seed, else a new one. */
  readonly keyPair: (seed?: Uint8Array) => DhtKeyPair;
  readonly #heard: Promise<void>;
  /** Hosts of the nodes that it began with. */
  readonly #home: readonly string[];

  /** @throws BeelineError NO_PEER where the package is missing, or has no native part for this system */
  static async open(bootstrap: readonly string[] | undefined): Promise<DhtNode> {
    try {
      const { default: Engine } = await import('hyperdht');
      // Their addresses alone: a lookup of their names could not be given up where no name server answers.
      const nodes = bootstrap ?? Engine.BOOTSTRAP.map((node) => node.replace(/@[^:]*/, ''));
      return new DhtNode(
        new Engine({ ephemeral: true, bootstrap: nodes, randomPunchInterval: GUESS_EVERY_MS }),
        Engine.keyPair,
        nodes.map((node) => node.replace(/:\d+$/, '')),
      );
    } catch (cause) {
      throw fault('DHT_MISSING', {}, { cause });
    }
  }

  private constructor(engine: HyperDHT, keyPair: DhtNode['keyPair'], home: readonly string[]) {
    this.#home = home;
    this.engine = engine;
    this.keyPair = keyPair;
    this.#heard = new Promise((resolve) => void engine.once('add-node', () => resolve()));
    // Later errors of it cost the DHT, not the process.
    engine.on('error', () => {});
  }

  /** Whether what a stranger calls a node may be asked: one of the internet, or one as near as the nodes of a private DHT. */
  mayAsk({ host, port }: Address): boolean {
    return port > 0 && mayGoTo(host, this.#home);
  }

  /** Some nodes that have answered. */
  get known(): Address[] {
    return this.engine.toArray({ limit: MOST_KNOWN });
  }

  /** Resolves when a node has answered. @throws BeelineError NO_PEER if none does in time */
  answered(signal?: AbortSignal): Promise<void> {
    return withDeadline(
      realClock,
      signal,
      ANSWER_MS,
      () => fault('DHT_SILENT'),
      () => this.#heard,
    );
  }

  /** Resolves soon, whatever the network does. What was announced is forgotten by the others within minutes. */
  async close(): Promise<void> {
    await atMost(realClock, CLOSE_MS, this.engine.destroy({ force: true }));
  }
}
