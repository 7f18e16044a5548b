/**
 * A WebSocket that a client has opened here, at a meeting or at the relay: read within bounds, and dead when it answers no
 * ping. Honest browsers cut a message as their pipes happen to fill: Chromium sends one of 128 KiB in dozens of fragments.
 * What each fragment may cost is bounded instead: it keeps the read that it came in alive, so that no other frames may fill
 * that read.
 */
import type { WebSocket } from 'ws';
import { TokenBucket } from '../base/bucket.ts';
import { CLOSE, closeReason } from '../wire/relay.ts';

export const WEB_SOCKET_OPTIONS = {
  noServer: true,
  clientTracking: false,
  // Compression would cost memory per connection and gain nothing on sealed bodies.
  perMessageDeflate: false,
  skipUTF8Validation: false,
  // Of one message. A fragment costs some 400 bytes beside its own; the largest message has 256 bytes for each of these.
  maxFragments: 512,
  // As many reads as the largest message takes in the smallest segments, and more.
  maxBufferedChunks: 1024,
} as const;

/** Pings and pongs of a client: one a second, and so many at once. It has one ping in ten seconds to answer. */
const CONTROL_PER_SECOND = 1;
const CONTROL_BURST = 32;

/** Milliseconds for a closing handshake, and for one that was refused to read why. */
const CLOSING_MS = 2_000;

export class ClientSocket {
  readonly webSocket: WebSocket;
  readonly closed: Promise<void>;
  // Counted, not timed: a server that was suspended itself must not cut everyone off when it wakes.
  #unanswered = 0;

  constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    this.closed = new Promise((resolve) => webSocket.once('close', () => resolve()));
    // The 'close' that always follows does the work; ws itself answers oversized frames and bad UTF-8.
    webSocket.on('error', () => {});
    const answered = () => {
      this.#unanswered = 0;
    };
    webSocket.on('pong', answered);
    webSocket.on('message', answered);
    const rate = new TokenBucket(CONTROL_PER_SECOND, CONTROL_BURST);
    const count = () => {
      if (rate.take()) return;
      webSocket.off('ping', count);
      webSocket.off('pong', count);
      this.refuse('Too many pings or pongs.');
      // Otherwise everything that it still sends would be read until it closes.
      webSocket.pause();
    };
    webSocket.on('ping', count);
    webSocket.on('pong', count);
  }

  get open(): boolean {
    return this.webSocket.readyState === this.webSocket.OPEN;
  }

  /** Pings, or ends a connection that has answered none for `deadline`. Called every `tick`; both in milliseconds. */
  ping(tick: number, deadline: number): void {
    if (this.#unanswered * tick >= deadline) return this.terminate();
    this.#unanswered++;
    if (this.open) this.webSocket.ping();
  }

  /** Closes once what is queued has gone out, within the half minute that ws gives a closing handshake. */
  end(code: number, reason = ''): void {
    // The other end's closing frame is seen only if this end reads.
    this.webSocket.resume();
    this.webSocket.close(code, closeReason(reason));
  }

  /** Closes, and waits for the other end's closing frame for a moment only. */
  refuse(reason: string, code: number = CLOSE.policy): void {
    this.end(code, reason);
    setTimeout(() => this.terminate(), CLOSING_MS).unref();
  }

  terminate(): void {
    this.webSocket.terminate();
  }
}
