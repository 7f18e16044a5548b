/** WebRTC for a program, by an optional package that is loaded when a page is at the other end, not before. */
import { fault } from '../../base/errors.ts';
import type { NodeTransport } from '../surroundings.ts';
import { boundedServer } from '../turn/server.ts';
import { nodePeerConnections } from './node.ts';
import { WEBRTC, WebRtcTransport } from './transport.ts';

export const webrtc: NodeTransport = {
  ...WEBRTC,
  make: (around) =>
    new WebRtcTransport(around, {
      load: nodePeerConnections,
      forPagesOnly: true,
      turn: ({ services, url }) => services.turn && boundedServer(services.turn, new URL(url).hostname),
      onLack: () => around.onLack(fault('WEBRTC_NOT_INSTALLED')),
    }),
};
