/** WebRTC for a program, by an optional package that is loaded when a page is at the other end, not before. */
import type { NodeTransport } from '../surroundings.ts';
import { boundedServer } from '../turn/bounds.ts';
import { nodePeerConnections } from './node.ts';
import { WEBRTC, WebRtcTransport } from './transport.ts';

const NO_WEBRTC =
  'The other side is a browser, and browsers cannot reach this side directly: the optional package node-datachannel is not ' +
  "installed here. Bytes go through the server's relay, if it has one.";

export const webrtc: NodeTransport = {
  ...WEBRTC,
  make: (around) =>
    new WebRtcTransport(around, {
      load: nodePeerConnections,
      forPagesOnly: true,
      turn: ({ services, url }) => services.turn && boundedServer(services.turn, new URL(url).hostname),
      onLack: () => around.onLack(NO_WEBRTC),
    }),
};
