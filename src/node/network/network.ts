/**
 * This side's transports, and what they share on Node: the addresses of the machine, what the server tells of it, the
 * router's mappings. Whatever changes is gathered into new paths here and a new hello to the peer.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { SecureContext } from 'node:tls';
import { TokenBucket } from '../../base/bucket.ts';
import { Alarm, realClock } from '../../base/clock.ts';
import type { BeelineError } from '../../base/errors.ts';
import { MAX_HOSTS } from '../../base/limits.ts';
import type { MailboxPlace } from '../../meeting/place.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { NetworkPort } from '../../session/ports.ts';
import { NODE_TRANSPORTS, QUIC_TRANSPORTS } from '../../transports/node.ts';
import type { Path } from '../../transports/path.ts';
import type { LaneThreads, Surroundings } from '../../transports/surroundings.ts';
import { type KnownKind, makeTransports, meetingAt, type Transports } from '../../transports/transport.ts';
import type { Address } from '../../wire/candidate.ts';
import type { Hello } from '../../wire/signal.ts';
import { localHosts } from '../addresses.ts';
import type { CommonOptions, Logger } from '../api.ts';
import { Forwarding, type Forwards, mapsPort } from './forwarding.ts';
import { StunLookup } from './lookup.ts';
import type { Change } from './roaming.ts';

export interface NetworkOptions {
  role: 'sender' | 'receiver';
  context: SecureContext;
  /** Hex SHA-256 of this side's certificate. */
  fingerprint: string;
  /** Hex SHA-256 of the peer's certificate, as of now. */
  pin: () => string;
  options: Pick<CommonOptions, 'relay' | 'portMap' | 'server' | 'quic' | 'transports'>;
  /** Somebody proved on it to hold the certificate with this fingerprint. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  onPaths: (paths: Path[]) => void;
  /** This side can be reached in another way: the peer is to be told. */
  onChange: () => void;
  /** Something that is missing here makes a way to the peer impossible: a sentence for people. */
  onLack: (error: BeelineError) => void;
  /** What the router forwards for this process. */
  forwards: Forwards;
  threads?: LaneThreads;
  /** For connections to addresses of others' choosing; absent: this network has its own budget. */
  dials?: TokenBucket;
  /** The peer's number at the mailbox, as of now; undefined before somebody is proven to be the peer. */
  guest: () => number | undefined;
  /** As `Surroundings` has it. */
  near?: Surroundings['near'];
  /** Where the peer was met, over TCP: a lane to the same port may open too. */
  met: () => readonly Address[];
  /** A connection that was opened before the peer was proven. */
  ahead?: Surroundings['ahead'];
  log: Logger | undefined;
}

/** Milliseconds in which changes are gathered into one word to the peer: of the first few words, whose ways are waited for, and of later ones. */
const GATHER_FIRST_MS = 10;
const GATHER_MS = 100;
const FIRST_WORDS = 5;
const MORE_WORDS_PER_S = 0.5;
/** Connections to addresses of the peer's choosing: at once, and a second afterwards, however often it names new ones. */
const DIALS = 512;
const DIALS_RATE = 32;

export class Network implements NetworkPort {
  readonly #options: NetworkOptions;
  readonly #transports: Transports;
  readonly #forwarding: Forwarding;
  readonly #relay: NonNullable<CommonOptions['relay']>;
  /** This process's half of the key of sealed lanes. */
  readonly #seal = randomBytes(32).toString('hex');
  #lookup: StunLookup | undefined;
  #mailbox: MailboxPlace | undefined;
  /** The TCP port that lanes may come in on; 0: none. */
  #port = 0;
  /** This machine's addresses, as the latest hello has them. */
  #hosts: readonly string[] = [];
  #heard = false;
  /** The peer is not on this network: it was met over the DHT. */
  #wide = false;
  readonly #dials: TokenBucket;
  readonly #gather = new Alarm(realClock);
  readonly #soon = new TokenBucket(MORE_WORDS_PER_S, FIRST_WORDS);
  #over = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { role, context, pin, onPipe, onLack, threads, ahead, near, log } = options;
    const { relay = 'auto', quic = false } = options.options;
    const { transports = quic ? QUIC_TRANSPORTS : NODE_TRANSPORTS } = options.options;
    this.#relay = relay;
    this.#dials = options.dials ?? new TokenBucket(DIALS_RATE, DIALS);
    const around: Surroundings = {
      ...{ role, relay, context, pin, seal: this.#seal, onPipe, onLack, threads, ahead, near, log },
      hosts: () => this.#hosts,
      tcpPort: () => this.#port,
      mayDial: () => this.#dials.take(),
      onPaths: () => this.#offer(),
      onChange: () => this.#changed(),
    };
    this.#transports = makeTransports(transports, around);
    this.#forwarding = new Forwarding(options.forwards, this.#transports.all, () => this.#changed());
  }

