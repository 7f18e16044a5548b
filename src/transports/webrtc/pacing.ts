/** How often a way that does not work is tried again: each try costs the rendezvous a few messages, and it allows only so many. */

/** Milliseconds after the first failure; each further one doubles it. */
const FIRST = 500;
const LONGEST = 3_600_000;

export class Pacing {
  #failures = 0;
  #failedAt = 0;
  /** `performance.now()` before which nothing is tried. */
  #next = 0;

  get ready(): boolean {
    return performance.now() >= this.#next;
  }

  /** Tries under way together that fail together are one failure. @param since `performance.now()` when this one began */
  failed(since: number): void {
    if (this.#failures > 0 && since < this.#failedAt) return;
    this.#failedAt = performance.now();
    this.#next = this.#failedAt + Math.min(LONGEST, FIRST * 2 ** this.#failures++);
  }

  /** It works, or what it depends on has changed. */
  reset(): void {
    this.#failures = 0;
    this.#next = 0;
  }
}
