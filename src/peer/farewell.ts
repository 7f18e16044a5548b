/** Behind the last message: lanes that close now are no loss. */

/** Milliseconds the sender waits for the receiver to hear that all is well. */
const LINGER = 5000;

export class Farewell {
  #said = false;
  #waiting: (() => void)[] = [];

  /** True once nothing that matters can be lost any more. */
  get said(): boolean {
    return this.#said;
  }

  say(): void {
    this.#said = true;
  }

  /** Resolves when the other side has closed its lanes, or had time enough to. */
  async wait(): Promise<void> {
    this.say();
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      timer = setTimeout(resolve, LINGER);
    });
    clearTimeout(timer);
  }

  /** The last lane has closed, or the session has ended. */
  over(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
