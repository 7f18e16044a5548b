/** What a standing server and the router add: reflexive and mapped addresses, punched ports, TURN, the relay. */
import { lookup } from 'node:dns/promises';
import type { SecureContext } from 'node:tls';
import { mapPorts } from '../../lanes/mapping/map-ports.ts';
import type { Path } from '../../lanes/path.ts';
import type { Pipe } from '../../lanes/pipe.ts';
import { RelayListener } from '../../lanes/relay/listen.ts';
import { RelayPath } from '../../lanes/relay/path.ts';
import { PunchListener, punchPath } from '../../lanes/tcp/punch.ts';
import { openPunchPorts, type PunchPorts } from '../../lanes/tcp/punch-ports.ts';
import type { Address, Candidate } from '../../protocol/candidate.ts';
import { DEFAULT_LANES } from '../../protocol/limits.ts';
import type { Hello } from '../../protocol/signal.ts';
import type { Mailbox } from '../../rendezvous/mailbox.ts';
import type { Logger } from '../api.ts';
import { TurnSide } from './turn.ts';

export interface ServedOptions {
  url: string;
  mailbox: Mailbox;
  role: 'sender' | 'receiver';
  context: SecureContext;
  pin: () => string;
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
  #mapping: { close(): Promise<void> } | undefined;
  readonly #mapped = new Map<string, Candidate>();
  #peer: Hello | undefined;
  /** Relay lanes of the receiver. */
  readonly relay: Path | undefined;

  constructor(options: ServedOptions) {
    this.#options = options;
    const { role, mailbox, url, context, pin, onPipe, log } = options;
    const { services } = mailbox;
    if (services.relay && options.relay !== 'never') {
      const relay = { url, token: () => mailbox.token, context, pin, ...(log && { log }) };
      if (role === 'receiver') this.relay = new RelayPath(relay);
      else this.#relayListener = new RelayListener({ ...relay, onPipe });
    }
    if (services.turn && options.relay !== 'never' && role === 'sender')
      this.#turn = new TurnSide({ ...options, signal: this.#end.signal });
    if (options.relay !== 'only') void this.#learn();
  }

  get candidates(): Candidate[] {
    const punch = this.#punch?.candidates ?? [];
    return [
      ...this.#mapped.values(),
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
    const { context, pin, onChange } = this.#options;
    let first = true;
    return punchPath(this.#punch, peer, context, pin).map((path) => ({
      ...path,
      open: (signal) => {
        // The other side tries for a while after each hello: a later try of ours needs another one.
        if (!first) onChange();
        first = false;
        return path.open(signal);
      },
    }));
  }

  peer(hello: Hello): void {
    this.#peer = hello;
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
    if (this.#options.relay !== 'only') void this.#learn();
  }

  /** Has the router map the ports that lanes may come in on. @param udp undefined while there is none */
  map(udp: number | undefined): void {
    const { portMap, tcpPort, onChange, log } = this.#options;
    if (!portMap || this.#mapping || this.#end.signal.aborted) return;
    this.#mapping = mapPorts({
      ...(tcpPort > 0 && { tcp: tcpPort }),
      ...(udp !== undefined && { udp }),
      signal: this.#end.signal,
      onMapped: (transport, address) => {
        this.#mapped.set(`${transport} ${address.host} ${address.port}`, { type: transport, ...address });
        onChange();
      },
      ...(log && { log }),
    });
  }

  close(): void {
    this.#end.abort();
    this.#punch?.close();
    this.#puncher?.close();
    this.#relayListener?.close();
    this.#turn?.close();
    void this.#mapping?.close();
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
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    const hosts = await lookup(host, { all: true, verbatim: true }).catch(() => []);
    if (signal.aborted) return;
    // Two ports of each: whether they see the same address tells the kind of NAT.
    const servers = hosts.slice(0, 4).flatMap(({ address }) => stun.map((port) => ({ host: address, port })));
    onServers(servers);
    const punch = await openPunchPorts(servers, { count: DEFAULT_LANES, signal, onChange });
    this.#puncher?.close();
    this.#punch?.close();
    this.#punch = punch;
    if (signal.aborted) return punch.close();
    if (this.#punch.dependent) log?.debug({}, 'this NAT gives every TCP destination another port');
    if (role === 'sender') this.#puncher = new PunchListener({ ports: this.#punch, context, onPipe });
    this.#meet();
    onChange();
  }
}
