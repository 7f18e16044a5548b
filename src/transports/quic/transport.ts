/**
 * QUIC to where the peer listens, and from there to here: a connection for each lane. The peer's description says the key that its
 * connections prove. It comes in the same sealed hello as the fingerprint of its certificate, so it pins as well as that.
 */
import { isIPv6 } from 'node:net';
import * as v from 'valibot';
import { atMost, onAbort, realClock } from '../../base/clock.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import { hex } from '../../base/json.ts';
import { sourceAddress, usable } from '../../nat/ice/address.ts';
import { opening } from '../../secure/pipe.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import { ADDRESSES, type PeerFacts, type Transport, understood, written } from '../transport.ts';
import {
  type Engine,
  endOf,
  idOf,
  type NativeClient,
  type NativeConnection,
  openEngine,
  PACKAGES,
} from './engine.ts';
import { QuicPipe } from './pipe.ts';
import { FIRST, QuicPort } from './port.ts';

export const quic: NodeTransport = {
  kind: 'quic',
  traits: {
    relayed: false,
    sort: 'datagram',
    senderDials: true,
    ownAddress: ['sender', 'receiver'],
    hides: false,
  },
  make: (around) => new Quic(around),
};

const DESCRIPTION = v.object({
  /** Where its port is: this machine's addresses, and where a router forwards it from. */
  at: ADDRESSES,
  /** Its public key: Ed25519, 64 hex digits. */
  key: hex(32),
});

/** Lanes of one path. */
const MOST = 16;
/** Milliseconds for lanes that were closed to bring their last bytes over, before the ports are. */
const CLOSE_DEADLINE_MS = 1_000;

interface Peer {
  id: string;
  fingerprint: string;
  at: readonly Address[];
}

export class Quic implements Transport {
  readonly #around: Surroundings;
  readonly #open: () => Engine | undefined;
  #engine: Engine | undefined;
  #ports: { ipv4?: QuicPort; ipv6?: QuicPort } = {};
  readonly #clients: { ipv4?: NativeClient; ipv6?: NativeClient } = {};
  readonly #pipes = new Set<QuicPipe>();
  #forwarded: Address | undefined;
  #peer: Peer | undefined;
  /** Those who wait to hear who the peer is. */
  readonly #curious = new Set<() => void>();
  #over = false;

  constructor(around: Surroundings, open: () => Engine | undefined = openEngine) {
    this.#around = around;
    this.#open = open;
  }

