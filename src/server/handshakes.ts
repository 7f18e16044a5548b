/**
 * TLS handshakes on connections that came in. They cost more than anything else that a stranger can ask for before he has
 * said who he is, so they are counted: how many run, in all and of one address, and how many one address may begin.
 */
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { RateLimit } from '../stun/rate.ts';
import { Holdings } from './counts.ts';

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
   * Makes the server's end of a TLS connection, or destroys the socket if there are too many. The caller bounds the time
   * by destroying the socket. @param done with the plain side, once both have proved what TLS asks for.
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
  const rate = each && new RateLimit(each.perSecond, each.perSecond);
  const held = new Holdings();
  let running = 0;

  const isTooMany = (key: string) =>
    running >= limits.atOnce || (each && held.of(key) >= each.ofAddress) || rate?.take(key) === false;

  return {
    get running() {
      return running;
    },
    begin(socket, key, done) {
      if (isTooMany(key)) return void socket.destroy();
      running++;
      held.add(key);
      let over = false;
      const end = () => {
        if (over) return;
        over = true;
        running--;
        held.remove(key);
      };
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
