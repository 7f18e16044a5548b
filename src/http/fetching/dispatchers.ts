/** What carries requests: undici's pools of connections. A file of its own, since it is loaded only where something is fetched. */
import { Agent, buildConnector, type Dispatcher, errors, Pool, ProxyAgent } from 'undici';
import type { Proxy as WebProxy } from '../../websocket/proxy.ts';
import type { Reach } from './reach.ts';
import { openSocket, patient } from './sockets.ts';

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
  const secure = buildConnector({ timeout: CONNECT_MS, lookup, maxCachedSessions: 16 });
  return new Agent({
    ...pool(connections),
    connect(options, callback) {
      if (options.protocol === 'https:') return secure(options, patiently(callback));
      plain(options, lookup, callback);
    },
  });
}

function patiently(callback: buildConnector.Callback): buildConnector.Callback {
  return (...[error, socket]) => (error ? callback(error, null) : callback(null, patient(socket!)));
}

function plain(
  { hostname, port }: buildConnector.Options,
  lookup: Reach['lookup'],
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

/** Which addresses a proxy connects to is the proxy's own business: it stands where its owner put it. */
export function proxied(connections: number, proxy: WebProxy): Dispatcher {
  const { secure, port, authorization } = proxy;
  const host = proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host;
  return new ProxyAgent({
    ...pool(connections),
    ...{ uri: `http${secure ? 's' : ''}://${host}:${port}`, proxyTunnel: false },
    requestTls: { timeout: CONNECT_MS },
    factory(origin, options) {
      const { connect } = options as { connect?: buildConnector.connector };
      const wrapped: buildConnector.connector = (given, callback) => connect!(given, patiently(callback));
      return new Pool(origin, { ...options, ...(typeof connect === 'function' && { connect: wrapped }) });
    },
    ...(authorization !== undefined && { token: authorization }),
  });
}
