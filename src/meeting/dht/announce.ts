/** The sender's end of a meeting over the DHT: it is announced there until it is closed, and takes streams. */
import type { DhtKeyPair, DhtServer, DhtStream } from 'hyperdht';
import { realClock, sleep } from '../../base/clock.ts';
import { type DhtSeeds, topicOf } from './keys.ts';
import type { DhtNode } from './node.ts';

/** Nodes keep what is announced for 20 minutes at most. */
const AGAIN_MS = 300_000;
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 60_000;
/** Attempts to connect that are answered in a minute: of one address, and of all. Each costs packets to whom its sender names. */
const ATTEMPTS_PER_MINUTE = { ofAddress: 20, inAll: 200 };
const MINUTE_MS = 60_000;

interface AnnounceOptions {
  nameplate: string;
  /** Of a secret that nobody guesses: who may come is known then. */
  seeds?: DhtSeeds | undefined;
  /** @param address the IP address that it comes from */
  onStream: (stream: DhtStream, address: string) => void;
  log?: { debug(fields: object, message: string): void } | undefined;
}

/** Resolves when it is announced for the first time, or the signal is aborted. It stays until the node is closed. */
export async function announceOnDht(
  node: DhtNode,
  { nameplate, seeds, onStream, log }: AnnounceOptions,
  signal: AbortSignal,
): Promise<void> {
  const { engine } = node;
  const keyPair = node.keyPair(seeds?.host);
  const only = seeds && node.keyPair(seeds.guest).publicKey;
  const attempts = new Attempts();
  const server = engine.createServer(
    {
      // Strangers come here too: the addresses of this network are for who has proved the secret.
      shareLocalAddress: false,
      firewall: (key, _, from) => (only !== undefined && !only.equals(key)) || !attempts.take(from.host),
    },
    (stream) => {
      // Until somebody listens: a stream that breaks must not end the process.
      stream.on('error', () => {});
      if (signal.aborted) stream.destroy();
      else onStream(stream, stream.rawStream?.remoteHost ?? '');
    },
  );
  // Others are told how to reach this side: it has to know which of its sockets that is.
  await engine.fullyBootstrapped();
  await server.listen(keyPair);
  // The server keeps its own key announced: that suffices for whoever knows it.
  if (only) return;
  const announce = () => announceTopic(node, server, topicOf(nameplate), keyPair);
  const first = retrying(announce, signal, log);
  void first.then(async () => {
    while (!signal.aborted) {
      await sleep(realClock, AGAIN_MS, signal).catch(() => {});
      if (!signal.aborted) await retrying(announce, signal, log);
    }
  });
  await first;
}

async function announceTopic(
  { engine }: DhtNode,
  server: DhtServer,
  topic: Uint8Array,
  keyPair: DhtKeyPair,
): Promise<void> {
  await engine.announce(topic, keyPair, server.relayAddresses).finished();
}

/** Until it works or the signal is aborted. Never rejects. */
async function retrying(
  announce: () => Promise<void>,
  signal: AbortSignal,
  log: AnnounceOptions['log'],
): Promise<void> {
  for (let pause = FIRST_RETRY_MS; !signal.aborted; pause = Math.min(2 * pause, LONGEST_RETRY_MS)) {
    try {
      return await announce();
    } catch (error) {
      log?.debug({ error: String(error) }, 'dht: not announced');
    }
    await sleep(realClock, pause, signal).catch(() => {});
  }
}

/** Counts attempts to connect by the minute. An address is what a node of the DHT says that it is: the sum is bounded too. */
export class Attempts {
  readonly #clock: () => number;
  #minute = 0;
  #all = 0;
  readonly #addresses = new Map<string, number>();

  constructor(clock = () => realClock.now()) {
    this.#clock = clock;
  }

  /** Whether one more is answered. */
  take(address: string): boolean {
    const minute = Math.floor(this.#clock() / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#all = 0;
      this.#addresses.clear();
    }
    const { ofAddress, inAll } = ATTEMPTS_PER_MINUTE;
    const own = this.#addresses.get(address) ?? 0;
    if (own >= ofAddress || this.#all >= inAll) return false;
    this.#addresses.set(address, own + 1);
    this.#all++;
    return true;
  }
}
