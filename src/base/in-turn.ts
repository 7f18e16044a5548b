/** Work that is done one after the other, in the order in which it is asked for. What one fails with holds up none after it. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => T | PromiseLike<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves once all that was asked for so far is over. */
  async over(): Promise<void> {
    await this.#last;
  }
}
