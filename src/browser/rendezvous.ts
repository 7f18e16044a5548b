/** The wire to a rendezvous over the page's own WebSocket. */
import { fault } from '../base/errors.ts';
import { MAX_MAILBOX_BYTES } from '../base/limits.ts';
import type { Dial, Wire, WireEvents } from '../meeting/ports.ts';
import { serviceUrl } from '../websocket/url.ts';
import { MAX_RENDEZVOUS_TEXT, RENDEZVOUS_PATH } from '../wire/rendezvous.ts';

/** @param server a URL as after `--server`. @throws BeelineError USAGE at once for a malformed one. */
export function dialRendezvous(server: string): Dial {
  const url = serviceUrl(server, RENDEZVOUS_PATH);
  return (events, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const webSocket = new WebSocket(url);
      const abort = () => {
        webSocket.close();
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      // Browsers do not tell a page why a server cannot be reached.
      webSocket.onclose = () => {
        signal.removeEventListener('abort', abort);
        reject(
          fault('SERVER_UNREACHABLE', {
            name: `the server at ${new URL(url).host}`,
            why: 'it does not answer, or refuses',
          }),
        );
      };
      webSocket.onopen = () => {
        signal.removeEventListener('abort', abort);
        resolve(wireOf(webSocket, events));
      };
    });
}

function wireOf(webSocket: WebSocket, events: WireEvents): Wire {
  let over = false;
  const lost = (why: string) => {
    if (over) return;
    over = true;
    webSocket.close();
    events.closed(fault('SERVER_LOST', { why }));
  };
  webSocket.onclose = ({ code }) => lost(`it closed (${code})`);
  webSocket.onmessage = ({ data }) => {
    if (over) return;
    if (typeof data !== 'string') lost('it sent binary data');
    else if (data.length > MAX_RENDEZVOUS_TEXT) lost('a message was too large');
    else events.text(data);
  };
  return {
    send(text) {
      if (over || webSocket.readyState !== WebSocket.OPEN) return;
      if (webSocket.bufferedAmount > MAX_MAILBOX_BYTES) lost('it reads too slowly');
      else webSocket.send(text);
    },
    close() {
      over = true;
      webSocket.close();
    },
  };
}
