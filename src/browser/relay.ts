/** A page's lanes through the server's relay: its own WebSocket, and sealed, since a page has no TLS of its own. */

import { equalBytes } from '../base/bytes.ts';
import { fault } from '../base/errors.ts';
import type { Pipe } from '../secure/pipe.ts';
import { sealedClient, sealedServer } from '../secure/sealed/handshake.ts';
import type { LaneSecret } from '../secure/sealed/records.ts';
import { connector, RelayListener, RelayPath, withReason } from '../transports/relay/links.ts';
import { serviceUrl } from '../websocket/url.ts';
import type { RelaySeat } from '../wire/relay.ts';
import { RELAY_PATH } from '../wire/rendezvous.ts';
import { openRelayLink, type RelayLink, type WebSocketMaker } from './relay-link.ts';

export interface PageRelayOptions {
  /** As for `--server`. */
  server: string;
  /** The present one; undefined while this side has no place at the server, or waits for no guest in particular. */
  seat: () => RelaySeat | undefined;
  /** With the peer's half by its latest hello; undefined before the first. */
  secret: () => LaneSecret | undefined;
  /** Default: the page's own. */
  WebSocket?: WebSocketMaker;
}

export interface PageRelayListenerOptions extends PageRelayOptions {
  /** The peer of the latest hello proved itself on it; keep the pipe or destroy it. */
  onPipe: (pipe: Pipe) => void;
  /** Connections in use at once; default 8. */
  most?: number;
  log?: { debug(fields: object, message: string): void };
}

/** The receiver's end. @throws BeelineError USAGE for a malformed URL */
export function relayPath({ server, seat, secret, WebSocket }: PageRelayOptions): RelayPath {
  const secure = async (link: RelayLink, signal: AbortSignal) => {
    const shared = secret();
    if (shared) return sealedClient(link, shared, signal);
    link.destroy();
    throw fault('RELAY_NO_HELLO');
  };
  return new RelayPath({ url: server, seat, connect: connector(opener(server, WebSocket), secure) });
}

/** The sender's end. @throws BeelineError USAGE for a malformed URL */
export function relayListener(options: PageRelayListenerOptions): RelayListener {
  const { server, secret, WebSocket, onPipe, ...more } = options;
  const accept = async (link: RelayLink, signal: AbortSignal) => {
    let used: LaneSecret | undefined;
    const asked = () => {
      used = secret();
      return used;
    };
    const pipe = await sealedServer(link, asked, signal);
    // Another process of the peer's may have said hello meanwhile, and the owner takes the pipe for that one's.
    const now = secret();
    if (now && used && equalBytes(now.peer, used.peer)) onPipe(withReason(pipe, link));
    else pipe.destroy(fault('LANE_STRANGER', { what: 'it belongs to a peer that has gone' }));
  };
  return new RelayListener({ ...more, connect: connector(opener(server, WebSocket), accept) });
}

function opener(server: string, WebSocket?: WebSocketMaker) {
  const url = serviceUrl(server, RELAY_PATH);
  return (seat: RelaySeat, signal: AbortSignal) => openRelayLink(url, seat, signal, WebSocket);
}
