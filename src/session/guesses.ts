/** How many wrong guesses at one secret are left. All who come share them: three strangers have no more tries than one. */
export class Guesses {
  #left: number;

  /** @param most wrong guesses that end it; infinite for a secret that nobody guesses */
  constructor(most: number) {
    this.#left = most;
  }

  /** Nobody may try any more, not even the right one. */
  get burnt(): boolean {
    return this.#left <= 0;
  }

  get left(): number {
    return this.#left;
  }

  wrong(): void {
    this.#left--;
  }
}
