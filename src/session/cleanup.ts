/** What a session holds and gives back at its end, in reverse order, whatever the end is. */
type Release = () => void | Promise<void>;

export class Cleanup {
  readonly #releases: Release[] = [];
  readonly #onError: (thrown: unknown) => void;
  #ran = false;

  constructor(onError: (thrown: unknown) => void) {
    this.#onError = onError;
  }

  /** Opening takes time, and the session may have ended meanwhile: what comes too late is released at once. */
  push(release: Release): void {
    if (this.#ran) void this.#release(release);
    else this.#releases.push(release);
  }

  async run(): Promise<void> {
    this.#ran = true;
    for (const release of this.#releases.splice(0).reverse()) await this.#release(release);
  }

  async #release(release: Release): Promise<void> {
    try {
      await release();
    } catch (thrown) {
      this.#onError(thrown);
    }
  }
}
