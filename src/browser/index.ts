/**
 * Beeline in a browser: `send` and `receive` for a page, and functions that list, save and delete received files. The protocol, the
 * engine and the session are the command's. They run on File, OPFS, WebSocket and RTCPeerConnection.
 * @module
 */

export { BeelineError, type ErrorCode, type Reason } from '../base/errors.ts';
export { escapeName } from '../base/printable.ts';
export { type Code, codeIn, formatCode, parseCode } from '../identity/code.ts';
export { type Doubt, describeDoubt, doubtAbout } from '../identity/doubt.ts';
export type { OfferSummary, ReceiverResult, Result, State, Transfer, TransferEvent } from '../session/api.ts';
export { formatBytes, formatDuration, formatRate } from '../session/format.ts';
export { CHOSEN, isOfOther } from '../session/meaning.ts';
export type { BrowserOptions, Item, ReceiveInto, Reception } from './api.ts';
export { abilities, type PageAbilities } from './files/abilities.ts';
export { saveAsDownloads } from './files/download.ts';
export { itemsOfDrop, itemsOfInput } from './files/items.ts';
export { type Kept, type KeptFile, keptTransfers } from './files/kept.ts';
export { saveToFolder } from './files/save.ts';
export { useWorkers, type Workers } from './files/workers.ts';
export { type BrowserReceiveOptions, receive } from './receive.ts';
export { type BrowserSendOptions, send } from './send.ts';
