/** A server with a relay, seats at it, and bare WebSockets at its relay. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/index.ts';
import { RELAY_PATH, RENDEZVOUS_PATH, type TurnServer } from '../../src/wire/rendezvous.ts';

export interface SeatAt {
  token: string;
  services: { relay: boolean; stun: number[]; turn?: TurnServer };
  socket: WebSocket;
}

export interface Way {
  base: string;
  options: ClientOptions;
}

export class RelayWorld {
  readonly server: RunningServer;
  readonly #sockets = new Set<WebSocket>();
  readonly #way: Way;

  /** @param way to the server; default straight. */
  constructor(server: RunningServer, way: Way = { base: `ws://127.0.0.1:${server.port}`, options: {} }) {
    this.server = server;
    this.#way = way;
  }

  /** What the relay counts. */
  readonly counts = () => this.server.counts();

  #open(path: string): WebSocket {
    const socket = new WebSocket(this.#way.base + path, this.#way.options);
    socket.on('error', () => {});
    this.#sockets.add(socket);
    return socket;
  }

  /** Takes a place at a meeting. */
  async seat(t: 'host' | 'join', nameplate: string, token?: string, guests?: number): Promise<SeatAt> {
    const socket = this.#open(RENDEZVOUS_PATH);
    await once(socket, 'open');
    const answered = once(socket, 'message');
    socket.send(JSON.stringify({ t, v: 2, nameplate, token, guests }));
    const answer = JSON.parse(String((await answered)[0]));
    assert.match(answer.t, /hosted|joined/, JSON.stringify(answer));
    return { token: answer.token, services: answer.services, socket };
  }

  /** Shows a token at the relay. @param guest whom a host waits for */
  async relay(
    token: string,
    guest?: number,
    text = JSON.stringify({ t: 'relay', v: 1, token, guest }),
  ): Promise<Relayed> {
    const it = new Relayed(this.#open(RELAY_PATH));
    await once(it.socket, 'open');
    it.socket.send(text);
    return it;
  }

  /** Two of a fresh meeting, paired. */
  async pair(nameplate: string): Promise<{ host: Relayed; guest: Relayed; a: SeatAt; b: SeatAt }> {
    const a = await this.seat('host', nameplate);
    const b = await this.seat('join', nameplate);
    const host = await this.relay(a.token, 1);
    const guest = await this.relay(b.token);
    await Promise.all([host.paired, guest.paired]);
    return { host, guest, a, b };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.terminate();
    await this.server.close();
  }
}

/** A connection at the relay: what it heard. */
export class Relayed {
  readonly socket: WebSocket;
  readonly paired: Promise<void>;
  readonly closed: Promise<{ code: number; reason: string }>;
  isPaired = false;
  /** Bytes after `paired`. */
  chunks: Buffer[] = [];
  received = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    // Not `once`: that would reject for a connection that is refused, where nobody asks how it closed.
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    let pair = () => {};
    this.paired = new Promise((resolve) => {
      pair = resolve;
    });
    socket.on('message', (data, isBinary) => {
      if (!isBinary) {
        assert.equal(String(data), '{"t":"paired"}');
        this.isPaired = true;
        return pair();
      }
      this.chunks.push(data as Buffer);
      this.received += (data as Buffer).length;
    });
  }

  async until(bytes: number): Promise<Buffer> {
    while (this.received < bytes) await once(this.socket, 'message');
    return Buffer.concat(this.chunks);
  }
}

export async function relayWorld(
  options: Partial<ServerOptions>,
  use: (world: RelayWorld) => Promise<void>,
): Promise<void> {
  const world = new RelayWorld(await startServer({ port: 0, host: '127.0.0.1', stun: false, ...options }));
  try {
    await use(world);
  } finally {
    await world.close();
  }
}
