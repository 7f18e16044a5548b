/** Tokens, and whose place at which mailbox each proves: what a client shows to take a place back or to be relayed. */
import { randomBytes } from 'node:crypto';

export type Side = 'host' | 'guest';

/** @typeParam M the mailbox */
export interface Place<M> {
  readonly mailbox: M;
  readonly side: Side;
  /** Its number at the mailbox; 0 for the host. */
  readonly guest: number;
}

export class Places<M> {
  // Looked up by hash: how long that takes says nothing about how much of a guessed token is right.
  readonly #places = new Map<string, Place<M>>();
  /** The place was left or taken anew: connections that wait with its token must end. */
  onVacated: (place: Place<M>) => void = () => {};

  get size(): number {
    return this.#places.size;
  }

  /** 128 random bits in hex. */
  issue(place: Place<M>): string {
    const token = randomBytes(16).toString('hex');
    this.#places.set(token, place);
    return token;
  }

  of(token: string | undefined): Place<M> | undefined {
    return token === undefined ? undefined : this.#places.get(token);
  }

  /** The place has another connection now; its token stays. */
  vacate(token: string): void {
    const place = this.#places.get(token);
    if (place) this.onVacated(place);
  }

  revoke(token: string): void {
    this.vacate(token);
    this.withdraw(token);
  }

  /** The token proves nothing any more. Another token for the place stays good. */
  withdraw(token: string): void {
    this.#places.delete(token);
  }
}
