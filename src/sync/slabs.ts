/**
 * A bounded pool of chunk buffers: the one place where chunk data lives, so memory stays flat whatever the disk
 * or the network does. A receiver asks for no more chunks than there are buffers; a sender that finds none free waits,
 * and so stops reading its files.
 */
import { HEADROOM, type Slab } from './ports.ts';

/** Bytes of chunk buffers a side may hold, all lanes together. */
const BUDGET = 32 * 1024 * 1024;
/** One for each lane that may be in the middle of a chunk, so that a slow one keeps no other waiting. */
const LEAST = 16;

export class SlabPool {
  /** Buffers in all. */
  readonly size: number;
  readonly #bytes: number;
  readonly #allocate: (bytes: number) => Uint8Array;
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((slab: Slab) => void)[] = [];
  #left: number;

  constructor(chunkSize: number, allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes)) {
    this.#bytes = chunkSize;
    this.#allocate = allocate;
    this.size = Math.max(LEAST, Math.floor(BUDGET / chunkSize));
    this.#left = this.size;
  }

  /** A buffer if one is free now. */
  take(): Slab | undefined {
    const bytes = this.#free.pop() ?? (this.#left > 0 ? this.#grow() : undefined);
    return bytes && this.#lend(bytes);
  }

  /** Whether somebody waits. */
  get short(): boolean {
    return this.#waiting.length > 0;
  }

  /** Calls back with a buffer, at once or when one comes free, first come first served. */
  wait(then: (slab: Slab) => void): void {
    const slab = this.take();
    if (slab) then(slab);
    else this.#waiting.push(then);
  }

  #grow(): Uint8Array {
    this.#left--;
    return this.#allocate(HEADROOM + this.#bytes);
  }

  #lend(whole: Uint8Array): Slab {
    let lent = true;
    return {
      bytes: whole.subarray(HEADROOM),
      headroom: whole.subarray(0, HEADROOM),
      release: () => {
        if (!lent) return;
        lent = false;
        const next = this.#waiting.shift();
        if (next) next(this.#lend(whole));
        else this.#free.push(whole);
      },
    };
  }
}
