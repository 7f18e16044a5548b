/** Connecting to whichever of several addresses of one machine answers first. */
import { connect, type Socket } from 'node:net';
import { type BeelineError, fault } from '../base/errors.ts';
import { type Address, formatAddress } from './wire.ts';

/** More addresses than any machine offers are not tried. */
const MOST = 32;

/**
 * Tries all at once: on a LAN the wrong ones cost a packet, and waiting for one in turn costs a person seconds.
 * @throws BeelineError NO_PEER if none answers; what the signal was aborted with otherwise.
 */
export function connectFirst(addresses: readonly Address[], signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const failures: string[] = [];
    const sockets = addresses.slice(0, MOST).map((address) => {
      const socket = connect({ host: address.host, port: address.port, noDelay: true });
      socket.once('connect', () => settle(() => resolve(socket), socket));
      socket.on('error', (error: NodeJS.ErrnoException) => {
        failures.push(`${formatAddress(address)} (${error.code ?? error.message})`);
        if (failures.length === sockets.length) settle(() => reject(nobody(failures)));
      });
      return socket;
    });
    const aborted = () => settle(() => reject(signal.reason));
    function settle(act: () => void, winner?: Socket): void {
      signal.removeEventListener('abort', aborted);
      for (const socket of sockets) if (socket !== winner) socket.destroy();
      act();
    }
    signal.addEventListener('abort', aborted);
    if (signal.aborted) aborted();
    else if (sockets.length === 0) settle(() => reject(nobody(['no address'])));
  });
}

function nobody(failures: readonly string[]): BeelineError {
  return fault('SENDER_SILENT', { where: failures.join(', ') });
}
