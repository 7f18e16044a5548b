/** A TCP or TLS connection to a TURN server. */
import { isIP, type LookupFunction, connect as plainConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { type BeelineError, fault } from '../../base/errors.ts';
import { formatAddress } from '../../wire/candidate.ts';
import type { TurnTarget } from './url.ts';

/**
 * Seconds of silence after which the operating system asks whether the server is still there: it notices a dead path,
 * and home routers forget quiet connections.
 */
const KEEPALIVE = 20;

/**
 * @param address the IP address to go to instead of looking up the host: a later connection must reach the same server
 * @param lookup finds the host's addresses, where there is no `address`
 * @param deadline milliseconds
 * @throws BeelineError NO_PATH, TIMEOUT; nothing is left open then.
 */
export function connectTurn(
  target: TurnTarget,
  {
    address,
    lookup,
    deadline,
    signal,
  }: { address?: string; lookup?: LookupFunction; deadline: number; signal: AbortSignal },
): Promise<Socket> {
  const { host, port, secure } = target;
  const name = formatAddress(target);
  return new Promise((resolve, reject) => {
    const to = { host: address ?? host, port, ...(lookup && { lookup }) };
    const socket = secure
      ? // The name on the certificate must be the host's, wherever the host was found.
        tlsConnect({ ...to, ...(isIP(host) === 0 && { servername: host }) })
      : plainConnect(to);
    const settle = (error?: BeelineError) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      if (!error) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    const abort = () => settle(fault('TURN_NOT_NEEDED', { name }));
    const timer = setTimeout(() => settle(fault('TURN_LATE', { name })), deadline);
    // Kept for the socket's whole life: an error that nobody listens for would end the process.
    socket.on('error', (cause) => settle(fault('TURN_UNREACHABLE', { name, why: cause.message }, { cause })));
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE * 1000);
      settle();
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}
