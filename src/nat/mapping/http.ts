/** HTTP to a router, whose answers are not trusted: to its address only, bounded in time and length, never redirected. */
import { type IncomingMessage, request } from 'node:http';
import { BeelineError, fault } from '../../base/errors.ts';

/** Milliseconds for a whole exchange. */
const DEADLINE = 3_000;
/** Bytes of an answer: real device descriptions have a few KiB. */
const MAX_ANSWER = 128 * 1024;

export interface HttpAnswer {
  status: number;
  body: string;
}

export interface HttpQuestion {
  url: URL;
  headers?: Record<string, string>;
  /** Makes it a POST. */
  body?: string;
  signal: AbortSignal;
}

/** @throws BeelineError NO_PATH, TIMEOUT or PROTOCOL */
export function exchange({ url, headers, body, signal }: HttpQuestion): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const asked = request(url, {
      method: body === undefined ? 'GET' : 'POST',
      // Nothing is kept open: the program is to end when it is done.
      agent: false,
      headers: { ...headers, ...length, Connection: 'close' },
    });
    const settle = (error?: BeelineError) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      asked.destroy();
      if (error) reject(error);
    };
    const abort = () => settle(new BeelineError('CANCELLED', 'Nobody waits for the router any more.'));
    const timer = setTimeout(
      () => settle(fault('ROUTER_LATE', { router: url.host, how: ' in time' })),
      DEADLINE,
    );
    asked.on('error', (cause) => settle(fault('ROUTER_UNREACHABLE', { router: url.host }, { cause })));
    asked.once('response', (response: IncomingMessage) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('error', () => settle(broken(url)));
      response.on('data', (part: Buffer) => {
        parts.push(part);
        bytes += part.length;
        if (bytes > MAX_ANSWER) settle(broken(url));
      });
      response.once('close', () => settle(broken(url)));
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') });
        settle();
      });
    });
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    asked.end(body);
  });
}

function broken(url: URL): BeelineError {
  return fault('ROUTER_MALFORMED', { router: url.host });
}
