/** One UDP port for everything: UDX streams, and STUN beside them as plain datagrams. */
import { isIP } from 'node:net';
import type UDX from 'udx-native';
import type { UdxRawSocket } from 'udx-native';
import { plainHost } from '../../base/addresses.ts';
import { atMost, realClock } from '../../base/clock.ts';
import { fault, faultFrom } from '../../base/errors.ts';
import type { Address } from '../../wire/candidate.ts';
import { UdxStream } from './stream.ts';

export type UdxLibrary = UDX;

interface SocketOwner {
  /** Packets of no stream of ours. */
  onMessage(bytes: Uint8Array, from: Address): void;
  onClose(): void;
}

/** What a socket's streams may take to close before it is left behind. */
const CLOSE_DEADLINE_MS = 1_000;

/** Loaded where needed: most sessions never do, and some systems lack the native part. @throws BeelineError NO_PATH */
export async function loadUdx(): Promise<UdxLibrary> {
  try {
    const { default: Engine } = await import('udx-native');
    return new Engine();
  } catch (cause) {
    throw fault('UDP_NO_ENGINE', { name: 'udx-native' }, { cause });
  }
}

export class UdpSocket {
  readonly port: number;
  readonly #udx: UdxLibrary;
  readonly #owner: SocketOwner;
  readonly #raw: UdxRawSocket;
  readonly #streams = new Set<UdxStream>();
  #closed: Promise<void> | undefined;

  /** Any port, both families. @throws BeelineError NO_PATH */
  constructor(udx: UdxLibrary, owner: SocketOwner) {
    this.#udx = udx;
    this.#owner = owner;
    this.#raw = udx.createSocket();
    try {
      this.#raw.bind(0);
    } catch (thrown) {
      throw faultFrom(thrown, 'UDP_NO_PORT');
    }
    this.port = this.#raw.address()!.port;
    this.#raw.on('message', (bytes, { host, port }) => {
      // UDX gives no zone, and without it a link-local address leads nowhere.
      if (port > 0 && !this.#closed) owner.onMessage(bytes, { host: plainHost(host), port });
    });
  }

  /** Fire and forget: without a network the packet is just lost. */
  send(bytes: Uint8Array, { host, port }: Address): void {
    if (this.#closed || isIP(host) === 0) return;
    try {
      this.#raw.trySend(bytes, port, host);
    } catch {
      // As above.
    }
  }

  /** @param id ours, which packets to us carry. @param remoteId the other side's. Both of 31 bits. */
  stream(id: number, remoteId: number, to: Address): UdxStream {
    const raw = this.#udx.createStream(id);
    raw.connect(this.#raw, remoteId, to.port, to.host);
    const stream = new UdxStream(raw);
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    return stream;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    await atMost(realClock, CLOSE_DEADLINE_MS, this.#raw.close());
    this.#owner.onClose();
  }
}
