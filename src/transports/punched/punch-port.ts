/**
 * A local TCP port for punching: a connection from it to the STUN server tells what address the NAT gives it, and keeps
 * that mapping alive. The port is never listened on; connections out of it share it (SO_REUSEADDR, set by libuv).
 */
import { createServer, type Socket } from 'node:net';
import { askTcp } from '../../nat/stun/ask.ts';
import type { Address } from '../../wire/candidate.ts';

/** Milliseconds for one question to the server: two lost SYNs on a slow path. */
const ASK_DEADLINE = 5_000;
/** Milliseconds without an answer to what askTcp sends to keep the connection alive, every 20 s. */
const SILENCE = 50_000;
/** Milliseconds until a lost server is asked again. */
const FIRST_BACKOFF = 1_000;
const MAX_BACKOFF = 60_000;

export class PunchPort {
  readonly family: 4 | 6;
  readonly #server: Address;
  readonly #onChange: () => void;
  #local = 0;
  #chosen: Promise<number> | undefined;
  #mapped: Address | undefined;
  #life = new AbortController();
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #backoff = FIRST_BACKOFF;
  #asking = false;
  #taken = false;

  constructor(server: Address, onChange: () => void) {
    this.#server = server;
    this.#onChange = onChange;
    this.family = server.host.includes(':') ? 6 : 4;
  }

  /** 0 before it is chosen. */
  get local(): number {
    return this.#local;
  }

  /** What the world sees; stays as it was while the server is lost. */
  get mapped(): Address | undefined {
    return this.#mapped;
  }

  /** For tries, or a lane: one at a time. False if it is taken. */
  take(): boolean {
    if (this.#taken) return false;
    this.#taken = true;
    return true;
  }

  release(): void {
    this.#taken = false;
    if (this.#mapped && !this.#socket) this.#later(0);
  }

  /** Asks the server; goes on asking by itself when that fails. Never rejects. */
  async learn(): Promise<void> {
    if (this.#life.signal.aborted || this.#asking) return;
    this.#asking = true;
    try {
      const localPort = await this.choose();
      const chosen = this.#chosen;
      const { signal } = this.#life;
      const { mapped, socket } = await askTcp(this.#server, { localPort, deadline: ASK_DEADLINE, signal });
      if (chosen === this.#chosen && !signal.aborted) this.#keep(socket, mapped);
      else socket.destroy();
      if (chosen !== this.#chosen) this.#later(0);
    } catch {
      // Perhaps somebody took the port meanwhile. One that a peer knows of is not given up.
      if (!this.#mapped) this.#chosen = undefined;
      this.#later();
    } finally {
      this.#asking = false;
    }
  }

  /** The local port, chosen at the first call. */
  async choose(): Promise<number> {
    this.#chosen ??= freePort(this.family);
    this.#local = await this.#chosen;
    return this.#local;
  }

  /** Takes another local port, and so another mapping: this one's old connections stand in the way. */
  renew(): void {
    if (this.#life.signal.aborted) return;
    this.letGo();
    this.#chosen = undefined;
    this.#backoff = FIRST_BACKOFF;
    this.#later(0);
  }

  /** Gives up the connection to the server, so that the port is free for others. */
  letGo(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  close(): void {
    this.#life.abort();
    clearTimeout(this.#timer);
    this.letGo();
  }

  #keep(socket: Socket, mapped: Address): void {
    this.letGo();
    this.#socket = socket;
    this.#backoff = FIRST_BACKOFF;
    this.#listen(socket);
    const same = this.#mapped?.host === mapped.host && this.#mapped.port === mapped.port;
    this.#mapped = mapped;
    if (!same) this.#onChange();
  }

  /** A path that is gone says nothing; the kernel would need a quarter of an hour to be sure. */
  #listen(socket: Socket): void {
    const silent = setTimeout(() => socket.destroy(), SILENCE);
    silent.unref();
    socket.on('data', () => silent.refresh());
    socket.once('close', () => {
      clearTimeout(silent);
      if (this.#socket === socket) this.#later();
    });
  }

  #later(wait = this.#backoff): void {
    this.#backoff = Math.min(MAX_BACKOFF, this.#backoff * 2);
    clearTimeout(this.#timer);
    if (this.#life.signal.aborted) return;
    this.#timer = setTimeout(() => void this.learn(), wait);
  }
}

/**
 * A port that nothing uses. Chosen by listening for a moment: a port that the system picks while connecting cannot be
 * shared afterwards.
 */
function freePort(family: 4 | 6): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ port: 0, host: family === 6 ? '::' : '0.0.0.0' }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
