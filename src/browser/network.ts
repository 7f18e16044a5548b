/** A page's ways to the other side: WebRTC, and the server's relay with sealed lanes. It listens on no port. */
import type { Path } from '../lanes/path.ts';
import type { RelayListener } from '../lanes/relay/listen.ts';
import type { RelayPath } from '../lanes/relay/path.ts';
import type { Connect } from '../lanes/webrtc/ports.ts';
import { iceServers } from '../lanes/webrtc/servers.ts';
import { WebRtcSide } from '../lanes/webrtc/side.ts';
import { fromHex, toHex } from '../protocol/bytes.ts';
import type { Hello } from '../protocol/signal.ts';
import type { Mailbox } from '../rendezvous/ports.ts';
import type { TransferOptions } from '../session/api.ts';
import type { NetworkPort } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import { relayListener, relayPath } from './relay.ts';
import { watchNetwork } from './roaming.ts';

export interface NetworkOptions extends Pick<TransferOptions, 'relay'> {
  role: 'sender' | 'receiver';
  /** The server's URL. */
  server: string;
}

/** Milliseconds that a first description may take: it is in the first hello then, else in a later one. */
const AHEAD = 500;
const HALF = 32;

export class Network implements NetworkPort {
  readonly #session: Session;
  readonly #options: NetworkOptions;
  readonly #tellPeer: () => void;
  readonly #seal = crypto.getRandomValues(new Uint8Array(HALF));
  readonly #fingerprint = toHex(crypto.getRandomValues(new Uint8Array(32)));
  readonly #rtc: WebRtcSide | undefined;
  #mailbox: Mailbox | undefined;
  #relayPath: RelayPath | undefined;
  #relayListener: RelayListener | undefined;
  #peer: Hello | undefined;

  /** @param tellPeer what this side's hello says has changed */
  constructor(session: Session, options: NetworkOptions, tellPeer: () => void) {
    this.#session = session;
    this.#options = options;
    this.#tellPeer = tellPeer;
    session.supervise();
    const { role, relay, server } = options;
    const connect = peerConnections();
    this.#rtc =
      connect &&
      new WebRtcSide({
        ...{ role, connect: () => connect, relayOnly: relay === 'only' },
        iceServers: () =>
          this.#mailbox ? iceServers(this.#mailbox.services, server, relay !== 'never') : [],
        onPipe: (pipe) => session.offerPipe(pipe, session.door.pin),
        onChange: () => {
          this.#offer();
          tellPeer();
        },
        ...(session.log && { log: session.log }),
      });
    const stop = watchNetwork(() => this.#moved());
    session.cleanup.push(() => {
      stop();
      this.#rtc?.close();
      this.#relayListener?.close();
      this.#relayPath?.close();
    });
  }

  /** The place at the server is taken: what it offers is used from now on. */
  async meet(mailbox: Mailbox): Promise<void> {
    this.#mailbox = mailbox;
    const { role, relay, server } = this.#options;
    const secret = () => this.#secret();
    const common = { server, token: () => mailbox.token, secret };
    if (mailbox.services.relay && relay !== 'never') {
      if (role === 'receiver') this.#relayPath = relayPath(common);
      else
        this.#relayListener = relayListener({
          ...common,
          onPipe: (pipe) => this.#session.offerPipe(pipe, this.#session.door.pin),
          ...(this.#session.log && { log: this.#session.log }),
        });
    }
    this.#relayPath?.prepare();
    if (role === 'sender' || !this.#rtc) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, AHEAD);
    });
    await Promise.race([this.#rtc.prepare().catch(() => {}), enough]);
    clearTimeout(timer);
  }

  /** The server gave this side its place anew: what it gave before may be worth nothing. */
  welcome(): void {
    this.#relayListener?.refresh();
  }

  hello(): Omit<Hello, 'agent' | 'lanes'> {
    return {
      fingerprint: this.#fingerprint,
      tls: false,
      seal: toHex(this.#seal),
      rtc: this.#rtc?.descriptions ?? [],
      candidates: [],
      seen: [],
    };
  }

  peer(hello: Hello): void {
    this.#peer = hello;
    this.#rtc?.peer(hello.rtc);
    this.#offer();
  }

  #secret() {
    if (!this.#peer) return undefined;
    return { own: this.#seal, peer: fromHex(this.#peer.seal), role: this.#options.role };
  }

  #offer(): void {
    const { supervisor, door } = this.#session;
    if (!this.#peer || this.#options.role === 'sender') return;
    const paths = [this.#rtc?.path, this.#relayPath].filter((path): path is Path => path !== undefined);
    // A process that said that it ends is not dialled.
    supervisor?.paths(door.ended ? [] : paths);
  }

  #moved(): void {
    this.#session.log?.info({}, 'the network has changed');
    // No lane of a page names an address of its own: those go that have fallen silent.
    this.#session.supervisor?.moved(new Set());
    this.#mailbox?.reconnect();
    this.#relayListener?.refresh();
    this.#rtc?.again();
    this.#offer();
    this.#tellPeer();
  }
}

function peerConnections(): Connect | undefined {
  if (typeof RTCPeerConnection !== 'function') return undefined;
  return (config) => new RTCPeerConnection(config) as unknown as ReturnType<Connect>;
}
