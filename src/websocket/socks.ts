/** A connection through a SOCKS proxy, which looks names up itself. A file of its own, since few have one. */
import { connect, type Socket } from 'node:net';
import { SocksClient } from 'socks';
import { until } from '../base/clock.ts';

/** Milliseconds for the proxy's answers. Whoever asks has a deadline of their own, which is shorter or not much longer. */
const ANSWER_MS = 30_000;

interface SocksPlace {
  host: string;
  port: number;
  version: 4 | 5;
  user: string;
  password: string;
}

/** @throws Error with what the proxy said, or with the code of a socket's error; what the signal was aborted with */
export async function connectBySocks(
  { host, port, version, user, password }: SocksPlace,
  to: { host: string; port: number },
  signal: AbortSignal,
): Promise<Socket> {
  signal.throwIfAborted();
  const opened = connect(port, host);
  // Until its next owner listens: an error that nobody listens for would end the process.
  opened.on('error', () => opened.destroy());
  const asked = async () => {
    await new Promise<void>((resolve, reject) => {
      opened.once('connect', resolve);
      opened.once('error', reject);
    });
    const { socket } = await SocksClient.createConnection({
      command: 'connect',
      destination: to,
      existing_socket: opened,
      proxy: { host, port, type: version, ...(user !== '' && { userId: user, password }) },
      timeout: ANSWER_MS,
    });
    return socket as Socket;
  };
  try {
    return await until(signal, asked);
  } catch (error) {
    opened.destroy();
    if (signal.aborted) throw error;
    // The package's own error carries what it was asked with, the password too.
    const { message, code } = error as NodeJS.ErrnoException;
    throw Object.assign(new Error(message), code !== undefined && { code });
  }
}
