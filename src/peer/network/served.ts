/** What a standing server and the router add: reflexive and mapped addresses, punched ports, TURN, the relay. */
import type { SecureContext } from 'node:tls';
import { mapPorts, type PortMapper } from '../../lanes/mapping/map-ports.ts';
import type { Path } from '../../lanes/path.ts';
import type { Pipe } from '../../lanes/pipe.ts';
import type { RelayListener } from '../../lanes/relay/listen.ts';
import type { RelayPath } from '../../lanes/relay/path.ts';
import { nodeRelayListener, nodeRelayPath, type SealedPeer } from '../../lanes/relay/secure.ts';
import { PunchListener, punchPath } from '../../lanes/tcp/punch.ts';
import { openPunchPorts, type PunchPorts } from '../../lanes/tcp/punch-ports.ts';
import { fromHex } from '../../protocol/bytes.ts';
import type { Address, Candidate } from '../../protocol/candidate.ts';
import { DEFAULT_LANES } from '../../protocol/limits.ts';
import type { Hello } from '../../protocol/signal.ts';
import type { Mailbox } from '../../rendezvous/mailbox.ts';
import type { Logger } from '../api.ts';
import { serverHosts } from './server-hosts.ts';
import { TurnSide } from './turn.ts';

/** Milliseconds until a server's name that led nowhere is looked up again: after a change of network names work last. */
const FIRST_LOOKUP = 1_000;
const LONGEST_LOOKUP = 30_000;
/** Milliseconds after which a punched path that is tried again asks the other side to do so too. */
const INVITE = 5_000;

export interface ServedOptions {
  url: string;
  mailbox: Mailbox;
  role: 'sender' | 'receiver';
  context: SecureContext;
  pin: () => string;
  /** This process's half of the key of sealed lanes: 64 hex digits. */
  seal: string;
  relay: 'auto' | 'never' | 'only';
  portMap: boolean;
  /** The port that lanes may come in on; 0: none. */
  tcpPort: number;
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** Its STUN servers, once their addresses are known. */
  onServers: (servers: Address[]) => void;
  /** There is more, or less, than before. */
  onChange: () => void;
  log: Logger | undefined;
}

export class Served {
  readonly #options: ServedOptions;
  readonly #end = new AbortController();
  #punch: PunchPorts | undefined;
  #puncher: PunchListener | undefined;
  #turn: TurnSide | undefined;
  #relayListener: RelayListener | undefined;
  #mapping: PortMapper | undefined;
  /** One mapping after the other: what takes an old one back would end its successor. */
  #mapped: Promise<void> = Promise.resolve();
  readonly #forwarded = new Map<'tcp' | 'udp', Candidate>();
  /** Times that the server was asked: an answer that another one overtook is not taken. */
  #asked = 0;
  #lookup: NodeJS.Timeout | undefined;
  #pause = FIRST_LOOKUP;
  /** `performance.now()` when the other side was told to try. */
  #invited = -Infinity;
  #peer: Hello | undefined;
  /** Relay lanes of the receiver. */
  readonly relay: RelayPath | undefined;

