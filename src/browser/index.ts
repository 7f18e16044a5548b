/**
 * Beeline in a browser: `send` and `receive` for a page, and functions that list, save and delete received files. The protocol, the
 * engine and the session are the command's. They run on File, OPFS, WebSocket and RTCPeerConnection.
 * @module
 */

export { completionOf } from '../identity/completion.ts';
export { describeDoubt, doubtAbout, lacksNumber } from '../identity/doubt.ts';
export { forgetAccepted, isAccepted, rememberAccepted } from './accepted.ts';
export { abilities } from './files/abilities.ts';
export { saveAsDownloads } from './files/download.ts';
export { keptTransfers } from './files/kept.ts';
export { saveToFolder } from './files/save.ts';
export { useWorkers } from './files/workers.ts';
export * from './light.ts';
export { newPair, remember } from './people/keys.ts';
export { nearName, ownNearName, showNear } from './people/near.ts';
export { watchDevices } from './people/watch.ts';
export { receive } from './receive.ts';
export { send } from './send.ts';
