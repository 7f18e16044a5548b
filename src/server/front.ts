/**
 * One TCP port for HTTP and STUN: a connection's first byte tells. A STUN message begins with 0x00 or 0x01 (RFC 8489, 5:
 * two zero bits, then the type), no HTTP request does. For connections that it is handed, node:http starts no clock of its
 * own, so there is one here.
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HTTP_DEADLINE } from './limits.ts';

export interface FrontOptions {
  http: HttpServer;
  /** Takes a connection that begins like STUN; undefined: there is no STUN here. */
  stun: () => ((socket: Socket) => void) | undefined;
  maxConnections: number;
  /** Milliseconds for a connection to become a WebSocket, to be told for STUN, or to ask its next request. */
  deadline?: number;
}

export interface Front {
  readonly server: Server;
  /** Ends every connection that came in over it, whoever has it now, and frees the port. */
  close(): Promise<void>;
}

export function createFront({ http, stun, maxConnections, deadline = HTTP_DEADLINE }: FrontOptions): Front {
  const all = new Set<Socket>();
  /** For connections that have neither become WebSockets nor been handed to STUN. */
  const clocks = new Map<Duplex, NodeJS.Timeout>();
  const settle = (socket: Duplex) => {
    clearTimeout(clocks.get(socket));
    clocks.delete(socket);
  };
  http.on('upgrade', (_request: IncomingMessage, socket: Duplex) => settle(socket));
  // A next request on a connection that is kept alive; how many there may be, the HTTP server bounds.
  http.on('request', ({ socket }: IncomingMessage) => clocks.get(socket)?.refresh());

  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    all.add(socket);
    clocks.set(
      socket,
      setTimeout(() => socket.destroy(), deadline),
    );
    socket.once('close', () => {
      all.delete(socket);
      settle(socket);
    });
    socket.once('readable', () => {
      const head: Buffer | null = socket.read();
      if (!head) return void socket.destroy();
      socket.unshift(head);
      if (head[0]! > 0x01) return void http.emit('connection', socket);
      settle(socket);
      const accept = stun();
      if (accept) accept(socket);
      else socket.destroy();
    });
  });
  server.maxConnections = maxConnections;

  return {
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of all) socket.destroy();
      }),
  };
}
