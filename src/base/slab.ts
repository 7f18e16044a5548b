/** A buffer for one chunk, with room in front for the frame header that goes before its bytes. */

/** Bytes for a frame header before a slab's bytes. A multiple of 8 keeps the bytes aligned. */
export const HEADROOM = 64;

/** A chunk buffer from a pool. `release` gives it back. */
export interface Slab {
  readonly bytes: Uint8Array;
  /** The HEADROOM bytes right before `bytes`, in the same buffer. A lane writes its frame header there. */
  readonly headroom: Uint8Array;
  release(): void;
}

/** @param whole HEADROOM bytes more than the chunk has @param back called once */
export function lend(whole: Uint8Array, back: () => void): Slab {
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
