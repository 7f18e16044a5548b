/**
 * What is pressed before it can be done, because what does it is still on its way: one thing at a time, and forgotten once what it
 * was pressed for has changed or is gone. A code that is tried twice, or that the person has just corrected, may be burned. Pure.
 */

/** Calls one of the two, at once or later. */
type Wait<T> = (use: (there: T) => void, fail: (thrown: unknown) => void) => void;

export class Press<T> {
  readonly #wait: Wait<T>;
  readonly #tell: (busy: boolean) => void;
  #token: symbol | undefined;

  /** @param tell whether it waits */
  constructor(wait: Wait<T>, tell: (busy: boolean) => void) {
    this.#wait = wait;
    this.#tell = tell;
  }

  /** Does nothing while an earlier press waits. */
  begin(use: (there: T) => void, fail: (thrown: unknown) => void): void {
    if (this.#token !== undefined) return;
    const token = Symbol();
    this.#token = token;
    const once =
      <V>(then: (value: V) => void) =>
      (value: V) => {
        if (this.#token !== token) return;
        this.forget();
        then(value);
      };
    this.#wait(once(use), once(fail));
    if (this.#token === token) this.#tell(true);
  }

  /** What was pressed is not to happen any more. */
  forget(): void {
    if (this.#token === undefined) return;
    this.#token = undefined;
    this.#tell(false);
  }
}
