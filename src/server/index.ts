/** `beeline/server`: a standing rendezvous server in one call, or on an HTTP server of one's own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BeelineError } from '../protocol/errors.ts';
import { HTTP_DEADLINE, MAX_HEADER_BYTES } from './limits.ts';
import { createRendezvous, type RendezvousOptions } from './rendezvous.ts';

export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export type { LocalConnection } from './local.ts';
export type { ServerLog } from './log.ts';
export { Mailboxes } from './mailboxes.ts';
export { createRendezvous, type Rendezvous, type RendezvousOptions } from './rendezvous.ts';

export interface ServerOptions extends RendezvousOptions {
  /** TCP port; 0 for any free one. */
  port: number;
  /** Address to listen on; absent: all, IPv4 and IPv6. */
  host?: string;
}

export interface RunningServer {
  /** What goes after `--server` on this machine. */
  readonly url: string;
  readonly port: number;
  /** Refuses everyone still connected, and resolves when the port is free. */
  close(): Promise<void>;
}

/** @throws BeelineError SERVER if the port cannot be listened on. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { port, host, log } = options;
  const rendezvous = createRendezvous(options);
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    connectionsCheckingInterval: HTTP_DEADLINE / 2,
  });
  // WebSockets and the plain requests beside them.
  server.maxConnections = rendezvous.mailboxes.limits.connections + 256;
  rendezvous.handle(server);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host }, resolve);
    });
  } catch (cause) {
    await rendezvous.close();
    throw cannotListen(cause as NodeJS.ErrnoException, port, host);
  }
  server.on('error', (error) => log?.warn({ error: error.message }, 'server error'));
  const actual = (server.address() as AddressInfo).port;
  const name = host === undefined || host === '::' || host === '0.0.0.0' ? 'localhost' : host;
  const url = `http://${name.includes(':') ? `[${name}]` : name}:${actual}`;
  log?.info({ url }, 'listening');
  return {
    url,
    port: actual,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await rendezvous.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function cannotListen(cause: NodeJS.ErrnoException, port: number, host = 'any address'): BeelineError {
  const why =
    cause.code === 'EADDRINUSE'
      ? 'another program uses it. Choose another with --port'
      : cause.code === 'EACCES'
        ? 'this user may not. Ports below 1024 usually need more rights; choose a higher one with --port'
        : cause.code === 'EADDRNOTAVAIL'
          ? 'this machine has no such address. Check --host'
          : cause.message;
  return new BeelineError('SERVER', `Cannot listen on port ${port} of ${host}: ${why}.`, { cause });
}
