/**
 * TLS over any byte stream: how every lane that is not a plain dialled TCP connection becomes one. The dialling side
 * (the receiver) is the TLS client, whatever the direction in which the stream below was opened.
 */
import type { Duplex } from 'node:stream';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import { asBeelineError, type BeelineError, fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import type { Pipe } from '../pipe.ts';
import { checkPin, peerFingerprint } from './credentials.ts';
import { type Ends, tlsPipe } from './pipe.ts';

export interface Over extends Ends {
  context: SecureContext;
  signal: AbortSignal;
}

/** @param pin hex SHA-256 of the peer's certificate. @throws BeelineError NO_PATH, TIMEOUT, AUTHENTICATION; the stream is destroyed then. */
export function tlsClient(stream: Duplex, over: Over, pin: string): Promise<Pipe> {
  const socket = connect({ socket: stream, secureContext: over.context, rejectUnauthorized: false });
  return secured(stream, socket, 'secureConnect', over, () => {
    checkPin(socket, pin);
    return tlsPipe(socket, over);
  });
}

/** Whose certificate is right, the caller knows. @throws as `tlsClient` */
export function tlsServer(stream: Duplex, over: Over): Promise<{ pipe: Pipe; fingerprint: string }> {
  const socket = new TLSSocket(stream, {
    isServer: true,
    secureContext: over.context,
    requestCert: true,
    rejectUnauthorized: false,
  });
  return secured(stream, socket, 'secure', over, () => {
    const fingerprint = peerFingerprint(socket);
    if (!fingerprint) throw fault('LANE_STRANGER', { what: 'it shows no certificate' });
    return { pipe: tlsPipe(socket, over), fingerprint };
  });
}

function secured<T>(
  stream: Duplex,
  socket: TLSSocket,
  event: 'secure' | 'secureConnect',
  { kind, remote, signal }: Over,
  proven: () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const fail = (error: BeelineError) => {
      settle();
      socket.destroy();
      stream.destroy();
      reject(error);
    };
    const abort = () => fail(fault('LANE_OUTPACED'));
    const timer = setTimeout(() => fail(fault('LANE_LATE', { remote, kind })), LANE_OPEN_DEADLINE);
    // Kept for the socket's whole life: an error that nobody listens for would end the process.
    socket.on('error', (cause) => fail(fault('LANE_FAILED', { remote, kind }, { cause })));
    stream.on('error', () => socket.destroy());
    // A stream below that just ends says nothing to the TLS above.
    stream.on('close', () => socket.destroy());
    socket.once('close', () => fail(fault('LANE_ENDED', { remote, kind })));
    socket.once(event, () => {
      try {
        const result = proven();
        settle();
        resolve(result);
      } catch (thrown) {
        fail(asBeelineError(thrown));
      }
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}
