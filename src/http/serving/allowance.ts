/**
 * For how long, and how often, what is served may be had. A download is one whole file or archive that one address has been given, in any
 * number of answers and ranges. A listing, a HEAD and a 304 are none.
 */

import type { ByteSpan } from './ranges.ts';

export interface AllowanceOptions {
  /** How many downloads there may be; undefined: any number. */
  downloads?: number | undefined;
  /** Milliseconds of the clock that `now` is of, from when on nothing more is begun; undefined: never. */
  expires?: number | undefined;
}

/** A download that was cut off keeps its place for so long, so that it can go on. */
const RESERVED_MS = 60_000;
/** Of files by addresses; the longest unused is forgotten first. */
const REMEMBERED = 10_000;
/** Pieces of one file at one address. More make no download: who asks for every other byte has other things in mind. */
const MOST_PIECES = 1_024;

interface Given {
  /** Bytes that were delivered: pieces that do not touch, in order. */
  pieces: ByteSpan[];
  /** Answers under way. */
  open: number;
  /** When the last one ended. */
  ended: number;
  /** It has had all of it: what it asks for next is another download. */
  whole: boolean;
}

export class Allowance {
  readonly #most: number;
  readonly #expires: number;
  readonly #given = new Map<string, Given>();
  #downloads = 0;

  constructor({ downloads = Infinity, expires = Infinity }: AllowanceOptions) {
    this.#most = downloads;
    this.#expires = expires;
  }

  /** Downloads so far. */
  get downloads(): number {
    return this.#downloads;
  }

  /** Nothing more is begun, whoever asks. */
  over(now: number): boolean {
    return now >= this.#expires || this.#downloads >= this.#most;
  }

  /**
   * An answer with bytes of a file begins. Of a bounded number, others may have taken all that are left.
   * @param what names the address, the file and its state
   * @returns tells that it has ended, and which bytes were delivered of how many; true: that was a whole download. Undefined: not now
   */
  begin(
    what: string,
    now: number,
  ): ((now: number, spans: readonly ByteSpan[], size: number) => boolean) | undefined {
    let given = this.#given.get(what);
    if (given?.whole && given.open === 0) {
      this.#given.delete(what);
      given = undefined;
    }
    if (!this.#reserved(given, now) && this.#downloads + this.#reservations(now) >= this.#most)
      return undefined;
    given ??= { pieces: [], open: 0, ended: now, whole: false };
    this.#remember(what, given);
    given.open++;
    const entry = given;
    return (at, spans, size) => {
      entry.open--;
      entry.ended = at;
      if (entry.whole) return false;
      for (const span of spans) add(entry.pieces, span);
      const [first] = entry.pieces;
      entry.whole = size === 0 || (first?.from === 0 && first.end >= size);
      if (entry.whole) this.#downloads++;
      return entry.whole;
    };
  }

  #reserved(given: Given | undefined, now: number): boolean {
    return given !== undefined && !given.whole && (given.open > 0 || given.ended > now - RESERVED_MS);
  }

  #reservations(now: number): number {
    // Without a bound nobody asks.
    if (this.#most === Infinity) return 0;
    let count = 0;
    for (const given of this.#given.values()) if (this.#reserved(given, now)) count++;
    return count;
  }

  #remember(what: string, given: Given): void {
    this.#given.delete(what);
    this.#given.set(what, given);
    for (const [other, { open }] of this.#given) {
      if (this.#given.size <= REMEMBERED) return;
      if (open === 0) this.#given.delete(other);
    }
  }
}

/** Puts one more piece among the others, and joins those that touch. */
function add(pieces: ByteSpan[], { from, end }: ByteSpan): void {
  if (from >= end) return;
  const first = pieces.findIndex((piece) => piece.end >= from);
  const start = first < 0 ? pieces.length : first;
  let after = start;
  const joined = { from, end };
  for (let piece = pieces[after]; piece && piece.from <= end; piece = pieces[++after]) {
    joined.from = Math.min(joined.from, piece.from);
    joined.end = Math.max(joined.end, piece.end);
  }
  pieces.splice(start, after - start, joined);
  if (pieces.length > MOST_PIECES) pieces.pop();
}
