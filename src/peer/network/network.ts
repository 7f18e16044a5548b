/**
 * Everything that this side knows of how to reach the other, and how it can be reached itself: host addresses, what
 * servers and routers tell, relays. It makes the paths that lanes are opened on and the candidates for the peer, and
 * makes both anew whenever something changes.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { SecureContext } from 'node:tls';
import { usable } from '../../lanes/ice/address.ts';
import { Allowance } from '../../lanes/ice/allowance.ts';
import type { Path } from '../../lanes/path.ts';
import type { Pipe } from '../../lanes/pipe.ts';
import { dial } from '../../lanes/tcp/dial.ts';
import { boundedServer } from '../../lanes/turn/bounds.ts';
import { iceServers } from '../../lanes/webrtc/servers.ts';
import { type Address, type Candidate, type CandidateType, formatAddress } from '../../protocol/candidate.ts';
import { BeelineError } from '../../protocol/errors.ts';
import { MAX_CANDIDATES, MAX_LANES, MAX_SEEN } from '../../protocol/limits.ts';
import type { TurnServer } from '../../protocol/rendezvous.ts';
import type { Hello } from '../../protocol/signal.ts';
import type { Mailbox } from '../../rendezvous/mailbox.ts';
import { localHosts } from '../addresses.ts';
import type { CommonOptions, Logger } from '../api.ts';
import type { Change } from './roaming.ts';
import { Rtc } from './rtc.ts';
import { Served } from './served.ts';
import { UdpSide } from './udp.ts';

export interface NetworkOptions {
  role: 'sender' | 'receiver';
  context: SecureContext;
  /** Hex SHA-256 of this side's certificate. */
  fingerprint: string;
  /** Hex SHA-256 of the peer's certificate, as of now. */
  pin: () => string;
  options: Pick<CommonOptions, 'relay' | 'portMap' | 'server'>;
  /** Somebody proved on it to hold the certificate with this fingerprint. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  onPaths: (paths: Path[]) => void;
  /** This side can be reached in another way: the peer is to be told. */
  onChange: () => void;
  /** Something that is missing here makes a way to the peer impossible: a sentence for people. */
  onLack: (sentence: string) => void;
  log: Logger | undefined;
}

/** Milliseconds in which changes are gathered into one word to the peer. */
const GATHER = 100;
const NO_WEBRTC =
  'The other side is a browser, and browsers cannot reach this side directly: the optional package node-datachannel is not ' +
  "installed here. Bytes go through the server's relay, if it has one.";
/** Connections to addresses of the peer's choosing: at once, and a second afterwards, however often it names new ones. */
const DIALS = 512;
const DIALS_RATE = 32;

