/**
 * How WebSockets are read here. Honest browsers cut a message as their pipes happen to fill: Chromium sends one of 128 KiB in
 * dozens of fragments. What each fragment may cost is bounded instead: it keeps the read that it came in alive, so that no
 * other frames may fill that read.
 */
import type { WebSocket } from 'ws';
import { TokenBucket } from '../base/bucket.ts';

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
const POLICY_VIOLATION = 1008;
/** Milliseconds for the closing frame to reach a client that is read no further. */
const CLOSING_MS = 2_000;

/** Ends a connection whose client floods it with pings or pongs. */
export function boundControlFrames(webSocket: WebSocket): void {
  const rate = new TokenBucket(CONTROL_PER_SECOND, CONTROL_BURST);
  const count = () => {
    if (rate.take()) return;
    webSocket.off('ping', count);
    webSocket.off('pong', count);
    webSocket.close(POLICY_VIOLATION, 'Too many pings or pongs.');
    // Else what it sends on would be read until it closes.
    webSocket.pause();
    setTimeout(() => webSocket.terminate(), CLOSING_MS).unref();
  };
  webSocket.on('ping', count);
  webSocket.on('pong', count);
}
