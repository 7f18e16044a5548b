/** Who made a state change, why, and how that is told. */

import type { BeelineError, ErrorCode } from '../base/errors.ts';
import type { Lane } from '../lanes/lane.ts';
import type { State } from '../sync/machine.ts';
import type { Result, TransferEvent } from './api.ts';

export interface Cause {
  by?: 'self' | 'peer';
  error?: BeelineError | undefined;
  /** Why, if it is no error. Of an error its own text counts, and its own code. */
  reason?: string;
  code?: ErrorCode;
  /** Set if the end is a success. */
  result?: Result;
}

export function stateEvent(from: State, to: State, cause: Cause): TransferEvent {
  const { by, error, reason = error?.message, code = error?.code } = cause;
  const why = { ...(code && { code }), ...(reason && { reason }) };
  return { event: 'state', from, to, ...(by && { by }), ...why };
}

/** For an error about one path, or about all, after which the transfer goes on. @param peer as of `laneEvent` */
export function warningEvent(error: BeelineError, path?: string, peer?: number): TransferEvent {
  const { code, reason, message, values = {} } = error;
  const filled = Object.keys(values).length > 0 && { values };
  const about = { ...(reason && { reason }), message, ...filled, ...(path && { path }) };
  return { event: 'warning', ...(peer !== undefined && { peer }), code, ...about };
}

/** @param peer if it is not the peer of the session that tells it */
export function laneEvent(
  lane: Lane,
  status: 'open' | 'closed',
  error?: Error,
  peer?: number,
): TransferEvent {
  const { id, kind, local, remote, relayed } = lane;
  const bytes = status === 'closed' && { bytes: lane.carried };
  return {
    event: 'lane',
    ...(peer !== undefined && { peer }),
    id,
    kind,
    local,
    remote,
    status,
    ...(relayed && { relayed }),
    ...bytes,
    ...(error && { reason: error.message }),
  };
}