  constructor(options: ServedOptions) {
    this.#options = options;
    const { role, mailbox, url, context, pin, onPipe, log } = options;
    const { services } = mailbox;
    if (services.relay && options.relay !== 'never') {
      const relay = { url, token: () => mailbox.token, context, sealed: () => this.#sealed() };
      if (role === 'receiver') this.relay = nodeRelayPath({ ...relay, pin });
      else this.#relayListener = nodeRelayListener({ ...relay, onPipe, ...(log && { log }) });
    }
    this.relay?.prepare();
    if (services.turn && options.relay !== 'never' && role === 'sender')
      this.#turn = new TurnSide({ ...options, signal: this.#end.signal });
    if (options.relay !== 'only') void this.#learn();
  }

  get candidates(): Candidate[] {
    const punch = this.#punch?.candidates ?? [];
    return [
      ...this.#forwarded.values(),
      ...punch.map((address): Candidate => ({ type: 'punch', ...address })),
      ...(this.#turn?.candidates ?? []),
    ];
  }

  /** How servers see this side, whether or not it can be reached there. */
  get seen(): string[] {
    return (this.#punch?.mapped ?? []).flatMap((address) => (address ? [address.host] : []));
  }

  /** Punched paths, as far as both sides have told their ports. */
  get punched(): Path[] {
    const peer = this.#peer?.candidates.filter(({ type }) => type === 'punch') ?? [];
    if (!this.#punch || peer.length === 0) return [];
    const { context, pin } = this.#options;
    return punchPath(this.#punch, peer, context, pin).map((path) => ({
      ...path,
      open: (signal) => {
        this.#invite();
        return path.open(signal);
      },
    }));
  }

  peer(hello: Hello): void {
    this.#peer = hello;
    // It tries from now on.
    this.#invited = performance.now();
    this.#meet();
  }

  /** The place at the server is a new one, with a new token. */
  welcome(): void {
    this.#relayListener?.refresh();
  }

  /** What may have died with the network is opened anew; lanes that live stay. */
  again(): void {
    this.#relayListener?.refresh();
    this.#turn?.check();
    this.#pause = FIRST_LOOKUP;
    if (this.#options.relay !== 'only') void this.#learn();
  }

  /** Has the router there is now map the ports that lanes may come in on, and no others. @param udp undefined while there is none */
  map(udp: number | undefined): void {
    if (this.#options.portMap) this.#mapped = this.#mapped.then(() => this.#map(udp));
  }

  /** Resolves when the router has its ports back, or does not say so soon. */
  async close(): Promise<void> {
    this.#end.abort();
    clearTimeout(this.#lookup);
    this.#punch?.close();
    this.#puncher?.close();
    this.#relayListener?.close();
    this.relay?.close();
    this.#turn?.close();
    await this.#mapped;
    await this.#mapping?.close();
  }

  /** A peer without TLS, as its latest hello has it. */
  #sealed(): SealedPeer | undefined {
    if (!this.#peer || this.#peer.tls) return undefined;
    const { role, seal } = this.#options;
    const { fingerprint, seal: peer } = this.#peer;
    return { secret: { own: fromHex(seal), peer: fromHex(peer), role }, fingerprint };
  }

  async #map(udp: number | undefined): Promise<void> {
    const { tcpPort, onChange, log } = this.#options;
    await this.#mapping?.close();
    this.#forwarded.clear();
    if (this.#end.signal.aborted) return;
    this.#mapping = mapPorts({
      ...(tcpPort > 0 && { tcp: tcpPort }),
      ...(udp !== undefined && { udp }),
      signal: this.#end.signal,
      onMapped: (transport, address) => {
        this.#forwarded.set(transport, { type: transport, ...address });
        onChange();
      },
      ...(log && { log }),
    });
  }

  /** The other side tries for a while after each hello: a later try of ours needs another one. */
  #invite(): void {
    if (performance.now() - this.#invited < INVITE) return;
    this.#invited = performance.now();
    this.#options.onChange();
  }

  /** Both sides must try at once: as soon as each knows of the other. */
  #meet(): void {
    if (!this.#peer) return;
    const punch = this.#peer.candidates.filter(({ type }) => type === 'punch');
    if (punch.length > 0) this.#puncher?.attempt({ peer: punch });
    this.#turn?.permit([...this.#peer.seen, ...this.#peer.candidates.map(({ host }) => host)]);
  }

  async #learn(): Promise<void> {
    const { url, mailbox, role, context, onPipe, onServers, onChange, log } = this.#options;
    const { stun } = mailbox.services;
    if (stun.length === 0) return;
    const { signal } = this.#end;
    const asked = ++this.#asked;
    const overtaken = () => signal.aborted || asked !== this.#asked;
    clearTimeout(this.#lookup);
    const hosts = await serverHosts(url, signal);
    if (overtaken()) return;
    if (hosts.length === 0) {
      this.#lookup = setTimeout(() => void this.#learn(), this.#pause);
      this.#pause = Math.min(LONGEST_LOOKUP, this.#pause * 2);
      return;
    }
    // Two ports of each: whether they see the same address tells the kind of NAT.
    const servers = hosts.slice(0, 4).flatMap((host) => stun.map((port) => ({ host, port })));
    onServers(servers);
    const punch = await openPunchPorts(servers, { count: DEFAULT_LANES, signal, onChange });
    if (overtaken()) return punch.close();
    this.#puncher?.close();
    this.#punch?.close();
    this.#punch = punch;
    if (this.#punch.dependent) log?.debug({}, 'this NAT gives every TCP destination another port');
    if (role === 'sender') this.#puncher = new PunchListener({ ports: this.#punch, context, onPipe });
    this.#meet();
    onChange();
  }
}
