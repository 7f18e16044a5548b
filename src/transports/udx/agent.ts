/**
 * Lanes over UDP: one port for STUN and UDX, the checked ways to the peer, and streams over the best of them. The receiver
 * chooses the way and opens streams; the sender checks, so that NATs open from both sides, and takes streams.
 */

import type { SecureContext } from 'node:tls';
import { Alarm, realClock } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { Birthday } from '../../nat/ice/birthday.ts';
import {
  type CheckAnswer,
  Checks,
  streamAttribute,
  streamIds,
  TOO_MANY,
  type UdpPort,
} from '../../nat/ice/checks.ts';
import { Connectivity } from '../../nat/ice/connectivity.ts';
import { Gatherer, type Observer, type SeenMapping } from '../../nat/ice/gather.ts';
import { type Pair, Pairs } from '../../nat/ice/pairs.ts';
import { errorCode } from '../../nat/stun/attributes.ts';
import { ATTRIBUTE, type StunMessage } from '../../nat/stun/message.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import { loadUdx, UdpSocket, type UdxLibrary } from './socket.ts';
import { unknownStream } from './stream.ts';
import { Acceptor, dialStream } from './streams.ts';

interface UdpOptions {
  role: 'sender' | 'receiver';
  context: SecureContext;
  /** Hex SHA-256 of the peer's certificate, when a lane is opened. */
  pin: () => string;
  /** 32 hex digits: the key of checks sent to us. */
  password: string;
  /** Receiver: the checked way to the peer; undefined when it is lost, and another when that is better. */
  onPath: (path: Path | undefined) => void;
  /** Sender: a lane came in. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** The world sees the port differently than `gather` said. */
  onMapping?: (mapping: SeenMapping) => void;
  log?: { debug(fields: object, message: string): void };
}

export interface UdpPeer {
  candidates: readonly Address[];
  password: string;
  symmetric: boolean;
}

/** Lanes of one path. UDX keeps 4 MiB in flight a stream, so a long fast path needs several. */
const MOST = 16;
/** By so much near addresses go before a far one that has answered. */
const NEAR_FIRST_MS = 30;
/** From when on ports are guessed (birthday.ts). */
const BIRTHDAY_AFTER_MS = 400;

/** @throws BeelineError NO_PATH where udx-native or UDP is not to be had. */
export async function openUdp(options: UdpOptions): Promise<UdpAgent> {
  return new UdpAgent(options, await loadUdx());
}

export class UdpAgent {
  readonly #options: UdpOptions;
  readonly #udx: UdxLibrary;
  readonly #sockets = new Set<UdpSocket>();
  readonly #main: UdpSocket;
  readonly #checks: Checks;
  readonly #pairs = new Pairs();
  readonly #connectivity: Connectivity;
  readonly #birthday: Birthday;
  readonly #gatherer: Gatherer;
  readonly #acceptor: Acceptor;
  #peer: UdpPeer | undefined;
  #symmetric = false;
  #selected: Pair | undefined;
  readonly #choice = new Alarm(realClock);
  readonly #guessing = new Alarm(realClock);
  #closed = false;

