/** A page's ways to the other side: WebRTC, and the server's relay with sealed lanes. It listens on no port. */

import { fromHex, toHex } from '../base/bytes.ts';
import { realClock, sleep } from '../base/clock.ts';
import type { MailboxPlace } from '../meeting/place.ts';
import type { TransferOptions } from '../session/api.ts';
import type { NetworkPort, NetworkUser } from '../session/ports.ts';
import { RELAY, RelayTransport } from '../transports/relay/transport.ts';
import {
  makeTransports,
  meetingAt,
  type PeerFacts,
  type Role,
  type TransportKind,
  type Transports,
} from '../transports/transport.ts';
import type { Connect } from '../transports/webrtc/ports.ts';
import { WEBRTC, type WebRtcSurroundings, WebRtcTransport } from '../transports/webrtc/transport.ts';
import type { Hello } from '../wire/signal.ts';
import { relayListener, relayPath } from './relay.ts';
import { watchNetwork } from './roaming.ts';

export interface PageNetworkOptions extends Pick<TransferOptions, 'relay'> {
  /** The server's URL. */
  server: string;
  /** This page's name on lanes, 64 hex digits; absent: a new one. */
  fingerprint?: string;
}

interface PageSurroundings extends WebRtcSurroundings {
  /** This side's half of the key of sealed lanes. */
  readonly seal: Uint8Array;
}

/** The transports of a page, best first. A new transport gets a line here. */
const PAGE_TRANSPORTS: readonly TransportKind<PageSurroundings>[] = [
  { ...WEBRTC, make: webRtc },
  { ...RELAY, make: relay },
];

/** Milliseconds that a first description may take: it is in the first hello then, else in a later one. */
const AHEAD = 500;
const HALF = 32;

export class PageNetwork implements NetworkPort {
  readonly #user: NetworkUser;
  readonly #server: string;
  readonly #role: Role;
  readonly #seal = crypto.getRandomValues(new Uint8Array(HALF));
  readonly #fingerprint: string;
  readonly #transports: Transports;
  readonly #stop: () => void;
  #mailbox: MailboxPlace | undefined;
  #heard = false;

  constructor(user: NetworkUser, { server, relay, fingerprint }: PageNetworkOptions) {
    const { role } = user;
    this.#user = user;
    this.#server = server;
    this.#fingerprint = fingerprint ?? toHex(crypto.getRandomValues(new Uint8Array(32)));
    this.#role = role;
    const around: PageSurroundings = {
      ...{ role, relay: relay ?? 'auto', seal: this.#seal, log: user.log },
      pin: () => user.pin,
      onPipe: (pipe, fingerprint) => user.pipes.offer(pipe, fingerprint),
      onChange: () => {
        this.#offer();
        user.moved();
      },
    };
    this.#transports = makeTransports(PAGE_TRANSPORTS, around);
    this.#stop = watchNetwork(() => this.#moved());
  }

  get kinds() {
    return this.#transports.kinds;
  }

  close(): Promise<void> {
    this.#stop();
    return this.#transports.close();
  }

  /** The place at the server is taken: what it offers is used from now on. */
  async meet(mailbox: MailboxPlace): Promise<void> {
    this.#mailbox = mailbox;
    const meeting = meetingAt(this.#server, mailbox, () => this.#user.guest);
    const met = this.#transports.all.map(async (transport) => transport.meet?.(meeting));
    if (this.#role === 'sender') return;
    await Promise.race([Promise.allSettled(met), sleep(realClock, AHEAD)]);
  }

  /** The server gave this side its place anew: what it gave before may be worth nothing. */
  welcome(): void {
    for (const transport of this.#transports.all) transport.welcome?.();
  }

  hello(): Omit<Hello, 'agent' | 'lanes'> {
    return {
      ...{ fingerprint: this.#fingerprint, tls: false, seal: toHex(this.#seal) },
      transports: this.#transports.describe(),
      hosts: [],
    };
  }

  /** @throws BeelineError PROTOCOL */
  peer(hello: Hello): void {
    this.#heard = true;
    this.#transports.hear(hello, []);
    this.#offer();
  }

  #offer(): void {
    if (this.#heard && this.#role === 'receiver') this.#user.paths(this.#transports.paths());
  }

  #moved(): void {
    this.#user.log?.info({}, 'the network has changed');
    // A page's lanes name no address of their own, so those that have fallen silent are closed.
    this.#user.networkChanged(new Set());
    this.#mailbox?.reconnect();
    for (const transport of this.#transports.all) transport.again?.(true);
    this.#offer();
    this.#user.moved();
  }
}

function webRtc(around: PageSurroundings): WebRtcTransport {
  return new WebRtcTransport(around, {
    load: peerConnections,
    forPagesOnly: false,
    turn: ({ services }) => services.turn,
  });
}

function peerConnections(): Connect | undefined {
  if (typeof RTCPeerConnection !== 'function') return undefined;
  return (config) => new RTCPeerConnection(config) as unknown as ReturnType<Connect>;
}

function relay({ role, seal, pin, onPipe, log }: PageSurroundings): RelayTransport {
  const secret = (peer: PeerFacts | undefined) => peer && { own: seal, peer: fromHex(peer.seal), role };
  return new RelayTransport(role, {
    path: (server, seat, peer) => relayPath({ server, seat, secret: () => secret(peer()) }),
    listener: (server, seat, peer) =>
      relayListener({
        ...{ server, seat, secret: () => secret(peer()) },
        onPipe: (pipe) => onPipe(pipe, pin()),
        ...(log && { log }),
      }),
  });
}
