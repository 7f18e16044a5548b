/** A port for a server of this machine, or why it cannot have it. */
import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { cannotListen } from '../base/cannot-listen.ts';

/**
 * Resolves with the port once the socket listens.
 * @param where `port` 0: any; `host` absent: all addresses
 * @param what such as `port 80 of any address`
 * @throws BeelineError SERVER; the socket is closed then
 */
export async function listen(
  socket: Server | UdpSocket,
  where: { port: number; host?: string | undefined },
  what: string,
): Promise<number> {
  try {
    if ('listen' in socket) socket.listen(where);
    else socket.bind({ port: where.port, address: where.host });
    await once(socket, 'listening');
  } catch (cause) {
    socket.close();
    throw cannotListen(cause as Error, what);
  }
  return (socket.address() as { port: number }).port;
}
