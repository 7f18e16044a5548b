/** How many wrong guesses at one secret are left. All who come share them: three strangers have no more tries than one. */
export class Guesses {
  /** So many wrong ones end it; infinite for a secret that nobody guesses. */
  readonly most: number;
  #tries = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** Nobody may try any more, not even the right one. */
  get burnt(): boolean {
    return this.#tries >= this.most;
  }

  /** Wrong ones so far. */
  get tries(): number {
    return this.#tries;
  }

  wrong(): void {
    this.#tries++;
  }
}
