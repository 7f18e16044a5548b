/**
 * A bounded pool of chunk buffers: the one place where chunk data lives, so memory stays flat whatever the disk
 * or the network does. A receiver asks for no more chunks than there are buffers. Who serves shares them as `reader.ts` says.
 */
import { HEADROOM, lend, type Slab } from '../base/slab.ts';

/** Bytes of chunk buffers a side may hold, all lanes together; and a receiver on a path that takes in more, as long and fast ones do. */
const BUDGET = 32 * 1024 * 1024;
export const LONG_BUDGET = 3 * BUDGET;
/** One for each lane that may be in the middle of a chunk, so that a slow one keeps no other waiting. */
const LEAST = 16;

export class SlabPool {
  /** Buffers in all; and as many as a side has whose paths are not long. */
  readonly size: number;
  readonly usual: number;
  readonly #bytes: number;
  readonly #allocate: (bytes: number) => Uint8Array;
  readonly #free: Uint8Array[] = [];
  #left: number;

  constructor(
    chunkSize: number,
    allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
    budget = BUDGET,
  ) {
    this.#bytes = chunkSize;
    this.#allocate = allocate;
    this.size = Math.max(LEAST, Math.floor(budget / chunkSize));
    this.usual = Math.max(LEAST, Math.floor(BUDGET / chunkSize));
    this.#left = this.size;
  }

  /** A buffer if one is free now. */
  take(): Slab | undefined {
    const whole = this.#free.pop() ?? (this.#left > 0 ? this.#grow() : undefined);
    return whole && lend(whole, () => this.#free.push(whole));
  }

  /** One more than there are, for whoever was promised one. It is not kept. */
  extra(): Slab {
    return lend(this.#allocate(HEADROOM + this.#bytes), () => {});
  }

  #grow(): Uint8Array {
    this.#left--;
    return this.#allocate(HEADROOM + this.#bytes);
  }
}