export class Network {
  readonly #options: NetworkOptions;
  #udp: UdpSide | undefined;
  #opened: Promise<void> = Promise.resolve();
  #udx: Path | undefined;
  #served: Served | undefined;
  readonly #rtc: Rtc;
  /** This process's half of the key of sealed lanes. */
  readonly #seal = randomBytes(32).toString('hex');
  #mailbox: Mailbox | undefined;
  /** The standing server's. */
  #url: string | undefined;
  /** The TURN server for WebRTC, once it is known where it is. */
  #turn: TurnServer | undefined;
  /** The TCP port that lanes may come in on; 0: none. */
  #port = 0;
  #peer: Hello | undefined;
  #extra: Address[] = [];
  readonly #dials = new Allowance(DIALS, DIALS_RATE);
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { role, onPipe, pin, onLack, log } = options;
    const { relay } = options.options;
    this.#rtc = new Rtc({
      ...{ role, log },
      iceServers: () =>
        this.#mailbox
          ? iceServers({ ...this.#mailbox.services, turn: this.#turn }, this.#url, relay !== 'never')
          : [],
      relayOnly: relay === 'only',
      onPipe: (pipe) => onPipe(pipe, pin()),
      onChange: () => this.#changed(),
      onLack: () => onLack(NO_WEBRTC),
    });
  }

  get #direct(): boolean {
    return this.#options.options.relay !== 'only';
  }

  /** Opens what needs no server. @param port TCP, 0 if nothing listens */
  start(port: number): void {
    this.#port = port;
    if (!this.#direct) return;
    const { role, context, pin, onPipe, log } = this.#options;
    this.#udp = new UdpSide({
      ...{ role, context, pin, onPipe, log },
      onPath: (path) => {
        this.#udx = path;
        this.#offer();
      },
      onChange: () => this.#changed(),
    });
    this.#opened = this.#udp.open();
  }

  /** Where the peers meet: kept up with, and used for what it offers besides if it is a standing server (with `url`). */
  meet(mailbox: Mailbox, url: string | undefined): void {
    if (this.#over) return;
    this.#mailbox = mailbox;
    this.#url = url;
    if (url === undefined) return;
    const { options, onPipe, role, context, pin, log } = this.#options;
    const seal = this.#seal;
    this.#served = new Served({
      ...{ url, mailbox, role, context, pin, seal, onPipe, log },
      relay: options.relay ?? 'auto',
      portMap: mapsPort(options) && this.#direct,
      tcpPort: this.#port,
      onServers: (servers) => this.#udp?.ask(servers),
      onChange: () => this.#changed(),
    });
    this.#map();
    void this.#boundTurn();
    if (this.#peer) this.#served.peer(this.#peer);
    this.#changed();
  }

  async #boundTurn(): Promise<void> {
    const turn = this.#mailbox?.services.turn;
    this.#turn = turn && this.#url ? await boundedServer(turn, new URL(this.#url).hostname) : undefined;
  }

  /** The server took us back: what it gave before may be worth nothing. */
  welcome(): void {
    this.#served?.welcome();
    void this.#boundTurn();
  }

  /** What a hello says of where this side is. */
  hello(): Omit<Hello, 'agent' | 'lanes'> {
    const hosts = this.#direct ? localHosts() : [];
    const at = (type: CandidateType, port: number) => hosts.map((host): Candidate => ({ type, host, port }));
    const candidates = [
      ...(this.#port > 0 ? at('tcp', this.#port) : []),
      ...(this.#udp?.port ? at('udp', this.#udp.port) : []),
      ...(this.#udp?.reflexive ?? []),
      ...(this.#served?.candidates ?? []),
    ];
    const udp = this.#udp?.hello;
    const reflexive = this.#udp?.reflexive.map(({ host }) => host) ?? [];
    const seen = [...new Set([...(this.#served?.seen ?? []), ...reflexive])].slice(0, MAX_SEEN);
    return {
      ...{ fingerprint: this.#options.fingerprint, tls: true, seal: this.#seal },
      candidates: candidates.slice(0, MAX_CANDIDATES),
      ...(udp && { udp }),
      ...{ seen, rtc: this.#rtc.descriptions },
    };
  }

  /** The peer said where it is. @param extra where it can be reached besides, over TCP */
  peer(hello: Hello, extra: Address[]): void {
    this.#peer = hello;
    this.#extra = extra;
    if (this.#direct) this.#udp?.peer(hello);
    this.#rtc.peer(hello);
    this.#served?.peer(hello);
    this.#offer();
  }

  /**
   * This machine's addresses have changed: all that was learned is learned again, unless the world is still reached as before.
   * Once moved, the UDP port is given up for another, since routers still connect the old one to an address that is gone.
   */
  regather(change: Change): void {
    if (change === 'moved' && this.#udp) this.#opened = this.#udp.open();
    if (change !== 'aside') {
      this.#served?.again();
      this.#rtc.again();
      this.#map();
      this.#mailbox?.reconnect();
    }
    this.#offer();
    this.#changed();
  }

  /** Resolves when the router has been told that it need not forward any more, or was given time enough to hear it. */
  async close(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#timer);
    void this.#udp?.close();
    this.#rtc.close();
    await this.#served?.close();
  }

  #map(): void {
    void this.#opened.then(() => this.#served?.map(this.#udp?.port));
  }

  #changed(): void {
    if (this.#over || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#offer();
      this.#options.onChange();
    }, GATHER);
  }

  #offer(): void {
    if (this.#peer && !this.#over) this.#options.onPaths(this.#paths(this.#peer).map(roomy));
  }

  #paths({ candidates }: Hello): Path[] {
    // Names among them would ask a name server, and groups are not one machine.
    const of = (wanted: CandidateType) =>
      candidates.flatMap((each) => (each.type === wanted ? (usable(each) ?? []) : []));
    const direct = this.#direct ? [...this.#extra, ...of('tcp')].map((to) => this.#dialled('tcp', to)) : [];
    // The receiver dials; only what listens at both sides is worth the sender's dials too.
    if (this.#options.role === 'sender') return direct;
    const relayed = this.#options.options.relay !== 'never';
    return [
      ...direct,
      ...(this.#direct ? (this.#served?.punched ?? []) : []),
      ...(this.#direct && this.#udx ? [this.#udx] : []),
      // What a peer calls a TURN server's may be its own: who wants only relays would show itself there.
      ...(relayed && this.#direct ? of('turn').map((to) => this.#dialled('turn', to)) : []),
      ...(this.#rtc.path ? [this.#rtc.path] : []),
      ...(relayed && this.#served?.relay ? [this.#served.relay] : []),
    ];
  }

  #dialled(kind: 'tcp' | 'turn', to: Address): Path {
    const { context, pin } = this.#options;
    return {
      kind,
      name: formatAddress(to),
      most: MAX_LANES,
      open: async (signal) => {
        if (!this.#dials.take()) throw new BeelineError('NO_PATH', 'Too many addresses were tried just now.');
        return dial(to, context, pin(), signal, kind);
      },
    };
  }
}

/** An opening may wait for many things at once, each with the same signal: Node warns of more than ten. */
function roomy(path: Path): Path {
  const open = (signal: AbortSignal) => {
    setMaxListeners(0, signal);
    return path.open(signal);
  };
  return { kind: path.kind, name: path.name, most: path.most, open };
}

/**
 * Whether the router is asked for a port. Not for a sender's own meeting point, whose page and relay are for its network
 * only; nor for a server on this very machine: whoever meets there is here too, and no router stands between.
 */
export function mapsPort({ portMap, server }: Pick<CommonOptions, 'portMap' | 'server'>): boolean {
  if (portMap === false || server === undefined) return false;
  return !/^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(server).hostname);
}
