/**
 * TLS handshakes on connections that came in. They cost more than anything else that a stranger can ask for before he has
 * said who he is, so they are counted: how many run, in all and of one address, and how many one address may begin. Of too
 * many at once the oldest of the busiest address is ended.
 */
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { TokenBuckets } from '../base/bucket.ts';
import { Room } from '../base/room.ts';

export interface HandshakeLimits {
  /** At the same time, in all. */
  atOnce: number;
  /** At the same time, of one address. */
  ofAddress: number;
  /** Begun in a second by one address, and at once after a pause. */
  perSecond: number;
}

export const HANDSHAKE_LIMITS: Readonly<HandshakeLimits> = { atOnce: 512, ofAddress: 64, perSecond: 64 };

export interface Handshakes {
  /**
   * Makes the server's end of a TLS connection, or destroys the socket if its address begins too many. The caller bounds the
   * time by destroying the socket. @param done with the plain side, once both have proved what TLS asks for.
   */
  begin(socket: Socket, key: string, done: (secure: TLSSocket) => void): void;
  /** How many run. */
  readonly running: number;
}

/** @param limits undefined for one address: any number, as for a proxy. */
export function createHandshakes(
  context: () => SecureContext,
  limits: HandshakeLimits | Pick<HandshakeLimits, 'atOnce'> = HANDSHAKE_LIMITS,
): Handshakes {
  const each = 'perSecond' in limits ? limits : undefined;
  const rate = each && new TokenBuckets(each.perSecond, each.perSecond);
  const running = new Room<Socket>({ inAll: limits.atOnce, ofAddress: each?.ofAddress }, 'oldest', (socket) =>
    socket.destroy(),
  );

  return {
    get running() {
      return running.size;
    },
    begin(socket, key, done) {
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
      // What is wrong once it stands (a forged record, a second handshake) is an 'error' at the sockets of tls.Server only.
      secure.on('_tlsError', () => secure.destroy());
      secure.once('secure', () => {
        end();
        done(secure);
      });
    },
  };
}
