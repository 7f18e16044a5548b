/**
 * The part of `index.ts` that a page needs for its first picture: codes as text, what was chosen or dropped, words for
 * numbers, and all types. It has no cryptography, no session and no word list, so that a page can load those a moment later.
 */
export { BeelineError, type ErrorCode, type Reason, type ReasonValues } from '../base/errors.ts';
export { escapeName } from '../base/printable.ts';
export { type Code, codeIn, formatCode, linkIn, parseCode } from '../identity/code.ts';
export type { Completion } from '../identity/completion.ts';
export { MOST_DEVICE_NAME } from '../identity/device-name.ts';
export type { Doubt } from '../identity/doubt.ts';
export type { OfferSummary, ReceiverResult, Result, State, Transfer, TransferEvent } from '../session/api.ts';
export { formatBytes, formatDuration, formatRate } from '../session/format.ts';
export { CHOSEN, isOfOther } from '../session/meaning.ts';
export type { NearDevice } from '../wire/near.ts';
export type { BrowserOptions, Item, ReceiveInto, Reception } from './api.ts';
export type { PageAbilities } from './files/abilities.ts';
export { itemsOfDrop, itemsOfInput } from './files/items.ts';
export type { Kept, KeptFile } from './files/kept.ts';
export type { Workers } from './files/workers.ts';
export {
  changePageDevice,
  forgetPageDevice,
  type PageDevice,
  type PageDeviceKind,
  pageDevices,
} from './people/devices.ts';
export type { OwnPair } from './people/keys.ts';
export type { BrowserReceiveOptions } from './receive.ts';
export type { BrowserSendOptions } from './send.ts';
