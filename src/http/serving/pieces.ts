/**
 * Buffers that file bytes go through on their way to a socket. Large ones cost the least processor time a byte, but only a fast reader
 * is worth them, and there are so many in all.
 */

/** Bytes that one read brings at first, and at most. */
const LEAST_PIECE = 256 * 1024;
const MOST_PIECE = 4 * 1024 * 1024;
/** Bytes of all large buffers together. */
const MOST_MEMORY = 64 * 1024 * 1024;
/** A reader is fast if the system took each of so many pieces within so many milliseconds: more than fits into its buffers. */
const FAST_MS = 20;
const FAST_PIECES = 64;

/** All answers of the process share them. */
let taken = 0;
const spare: Buffer[] = [];

/** Two buffers in turn: one is filled while the other is written. */
export class Pieces {
  #size = LEAST_PIECE;
  #two: [Buffer, Buffer];
  #turn: 0 | 1 = 0;
  /** How many in a row went fast. */
  #fast = 0;

  constructor() {
    this.#two = [Buffer.allocUnsafeSlow(LEAST_PIECE), Buffer.allocUnsafeSlow(LEAST_PIECE)];
  }

  /** The one that is not being written. */
  next(): Buffer {
    this.#turn = this.#turn === 0 ? 1 : 0;
    return this.#two[this.#turn];
  }

  /** A piece was written in so many milliseconds. The other buffer may be in use. */
  wrote(ms: number): void {
    this.#fast = ms > FAST_MS ? 0 : this.#fast + 1;
    if (this.#fast < FAST_PIECES || this.#size === MOST_PIECE || taken + 2 * MOST_PIECE > MOST_MEMORY) return;
    taken += 2 * MOST_PIECE;
    this.#size = MOST_PIECE;
    const make = () => spare.pop() ?? Buffer.allocUnsafeSlow(MOST_PIECE);
    this.#two = [make(), make()];
  }

  /** Nothing uses them any more. */
  close(): void {
    if (this.#size !== MOST_PIECE) return;
    taken -= 2 * MOST_PIECE;
    // Of many readers who came at once two stay for the next one.
    for (const buffer of this.#two) if (spare.length < 2) spare.push(buffer);
    this.#size = LEAST_PIECE;
  }
}
