/** Opening a lane: TCP, TLS 1.3, and the pin, all within one deadline. Or the first two before the pin is known. */
import { type ConnectionOptions, connect, type SecureContext } from 'node:tls';
import { fault } from '../../base/errors.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { checkPin, handshake, ReadBridge, type TlsEnds, tcpEnds, tlsPipe } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';

/** A connection with TLS. Nothing has been said on it or read of it. */
export interface Unpinned {
  /** It as a lane's. @throws BeelineError AUTHENTICATION, NO_PATH; it is closed then */
  pinned(pin: string): Pipe;
  close(): void;
}

/**
 * @param as what carries it, if it is not TCP all the way to the peer
 * @throws BeelineError NO_PATH, TIMEOUT or AUTHENTICATION; nothing is left open then.
 */
export async function dial(
  to: Address,
  context: SecureContext,
  pin: string,
  signal: AbortSignal,
  as?: Pick<TlsEnds, 'kind' | 'relayed'>,
): Promise<Pipe> {
  return (await dialUnpinned(to, context, signal, as)).pinned(pin);
}

/** The same up to the pin. @throws as `dial`, but for AUTHENTICATION */
export function dialUnpinned(
  { host, port }: Address,
  context: SecureContext,
  signal: AbortSignal,
  as: Pick<TlsEnds, 'kind' | 'relayed'> = { kind: 'tcp' },
): Promise<Unpinned> {
  const bridge = new ReadBridge();
  const begun = performance.now();
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
    const openedInMs = performance.now() - begun;
    return {
      pinned(pin) {
        try {
          // One that was closed meanwhile shows no certificate any more.
          if (socket.destroyed) throw failed();
          checkPin(socket, pin);
        } catch (thrown) {
          socket.destroy();
          throw thrown;
        }
        return { ...tlsPipe(socket, { ...tcpEnds(socket), ...as }, bridge), openedInMs };
      },
      close: () => void socket.destroy(),
    };
  });
}
