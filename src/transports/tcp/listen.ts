/**
 * One port for everything: a connection that begins like TLS is a lane, anything else goes to the HTTP server that
 * holds the rendezvous. So one open or forwarded port is all that a sender needs.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { addressKey } from '../../base/addresses.ts';
import { cannotListen } from '../../base/cannot-listen.ts';
import { LANE_OPEN_DEADLINE, MAX_LANES } from '../../base/limits.ts';
import { Room } from '../../base/room.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { peerFingerprint, serverSocket, tlsPipe } from '../../secure/tls.ts';

interface ListenOptions {
  /** Connections that have proved nothing yet, at most; default UNPROVEN. */
  strangers?: number;
  /** 0 or undefined: any. */
  port?: number;
  /** undefined: every address, IPv6 and IPv4. */
  host?: string;
  context: SecureContext;
  /** A peer proved to hold the certificate with this fingerprint; keep the pipe or destroy it. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** Not TLS: a connection for the HTTP server. */
  onOther?: (socket: Socket) => void;
}

export interface Listener {
  readonly port: number;
  /** Ends every connection that came in, whoever has it now: a stranger's must not keep this side from ending. */
  close(): Promise<void>;
}

/** The first byte of a TLS handshake record (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 0x16;
/** Connections that have proved nothing yet. If they are too many, the oldest of the busiest address is closed for a new one. */
const UNPROVEN = { inAll: 2 * MAX_LANES, ofAddress: MAX_LANES };
/** Connections of the HTTP server. A receiver's at the rendezvous is one of them, and is not closed for a new one. */
const OTHERS = { inAll: 4 * MAX_LANES, ofAddress: MAX_LANES };

/** @throws BeelineError SERVER when the port is taken or not allowed. */
export function listen(options: ListenOptions): Promise<Listener> {
  const all = new Set<Socket>();
  const { strangers: inAll = UNPROVEN.inAll } = options;
  const limits = { inAll, ofAddress: Math.min(inAll, UNPROVEN.ofAddress) };
  const unproven = new Room<Socket>(limits, 'oldest', (socket) => socket.destroy());
  const others = new Room<Socket>(OTHERS, 'fair', (socket) => socket.destroy());
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    const key = addressKey(socket.remoteAddress ?? 'unknown');
    if (!unproven.enter(key, socket)) return void socket.destroy();
    all.add(socket);
    socket.once('close', () => {
      all.delete(socket);
      others.leave(socket);
    });
    const timer = setTimeout(() => socket.destroy(), LANE_OPEN_DEADLINE);
    const settled = () => {
      clearTimeout(timer);
      unproven.leave(socket);
    };
    socket.once('close', settled);
    const { onOther } = options;
    const other = (socket: Socket) =>
      onOther && others.enter(key, socket) ? onOther(socket) : void socket.destroy();
    socket.once('readable', () => sort(socket, { ...options, onOther: other }, settled));
  });
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const where = options.host ? `${options.host}:${options.port ?? 0}` : `port ${options.port ?? 0}`;
      reject(cannotListen(cause, where));
    });
    server.listen({ port: options.port ?? 0, host: options.host }, () => resolve(listener(server, all)));
  });
}

function listener(server: Server, connections: Set<Socket>): Listener {
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections) socket.destroy();
      }),
  };
}

type Sorting = ListenOptions & Required<Pick<ListenOptions, 'onOther'>>;

function sort(socket: Socket, options: Sorting, settled: () => void): void {
  const head: Buffer | null = socket.read();
  if (!head) return void socket.destroy();
  socket.unshift(head);
  if (head[0] !== TLS_HANDSHAKE) {
    settled();
    return options.onOther(socket);
  }
  const tls = serverSocket(socket, options.context);
  tls.on('error', () => tls.destroy());
  tls.once('secure', () => {
    settled();
    const fingerprint = peerFingerprint(tls);
    if (fingerprint) options.onPipe(tlsPipe(tls), fingerprint);
    else tls.destroy();
  });
}
