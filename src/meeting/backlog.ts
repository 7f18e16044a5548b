/** Texts waiting for a connection to come back: bounded, the oldest go first. */
import { MAX_SIGNAL } from '../base/limits.ts';

const MOST_TEXTS = 64;
/** In UTF-16 units. */
const MOST_LENGTH = 16 * MAX_SIGNAL;

export class Backlog {
  #texts: string[] = [];
  #length = 0;

  add(text: string): void {
    this.#texts.push(text);
    this.#length += text.length;
    while (this.#texts.length > MOST_TEXTS || this.#length > MOST_LENGTH)
      this.#length -= this.#texts.shift()!.length;
  }

  /** Empties it. */
  take(): string[] {
    const texts = this.#texts;
    this.#texts = [];
    this.#length = 0;
    return texts;
  }
}
