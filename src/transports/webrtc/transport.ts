/** WebRTC: the one direct way to and from a browser's page. Pure: the runtime gives RTCPeerConnection. */
import * as v from 'valibot';
import { list } from '../../base/json.ts';
import { MAX_RTC } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { Services, TurnServer } from '../../wire/rendezvous.ts';
import { RTC_DESCRIPTION, type RtcDescription } from '../../wire/rtc.ts';
import type { Path } from '../path.ts';
import {
  type Meeting,
  type PeerFacts,
  type RelayUse,
  type Role,
  type Traits,
  type Transport,
  understood,
} from '../transport.ts';
import type { Connect, IceServer } from './ports.ts';
import { WebRtcSide } from './side.ts';

/**
 * The ICE servers that a rendezvous server offers.
 * @param url of the server, on whose host STUN answers
 * @param relay whether TURN may be used
 */
export function iceServers({ stun, turn }: Services, url: string | undefined, relay: boolean): IceServer[] {
  const servers: IceServer[] = [];
  // Any one of its ports tells what the world sees; a second would only take time.
  if (url !== undefined && stun[0] !== undefined)
    servers.push({ urls: [`stun:${new URL(url).hostname}:${stun[0]}`] });
  if (turn && relay) servers.push({ ...turn, urls: turn.urls.filter((each) => /^turns?:/.test(each)) });
  return servers;
}

export const WEBRTC = {
  kind: 'webrtc',
  // If told so, it goes through TURN servers only. Then its lanes say that they are relayed.
  traits: { relayed: false, sort: 'channel', ownAddress: [], hides: true } satisfies Traits,
} as const;

export interface WebRtcSurroundings {
  readonly role: Role;
  readonly relay: RelayUse;
  pin(): string;
  onPipe(pipe: Pipe, fingerprint: string): void;
  onChange(): void;
  readonly log: { debug(fields: object, message: string): void } | undefined;
}

/** Where this runtime has it from. */
interface WebRtcRuntime {
  /** Undefined where it has none. */
  load(): Promise<Connect | undefined> | Connect | undefined;
  /** Programs have better ways to each other, so it is made only once a page is at the other end. */
  readonly forPagesOnly: boolean;
  /** What of the server's TURN servers may be gone to. */
  turn(meeting: Meeting): Promise<TurnServer | undefined> | TurnServer | undefined;
  /** There is a page at the other end, and no WebRTC here. */
  onLack?(): void;
}

export class WebRtcTransport implements Transport {
  readonly #around: WebRtcSurroundings;
  readonly #runtime: WebRtcRuntime;
  #side: WebRtcSide | undefined;
  #loading = false;
  #meeting: Meeting | undefined;
  #turn: TurnServer | undefined;
  #theirs: readonly RtcDescription[] = [];
  #over = false;

  constructor(around: WebRtcSurroundings, runtime: WebRtcRuntime) {
    this.#around = around;
    this.#runtime = runtime;
    if (!runtime.forPagesOnly) this.#make(() => runtime.load());
  }

  /** A receiver's offers; a sender's answers to those that it has heard of. */
  describe(): RtcDescription[] | undefined {
    return this.#side?.descriptions;
  }

  hear(theirs: unknown, { tls }: PeerFacts): void {
    this.#theirs = understood(DESCRIPTIONS, theirs);
    if (!tls && this.#runtime.forPagesOnly && !this.#loading) void this.#load();
    this.#side?.peer(this.#theirs);
  }

  paths(): Path[] {
    return this.#side?.path ? [this.#side.path] : [];
  }

  /** Where it is made from the start, the receiver's first offer is made ahead: it is in the first hello then. */
  async meet(meeting: Meeting): Promise<void> {
    this.#meeting = meeting;
    const turn = await this.#runtime.turn(meeting);
    this.#turn = turn;
    if (this.#around.role === 'receiver') await this.#side?.prepare();
  }

  async welcome(): Promise<void> {
    if (this.#meeting) this.#turn = await this.#runtime.turn(this.#meeting);
  }

  again(): void {
    this.#side?.again();
  }

  close(): void {
    this.#over = true;
    this.#side?.close();
  }

  async #load(): Promise<void> {
    this.#loading = true;
    const connect = await this.#runtime.load();
    if (this.#over) return;
    if (!connect) return this.#runtime.onLack?.();
    this.#make(() => connect).peer(this.#theirs);
    this.#around.onChange();
  }

  #make(connect: WebRtcRuntime['load']): WebRtcSide {
    const { role, relay, onChange, onPipe, pin, log } = this.#around;
    this.#side = new WebRtcSide({
      ...{ role, connect, onChange, relayOnly: relay === 'only', ...(log && { log }) },
      onPipe: (pipe) => onPipe(pipe, pin()),
      iceServers: () => {
        if (!this.#meeting) return [];
        const { services, url } = this.#meeting;
        return iceServers({ ...services, turn: this.#turn }, url, relay !== 'never');
      },
    });
    return this.#side;
  }
}

const DESCRIPTIONS = v.optional(list(RTC_DESCRIPTION, MAX_RTC), []);
