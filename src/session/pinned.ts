/**
 * The peer's process, known by its certificate: its pipes alone come in, from when it has proved the secret until it says that it
 * ends. A new process of the same secret takes the old one's place, and is trusted no more and no less.
 */
import type { Pipe } from '../secure/pipe.ts';

/** Pipes that proved a certificate before the rendezvous told us whose is right. */
const MAX_EARLY = 8;

export class PinnedProcess {
  #early: { pipe: Pipe; fingerprint: string }[] = [];
  #fingerprint: string | undefined;
  #ended = false;

  /** Of its certificate; empty, which none has, until it is proven. */
  get fingerprint(): string {
    return this.#fingerprint ?? '';
  }

  /** It has said that it ends, and no other has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The owner of this certificate has proved the secret: for the first time, again, in place of another, or too late. */
  prove(fingerprint: string): 'first' | 'same' | 'new' | 'ended' {
    const before = this.#fingerprint;
    if (before === fingerprint) return this.#ended ? 'ended' : 'same';
    this.#fingerprint = fingerprint;
    this.#ended = false;
    return before === undefined ? 'first' : 'new';
  }

  /** It has said that it ends: a lane it opens now is of no use. */
  end(): void {
    this.#ended = true;
  }

  /** True for its pipe. One that comes before it is known is kept for `early`; any other is closed. */
  admits(pipe: Pipe, fingerprint: string): boolean {
    if (this.#fingerprint === fingerprint && !this.#ended) return true;
    if (this.#fingerprint === undefined && this.#early.length < MAX_EARLY)
      this.#early.push({ pipe, fingerprint });
    else pipe.destroy();
    return false;
  }

  /** What came before it was known; the caller's from now on. */
  early(): { pipe: Pipe; fingerprint: string }[] {
    return this.#early.splice(0);
  }
}
