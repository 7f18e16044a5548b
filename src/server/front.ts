/**
 * One TCP port for HTTP, with TLS or without, and STUN: a connection's first byte tells. A STUN message begins with 0x00 or
 * 0x01 (RFC 8489, 5: two zero bits, then the type), a TLS handshake with 0x16 (RFC 8446, 5.1), no HTTP request with
 * either. For connections that it is handed, node:http starts no clock of its own, so there is one here; it runs through
 * the TLS handshake too.
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext, TLSSocket } from 'node:tls';
import { addressKey } from '../base/addresses.ts';
import { TokenBuckets } from '../base/bucket.ts';
import { Room, type RoomLimits } from '../base/room.ts';
import { createHandshakes } from './handshakes.ts';
import { HTTP_DEADLINE } from './limits.ts';
import { createTurnstile } from './turnstile.ts';

export interface FrontOptions {
  http: HttpServer;
  /** HTTP is spoken over TLS here; absent: without. */
  tls?: Secure;
  /** Takes a connection that begins like STUN; undefined: there is no STUN here. */
  stun: () => ((socket: Socket) => void) | undefined;
  /** All connections. WebSockets and STUN have limits of their own; these and `strangers` together are below this. */
  maxConnections: number;
  /** For those that are neither WebSockets nor STUN. A full room closes one for each newcomer. */
  strangers: RoomLimits;
  /** For those whose answer takes its time: see `hold`. Absent: there are none. */
  held?: RoomLimits;
  /** Milliseconds for a connection to become a WebSocket, to be told for STUN, or to ask its next request. */
  deadline?: number;
}

export interface Secure {
  /** Asked for each connection: a certificate is renewed. */
  context: () => SecureContext;
  /** For those who speak HTTP without TLS nevertheless. */
  plain: HttpServer;
}

/** The first byte of what comes in. */
const LAST_OF_STUN = 0x01;
const TLS_HANDSHAKE = 0x16;

/** New connections of one address (not behind a proxy), and so many at once: an office behind one address needs far fewer. */
const CONNECTIONS_PER_SECOND = 32;
const CONNECTIONS_BURST = 256;

export interface Front {
  readonly server: Server;
  /**
   * An answer, or the body of a request, takes its time: until the returned function is called, the connection is no stranger's, and
   * whoever answers bounds its time. Of too many, one makes way as in a `fair` room. Undefined: there is no room for it now.
   * @param socket that of the request @param body the request's body is let in; the answer must end the connection then
   */
  hold(socket: Duplex, body?: boolean): (() => void) | undefined;
  /** What a request really came over: the TCP connection, and the TLS connection on it if there is one. */
  wayOf(socket: Duplex): { tcp: Socket; plain: Socket | TLSSocket };
  /** Ends every connection that came in over it, whoever has it now, and frees the port. */
  close(): Promise<void>;
}

export function createFront(options: FrontOptions): Front {
  const { http, tls, stun, maxConnections, deadline = HTTP_DEADLINE } = options;
  const all = new Set<Socket>();
  /** For connections that have neither become WebSockets nor been handed to STUN. */
  const clocks = new Map<Duplex, NodeJS.Timeout>();
  const perAddress = options.strangers.ofAddress !== undefined;
  const rate = perAddress ? new TokenBuckets(CONNECTIONS_PER_SECOND, CONNECTIONS_BURST) : undefined;
  const strangers = new Room<Socket>(options.strangers, 'oldest', (socket) => socket.destroy());
  const [turnstile, plainTurnstile] = [
    createTurnstile(http, perAddress),
    tls && createTurnstile(tls.plain, perAddress),
  ];
  /** What a TLS connection goes over. */
  const carriers = new WeakMap<Duplex, Socket>();
  const wayOf = (socket: Duplex) => {
    const plain = turnstile.carrierOf(socket) as Socket | TLSSocket;
    return { plain, tcp: carriers.get(plain) ?? plain };
  };
  const carrierOf = (socket: Duplex) => wayOf(socket).tcp;
  const held = new Room<Socket>(options.held ?? { inAll: 0 }, 'fair', (socket) => socket.destroy());
  const settle = (socket: Socket) => {
    clearTimeout(clocks.get(socket));
    clocks.delete(socket);
    strangers.leave(socket);
  };
  const expect = (socket: Socket) =>
    clocks.set(
      socket,
      setTimeout(() => socket.destroy(), deadline),
    );
  const handshake = tls && createHandshakes(tls.context, perAddress);

  http.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
    // A refused connection counts as a stranger's until it is gone.
    if (!socket.writableEnded) settle(carrierOf(socket));
  });
  // A next request on a connection that is kept alive; how many there may be, the HTTP server bounds.
  http.on('request', ({ socket }: IncomingMessage) => clocks.get(carrierOf(socket))?.refresh());

  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    const key = addressKey(socket.remoteAddress ?? '');
    // Closing costs less than any answer.
    if (rate?.take(key) === false) return void socket.destroy();
    all.add(socket);
    expect(socket);
    socket.once('close', () => {
      all.delete(socket);
      settle(socket);
      held.leave(socket);
    });
    if (!strangers.enter(key, socket)) return void socket.destroy();
    socket.once('readable', () => {
      const head: Buffer | null = socket.read();
      if (!head) return void socket.destroy();
      socket.unshift(head);
      if (handshake && head[0] === TLS_HANDSHAKE)
        return handshake(socket, key, (secure: TLSSocket) => {
          carriers.set(secure, socket);
          turnstile.enter(secure, key);
        });
      if (head[0]! > LAST_OF_STUN) return (plainTurnstile ?? turnstile).enter(socket, key);
      settle(socket);
      const accept = stun();
      if (accept) accept(socket);
      else socket.destroy();
    });
  });
  server.maxConnections = maxConnections;

  return {
    server,
    wayOf,
    hold(socket, body = false) {
      const carrier = carrierOf(socket);
      const key = addressKey(carrier.remoteAddress ?? '');
      if (carrier.destroyed || !held.enter(key, carrier)) return undefined;
      settle(carrier);
      if (body) turnstile.open(socket);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        held.leave(carrier);
        if (carrier.destroyed) return;
        expect(carrier);
        if (!strangers.enter(key, carrier)) carrier.destroy();
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of all) socket.destroy();
      }),
  };
}
