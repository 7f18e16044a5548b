/**
 * Beeline as a library: `send` and `receive`, their events and errors. `@beeline-transfer/beeline/server` runs a server to meet at.
 * `@beeline-transfer/beeline/transports` has the types for transports of your own, `@beeline-transfer/beeline/stores` those for stores
 * of your own.
 * @module
 */

export { BeelineError, type ErrorCode, type Reason, type ReasonValues } from './base/errors.ts';
export type { AccessWay } from './http/serving/access.ts';
export type { DownloadEvent, ServingCounts } from './http/serving/records.ts';
export { type Device, type InboxRules, KnownDevices } from './identity/devices.ts';
export type {
  CommonOptions,
  DownloadOptions,
  Logger,
  OfferSummary,
  Overwrite,
  ReceiveOptions,
  ReceiverResult,
  Remote,
  Result,
  SendItem,
  SendOptions,
  State,
  Transfer,
  TransferEvent,
  What,
} from './node/api.ts';
export { advise } from './node/doctor/advise.ts';
export { type DiagnoseOptions, diagnose } from './node/doctor/diagnose.ts';
export type {
  Check,
  CheckName,
  Diagnosis,
  Facts,
  Failure,
  Filtering,
  LocalAddress,
  Mapping,
  NatFacts,
  Scope,
} from './node/doctor/diagnosis.ts';
export { download } from './node/download.ts';
export {
  type Discarded,
  discard,
  type Stoppable,
  type Unfinished,
  type UnfinishedTransfer,
  unfinished,
} from './node/files/unfinished.ts';
export { type Inbox, type InboxEvent, type ListenOptions, listen } from './node/inbox.ts';
export {
  type Delivering,
  type DeliverOptions,
  deliver,
  type OutboxEvent,
  type OutboxItem,
  type OutboxOptions,
  OutboxStore,
} from './node/outbox.ts';
export { receive } from './node/receive.ts';
export { send } from './node/send.ts';
export { type RunningServe, type ServeEnd, type ServeOptions, serve } from './node/serve.ts';
export { type Note, type Problem, type Verification, type VerifyOptions, verify } from './node/verify.ts';
export { DeliveryError } from './session/delivery.ts';
