/**
 * This side's WebRTC connections to the peer: what it says of them in its hello, what it makes of the peer's, and the lanes
 * that come of it. The receiver offers, the sender answers; one connection with one data channel a lane. Pure: browsers
 * have their own RTCPeerConnection, Node has one by node.ts.
 */
import { toHex } from '../../base/bytes.ts';
import { fault, faultFrom } from '../../base/errors.ts';
import { MAX_RTC, MAX_WEBRTC_LANES } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { RtcDescription } from '../../wire/rtc.ts';
import type { Path } from '../path.ts';
import { Answers } from './answers.ts';
import { Connection } from './connection.ts';
import { Offers } from './offers.ts';
import type { Connect, IceServer, PeerConnection } from './ports.ts';

interface WebRtcOptions {
  role: 'sender' | 'receiver';
  /** Asked when it is needed first; undefined: there is no WebRTC here. */
  connect: () => Promise<Connect | undefined> | Connect | undefined;
  /** Asked for each connection. */
  iceServers: () => IceServer[];
  /** Through TURN servers only, so that the peer learns no address of this side. */
  relayOnly: boolean;
  /** Own descriptions are others than before: the hello is to be sent again. */
  onChange: () => void;
  /** Sender: a lane has come. Keep it or destroy it. */
  onPipe?: (pipe: Pipe) => void;
  log?: { debug(fields: object, message: string): void };
}

export class WebRtcSide {
  readonly #options: WebRtcOptions;
  readonly #offers: Offers | undefined;
  readonly #answers: Answers | undefined;
  readonly #path: Path;
  #loading: Promise<Connect | undefined> | undefined;
  #connect: Connect | undefined;
  #missing = false;
  /** Sender: what the peer said last. */
  #heard: readonly RtcDescription[] = [];
  #over = false;

  constructor(options: WebRtcOptions) {
    this.#options = options;
    const onPipe = (pipe: Pipe) => (options.onPipe && !this.#over ? options.onPipe(pipe) : pipe.destroy());
    if (options.role === 'sender')
      this.#answers = new Answers((id, ended) => this.#make(this.#connect!, id, ended), onPipe);
    else this.#offers = new Offers((ended) => this.#fresh(ended));
    this.#path = {
      kind: 'webrtc',
      name: 'webrtc',
      most: MAX_WEBRTC_LANES,
      open: (signal) => this.#open(signal),
    };
  }

  /** For the hello. */
  get descriptions(): RtcDescription[] {
    const all = this.#offers?.descriptions ?? this.#answers?.descriptions ?? [];
    return all.slice(0, MAX_RTC);
  }

  /** The receiver's way to open lanes; undefined while there can be none. */
  get path(): Path | undefined {
    return this.#offers && !this.#missing && !this.#over && this.#reachable ? this.#path : undefined;
  }

  get #reachable(): boolean {
    const turn = ({ urls }: IceServer) => urls.some((url) => /^turns?:/.test(url));
    return !this.#options.relayOnly || this.#options.iceServers().some(turn);
  }

  /** What the peer's latest hello says of its connections. */
  peer(rtc: readonly RtcDescription[]): void {
    if (this.#over) return;
    this.#offers?.peer(rtc);
    if (!this.#answers) return;
    this.#heard = rtc;
    if (this.#connect) this.#answers.peer(rtc);
    else if (rtc.length > 0) void this.#load().then(() => this.#loadedFor(this.#answers!));
  }

  /** Receiver: makes an offer ahead of the first lane. Resolves once `descriptions` has it, or it is known that there is no WebRTC. */
  async prepare(): Promise<void> {
    if (this.#reachable) await this.#offers?.prepare();
  }

  /** The network has changed: what did not work before may do so now. */
  again(): void {
    this.#offers?.again();
  }

  /** Ends what is being negotiated. Lanes are their owner's. */
  close(): void {
    this.#over = true;
    this.#offers?.close();
    this.#answers?.close();
  }

  async #open(signal: AbortSignal): Promise<Pipe> {
    if (!this.path) throw fault('WEBRTC_NO_PATH_YET');
    return this.#offers!.open(signal);
  }

  async #fresh(ended: (connection: Connection) => void): Promise<Connection | undefined> {
    const connect = await this.#load();
    if (!connect) return undefined;
    const id = toHex(globalThis.crypto.getRandomValues(new Uint8Array(8)));
    const connection: Connection = this.#make(connect, id, () => ended(connection));
    return connection;
  }

  #load(): Promise<Connect | undefined> {
    this.#loading ??= this.#loaded();
    return this.#loading;
  }

  #loadedFor(answers: Answers): void {
    if (this.#connect && !this.#over) answers.peer(this.#heard);
  }

  async #loaded(): Promise<Connect | undefined> {
    try {
      this.#connect = await this.#options.connect();
    } catch (error) {
      this.#options.log?.debug({ err: error }, 'WebRTC cannot be loaded');
    }
    this.#missing = !this.#connect;
    return this.#connect;
  }

  /** @throws BeelineError NO_PATH */
  #make(connect: Connect, id: string, ended: () => void): Connection {
    const { iceServers, relayOnly, onChange, log } = this.#options;
    let peerConnection: PeerConnection;
    try {
      peerConnection = connect({
        iceServers: iceServers(),
        iceTransportPolicy: relayOnly ? 'relay' : 'all',
      });
    } catch (thrown) {
      throw faultFrom(thrown, 'WEBRTC_FAILED');
    }
    return new Connection({
      ...{ id, peerConnection, onEnd: ended, ...(log && { log }) },
      onChange: () => !this.#over && onChange(),
    });
  }
}