  constructor(options: UdpOptions, udx: UdxLibrary) {
    this.#options = options;
    this.#udx = udx;
    this.#main = this.#open();
    this.#checks = new Checks(options.password, {
      request: (message, from, socket) => this.#request(message, from, socket),
      indication: (message) => this.#gone(message),
    });
    this.#connectivity = new Connectivity({
      checks: this.#checks,
      pairs: this.#pairs,
      selected: () => this.#selected,
      onAnswer: (pair, first) => this.#answered(pair, first),
      onLost: (pair) => this.#lost(pair),
    });
    this.#birthday = new Birthday({
      checks: this.#checks,
      main: this.#main,
      open: () => this.#tryOpen(),
      answered: (socket, remote, roundTrip) => {
        const pair = this.#pairs.learn(socket, remote);
        if (pair) this.#connectivity.answered(pair, roundTrip);
      },
      kept: (socket) => this.#pairs.working.some((pair) => pair.socket === socket),
    });
    this.#gatherer = new Gatherer(this.#checks, this.#main, (mapping) => this.#mapped(mapping, true));
    this.#acceptor = new Acceptor({
      context: options.context,
      onPipe: options.onPipe,
      onFailure: (remote, error) => options.log?.debug({ remote, error }, 'udp: no lane came of a stream'),
    });
  }

  get port(): number {
    return this.#main.port;
  }

  /** Asks STUN servers (two ports of one do), or nodes of the DHT, how the world sees the port, and keeps the mapping from then on. Never rejects. */
  async gather(servers: readonly Observer[], signal?: AbortSignal): Promise<SeenMapping> {
    const mapping = await this.#gatherer.run(servers, signal);
    this.#mapped(mapping, false);
    return mapping;
  }

  /** All that is known of the peer now. Checks begin, or begin again, at once. */
  peer(peer: UdpPeer): void {
    if (this.#closed) return;
    if (peer.password !== this.#peer?.password) {
      // Another process: what the earlier one has proved does not count for it.
      for (const pair of this.#pairs) this.#forget(pair);
      this.#select(undefined);
      this.#birthday.stop();
      this.#checks.peer(peer.password);
    }
    this.#peer = peer;
    this.#pairs.name(this.#main, peer.candidates);
    this.#connectivity.restart();
    this.#considerGuessing();
  }

  /** Ends its streams too. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#choice.clear();
    this.#guessing.clear();
    this.#connectivity.close();
    this.#gatherer.close();
    this.#birthday.stop();
    this.#acceptor.close();
    await Promise.all([...this.#sockets].map((socket) => socket.close()));
  }

  #open(): UdpSocket {
    const socket = new UdpSocket(this.#udx, {
      onMessage: (bytes, from) => this.#receive(bytes, from, socket),
      onClose: () => {
        this.#sockets.delete(socket);
        for (const pair of this.#pairs) if (pair.socket === socket) this.#forget(pair);
      },
    });
    this.#sockets.add(socket);
    return socket;
  }

  #tryOpen(): UdpSocket | undefined {
    try {
      return this.#open();
    } catch {
      return undefined;
    }
  }

  #receive(bytes: Uint8Array, from: Address, socket: UdpPort): void {
    if (this.#closed) return;
    const unknown = unknownStream(bytes);
    if (unknown === undefined) return this.#checks.receive(bytes, from, socket);
    // Only to an address that is known to be the peer's, at most one packet for each, of half its size.
    const pair = this.#pairs.find(socket, from);
    if (pair?.working && pair.mayTell.take())
      this.#checks.tell(socket, from, [streamAttribute(unknown, unknown)]);
  }

  #request(message: StunMessage, from: Address, socket: UdpPort): CheckAnswer | undefined {
    const pair = this.#pairs.learn(socket, from);
    if (!pair) return { class: 'success', attributes: [] };
    const ids = streamIds(message);
    const result = ids && this.#options.role === 'sender' ? this.#acceptor.offer(pair, ...ids) : undefined;
    this.#connectivity.trigger(pair);
    if (ids && !result) return undefined;
    const full = { type: ATTRIBUTE.errorCode, value: errorCode(TOO_MANY, 'Too many streams') };
    return result === 'full' ? { class: 'error', attributes: [full] } : { class: 'success', attributes: [] };
  }

  /** The peer no longer has the stream. Ours would go on sending for many seconds. */
  #gone(message: StunMessage): void {
    const id = streamIds(message)?.[0];
    for (const pair of this.#pairs)
      for (const stream of pair.streams) if (stream.remoteId === id) stream.kill();
  }

  #answered(pair: Pair, first: boolean): void {
    if (first) {
      const remote = formatAddress(pair.remote);
      this.#options.log?.debug({ remote, ms: Math.round(pair.roundTrip) }, 'udp: a way to the peer works');
      this.#guessing.clear();
      this.#birthday.stop();
    }
    this.#choose();
  }

  #lost(pair: Pair): void {
    this.#options.log?.debug({ remote: formatAddress(pair.remote) }, 'udp: a way to the peer fell silent');
    if (pair.named) kill(pair);
    else this.#forget(pair);
    if (pair === this.#selected) this.#select(undefined);
    this.#choose();
    this.#connectivity.restart();
    if (this.#pairs.working.length === 0) this.#considerGuessing();
  }

  #forget(pair: Pair): void {
    this.#pairs.remove(pair);
    kill(pair);
    // A socket of the guessing is there for this way only.
    if (pair.socket !== this.#main) void pair.socket.close();
  }

  /** Receiver: takes the best way, but a far one only after a moment for near ones to answer. */
  #choose(): void {
    if (this.#options.role !== 'receiver' || this.#closed) return;
    const best = this.#pairs.best(this.#selected);
    if (!best || best === this.#selected) return;
    if (this.#selected || best.near || ![...this.#pairs].some(({ near }) => near)) return this.#select(best);
    this.#choice.set(NEAR_FIRST_MS, () => this.#select(this.#pairs.best(undefined)));
  }

  #select(pair: Pair | undefined): void {
    this.#choice.clear();
    if (pair === this.#selected) return;
    this.#selected = pair;
    this.#connectivity.wake();
    this.#options.onPath(pair && this.#path(pair));
  }

  #path(pair: Pair): Path {
    const { context, pin } = this.#options;
    return {
      kind: 'udx',
      name: formatAddress(pair.remote),
      most: MOST,
      open: async (signal) => {
        const way = pair.working ? pair : this.#selected;
        if (this.#closed || !way || way.streams.size >= MOST) throw fault('UDP_NO_WAY');
        return dialStream(way, { checks: this.#checks, context, pin }, signal);
      },
    };
  }

  #mapped(mapping: SeenMapping, changed: boolean): void {
    if (this.#closed) return;
    this.#symmetric = mapping.symmetric;
    this.#options.log?.debug({ ...mapping }, 'udp: how the world sees the port');
    this.#considerGuessing();
    if (changed) this.#options.onMapping?.(mapping);
  }

  /** Guesses ports if exactly one side's NAT is symmetric and no way has worked so far. */
  #considerGuessing(): void {
    this.#guessing.clear();
    const peer = this.#peer;
    if (this.#closed || !peer || peer.symmetric === this.#symmetric) return this.#birthday.stop();
    if (this.#birthday.running) return;
    this.#guessing.set(BIRTHDAY_AFTER_MS, () => {
      if (this.#pairs.working.length === 0)
        this.#birthday.start(this.#symmetric ? 'sockets' : 'ports', peer.candidates);
    });
  }
}

/** Its streams at once: what was under way there is lost. */
function kill(pair: Pair): void {
  for (const stream of [...pair.streams]) stream.kill();
}
