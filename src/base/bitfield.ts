/** Which chunks a peer has. A bitmap that grows, since a stream's length is not known while it runs. */
export class Bitfield {
  #bits = new Uint8Array(128);
  #count = 0;
  #firstMissing = 0;

  /** Number of chunks held. */
  get count(): number {
    return this.#count;
  }

  /** The lowest index not held. */
  get firstMissing(): number {
    return this.#firstMissing;
  }

  clear(): void {
    this.#bits.fill(0);
    this.#count = 0;
    this.#firstMissing = 0;
  }

  has(index: number): boolean {
    return ((this.#bits[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** The map itself, eight chunks a byte, the lowest first: bytes `from` up to, not including, `to`. */
  bytes(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(to - from);
    bytes.set(this.#bits.subarray(from, to));
    return bytes;
  }

  /** Every index held, in order. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#bits.length; at++) {
      const bits = this.#bits[at]!;
      if (bits === 0) continue;
      for (let bit = 0; bit < 8; bit++) if (bits & (1 << bit)) yield at * 8 + bit;
    }
  }

  /** Those from `from` up to, not including, `end` that `except` does not hold. */
  addRange(from: number, end: number, except: Bitfield): void {
    if (end <= from) return;
    this.#reserve(end - 1);
    for (let index = from; index < end; ) {
      const at = index >>> 3;
      const wholeByte = index % 8 === 0 && index + 8 <= end;
      const mask = wholeByte ? 0xff : 1 << (index & 7);
      const added = mask & ~this.#bits[at]! & ~(except.#bits[at] ?? 0);
      this.#bits[at]! |= added;
      for (let bits = added; bits !== 0; bits &= bits - 1) this.#count++;
      index += wholeByte ? 8 : 1;
    }
    while (this.has(this.#firstMissing)) this.#firstMissing++;
  }

  /** True if it was missing before. */
  add(index: number): boolean {
    if (this.has(index)) return false;
    const at = index >>> 3;
    this.#reserve(index);
    this.#bits[at]! |= 1 << (index & 7);
    this.#count++;
    while (this.has(this.#firstMissing)) this.#firstMissing++;
    return true;
  }

  /** True if it was held before. */
  remove(index: number): boolean {
    if (!this.has(index)) return false;
    this.#bits[index >>> 3]! &= ~(1 << (index & 7));
    this.#count--;
    this.#firstMissing = Math.min(this.#firstMissing, index);
    return true;
  }

  #reserve(index: number): void {
    const at = index >>> 3;
    if (at < this.#bits.length) return;
    const grown = new Uint8Array(Math.max(this.#bits.length * 2, at + 1));
    grown.set(this.#bits);
    this.#bits = grown;
  }
}
