/** Who made a state change, why, and how that is told. */

import type { BeelineError } from '../base/errors.ts';
import type { Lane } from '../lanes/lane.ts';
import type { State } from '../sync/machine.ts';
import type { Result, TransferEvent } from './api.ts';

export interface Cause {
  by?: 'self' | 'peer';
  error?: BeelineError | undefined;
  /** Why, if it is no error. Of an error its own text counts. */
  reason?: string;
  /** Set if the end is a success. */
  result?: Result;
}

export function stateEvent(from: State, to: State, { by, error, reason }: Cause): TransferEvent {
  const why = reason ?? error?.message;
  return { event: 'state', from, to, ...(by && { by }), ...(why && { reason: why }) };
}

/** For an error about one path, or about all, after which the transfer goes on. */
export function warningEvent({ code, reason, message }: BeelineError, path?: string): TransferEvent {
  return { event: 'warning', code, ...(reason && { reason }), message, ...(path && { path }) };
}

export function laneEvent(lane: Lane, status: 'open' | 'closed', error?: Error): TransferEvent {
  const { id, kind, local, remote, relayed } = lane;
  const bytes = status === 'closed' && { bytes: lane.carried };
  return {
    event: 'lane',
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
