/** Opening a lane: TCP, TLS 1.3, and the pin, all within one deadline. */
import { type ConnectionOptions, connect, type SecureContext } from 'node:tls';
import { asBeelineError, fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { checkPin } from '../../secure/tls/credentials.ts';
import { type Ends, ReadBridge, tcpEnds, tlsPipe } from '../../secure/tls/pipe.ts';
import type { Address } from '../../wire/candidate.ts';

/**
 * @param as what carries it, if it is not TCP all the way to the peer
 * @throws BeelineError NO_PATH, TIMEOUT or AUTHENTICATION; nothing is left open then.
 */
export function dial(
  to: Address,
  context: SecureContext,
  pin: string,
  signal: AbortSignal,
  as: Pick<Ends, 'kind' | 'relayed'> = { kind: 'tcp' },
): Promise<Pipe> {
  return new Promise((resolve, reject) => {
    const bridge = new ReadBridge();
    const socket = connect({
      host: to.host,
      port: to.port,
      secureContext: context,
      // The pin below is stricter than any chain: exactly one certificate is right.
      rejectUnauthorized: false,
      // Missing in the types: read by node:net when the socket is made.
      onread: bridge.options,
    } as ConnectionOptions);
    const settle = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.removeListener('secureConnect', proven);
      if (!error) return;
      socket.destroy();
      reject(error);
    };
    const abort = () => settle(fault('LANE_OUTPACED'));
    const timer = setTimeout(
      () => settle(fault('LANE_LATE', { remote: `${to.host}:${to.port}`, kind: 'tcp' })),
      LANE_OPEN_DEADLINE,
    );
    const proven = () => {
      try {
        checkPin(socket, pin);
        settle();
        resolve(tlsPipe(socket, { ...tcpEnds(socket), ...as }, bridge));
      } catch (thrown) {
        settle(asBeelineError(thrown));
      }
    };
    socket.on('error', (cause) =>
      settle(fault('ADDRESS_UNREACHABLE', { host: to.host, port: to.port }, { cause })),
    );
    socket.once('secureConnect', proven);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}
