/** What carries requests: undici's pools of connections. A file of its own, since it is loaded only where something is fetched. */
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, errors, Pool } from 'undici';
import { tunnel, type Proxy as WebProxy } from '../../websocket/proxy.ts';
import type { Reach } from './reach.ts';
import { ALLOW_HALF_OPEN, openSocket, patient } from './sockets.ts';

const CONNECT_MS = 15_000;
/** `sockets.ts` counts on this. */
const MAX_HEADER_BYTES = 32 * 1024;
/** A connection that is not used is closed after so long. */
const KEEP_ALIVE_MS = 10_000;

/** @param connections to one server at a time */
function pool(connections: number) {
  return {
    ...{ connections, pipelining: 1, maxHeaderSize: MAX_HEADER_BYTES },
    ...{ keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS },
  };
}

/** The lookup decides which addresses are connected to. So no name can mean another one between the check and the connection. */
export function direct(connections: number, { lookup }: Reach): Dispatcher {
  return new Agent({ ...pool(connections), connect: connector(lookup) });
}

/** Requests that a proxy passes on. Which addresses it connects to is its own business: it stands where its owner put it. */
export function forwarded(connections: number, { secure, host, port }: WebProxy): Dispatcher {
  const name = host.includes(':') ? `[${host}]` : host;
  const origin = `http${secure ? 's' : ''}://${name}:${port}`;
  return new Pool(origin, { ...pool(connections), connect: connector(systemLookup as LookupFunction) });
}

/** Through a proxy that sees where connections lead, and not what is said on them. */
export function tunnelled(connections: number, proxy: WebProxy): Dispatcher {
  const secure = buildConnector({
    ...{ timeout: CONNECT_MS, maxCachedSessions: 16, allowHalfOpen: ALLOW_HALF_OPEN },
  });
  return new Agent({
    ...pool(connections),
    connect(options, callback) {
      const late = AbortSignal.timeout(CONNECT_MS);
      const port = options.port || (options.protocol === 'http:' ? 80 : 443);
      tunnel(`ws://${options.hostname}:${port}`, proxy, late).then(
        (httpSocket) =>
          options.protocol === 'http:'
            ? patiently(callback)(null, httpSocket)
            : secure({ ...options, httpSocket }, patiently(callback)),
        (error: Error) => callback(late.aborted ? new errors.ConnectTimeoutError() : passing(error), null),
      );
    },
  });
}

/** A proxy that cannot be reached may be back soon; one that refuses will not change its mind. */
function passing(error: Error): Error {
  return error.cause instanceof Error ? error.cause : error;
}

function connector(lookup: LookupFunction): buildConnector.connector {
  const secure = buildConnector({
    ...{ timeout: CONNECT_MS, lookup, maxCachedSessions: 16, allowHalfOpen: ALLOW_HALF_OPEN },
  });
  return (options, callback) => {
    if (options.protocol === 'https:') return secure(options, patiently(callback));
    plain(options, lookup, callback);
  };
}

function patiently(callback: buildConnector.Callback): buildConnector.Callback {
  return (...[error, socket]) => (error ? callback(error, null) : callback(null, patient(socket!)));
}

function plain(
  { hostname, port }: buildConnector.Options,
  lookup: LookupFunction,
  callback: buildConnector.Callback,
): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = openSocket({ host, port: Number(port) || 80, lookup });
  const failed = (error: Error) => {
    socket.destroy();
    callback(error, null);
  };
  const late = setTimeout(() => socket.destroy(new errors.ConnectTimeoutError()), CONNECT_MS);
  socket.setNoDelay(true).once('error', failed);
  socket.once('close', () => clearTimeout(late));
  socket.once('connect', () => {
    clearTimeout(late);
    socket.off('error', failed);
    callback(null, patient(socket));
  });
}
