/** Opening a WebSocket to a Beeline server: directly or through the network's proxy, with refusals in words. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import type { ClientOptions, WebSocket } from 'ws';
import { until } from '../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { proxyFor, tunnel } from './proxy.ts';

/** For the text of a refusal. */
const REFUSAL_MS = 2000;
/** Of a refusal's text, in characters. */
const MOST_REFUSAL = 300;

/** Of Node's TLS: nobody whom this machine trusts vouches for that server. */
const CERTIFICATE = /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;
/** How a proxy says that what is behind it does not answer. */
const AWAY: readonly number[] = [502, 503, 504];
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

type Adopt<T> = (socket: WebSocket, headers: IncomingHttpHeaders) => T;

export interface DialOptions {
  /** A ws or wss URL. */
  url: string;
  /** What is there and where, for people: 'the server at https://...'. */
  name: string;
  /** Bytes of one message that comes in. */
  maxPayload: number;
  signal: AbortSignal;
  /** A connection that is open already; no proxy is asked then. It is destroyed with the WebSocket. */
  socket?: () => Promise<Socket>;
  /** Further headers of the request. */
  headers?: Record<string, string>;
  generateMask?: ClientOptions['generateMask'];
  /** For a connection without a proxy. */
  lookup?: LookupFunction | undefined;
}

/**
 * @param adopt is called in the very turn in which the WebSocket opens, so that no message is missed; with the answer's headers
 * @throws BeelineError SERVER, USAGE (a proxy that is none), or what the signal was aborted with.
 */
export async function dialWebSocket<T>(options: DialOptions, adopt: Adopt<T>): Promise<T> {
  const { url, maxPayload, signal, generateMask, headers, lookup } = options;
  signal.throwIfAborted();
  const loading = import('ws');
  // An import that fails while the race is lost must not be an unhandled rejection.
  loading.catch(() => {});
  const socket = await (options.socket?.() ?? throughProxy(url, signal));
  const { WebSocket } = await loading;
  if (signal.aborted) socket?.destroy();
  signal.throwIfAborted();
  // It was closed while the library loaded. Node's HTTP client would wait for an event of it that has been.
  if (socket?.destroyed || socket?.readableEnded)
    throw unreachable(options.name, new Error('it closed the connection'));
  const webSocket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload,
    followRedirects: false,
    ...(generateMask && { generateMask }),
    ...(headers && { headers }),
    ...(lookup && { lookup }),
    ...(socket && { createConnection: () => socket }),
  });
  return handshake(webSocket, socket, options, adopt);
}

async function throughProxy(url: string, signal: AbortSignal): Promise<Socket | undefined> {
  const proxy = await proxyFor(url);
  return proxy && tunnel(url, proxy, signal);
}

async function handshake<T>(
  webSocket: WebSocket,
  socket: Socket | undefined,
  { name, signal }: DialOptions,
  adopt: Adopt<T>,
): Promise<T> {
  const opened = () =>
    new Promise<T>((resolve, reject) => {
      webSocket.once('unexpected-response', (_request, response) => {
        refusalOf(name, response).then(reject, reject);
      });
      let headers: IncomingHttpHeaders = {};
      webSocket.once('upgrade', (response) => {
        headers = response.headers;
      });
      webSocket.once('open', () => resolve(adopt(webSocket, headers)));
      webSocket.once('error', (error) => reject(unreachable(name, error)));
    });
  try {
    return await until(signal, opened);
  } catch (reason) {
    webSocket.on('error', () => {});
    webSocket.terminate();
    socket?.destroy();
    throw asBeelineError(reason, 'SERVER');
  }
}

/** OpenSSL's own words for it are for nobody. */
const NO_TLS = 'it does not speak TLS as asked for; without TLS its address begins with http://';

function unreachable(name: string, cause: Error): BeelineError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code && CERTIFICATE.test(code))
    return fault('SERVER_CERTIFICATE', { name, why: cause.message || code }, { cause });
  const why = code === 'EPROTO' ? NO_TLS : cause.message || code || 'no connection';
  return fault('SERVER_UNREACHABLE', { name, why }, { cause });
}

/** A server that refuses before the upgrade says why in a short plain text. */
async function refusalOf(name: string, response: IncomingMessage): Promise<BeelineError> {
  let text = '';
  response.setEncoding('utf8');
  const cut = setTimeout(() => response.destroy(), REFUSAL_MS);
  try {
    for await (const part of response) {
      text += part;
      if (text.length > MOST_REFUSAL) break;
    }
  } catch {
    // The text so far is enough.
  } finally {
    clearTimeout(cut);
    response.destroy();
  }
  const isText = response.headers['content-type']?.startsWith('text/plain') ?? false;
  const said = isText ? printable(text) : '';
  const status = response.statusCode ?? 0;
  // A Beeline server that is being stopped says why. Another one, or the next process, may answer soon.
  if (AWAY.includes(status))
    return fault('SERVER_UNREACHABLE', {
      name,
      why:
        status === 503 && said
          ? `it says "${said}" (HTTP 503)`
          : `the proxy before it says that it is away (HTTP ${status})`,
    });
  const to = REDIRECTS.includes(status) ? printable(response.headers.location ?? '') : '';
  const sentence = name[0]!.toUpperCase() + name.slice(1);
  return fault('SERVER_REFUSED', {
    name: sentence,
    status,
    what: to
      ? `: it redirects to "${to}". Give that address, if you trust it.`
      : said
        ? `: ${said}`
        : '. Is it a Beeline server?',
  });
}

function printable(text: string): string {
  return text
    .slice(0, MOST_REFUSAL)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
}
