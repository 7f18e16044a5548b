/** What carries requests: undici's pools of connections. A file of its own, since it is loaded only where something is fetched. */
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { Proxy as WebProxy } from '../../websocket/proxy.ts';
import type { Reach } from './reach.ts';

const CONNECT_MS = 15_000;
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
  return new Agent({ ...pool(connections), connect: { timeout: CONNECT_MS, lookup, maxCachedSessions: 16 } });
}

/** Which addresses a proxy connects to is the proxy's own business: it stands where its owner put it. */
export function proxied(connections: number, proxy: WebProxy): Dispatcher {
  const { secure, port, authorization } = proxy;
  const host = proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host;
  return new ProxyAgent({
    ...pool(connections),
    ...{ uri: `http${secure ? 's' : ''}://${host}:${port}`, proxyTunnel: false },
    requestTls: { timeout: CONNECT_MS },
    ...(authorization !== undefined && { token: authorization }),
  });
}
