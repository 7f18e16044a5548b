/**
 * What is missing of files, as pieces that connections take one at a time. One that has nothing to do takes a part of what another one
 * still has before it, so much that both are done together. Pure.
 */

/** Bytes of one file, from `at` to before `end`. */
export interface Stretch {
  readonly file: number;
  at: number;
  end: number;
  /** Bytes a second that come; 0 before that is known. */
  rate: number;
}

/** Bytes for which a request of their own always pays, and seconds for which one pays whatever their number. */
const WORTH = 2 * 1024 * 1024;
const WORTH_S = 2;

export class Stretches {
  /** By file, and in the order of their bytes. */
  #waiting: Stretch[];
  readonly #taken = new Set<Stretch>();
  /** Stretches are cut at multiples of this. */
  readonly #unit: number;

  constructor(missing: Iterable<Pick<Stretch, 'file' | 'at' | 'end'>>, unit: number) {
    this.#unit = unit;
    this.#waiting = Array.from(missing, ({ file, at, end }) => ({ file, at, end, rate: 0 }));
  }

  /** The file that one more could do something of, of those that it may have. @param rate as of `take` */
  next(rate: number, may: (file: number) => boolean): number | undefined {
    return (this.#waiting.find(({ file }) => may(file)) ?? this.#divisible(rate, may))?.file;
  }

  /** Whether somebody is at work on a file. */
  busy(file: number): boolean {
    for (const piece of this.#taken) if (piece.file === file) return true;
    return false;
  }

  /** @param rate bytes a second that whoever takes it has brought so far; 0 if that is not known */
  take(rate: number, may: (file: number) => boolean): Stretch | undefined {
    const index = this.#waiting.findIndex(({ file }) => may(file));
    const piece = index < 0 ? this.#cut(rate, may) : this.#waiting.splice(index, 1)[0];
    if (piece) this.#taken.add(piece);
    return piece;
  }

  /** Its taker goes through the whole file: it brings what else is waiting of it too. */
  absorb(piece: Stretch): void {
    for (const other of this.#waiting) {
      if (other.file !== piece.file) continue;
      piece.at = Math.min(piece.at, other.at);
      piece.end = Math.max(piece.end, other.end);
    }
    this.#waiting = this.#waiting.filter(({ file }) => file !== piece.file);
  }

  /** Its taker does no more of it. */
  giveBack(piece: Stretch): void {
    if (!this.#taken.delete(piece) || piece.at >= piece.end) return;
    piece.rate = 0;
    const index = this.#waiting.findIndex(
      ({ file, at }) => file > piece.file || (file === piece.file && at > piece.at),
    );
    this.#waiting.splice(index < 0 ? this.#waiting.length : index, 0, piece);
  }

  #cut(rate: number, may: (file: number) => boolean): Stretch | undefined {
    const from = this.#divisible(rate, may);
    if (!from) return undefined;
    const at = this.#middle(from, rate);
    const piece: Stretch = { file: from.file, at, end: from.end, rate: 0 };
    from.end = at;
    return piece;
  }

  /** The one that will be done last. */
  #divisible(rate: number, may: (file: number) => boolean): Stretch | undefined {
    let latest: Stretch | undefined;
    let most = 0;
    for (const piece of this.#taken) {
      const bytes = piece.end - piece.at;
      const time = piece.rate > 0 ? bytes / piece.rate : bytes;
      if (!may(piece.file) || time <= most || this.#middle(piece, rate) >= piece.end) continue;
      if (bytes < WORTH && !(piece.rate > 0 && time > WORTH_S)) continue;
      latest = piece;
      most = time;
    }
    return latest;
  }

  /** Where the part for the other begins. What is begun of a unit is finished by whoever began it. */
  #middle({ at, end, rate: theirs }: Stretch, ours: number): number {
    const share = ours > 0 && theirs > 0 ? theirs / (ours + theirs) : 0.5;
    return Math.ceil(Math.max(at + 1, at + (end - at) * share) / this.#unit) * this.#unit;
  }
}
