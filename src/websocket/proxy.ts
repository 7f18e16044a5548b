/**
 * The way out of a network that lets only its proxy out: a tunnel by CONNECT (RFC 9110, 9.3.6) or by SOCKS, as the variables
 * HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say, or as this process was told. Written on node:http and not with an agent: an agent's tunnel
 * cannot be given up while the proxy thinks, and mixes the proxy's refusals with the server's.
 */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { until } from '../base/clock.ts';
import { type BeelineError, fault } from '../base/errors.ts';

const VARIABLES = ['http_proxy', 'https_proxy', 'all_proxy'];
const MAX_HEADER_BYTES = 16 * 1024;

export interface Proxy {
  secure: boolean;
  host: string;
  port: number;
  /** The value of a Proxy-Authorization header. */
  authorization?: string;
  /** It speaks SOCKS, and is asked for names, not addresses. */
  socks?: { version: 4 | 5; user: string; password: string };
}

const SOCKS = { 'socks:': 5, 'socks5:': 5, 'socks5h:': 5, 'socks4:': 4, 'socks4a:': 4 } as const;

let only: Proxy | undefined;

/** From now on this process uses that proxy, whatever the environment says. @throws BeelineError USAGE */
export function useProxy(url: string): void {
  only = parse(url);
}

/** The proxy that the environment names for a ws or wss URL. @throws BeelineError USAGE if it names a useless one. */
export async function proxyFor(url: string): Promise<Proxy | undefined> {
  if (only) return only;
  const values = VARIABLES.map((name) => process.env[name] || process.env[name.toUpperCase()] || '');
  if (values.every((value) => value === '')) return undefined;
  const { getProxyForUrl } = await import('proxy-from-env');
  // The variables know http and https, and a WebSocket begins as one of them.
  let found = getProxyForUrl(url.replace(/^ws/, 'http'));
  if (found === '') return undefined;
  // `proxy:3128` without a scheme: the package takes the target's, everyone else means http.
  const bare = found.slice(found.indexOf('://') + 3);
  if (values.includes(bare)) found = `http://${bare}`;
  return parse(found);
}

function parse(text: string): Proxy {
  try {
    const { protocol, hostname, port, username, password } = new URL(text);
    const secure = protocol === 'https:';
    const version = SOCKS[protocol as keyof typeof SOCKS];
    if (version && hostname !== '')
      return {
        ...{ secure: false, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 1080 },
        socks: { version, user: decodeURIComponent(username), password: decodeURIComponent(password) },
      };
    if ((secure || protocol === 'http:') && hostname !== '') {
      const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      return {
        secure,
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port) || (secure ? 443 : 80),
        ...(user !== ':' && { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
      };
    }
  } catch {
    // The text may hold a password: it is not quoted.
  }
  throw fault('PROXY_MALFORMED');
}

/**
 * A tunnel to the URL's host, with TLS in it for wss.
 * @throws BeelineError SERVER with the proxy's name and answer; what the signal was aborted with otherwise.
 */
export async function tunnel(url: string, proxy: Proxy, signal: AbortSignal): Promise<Socket> {
  const { hostname, port, protocol } = new URL(url);
  const secure = protocol === 'wss:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = await connect(`${hostname}:${port || (secure ? 443 : 80)}`, proxy, signal);
  if (!secure) return socket;
  const { connect: startTls } = await import('node:tls');
  const tls = startTls({
    socket,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) === 0 && { servername: host }),
  });
  return tls.on('error', () => tls.destroy());
}

async function connect(authority: string, proxy: Proxy, signal: AbortSignal): Promise<Socket> {
  if (proxy.socks) {
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(authority)!;
    const { connectBySocks } = await import('./socks.ts');
    return connectBySocks({ ...proxy, ...proxy.socks }, { host, port: Number(port) }, signal).catch(
      (error) => {
        if (signal.aborted) throw error;
        throw failed(
          `${proxy.host}:${proxy.port}`,
          `gave no connection: ${(error as Error).message}`,
          error as Error,
        );
      },
    );
  }
  const { request } = await import(proxy.secure ? 'node:https' : 'node:http');
  const options: RequestOptions = {
    method: 'CONNECT',
    host: proxy.host,
    port: proxy.port,
    path: authority,
    headers: {
      host: authority,
      ...(proxy.authorization && { 'proxy-authorization': proxy.authorization }),
    },
    agent: false,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const name = `${proxy.host}:${proxy.port}`;
  // Without the signal: that would end the tunnel too, when it is aborted long after.
  const asked = request(options);
  const opened = () =>
    new Promise<Socket>((resolve, reject) => {
      asked.on('error', (cause: Error) => reject(failed(name, `cannot be reached: ${cause.message}`, cause)));
      // With a listener for 'connect', node:http reports refusals there too, and nothing else ends the socket.
      asked.once('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
        const { statusCode = 0 } = response;
        // Until its next owner listens: an error that nobody listens for would end the process.
        socket.on('error', () => socket.destroy());
        if (statusCode >= 200 && statusCode < 300) {
          // A server sends nothing before TLS or the upgrade. So bytes that came with the answer are not the tunnel's.
          if (head.length === 0) return resolve(socket);
          reject(failed(name, 'speaks out of turn'));
        } else reject(refusalOf(proxy, statusCode, authority));
        socket.destroy();
      });
      asked.end();
    });
  return until(signal, opened).catch((error) => {
    asked.on('error', () => {});
    asked.destroy();
    throw error;
  });
}

/** What a proxy's status means for a request to such a host. */
export function refusalOf({ host, port }: Proxy, status: number, authority: string): BeelineError {
  return failed(`${host}:${port}`, refusal(status, authority));
}

function refusal(status: number, authority: string): string {
  if (status === 407)
    return 'wants a name and a password: http://USER:PASSWORD@HOST:PORT (HTTP 407), or others than these';
  return `refused a tunnel to ${authority} (HTTP ${status}). Ask who runs it, or exempt the server with NO_PROXY`;
}

/** @param cause kept where it is of a socket: what a proxy says, it says again */
function failed(name: string, what: string, cause?: NodeJS.ErrnoException): BeelineError {
  return fault('PROXY_FAILED', { name, what }, cause?.code === undefined ? {} : { cause });
}
