/** The wire to a rendezvous over WebSocket: a server's URL, or the addresses of a sender that hosts its own. */
import type { WebSocket } from 'ws';
import { fault } from '../base/errors.ts';
import { MAX_MAILBOX_BYTES } from '../base/limits.ts';
import { dialWebSocket as dial } from '../websocket/dial.ts';
import { MAX_RENDEZVOUS_TEXT, RENDEZVOUS_PATH } from '../wire/rendezvous.ts';
import { connectFirst } from './connect.ts';
import { rendezvousUrl } from './url.ts';
import type { Address, Dial, Wire, WireEvents } from './wire.ts';

/** The server pings every 10 s; after this long without a sign of it, the connection is dead. Milliseconds. */
const SILENCE = 35_000;
const CLOSING = 2000;

/** A server's URL, or how to find the sender's own: asked at every dial, since a sender may move. */
export type Target = { url: string } | { find: (signal: AbortSignal) => Promise<readonly Address[]> };

/** @throws BeelineError USAGE at once for a malformed URL. */
export function dialWebSocket(target: Target): Dial {
  const url = 'url' in target ? rendezvousUrl(target.url) : undefined;
  return (events, signal) =>
    dial(
      {
        // The host only fills the Host header when the socket is given; a zone has no place in a URL (RFC 6874 was never adopted).
        url: url ?? `ws://beeline.local${RENDEZVOUS_PATH}`,
        name: `the rendezvous at ${url ?? 'the sender'}`,
        maxPayload: MAX_RENDEZVOUS_TEXT,
        signal,
        ...('find' in target && {
          socket: async () => connectFirst(await target.find(signal), signal),
        }),
      },
      (webSocket) => wireOf(webSocket, events),
    );
}

function wireOf(webSocket: WebSocket, events: WireEvents): Wire {
  let over = false;
  const lost = (why: string, cause?: unknown) => {
    clearTimeout(silence);
    if (over) return;
    over = true;
    webSocket.terminate();
    events.closed(fault('SERVER_LOST', { why }, { cause }));
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
