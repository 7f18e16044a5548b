/** Which chunks are safely down. A bitmap that grows, since a stream's length is not known while it runs. */
export class HaveMap {
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

  /** True if it was missing before. */
  add(index: number): boolean {
    if (this.has(index)) return false;
    const at = index >>> 3;
    if (at >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(this.#bits.length * 2, at + 1));
      grown.set(this.#bits);
      this.#bits = grown;
    }
    this.#bits[at]! |= 1 << (index & 7);
    this.#count++;
    while (this.has(this.#firstMissing)) this.#firstMissing++;
    return true;
  }
}
