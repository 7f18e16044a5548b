/**
 * What happened since the server started, in numbers. Their labels are words of ours: nothing that a stranger sends makes a new
 * one, so that whoever keeps these numbers keeps a known number of them.
 */
import type { ErrorCode } from '../base/error-codes.ts';
import type { BeelineError } from '../base/errors.ts';
import { REASONS } from '../base/reasons.ts';
import { CLOSE } from '../wire/relay.ts';
import type { SeatMessage } from '../wire/watch.ts';

/** What clients say at the rendezvous. */
export type SaidType = SeatMessage['t'];

/** Where somebody was refused: asking for a WebSocket, at the rendezvous, or at the relay. */
export type RefusedAt = 'upgrade' | 'rendezvous' | 'relay';

export interface Refusals {
  at: RefusedAt;
  /** Of the error; of the relay, why it closes; of an upgrade, the HTTP status. */
  code: string;
  /** Of the error; empty where it has none. */
  reason: string;
  count: number;
}

export class Tally {
  /** Nameplates that were given out. */
  meetings = 0;
  readonly said: Record<SaidType, number> = {
    host: 0,
    join: 0,
    watch: 0,
    near: 0,
    call: 0,
    send: 0,
    drop: 0,
    keep: 0,
    leave: 0,
  };
  /** Pairs that began to carry. */
  relayPairs = 0;
  turnCredentials = 0;
  readonly stun = { udp: 0, tcp: 0 };
  readonly #refusals = new Map<string, Refusals>();

  get refusals(): readonly Readonly<Refusals>[] {
    return [...this.#refusals.values()];
  }

  refusedAtRendezvous({ code, reason }: BeelineError): void {
    this.#refused(
      'rendezvous',
      code satisfies ErrorCode,
      reason !== undefined && reason in REASONS ? reason : '',
    );
  }

  refusedAtRelay(close: number): void {
    const name = Object.entries(CLOSE).find(([, code]) => code === close)?.[0];
    this.#refused('relay', name ?? 'other', '');
  }

  /** @param status one of those that this server answers with */
  refusedUpgrade(status: number): void {
    this.#refused('upgrade', String(status), '');
  }

  #refused(at: RefusedAt, code: string, reason: string): void {
    const key = `${at} ${code} ${reason}`;
    const found = this.#refusals.get(key) ?? { at, code, reason, count: 0 };
    found.count++;
    this.#refusals.set(key, found);
  }
}
