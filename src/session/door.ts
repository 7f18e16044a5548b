/**
 * Whose pipes come in: those of the process that proved the secret last, until it says that it ends. A new process of
 * the same secret takes the old one's place, and is trusted no more and no less.
 */
import type { Pipe } from '../secure/pipe.ts';

/** Pipes that proved a certificate before the rendezvous told us whose is right. */
const MAX_EARLY = 8;

export class Door {
  #early: { pipe: Pipe; fingerprint: string }[] = [];
  #pin: string | undefined;
  #ended = false;

  /** The fingerprint of the peer's certificate; empty, which none has, until it is proven. */
  get pin(): string {
    return this.#pin ?? '';
  }

  /** The peer's process has said that it ends, and no other has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The owner of this certificate has proved the secret: for the first time, again, in place of another, or too late. */
  prove(fingerprint: string): 'first' | 'same' | 'new' | 'ended' {
    const before = this.#pin;
    if (before === fingerprint) return this.#ended ? 'ended' : 'same';
    this.#pin = fingerprint;
    this.#ended = false;
    return before === undefined ? 'first' : 'new';
  }

  /** The peer's process has said that it ends: a lane it opens now is of no use. */
  end(): void {
    this.#ended = true;
  }

  /** True for the peer's pipe. One that comes before the peer is known is kept for `early`; any other is closed. */
  admits(pipe: Pipe, fingerprint: string): boolean {
    if (this.#pin === fingerprint && !this.#ended) return true;
    if (this.#pin === undefined && this.#early.length < MAX_EARLY) this.#early.push({ pipe, fingerprint });
    else pipe.destroy();
    return false;
  }

  /** What came before the peer was known; the caller's from now on. */
  early(): { pipe: Pipe; fingerprint: string }[] {
    return this.#early.splice(0);
  }
}
