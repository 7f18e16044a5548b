/**
 * The peer's process, known by its certificate. Only its pipes are let in, from its proof of the secret until it says that it
 * ends. A new process with the same secret takes its place, and is trusted as much.
 */
export class PinnedProcess {
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

  /** Whether a pipe that proved this certificate is let in. */
  admits(fingerprint: string): boolean {
    return this.#fingerprint === fingerprint && !this.#ended;
  }
}
