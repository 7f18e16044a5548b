/**
 * One WebRTC connection with one data channel, from its description to a pipe. The DTLS fingerprint of the other side's
 * description is its pin: it crossed sealed, and WebRTC itself connects to nobody else. Pure.
 */

import { isAddress } from '../../base/addresses.ts';
import { Alarm, atMost, realClock } from '../../base/clock.ts';
import { asBeelineError, type BeelineError, fault, faultFrom } from '../../base/errors.ts';
import { MAX_RTC_CANDIDATES } from '../../base/limits.ts';
import { formatAddress } from '../../wire/candidate.ts';
import type { RtcDescription } from '../../wire/rtc.ts';
import { ChannelPipe } from './pipe.ts';
import type { DataChannel, PeerConnection } from './ports.ts';
import { compose, describe } from './sdp.ts';

/** Between which addresses it runs, for people and logs, from its statistics (W3C WebRTC Statistics). */
interface Ends {
  local: string;
  remote: string;
  /** A TURN server is between, on either side. */
  relayed: boolean;
}

/** Nobody waits longer for what is only shown. */
const STATISTICS_MS = 300;
const UNKNOWN: Ends = { local: 'webrtc', remote: 'webrtc', relayed: false };

async function endsOf(connection: PeerConnection): Promise<Ends> {
  const statistics = await atMost(realClock, STATISTICS_MS, connection.getStats());
  const entries = new Map<unknown, Record<string, unknown>>();
  statistics?.forEach((entry) => {
    entries.set(entry.id, entry);
  });
  return statistics ? selected(entries) : UNKNOWN;
}

function selected(entries: ReadonlyMap<unknown, Record<string, unknown>>): Ends {
  const all = [...entries.values()];
  const transport = all.find(({ type }) => type === 'transport');
  // Firefox has no entry for the transport, and marks the pair itself.
  const pair =
    entries.get(transport?.selectedCandidatePairId) ??
    all.find(({ type, state, nominated }) => type === 'candidate-pair' && nominated && state === 'succeeded');
  const local = entries.get(pair?.localCandidateId);
  const remote = entries.get(pair?.remoteCandidateId);
  const relayed = [local, remote].some((candidate) => candidate?.candidateType === 'relay');
  return { local: place(local), remote: place(remote), relayed };
}

/** A browser may keep addresses to itself, or give names that it made up (draft-ietf-mmusic-mdns-ice-candidates). */
function place(candidate: Record<string, unknown> | undefined): string {
  const host = candidate?.address ?? candidate?.ip;
  const port = candidate?.port;
  return typeof host === 'string' && isAddress(host) && typeof port === 'number'
    ? formatAddress({ host, port })
    : 'webrtc';
}

export const LABEL = 'beeline';
/** Candidates of the other side that are tried in all, however often it names new ones. */
const MOST_CANDIDATES = 3 * MAX_RTC_CANDIDATES;
/** How long candidates are gathered before they are told: as a rule one message is enough for all of them. */
const GATHER_MS = 300;

export interface ConnectionOptions {
  id: string;
  peerConnection: PeerConnection;
  /** Its description is worth telling, or another than before. */
  onChange: () => void;
  /** Once, at its very end: it did not open, or the pipe has closed. */
  onEnd: () => void;
  log?: { debug(fields: object, message: string): void };
}

