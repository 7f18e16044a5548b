/** What an allocation is asked for with, and what it gives. */
import type { SecureContext } from 'node:tls';
import type { BeelineError } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { Address } from '../../wire/candidate.ts';
import type { TurnServer } from '../../wire/rendezvous.ts';

export interface TurnOptions {
  server: TurnServer;
  /** The host of the rendezvous server that named it, which bounds where this side goes. */
  rendezvous: string;
  /** This session's certificate, for the TLS with the peer. */
  context: SecureContext;
  /** A peer connected and proved to hold the certificate with this fingerprint; keep the pipe or destroy it. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** The allocation is gone, and nobody can connect by it any more; once, and not after `close`. */
  onLost: (error: BeelineError) => void;
  log?: { debug(fields: object, message: string): void };
  /** Like `close`. */
  signal: AbortSignal;
  /** Milliseconds; other than TIMING in tests. */
  timing?: Partial<TurnTiming>;
}

export interface TurnTiming {
  /** For each answer of the server, and each connection to it. */
  answer: number;
  /** Between two renewals of permissions. */
  renew: number;
  /** At most, between two refreshes: else at half of what the server grants. */
  refresh: number;
  /** For the server's word that it has ended the allocation. */
  close: number;
}

const MINUTE = 60_000;

export const TIMING: Readonly<TurnTiming> = {
  answer: LANE_OPEN_DEADLINE,
  renew: 4 * MINUTE,
  refresh: 30 * MINUTE,
  close: 2_000,
};

export interface TurnAllocation {
  /** At the server: what the peer dials. */
  readonly relayed: Address;
  /** This side as the server sees it. */
  readonly mapped: Address;
  /**
   * Lets connections from these IP addresses come, besides those permitted before, until `close`: the first 16 of the
   * relayed address's family. Resolves once the server has answered for each; those that it refuses are only logged.
   */
  permit(hosts: string[]): Promise<void>;
  /** Asks the server now whether it still stands; `onLost` if it says no, or nothing for 10 seconds. */
  check(): void;
  /** Ends it, and all that came by it. */
  close(): Promise<void>;
}