  /** Those of this session's transports, best first. */
  get kinds(): readonly KnownKind[] {
    return this.#transports.kinds;
  }

  /** @param port TCP, on which lanes may come in; 0 if nothing listens */
  listening(port: number): void {
    this.#port = port;
  }

  /** Opens what needs no server. @param port as of `listening` */
  start(port: number): void {
    this.listening(port);
    for (const transport of this.#transports.all) transport.start?.();
  }

  /** Where the peers meet: kept up with, and used for what it offers besides if it is a standing server (with `url`). */
  meet(mailbox: MailboxPlace, url: string | undefined): void {
    if (this.#over) return;
    this.#mailbox = mailbox;
    if (url === undefined) return;
    const meeting = meetingAt(url, mailbox, this.#options.guest);
    for (const transport of this.#transports.all) void transport.meet?.(meeting);
    // Who wants only relays asks nobody how the world sees it.
    if (this.#relay !== 'only') {
      this.#lookup?.close();
      this.#lookup = new StunLookup(
        url,
        () => mailbox.services.stun,
        (servers) => {
          for (const transport of this.#transports.all) transport.ask?.(servers);
        },
      );
      this.#lookup.again();
    }
    this.#changed();
  }

  /** The two sides have met over the DHT, whose nodes say how this side looks from outside. */
  observedBy(nodes: () => readonly Address[]): void {
    if (this.#over || this.#wide || this.#relay === 'only') return;
    this.#wide = true;
    for (const transport of this.#transports.all) transport.observed?.(nodes);
    this.#changed();
  }

  /** The server took us back: what it gave before may be worth nothing. */
  welcome(): void {
    for (const transport of this.#transports.all) transport.welcome?.();
  }

  /** What a hello says of where this side is. */
  hello(): Omit<Hello, 'agent' | 'lanes'> {
    this.#hosts = this.#relay === 'only' ? [] : localHosts();
    const seen = this.#relay === 'only' ? [] : this.#transports.seen();
    return {
      ...{ fingerprint: this.#options.fingerprint, tls: true, seal: this.#seal },
      transports: this.#transports.describe(),
      hosts: [...new Set([...seen, ...this.#hosts])].slice(0, MAX_HOSTS),
    };
  }

  /** The peer said where it is. @throws BeelineError PROTOCOL */
  peer(hello: Hello): void {
    this.#heard = true;
    this.#transports.hear(hello, this.#options.met());
    this.#offer();
  }

  /** This machine's addresses have changed: all that was learned is learned again, unless the world is still reached as before. */
  regather(change: Change): void {
    if (change !== 'aside') {
      for (const transport of this.#transports.all) transport.again?.(change === 'moved');
      this.#lookup?.again();
      // The router may be another than the one that was asked.
      this.#forwarding.anew();
      this.#mailbox?.reconnect();
    }
    this.#offer();
    this.#changed();
  }

  /** Resolves when the router has been told that it need not forward any more, or was given time enough to hear it. */
  async close(): Promise<void> {
    this.#over = true;
    this.#gather.clear();
    this.#lookup?.close();
    await Promise.all([this.#transports.close(), this.#forwarding.close()]);
  }

  #map(): void {
    if (!this.#wide && (!this.#mailbox || !mapsPort(this.#options.options))) return;
    if (this.#options.options.portMap === false) return;
    this.#forwarding.update();
  }

  #changed(): void {
    if (this.#over || this.#gather.waits) return;
    this.#gather.set(this.#soon.take() ? GATHER_FIRST_MS : GATHER_MS, () => {
      this.#map();
      this.#offer();
      this.#options.onChange();
    });
  }

  #offer(): void {
    if (this.#heard && !this.#over) this.#options.onPaths(this.#transports.paths().map(roomy));
  }
}

/** An opening may wait for many things at once, each with the same signal: Node warns of more than ten. */
function roomy(path: Path): Path {
  const open = (signal: AbortSignal) => {
    setMaxListeners(0, signal);
    return path.open(signal);
  };
  return {
    ...{ kind: path.kind, name: path.name, most: path.most, open },
    outdated: (lane) => path.outdated?.(lane) ?? false,
    get ready() {
      return path.ready ?? false;
    },
  };
}
