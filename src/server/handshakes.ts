/**
 * TLS handshakes on connections that came in. They cost more than anything else that an unknown client can ask for.
 * So they are counted: how many run, in all and of one address, and how many one address may begin. Of too
 * many at once the oldest of the busiest address is ended.
 */
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { TokenBuckets } from '../base/bucket.ts';
import { Room } from '../base/room.ts';

export const HANDSHAKE_LIMITS = {
  /** At the same time, in all. */
  atOnce: 512,
  /** At the same time, of one address. */
  ofAddress: 64,
  /** Begun in a second by one address, and at once after a pause. */
  perSecond: 64,
} as const;

/**
 * Makes the server's end of a TLS connection, or destroys the socket if its address begins too many. The caller bounds the
 * time by destroying the socket. `done` gets the plain side, once both have proved what TLS asks for.
 */
export type TlsHandshake = (socket: Socket, key: string, done: (secure: TLSSocket) => void) => void;

/** @param perAddress false for a proxy that everybody comes through */
export function createHandshakes(context: () => SecureContext, perAddress: boolean): TlsHandshake {
  const { atOnce, perSecond, ofAddress } = HANDSHAKE_LIMITS;
  const rate = perAddress ? new TokenBuckets(perSecond, perSecond) : undefined;
  const limits = { inAll: atOnce, ofAddress: perAddress ? ofAddress : undefined };
  const running = new Room<Socket>(limits, 'oldest', (socket) => socket.destroy());
  return (socket, key, done) => {
    if (rate?.take(key) === false || !running.enter(key, socket)) return void socket.destroy();
    const end = () => running.leave(socket);
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: context(),
      ALPNProtocols: ['http/1.1'],
    });
    // Nobody needs a second handshake (TLS 1.2) on a connection, and each costs as much as the first.
    secure.disableRenegotiation();
    socket.once('close', end);
    secure.on('error', () => secure.destroy());
    // Only sockets of tls.Server emit an 'error' for a fault after the handshake (a forged record, a second handshake).
    secure.on('_tlsError', () => secure.destroy());
    secure.once('secure', () => {
      end();
      done(secure);
    });
  };
}
