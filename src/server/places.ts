/** Tokens, and whose place at which mailbox each proves: what a client shows to take a place back or to be relayed. */
import { createHash, randomBytes } from 'node:crypto';
import type { MeetingStore, Place } from './meeting-store.ts';

/**
 * What is kept of a token. How long looking it up takes says nothing about how much of a guessed token is right, and who reads a store
 * cannot take a place.
 */
export function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 32);
}

export class Places {
  /** Those of mailboxes that live here, by the keys of their tokens. */
  readonly #places = new Map<string, Place>();
  readonly #store: MeetingStore;
  #moving = false;
  /** The place was left or taken anew: connections that wait with its token must end. */
  onVacated: (place: Place) => void = () => {};

  constructor(store: MeetingStore) {
    this.#store = store;
  }

  get size(): number {
    return this.#places.size;
  }

  /** 128 random bits in hex. */
  issue(place: Place): { token: string; key: string } {
    const token = randomBytes(16).toString('hex');
    const key = keyOf(token);
    this.set(key, place);
    return { token, key };
  }

  set(key: string, place: Place): void {
    this.#places.set(key, place);
    this.#store.remember(key, place);
  }

  of(token: string | undefined): Place | undefined {
    return token === undefined ? undefined : this.#places.get(keyOf(token));
  }

  /** The place has another connection now; its token stays. */
  vacate(key: string): void {
    const place = this.#places.get(key);
    if (place) this.onVacated(place);
  }

  revoke(key: string): void {
    this.vacate(key);
    this.withdraw(key);
  }

  /** The token proves nothing any more. Another token for the place stays good. */
  withdraw(key: string): void {
    this.#places.delete(key);
    if (!this.#moving) this.#store.forget(key);
  }

  /** What ends meanwhile ends here only: it has another home. */
  whileMoved(act: () => void): void {
    this.#moving = true;
    try {
      act();
    } finally {
      this.#moving = false;
    }
  }

  get moving(): boolean {
    return this.#moving;
  }

  /** For a store that may have forgotten it. */
  repeat(key: string): void {
    const place = this.#places.get(key);
    if (place) this.#store.remember(key, place);
  }
}
