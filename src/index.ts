/**
 * Beeline as a library: `send` and `receive`, their events and errors. A server to meet at is `beeline/server`.
 * @module
 */
export { type Device, KnownDevices } from './identity/devices.ts';
export type {
  CommonOptions,
  Logger,
  OfferSummary,
  Overwrite,
  ReceiveOptions,
  Result,
  SendOptions,
  State,
  Transfer,
  TransferEvent,
  What,
} from './peer/api.ts';
export { advise } from './peer/doctor/advise.ts';
export { type DiagnoseOptions, diagnose } from './peer/doctor/diagnose.ts';
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
} from './peer/doctor/diagnosis.ts';
export { receive } from './peer/receive.ts';
export { send } from './peer/send.ts';
export {
  type Discarded,
  discard,
  type Unfinished,
  type UnfinishedTransfer,
  unfinished,
} from './peer/unfinished.ts';
export { type Note, type Problem, type Verification, type VerifyOptions, verify } from './peer/verify.ts';
export { BeelineError, type ErrorCode } from './protocol/errors.ts';
