/** The wire to a rendezvous over WebSocket: a server's URL, or the addresses of a sender that hosts its own. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { asBeelineError, BeelineError } from '../protocol/errors.ts';
import { MAX_MAILBOX_BYTES } from '../protocol/limits.ts';
import { MAX_RENDEZVOUS_TEXT, RENDEZVOUS_PATH } from '../protocol/rendezvous.ts';
import { connectFirst } from './connect.ts';
import { rendezvousUrl } from './url.ts';
import type { Address, Dial, Wire, WireEvents } from './wire.ts';

/** The server pings every 10 s; after this long without a sign of it, the connection is dead. Milliseconds. */
const SILENCE = 35_000;
const CLOSING = 2000;
/** Of a refusal's text, in characters. */
const MOST_REFUSAL = 300;

export type Target = { url: string } | { addresses: readonly Address[] };

/** @throws BeelineError USAGE at once for a malformed URL. */
export function dialWebSocket(target: Target): Dial {
  const url = 'url' in target ? rendezvousUrl(target.url) : undefined;
  return async (events, signal) => {
    const loading = import('ws');
    // An import that fails while the race is lost must not be an unhandled rejection.
    loading.catch(() => {});
    const socket = 'addresses' in target ? await connectFirst(target.addresses, signal) : undefined;
    const { WebSocket } = await loading;
    if (signal.aborted) socket?.destroy();
    signal.throwIfAborted();
    // The host only fills the Host header when the socket is given; a zone has no place in a URL (RFC 6874 was never adopted).
    const webSocket = new WebSocket(url ?? `ws://beeline.local${RENDEZVOUS_PATH}`, {
      perMessageDeflate: false,
      maxPayload: MAX_RENDEZVOUS_TEXT,
      followRedirects: false,
      ...(socket && { createConnection: () => socket }),
    });
    return handshake(webSocket, socket, url ?? 'the sender', events, signal);
  };
}

function handshake(
  webSocket: WebSocket,
  socket: Socket | undefined,
  name: string,
  events: WireEvents,
  signal: AbortSignal,
): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const abort = () => fail(signal.reason);
    const fail = (reason: unknown) => {
      signal.removeEventListener('abort', abort);
      webSocket.on('error', () => {});
      webSocket.terminate();
      socket?.destroy();
      reject(asBeelineError(reason, 'SERVER'));
    };
    signal.addEventListener('abort', abort);
    webSocket.once('error', (error) => fail(unreachable(name, error)));
    webSocket.once('unexpected-response', (_request, response) => {
      refusalOf(name, response).then(fail, fail);
    });
    webSocket.once('open', () => {
      signal.removeEventListener('abort', abort);
      resolve(wireOf(webSocket, events));
    });
  });
}

function wireOf(webSocket: WebSocket, events: WireEvents): Wire {
  let over = false;
  const lost = (why: string, cause?: unknown) => {
    clearTimeout(silence);
    if (over) return;
    over = true;
    webSocket.terminate();
    events.closed(
      new BeelineError('SERVER', `The connection to the rendezvous was lost: ${why}.`, { cause }),
    );
  };
  const silence = setTimeout(() => lost(`nothing heard for ${SILENCE / 1000} s`), SILENCE);
  webSocket.on('ping', () => silence.refresh());
  webSocket.on('error', (error) => lost(error.message, error));
  webSocket.on('close', (code) => lost(code === 1009 ? 'a message was too large' : `it closed (${code})`));
  webSocket.on('message', (data, isBinary) => {
    if (over) return;
    silence.refresh();
    if (isBinary) lost('it sent binary data');
    else events.text(data.toString());
  });
  return {
    send(text) {
      if (over || webSocket.readyState !== webSocket.OPEN) return;
      if (webSocket.bufferedAmount > MAX_MAILBOX_BYTES) lost('it reads too slowly');
      else webSocket.send(text);
    },
    close() {
      if (over) return;
      over = true;
      clearTimeout(silence);
      webSocket.close(1000);
      setTimeout(() => webSocket.terminate(), CLOSING).unref();
    },
  };
}

function unreachable(name: string, cause: Error): BeelineError {
  const code = (cause as NodeJS.ErrnoException).code;
  return new BeelineError(
    'SERVER',
    `Cannot reach the rendezvous at ${name}: ${cause.message || code}. Check the address, and that the server runs.`,
    { cause },
  );
}

/** A server that refuses before the upgrade says why in a short plain text. */
async function refusalOf(name: string, response: IncomingMessage): Promise<BeelineError> {
  let text = '';
  response.setEncoding('utf8');
  const cut = setTimeout(() => response.destroy(), CLOSING);
  try {
    for await (const part of response) {
      text += part;
      if (text.length > MOST_REFUSAL) break;
    }
  } catch {
    // What came so far is enough.
  } finally {
    clearTimeout(cut);
    response.destroy();
  }
  const isText = response.headers['content-type']?.startsWith('text/plain') ?? false;
  const said = isText
    ? text
        .slice(0, MOST_REFUSAL)
        .replace(/[^\x20-\x7e]+/g, ' ')
        .trim()
    : '';
  return new BeelineError(
    'SERVER',
    `The rendezvous at ${name} refused (HTTP ${response.statusCode})${said ? `: ${said}` : '. Is it a Beeline server?'}`,
  );
}
