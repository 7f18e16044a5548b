/** Tokens, and whose place at which mailbox each proves: what a client shows to take a place back or to be relayed. */
import { randomBytes } from 'node:crypto';

export type Side = 'host' | 'guest';

/** @typeParam M the mailbox */
export interface Place<M> {
  readonly mailbox: M;
  readonly side: Side;
}

export class Places<M> {
  // Looked up by hash: how long that takes says nothing about how much of a guessed token is right.
  readonly #places = new Map<string, Place<M>>();
  /** Somebody has left the place or taken it anew: whatever else waits in its name must not wait on. */
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

  /** The token proves nothing any more; whoever has another one for the place is left alone. */
  withdraw(token: string): void {
    this.#places.delete(token);
  }
}
