/** RTCPeerConnections in memory that connect as the real ones do: by descriptions that fit, and to the pinned fingerprint only. */
import { randomBytes } from 'node:crypto';
import { CREDIT_WINDOW } from '../../src/base/credit.ts';
import { MOST_HELD } from '../../src/base/horizon.ts';
import type {
  Configuration,
  Connect,
  Description,
  PeerConnection,
} from '../../src/transports/webrtc/ports.ts';
import { CHUNK, MiB } from './pipe-contract.ts';

/** Of a data channel's pipe, fake or not: what is taken for a reader that is paused. */
export const BOUNDS = { least: CREDIT_WINDOW - CHUNK, most: CREDIT_WINDOW + MOST_HELD + MiB };

type Listener = (event: never) => void;

class Emitter {
  readonly #listeners = new Map<string, Listener[]>();

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  emit(type: string, event: object = {}): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}

export class FakeChannel extends Emitter {
  readonly protocol: string = '';
  readonly ordered: boolean = true;
  readonly maxPacketLifeTime = null;
  readonly maxRetransmits = null;
  readonly label: string;
  readyState = 'connecting';
  binaryType = 'blob';
  bufferedAmountLowThreshold = 0;
  /** What was sent and has not left yet. */
  readonly buffer: (string | ArrayBuffer)[] = [];
  bufferedAmount = 0;
  /** The most that was buffered. */
  peak = 0;
  /** Nothing leaves. */
  stuck = false;
  other: FakeChannel | undefined;
  #leaving = false;

  constructor(label: string, fields: Partial<FakeChannel> = {}) {
    super();
    this.label = label;
    Object.assign(this, fields);
  }

  open(): void {
    this.readyState = 'open';
    this.emit('open');
  }

  send(data: string | Uint8Array): void {
    if (this.readyState !== 'open') throw new Error('InvalidStateError');
    const copy = typeof data === 'string' ? data : new Uint8Array(data).buffer;
    this.buffer.push(copy);
    this.bufferedAmount += sizeOf(copy);
    this.peak = Math.max(this.peak, this.bufferedAmount);
    this.leave();
  }

  leave(): void {
    if (this.#leaving || this.stuck) return;
    this.#leaving = true;
    setImmediate(() => this.#pass());
  }

  close(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    setImmediate(() => this.emit('close'));
    this.other?.close();
  }

  #pass(): void {
    this.#leaving = false;
    const data = this.buffer.shift();
    if (data === undefined) return;
    const before = this.bufferedAmount;
    this.bufferedAmount -= sizeOf(data);
    if (this.other?.readyState === 'open') this.other.emit('message', { data });
    const low = this.bufferedAmountLowThreshold;
    if (before > low && this.bufferedAmount <= low) this.emit('bufferedamountlow');
    if (this.buffer.length > 0) this.leave();
  }
}

function sizeOf(data: string | ArrayBuffer): number {
  return typeof data === 'string' ? data.length : data.byteLength;
}

export function channels(): [FakeChannel, FakeChannel] {
  const [a, b] = [new FakeChannel('beeline'), new FakeChannel('beeline')];
  [a.other, b.other] = [b, a];
  a.open();
  b.open();
  return [a, b];
}

/** Where fake connections find each other. */
export class FakeNetwork {
  readonly all: FakePeerConnection[] = [];
  /** As if no packet came through. */
  dead = false;

  readonly connect: Connect = (configuration) => {
    const connection = new FakePeerConnection(this, configuration);
    this.all.push(connection);
    return connection as unknown as PeerConnection;
  };

  get open(): FakePeerConnection[] {
    return this.all.filter(({ connectionState }) => connectionState !== 'closed');
  }
}

export class FakePeerConnection extends Emitter {
  readonly configuration: Configuration;
  readonly ufrag = randomBytes(4).toString('hex');
  readonly password = randomBytes(12).toString('hex');
  readonly fingerprint = randomBytes(32).toString('hex');
  readonly candidates: string[] = [];
  /** Given by `addIceCandidate`. */
  readonly tried: string[] = [];
  connectionState = 'new';
  iceGatheringState = 'new';
  localDescription: { sdp: string } | null = null;
  remote: { type: string; ufrag: string; fingerprint: string } | undefined;
  channel: FakeChannel | undefined;
  readonly #network: FakeNetwork;

