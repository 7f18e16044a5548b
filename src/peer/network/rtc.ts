/** Lanes to a browser's page: WebRTC, by an optional package that is loaded when a page is at the other end, not before. */
import type { Path } from '../../lanes/path.ts';
import type { Pipe } from '../../lanes/pipe.ts';
import { nodePeerConnections } from '../../lanes/webrtc/node.ts';
import type { IceServer } from '../../lanes/webrtc/servers.ts';
import { WebRtcSide } from '../../lanes/webrtc/side.ts';
import type { Hello } from '../../protocol/signal.ts';
import type { Logger } from '../../session/api.ts';

export interface RtcOptions {
  role: 'sender' | 'receiver';
  iceServers: () => IceServer[];
  relayOnly: boolean;
  onPipe: (pipe: Pipe) => void;
  /** There is something new to tell the peer, or to dial. */
  onChange: () => void;
  /** The package is not there: pages reach this side only through a server's relay. */
  onLack: () => void;
  log: Logger | undefined;
}

export class Rtc {
  readonly #options: RtcOptions;
  #side: WebRtcSide | undefined;
  #loading = false;
  #peer: Hello | undefined;
  #over = false;

  constructor(options: RtcOptions) {
    this.#options = options;
  }

  get descriptions(): Hello['rtc'] {
    return this.#side?.descriptions ?? [];
  }

  get path(): Path | undefined {
    return this.#side?.path;
  }

  peer(hello: Hello): void {
    this.#peer = hello;
    if (!hello.tls && !this.#loading) void this.#load();
    this.#side?.peer(hello.rtc);
  }

  /** The network has changed. */
  again(): void {
    this.#side?.again();
  }

  close(): void {
    this.#over = true;
    this.#side?.close();
  }

  async #load(): Promise<void> {
    this.#loading = true;
    const { role, iceServers, relayOnly, onPipe, onChange, onLack, log } = this.#options;
    const connect = await nodePeerConnections();
    if (this.#over) return;
    if (!connect) return onLack();
    this.#side = new WebRtcSide({
      ...{ role, connect: () => connect, iceServers, relayOnly, onPipe, onChange },
      ...(log && { log }),
    });
    if (this.#peer) this.#side.peer(this.#peer.rtc);
    onChange();
  }
}