  start(): void {
    if (this.#engine || this.#over) return;
    this.#engine = this.#open();
    if (!this.#engine) return this.#around.onLack(fault('UDP_NO_ENGINE', { name: PACKAGES[0]! }));
    this.#listen(this.#engine);
    this.#around.onChange();
  }

  describe(): v.InferInput<typeof DESCRIPTION> | undefined {
    const { ipv4, ipv6 } = this.#ports;
    if (!this.#engine) return undefined;
    const own = this.#around.hosts().flatMap((host) => {
      const port = (isIPv6(host) ? ipv6 : ipv4)?.port;
      return port === undefined ? [] : [{ host, port }];
    });
    return {
      at: written(this.#forwarded ? [this.#forwarded, ...own] : own),
      key: this.#engine.key,
    };
  }

  hear(theirs: unknown, { fingerprint }: PeerFacts): void {
    this.#peer = undefined;
    if (theirs === undefined) return;
    const { at, key } = understood(DESCRIPTION, theirs);
    this.#peer = { id: idOf(key), fingerprint, at: at.flatMap((address) => usable(address) ?? []) };
    for (const tell of this.#curious) tell();
  }

  paths(): Path[] {
    if (!this.#engine) return [];
    return (this.#peer?.at ?? []).map((to) => ({
      kind: 'quic',
      name: formatAddress(to),
      most: MOST,
      open: async (signal) => {
        if (!this.#around.mayDial()) throw fault('ADDRESSES_PACED');
        return this.#dial(to, signal);
      },
    }));
  }

  port() {
    const { ipv4 } = this.#ports;
    return ipv4 && ({ protocol: 'udp', port: ipv4.port } as const);
  }

  forwarded(address: Address | undefined): void {
    this.#forwarded = address;
  }

  async close(): Promise<void> {
    this.#over = true;
    await atMost(realClock, CLOSE_DEADLINE_MS, Promise.all([...this.#pipes].map(({ over }) => over)));
    for (const client of Object.values(this.#clients)) client.abort();
    const ports = Object.values(this.#ports).map((port) => port.close());
    await atMost(realClock, CLOSE_DEADLINE_MS, Promise.all(ports));
  }

  #listen(engine: Engine): void {
    const options = {
      peer: (signal: AbortSignal) => this.#heard(signal),
      onPipe: (pipe: QuicPipe, fingerprint: string) => this.#around.onPipe(this.#kept(pipe), fingerprint),
      onFailure: (remote: string, error: unknown) =>
        this.#around.log?.debug({ remote, error }, 'quic: no lane came of a connection'),
    };
    const open = (host: string, port: number) => {
      try {
        return new QuicPort(engine, host, port, options);
      } catch (error) {
        this.#around.log?.info({ host, error }, 'quic: no port');
        return undefined;
      }
    };
    const ipv4 = open('0.0.0.0', 0);
    // The same number for both, if it is free.
    const ipv6 = open('::', ipv4?.port ?? 0) ?? open('::', 0);
    this.#ports = { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
  }

  #heard(signal: AbortSignal): Promise<Peer> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!this.#peer) return;
        settle();
        resolve(this.#peer);
      };
      const forget = onAbort(signal, () => {
        settle();
        reject(signal.reason);
      });
      const settle = () => {
        forget();
        this.#curious.delete(look);
      };
      this.#curious.add(look);
      look();
    });
  }

  #kept(pipe: QuicPipe): QuicPipe {
    this.#pipes.add(pipe);
    void pipe.over.then(() => this.#pipes.delete(pipe));
    return pipe;
  }

  async #dial(to: Address, signal: AbortSignal): Promise<QuicPipe> {
    const { host, port } = to;
    const remote = formatAddress(to);
    const family = isIPv6(host) ? 'ipv6' : 'ipv4';
    const peer = this.#peer;
    const unreachable = (cause?: unknown) => fault('ADDRESS_UNREACHABLE', { host, port }, { cause });
    if (this.#over || !peer) throw unreachable();
    const work = async (signal: AbortSignal) => {
      const connection = await this.#connect(family, to).catch((cause) => {
        throw unreachable(cause);
      });
      try {
        signal.throwIfAborted();
        const pipe = await this.#stream(connection, peer, { ...to, remote });
        // The other side may have it as a lane by now, so it is ended like one.
        if (signal.aborted) this.#kept(pipe).destroy();
        return pipe;
      } catch (thrown) {
        connection.abort();
        throw thrown instanceof BeelineError
          ? thrown
          : fault('LANE_FAILED', { remote, kind: 'quic' }, { cause: thrown });
      }
    };
    return this.#kept(await opening({ kind: 'quic', remote }, signal, work));
  }

  /** Throws where this machine has no such addresses, too. */
  async #connect(family: 'ipv4' | 'ipv6', { host, port }: Address): Promise<NativeConnection> {
    this.#clients[family] ??= this.#engine!.dial(family);
    return this.#clients[family].outboundConnection(host, port);
  }

  async #stream(
    connection: NativeConnection,
    peer: Peer,
    to: Address & { remote: string },
  ): Promise<QuicPipe> {
    if (endOf(connection).id !== peer.id || peer.fingerprint !== this.#around.pin())
      throw fault('LANE_STRANGER', { what: 'its key is not the one agreed on' });
    const stream = await connection.outboundStream();
    await stream.write(FIRST);
    const local = (await sourceAddress(to)) ?? (isIPv6(to.host) ? '::' : '0.0.0.0');
    // Its port is the engine's secret.
    return new QuicPipe(connection, stream, {
      local: formatAddress({ host: local, port: 0 }),
      remote: to.remote,
    });
  }
}
