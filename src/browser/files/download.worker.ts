/**
 * The download worker, a service worker for `…/download/` only: a page hands it a stream under a random name, once, and
 * a navigation to that name becomes a download. It never answers anything else, fetches nothing and caches nothing.
 */
import type { DownloadRequest, FromPage, FromWorker } from './download-messages.ts';

/** Milliseconds that an offer waits to be fetched. */
const OFFER = 60_000;
/** Offers and downloads at a time. */
const MOST = 64;
/** Pieces on the way to a reader. */
const AHEAD = 2;
/** Pieces behind which one is certainly read: those on the way, the one that is being read, and one to be sure. */
const READ = AHEAD + 2;

interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Response): void;
}
interface Scope {
  readonly registration: { readonly scope: string };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install', listener: (event: ExtendableEvent) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<DownloadRequest>) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
}

interface Offered {
  name: string;
  size: number | undefined;
  port: MessagePort;
  fetched: boolean;
}

const scope = globalThis as unknown as Scope;
const downloads = new Map<string, Offered>();
const { port1: nowhere, port2: closed } = new MessageChannel();
closed.close();

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));

scope.addEventListener('message', ({ data, ports }) => {
  const known = downloads.get(data.id);
  if (data.type === 'ping') return known && say(known.port, { type: 'pong' });
  const [port] = ports;
  if (!port || known || downloads.size >= MOST) return;
  const { id, name, size } = data;
  const offered = { name, size, port, fetched: false };
  downloads.set(id, offered);
  setTimeout(() => offered.fetched || downloads.delete(id), OFFER);
  say(port, { type: 'ready' });
});

scope.addEventListener('fetch', (event) => {
  const { url } = event.request;
  if (!url.startsWith(scope.registration.scope)) return;
  const id = url.slice(scope.registration.scope.length);
  const offered = downloads.get(id);
  if (!offered || offered.fetched) return event.respondWith(over());
  offered.fetched = true;
  event.respondWith(new Response(body(id, offered.port), { headers: headers(offered) }));
  say(offered.port, { type: 'fetched' });
});

function body(id: string, port: MessagePort): ReadableStream<Uint8Array<ArrayBuffer>> {
  let asked: (() => void) | undefined;
  const pieces: ArrayBuffer[] = [];
  return new ReadableStream(
    {
      start(controller) {
        port.onmessage = ({ data }: MessageEvent<FromPage>) => {
          if (data.type === 'piece') {
            pieces.push(data.bytes.buffer);
            controller.enqueue(data.bytes);
          } else downloads.delete(id);
          if (data.type === 'end') controller.close();
          if (data.type === 'fail') controller.error(new Error('The page ended it.'));
          asked?.();
        };
      },
      pull() {
        // A worker that does little else is seldom cleaned up: hundreds of megabytes would lie about.
        if (pieces.length > READ) free(pieces.shift()!);
        say(port, { type: 'pull' });
        return new Promise<void>((resolve) => {
          asked = resolve;
        });
      },
      cancel() {
        downloads.delete(id);
        say(port, { type: 'cancel' });
      },
    },
    { highWaterMark: AHEAD },
  );
}

/** Gives its memory back now: what is transferred to a port that is closed is nobody's any more. */
function free(buffer: ArrayBuffer): void {
  nowhere.postMessage(undefined, [buffer]);
}

function headers({ name, size }: Offered): Headers {
  const headers = new Headers({
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename*=UTF-8''${extValue(name)}`,
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  if (size !== undefined) headers.set('content-length', String(size));
  return headers;
}

/** RFC 8187, 3.2.1; names are checked to be well-formed. What `encodeURIComponent` leaves and `attr-char` does not have is escaped too. */
function extValue(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Fetched twice, or by a link that somebody kept. */
function over(): Response {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-security-policy': 'sandbox' };
  return new Response('This download is over.', { status: 410, headers });
}

function say(port: MessagePort, message: FromWorker): void {
  port.postMessage(message);
}
