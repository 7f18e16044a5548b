/**
 * A bounded pool of chunk buffers: the one place where chunk data lives, so memory stays flat whatever the disk
 * or the network does. A receiver asks for no more chunks than there are buffers. Who serves shares them as `reader.ts` says.
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
  #left: number;

  constructor(chunkSize: number, allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes)) {
    this.#bytes = chunkSize;
    this.#allocate = allocate;
    this.size = Math.max(LEAST, Math.floor(BUDGET / chunkSize));
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

function lend(whole: Uint8Array, back: () => void): Slab {
  let lent = true;
  return {
    bytes: whole.subarray(HEADROOM),
    headroom: whole.subarray(0, HEADROOM),
    release: () => {
      if (lent) back();
      lent = false;
    },
  };
}
