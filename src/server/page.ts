/**
 * MadeAnswers to plain HTTP: the page where there is one, health, and words for everything else. No answer repeats anything
 * of the request: neither path nor query.
 */
import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { TLSSocket } from 'node:tls';
import { chooseEncoding, hasTag } from './negotiate.ts';
import type { PageFile, PageFiles } from './page-files.ts';
import { securityHeaders } from './security-headers.ts';

/** Below it the page's own service worker answers. */
const DOWNLOADS = '/download/';

const TEXTS: Readonly<Record<string, string>> = {
  '/': 'This is a Beeline rendezvous server: `beeline send --server <this URL> FILE`.\n',
};

/** What is said at a path, made anew for each request. */
export type MadeAnswers = ReadonlyMap<string, () => { status: number; text: string; type?: string }>;

/** @param page asked at every request; it must not fail. */
export function answerHttp(page: () => Promise<PageFiles>, answers: MadeAnswers): RequestListener {
  return (request, response) => {
    page()
      .then((files) => answer(files, answers, request, response))
      .catch(() => response.destroy());
  };
}

/** For those who speak HTTP without TLS to a port that wants TLS: a browser is led on, the rest is told. */
export function answerPlain(request: IncomingMessage, response: ServerResponse): void {
  const { host = '' } = request.headers;
  const lead = isRead(request) && pathOf(request) === '/' && PLAIN_HOST.test(host);
  text(request, response, lead ? 307 : 400, 'This port speaks TLS: use https:// (or wss://).\n', {
    // The browser carries the fragment over by itself; a query there is none.
    ...(lead && { location: `https://${host}/` }),
    connection: 'close',
  });
}

/** The path of a request, as it was sent: nothing is decoded, so that each file has one path. */
export const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0]!;

/** A name, or an address in its brackets, with or without a port. */
const PLAIN_HOST = /^(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

const isRead = ({ method }: IncomingMessage): boolean => method === 'GET' || method === 'HEAD';
/** This server itself speaks TLS on the connection of a request. */
export const isEncrypted = ({ socket }: IncomingMessage): boolean =>
  (socket as Partial<TLSSocket>).encrypted === true;

function answer(
  files: PageFiles,
  answers: MadeAnswers,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = pathOf(request);
  const file = files.get(path);
  const made = answers.get(path);
  const found = file !== undefined || made !== undefined || Object.hasOwn(TEXTS, path);
  if (!found) {
    const gone = path.startsWith(DOWNLOADS)
      ? 'Downloads are made inside the browser, from the page: open the page and save again.\n'
      : `${STATUS_CODES[404]}\n`;
    return text(request, response, 404, gone);
  }
  if (!isRead(request)) return text(request, response, 405, `${STATUS_CODES[405]}\n`, { allow: 'GET, HEAD' });
  if (file) return send(file, request, response);
  const { status, text: body, type } = made?.() ?? { status: 200, text: TEXTS[path]! };
  text(request, response, status, body, type === undefined ? {} : { 'content-type': type });
}

function send(file: PageFile, request: IncomingMessage, response: ServerResponse): void {
  const { headers } = request;
  const accepted = headers['accept-encoding'];
  const encoding = chooseEncoding(Array.isArray(accepted) ? accepted.join(',') : accepted, (name) =>
    file.bodies.has(name),
  );
  const body = file.bodies.get(encoding)!;
  const etag = `"${file.hash}-${encoding}"`;
  const same = hasTag(headers['if-none-match'], etag);
  response.writeHead(same ? 304 : 200, {
    ...securityHeaders(isEncrypted(request), headers.host),
    'cache-control': file.cache,
    vary: 'accept-encoding',
    etag,
    ...(!same && { 'content-type': file.type, 'content-length': body.length }),
    ...(!same && encoding !== 'identity' && { 'content-encoding': encoding }),
  });
  response.end(same || request.method === 'HEAD' ? undefined : body);
}

function text(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: string,
  headers: OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, {
    ...securityHeaders(isEncrypted(request), request.headers.host),
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    // A body that nobody reads would otherwise be waited for.
    ...(isRead(request) ? {} : { connection: 'close' }),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
