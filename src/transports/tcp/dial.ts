/** Opening a lane: TCP, TLS 1.3, and the pin, all within one deadline. */
import { type ConnectionOptions, connect, type SecureContext } from 'node:tls';
import { fault } from '../../base/errors.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { checkPin, handshake, ReadBridge, type TlsEnds, tcpEnds, tlsPipe } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';

/**
 * @param as what carries it, if it is not TCP all the way to the peer
 * @throws BeelineError NO_PATH, TIMEOUT or AUTHENTICATION; nothing is left open then.
 */
export function dial(
  { host, port }: Address,
  context: SecureContext,
  pin: string,
  signal: AbortSignal,
  as: Pick<TlsEnds, 'kind' | 'relayed'> = { kind: 'tcp' },
): Promise<Pipe> {
  const bridge = new ReadBridge();
  const socket = connect({
    host,
    port,
    secureContext: context,
    // The pin below is stricter than any chain: exactly one certificate is right.
    rejectUnauthorized: false,
    // Missing in the types: read by node:net when the socket is made.
    onread: bridge.options,
  } as ConnectionOptions);
  const over = { ...as, remote: formatAddress({ host, port }), signal };
  const failed = (cause?: Error) => fault('ADDRESS_UNREACHABLE', { host, port }, { cause });
  return handshake(socket, 'secureConnect', over, failed, () => {
    checkPin(socket, pin);
    return tlsPipe(socket, { ...tcpEnds(socket), ...as }, bridge);
  });
}
