/** Browsers with less WebRTC, for `prepare`. */

/** Its owner has switched it off. */
export const NO_WEBRTC = `
for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'RTCDataChannel']) delete globalThis[name];
`;

/** Its network lets out no UDP: connections are made, and find no candidate. */
export const NO_CANDIDATES = `
const Native = RTCPeerConnection;
globalThis.RTCPeerConnection = class extends Native {
  constructor(configuration) {
    super({ ...configuration, iceServers: [], iceTransportPolicy: 'relay' });
  }
};
`;