export class Connection {
  readonly id: string;
  /** Rejects with a BeelineError. */
  readonly opened: Promise<ChannelPipe>;
  /** Resolves once there is a description, or never will be. */
  readonly described: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #pc: PeerConnection;
  #resolve!: (pipe: ChannelPipe) => void;
  #reject!: (error: BeelineError) => void;
  #tell!: () => void;
  #kind: RtcDescription['kind'] | undefined;
  #description: RtcDescription | undefined;
  #remote: RtcDescription | undefined;
  /** Given to ICE, or about to be. */
  readonly #candidates = new Set<string>();
  #pipe: ChannelPipe | undefined;
  #state: 'negotiating' | 'open' | 'over' = 'negotiating';
  readonly #deadline = new Alarm(realClock);
  readonly #gathering = new Alarm(realClock);

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.id = options.id;
    this.#pc = options.peerConnection;
    this.opened = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.described = new Promise((resolve) => {
      this.#tell = resolve;
    });
    // Who waits for it gets the error; perhaps nobody waits.
    this.opened.catch(() => {});
    for (const type of ['icecandidate', 'icegatheringstatechange'])
      this.#pc.addEventListener(type, () => this.#gathered());
    this.#pc.addEventListener('connectionstatechange', () => this.#changed());
    this.#pc.addEventListener('datachannel', ({ channel }: { channel: DataChannel }) =>
      this.#offered(channel),
    );
  }

  /** What crosses to the other side; undefined before it is worth telling. */
  get description(): RtcDescription | undefined {
    return this.#description;
  }

  get negotiating(): boolean {
    return this.#state === 'negotiating';
  }

  get over(): boolean {
    return this.#state === 'over';
  }

  /** The other side has been heard of. */
  get answered(): boolean {
    return this.#remote !== undefined;
  }

  /** Fails unless it opens within `ms`, from now; undefined: it may take as long as it takes. */
  within(ms: number | undefined): void {
    this.#deadline.clear();
    if (this.#state !== 'negotiating' || ms === undefined) return;
    const late = () => this.close(fault('WEBRTC_LATE'));
    this.#deadline.set(ms, late);
  }

  async offer(): Promise<void> {
    this.#kind = 'offer';
    await this.#guarded(async () => {
      this.#use(this.#pc.createDataChannel(LABEL, { ordered: true }));
      const { sdp = '' } = await this.#pc.createOffer();
      if (this.over) return;
      await this.#pc.setLocalDescription({ type: 'offer', sdp });
      this.#gathered();
    });
  }

  async answer(offer: RtcDescription): Promise<void> {
    this.#kind = 'answer';
    this.#remote = offer;
    await this.#guarded(async () => {
      await this.#pc.setRemoteDescription({ type: 'offer', sdp: compose(offer, 'actpass') });
      if (this.over) return;
      this.#try(offer.candidates);
      const { sdp = '' } = await this.#pc.createAnswer();
      if (this.over) return;
      await this.#pc.setLocalDescription({ type: 'answer', sdp });
      this.#gathered();
    });
  }

  /** What the other side says of it now: its answer at first, later more candidates. All else stays as it was first said. */
  async hear(description: RtcDescription): Promise<void> {
    const known = this.#remote;
    if (known) {
      const same = (['ufrag', 'password', 'fingerprint'] as const).every(
        (key) => known[key] === description[key],
      );
      if (same) this.#try(description.candidates);
      return;
    }
    // Ignores an answer to an offer that this side has not made yet.
    if (!this.#description || this.#state !== 'negotiating') return;
    this.#remote = description;
    await this.#guarded(async () => {
      await this.#pc.setRemoteDescription({ type: 'answer', sdp: compose(description, 'active') });
      this.#try(description.candidates);
    });
  }

  /** @param error why, for who waits for it to open */
  close(error = fault('WEBRTC_CLOSED')): void {
    if (this.#state === 'over') return;
    if (this.#state === 'open') return this.#pipe?.fail(error);
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#deadline.clear();
    this.#gathering.clear();
    this.#pc.close();
    this.#tell();
    this.#options.onEnd();
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.close(faultFrom(thrown, 'WEBRTC_FAILED'));
    }
  }

  #gathered(): void {
    if (this.#state === 'over') return;
    if (this.#pc.iceGatheringState === 'complete') this.#describe();
    else if (!this.#gathering.waits) this.#gathering.set(GATHER_MS, () => this.#describe());
  }

  #describe(): void {
    this.#gathering.clear();
    const sdp = this.#state === 'over' ? undefined : this.#pc.localDescription?.sdp;
    if (!sdp || !this.#kind) return;
    const before = this.#description;
    try {
      this.#description = describe(sdp, this.id, this.#kind);
    } catch (thrown) {
      return this.close(asBeelineError(thrown));
    }
    this.#tell();
    if (before?.candidates.join() !== this.#description.candidates.join()) this.#options.onChange();
  }

  /** Queued behind the description (W3C WebRTC, 4.4.1.2). A candidate that this implementation does not take ends nothing. */
  #try(candidates: readonly string[]): void {
    for (const candidate of candidates) {
      if (this.#state === 'over' || this.#candidates.size >= MOST_CANDIDATES) return;
      if (this.#candidates.has(candidate)) continue;
      this.#candidates.add(candidate);
      this.#pc
        .addIceCandidate({ candidate, sdpMid: '0', sdpMLineIndex: 0 })
        .catch((error) => this.#options.log?.debug({ err: error, candidate }, 'candidate not taken'));
    }
  }

  #changed(): void {
    const state = this.#pc.connectionState;
    if (state === 'failed') this.close(fault('WEBRTC_NO_WAY'));
    if (state === 'closed') this.close();
  }

  /** The offering side opens the one channel that there is. */
  #offered(channel: DataChannel): void {
    const reliable = channel.ordered && channel.maxRetransmits === null && channel.maxPacketLifeTime === null;
    const ours = this.#kind === 'answer' && !this.#pipe && channel.label === LABEL && channel.protocol === '';
    if (ours && reliable) return this.#use(channel);
    channel.close();
    this.close(fault('PEER_MALFORMED', { what: 'a data channel that is not Beeline' }));
  }

  #use(channel: DataChannel): void {
    const pipe = new ChannelPipe(channel, () => this.#over());
    this.#pipe = pipe;
    if (channel.readyState === 'open') void this.#open(pipe);
    else channel.addEventListener('open', () => void this.#open(pipe));
  }

  async #open(pipe: ChannelPipe): Promise<void> {
    if (this.#state !== 'negotiating') return;
    Object.assign(pipe, await endsOf(this.#pc));
    if (this.#state !== 'negotiating') return;
    this.#state = 'open';
    this.#deadline.clear();
    this.#resolve(pipe);
  }

  /** The pipe is done with the connection, opened or not. */
  #over(): void {
    if (this.#state === 'negotiating') this.close();
    else this.#end();
  }
}
