/** For `prepare`: a browser whose owner has switched WebRTC off. */
export const NO_WEBRTC = `
for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'RTCDataChannel']) delete globalThis[name];
`;