  constructor(network: FakeNetwork, configuration: Configuration) {
    super();
    this.#network = network;
    this.configuration = configuration;
  }

  createDataChannel(label: string): FakeChannel {
    this.channel = new FakeChannel(label);
    return this.channel;
  }

  async createOffer(): Promise<{ sdp: string }> {
    return { sdp: this.#sdp() };
  }

  async createAnswer(): Promise<{ sdp: string }> {
    return { sdp: this.#sdp() };
  }

  async setLocalDescription(_: Description): Promise<void> {
    this.localDescription = { sdp: this.#sdp() };
    this.iceGatheringState = 'gathering';
    setImmediate(() => {
      this.found('candidate:1 1 udp 2113937151 192.0.2.7 40000 typ host');
      this.iceGatheringState = 'complete';
      this.emit('icegatheringstatechange');
    });
    this.#match();
  }

  /** One more candidate of this side. */
  found(candidate: string): void {
    this.candidates.push(candidate);
    if (this.localDescription) this.localDescription = { sdp: this.#sdp() };
    this.emit('icecandidate', { candidate: { candidate } });
  }

  async setRemoteDescription({ type, sdp }: Description): Promise<void> {
    const ufrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)![1]!;
    const fingerprint = /^a=fingerprint:sha-256 (\S+)/m.exec(sdp)![1]!;
    this.remote = { type, ufrag, fingerprint: fingerprint.replaceAll(':', '').toLowerCase() };
    this.#match();
  }

  async addIceCandidate({ candidate }: { candidate: string }): Promise<void> {
    if (!this.remote) throw new Error('InvalidStateError');
    this.tried.push(candidate);
  }

  async getStats(): Promise<Map<string, object>> {
    return new Map<string, object>([
      ['T', { id: 'T', type: 'transport', selectedCandidatePairId: 'P' }],
      ['P', { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R' }],
      ['L', { id: 'L', type: 'local-candidate', address: '192.0.2.7', port: 40000 }],
      ['R', { id: 'R', type: 'remote-candidate', address: '2001:db8::1', port: 40001 }],
    ]);
  }

  close(): void {
    if (this.connectionState === 'closed') return;
    this.connectionState = 'closed';
    this.channel?.close();
  }

  fail(): void {
    this.connectionState = 'failed';
    this.emit('connectionstatechange');
  }

  #sdp(): string {
    const print = this.fingerprint.toUpperCase().match(/../g)!.join(':');
    const lines = [
      'v=0',
      `a=fingerprint:sha-256 ${print}`,
      `a=ice-ufrag:${this.ufrag}`,
      `a=ice-pwd:${this.password}`,
    ];
    return [...lines, ...this.candidates.map((each) => `a=${each}`), ''].join('\r\n');
  }

  #match(): void {
    const other = this.#network.all.find(({ ufrag }) => ufrag === this.remote?.ufrag);
    if (this.#network.dead || !other || other.remote?.ufrag !== this.ufrag) return;
    if (!this.localDescription || !other.localDescription) return;
    // What DTLS does: RFC 8122, 5.
    if (this.remote?.fingerprint !== other.fingerprint || other.remote.fingerprint !== this.fingerprint)
      return;
    const [offering, answering] = this.remote.type === 'answer' ? [this, other] : [other, this];
    setImmediate(() => offering.#join(answering));
  }

  #join(answering: FakePeerConnection): void {
    const ours = this.channel;
    if (!ours || this.connectionState === 'closed' || answering.connectionState === 'closed') return;
    for (const side of [this, answering]) {
      side.connectionState = 'connected';
      side.emit('connectionstatechange');
    }
    const theirs = new FakeChannel(ours.label);
    [ours.other, theirs.other] = [theirs, ours];
    answering.channel = theirs;
    theirs.readyState = 'open';
    answering.emit('datachannel', { channel: theirs });
    ours.open();
  }
}
