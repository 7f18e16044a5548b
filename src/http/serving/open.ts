/** An application's port: HTTP with or without TLS behind a front, which bounds connections, their requests and their time. */
import { createServer, type Server as HttpServer } from 'node:http';
import type { SecureContext } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import { createFront, type Front } from '../../server/front.ts';
import { MAX_HEADER_BYTES } from '../../server/limits.ts';
import { listen } from '../../server/listen.ts';
import type { ServerLog } from '../../server/log.ts';
import { answerPlain } from '../../server/page.ts';
import type { ServingApp } from './app.ts';

/** Connections at once, in all. */
const MOST = 2_048;
/** Between requests, in all and of one address. */
const STRANGERS = { inAll: 512, ofAddress: 64 };
/** With an answer or a body under way. Every client with ranges has several, and an office may be behind one address. */
const HELD = { inAll: 1_024, ofAddress: 128 };

export interface OpenPortOptions {
  app: ServingApp;
  /** 0: any. */
  port: number;
  /** Absent: all addresses. */
  host?: string | undefined;
  /** Asked for each connection; absent: plain HTTP. */
  tls?: (() => SecureContext) | undefined;
  /** Everybody comes through a proxy of one's own. */
  trustProxy?: boolean;
  log?: ServerLog | undefined;
}

export interface OpenPort {
  readonly port: number;
  readonly front: Front;
  /** Ends what is under way too. */
  close(): Promise<void>;
}

/** @throws BeelineError SERVER if the port cannot be listened on */
export async function openPort(options: OpenPortOptions): Promise<OpenPort> {
  const { app, tls, trustProxy = false, host } = options;
  const http = strictServer();
  http.on('request', getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  const plain = strictServer();
  plain.on('request', answerPlain);
  const front = createFront({
    http,
    tls: tls && { context: tls, plain },
    stun: () => undefined,
    strangers: { ...STRANGERS, ...(trustProxy && { ofAddress: undefined }) },
    held: { ...HELD, ...(trustProxy && { ofAddress: undefined }) },
    maxConnections: MOST,
  });
  const port = await listen(
    front.server,
    { port: options.port, host },
    `port ${options.port} of ${host ?? 'any address'}`,
  );
  front.server.on('error', (error) => options.log?.warn({ error: error.message }, 'server error'));
  return { port, front, close: () => front.close() };
}

/** What is not exactly HTTP is refused: two parsers that read a request in two ways are how one is smuggled past a proxy. */
function strictServer(): HttpServer {
  return createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    requireHostHeader: true,
  });
}
