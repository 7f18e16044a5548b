/**
 * A port of its own for numbers: whoever may ask is decided by where it listens. So strangers, who reach the other port, read
 * none of them.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fault } from '../base/errors.ts';
import { pathOf } from './page.ts';
import { securityHeaders } from './security-headers.ts';

export interface MetricsPort {
  host: string;
  /** 0: any. */
  port: number;
  /** Whose value it is, such as `--metrics-port`. */
  option: string;
}

/** What is at a path, made anew for each request. */
export type MetricsPaths = Readonly<Record<string, () => Promise<{ type: string; text: string }>>>;

/** Whoever scrapes needs one. */
const MOST_CONNECTIONS = 16;
const DEADLINE_MS = 5_000;

/**
 * Serves until closed; never keeps the process alive.
 * @throws BeelineError USAGE if the port cannot be had
 */
export async function serveMetrics(
  { host, port, option }: MetricsPort,
  paths: MetricsPaths,
): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const path = pathOf(request);
    const make = Object.hasOwn(paths, path) ? paths[path] : undefined;
    if (!make || !['GET', 'HEAD'].includes(request.method!)) {
      response.writeHead(make ? 405 : 404, securityHeaders(false)).end();
      return;
    }
    make()
      .then(({ type, text }) =>
        response
          .writeHead(200, { ...securityHeaders(false), 'content-type': type, 'cache-control': 'no-store' })
          .end(text),
      )
      // The head may be written, and what follows it may be what failed.
      .catch(() => (response.headersSent ? response.destroy() : response.writeHead(500).end()));
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.headersTimeout = DEADLINE_MS;
  server.requestTimeout = DEADLINE_MS;
  server.unref();
  try {
    await once(server.listen(port, host), 'listening');
  } catch (cause) {
    const why = (cause as Error).message;
    const must = `a port that is free here (${why})`;
    throw fault('OPTION_WRONG', { name: option, value: `${host}:${port}`, must }, { cause });
  }
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${name}:${(server.address() as AddressInfo).port}/metrics`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
