/** One WebSocket at the relay: it shows a token, waits for the other side's, and is then half of a pair. */
import type { WebSocket } from 'ws';
import { CLOSE, closeReason } from '../wire/relay.ts';
import type { Mailbox } from './mailbox.ts';
import type { Place } from './places.ts';

/** Milliseconds for one that was refused to read why. */
const REFUSED_MS = 2_000;

export class RelaySocket {
  readonly webSocket: WebSocket;
  /** The address key that it counts under. */
  readonly key: string;
  readonly since: number;
  readonly closed: Promise<void>;
  /** Whose it is; undefined until it has shown a token. */
  place: Place<Mailbox> | undefined;
  /** Bytes of memory that what waits to go out to it takes. */
  queued = 0;
  // Counted, not timed: a server that was suspended itself must not cut everyone off when it wakes.
  #unanswered = 0;

  constructor(webSocket: WebSocket, key: string, now: number) {
    this.webSocket = webSocket;
    this.key = key;
    this.since = now;
    this.closed = new Promise((resolve) => webSocket.once('close', () => resolve()));
    // The 'close' that always follows does the work.
    webSocket.on('error', () => {});
    webSocket.on('pong', () => {
      this.#unanswered = 0;
    });
  }

  get open(): boolean {
    return this.webSocket.readyState === this.webSocket.OPEN;
  }

  /** Closes once what is queued has gone out, within the half minute that ws gives a closing handshake. */
  end(code: number, reason = ''): void {
    // The other end's closing frame is read only by one that reads.
    this.webSocket.resume();
    this.webSocket.close(code, closeReason(reason));
  }

  terminate(): void {
    this.webSocket.terminate();
  }

  /** While it waits: pings, or ends a connection that has answered none for `deadline`. Both in milliseconds. */
  ping(tick: number, deadline: number): void {
    if (this.#unanswered * tick >= deadline) return this.terminate();
    this.#unanswered++;
    if (this.open) this.webSocket.ping();
  }

  /** Closes, and waits for the other end's closing frame for a moment only: nothing of a peer's is queued to it. */
  refuse(reason: string, code: number = CLOSE.policy): void {
    this.end(code, reason);
    setTimeout(() => this.terminate(), REFUSED_MS).unref();
  }
}
