/**
 * A connection that is opened while the two sides still prove their secret to each other: then the first lane takes no round trip of
 * its own. What it goes to is the port at which the sender is met. Nothing is said on it, or read of it, before the peer's
 * certificate is known and found there.
 */
import type { SecureContext } from 'node:tls';
import { onAbort } from '../../base/clock.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { dialUnpinned, type Unpinned } from './dial.ts';

export class Ahead {
  readonly #name: string;
  readonly #control = new AbortController();
  readonly #opening: Promise<Unpinned>;
  #open = false;
  #taken = false;

  constructor(to: Address, context: SecureContext) {
    this.#name = formatAddress(to);
    this.#opening = dialUnpinned(to, context, this.#control.signal);
    this.#opening.then(
      () => {
        this.#open = true;
      },
      // That it did not open is told to whoever takes it.
      () => {},
    );
  }

  /** It is open to this address, and nobody has taken it. */
  opened(to: Address): boolean {
    return this.#open && !this.#taken && formatAddress(to) === this.#name;
  }

  /**
   * The lane, if it is one to this address, and nobody has taken it.
   * @throws as `dial`
   */
  take(to: Address, pin: string, signal: AbortSignal): Promise<Pipe> | undefined {
    if (this.#taken || formatAddress(to) !== this.#name) return undefined;
    this.#taken = true;
    const forget = onAbort(signal, () => this.#control.abort());
    return this.#opening.then((unpinned) => unpinned.pinned(pin)).finally(forget);
  }

  /** Closes it, unless it was taken. */
  close(): void {
    if (this.#taken) return;
    this.#taken = true;
    this.#control.abort();
    this.#opening.then(
      (unpinned) => unpinned.close(),
      () => {},
    );
  }
}
