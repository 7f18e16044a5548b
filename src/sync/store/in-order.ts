/** Takes chunks in any order, and hands them on in the order of the byte space. It holds at most STREAM_WINDOW early ones. */
import { BeelineError, fault } from '../../base/errors.ts';
import { STREAM_WINDOW } from '../../base/limits.ts';
import type { Extent } from '../../offer/space.ts';

interface Held {
  extents: readonly Extent[];
  bytes: Uint8Array<ArrayBuffer>;
}

export class InOrder {
  readonly #emit: (extents: readonly Extent[], bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly #held = new Map<number, Held>();
  #next = 0;
  #busy = false;

  /** @param emit called for one chunk after the other; the bytes are its own */
  constructor(emit: (extents: readonly Extent[], bytes: Uint8Array<ArrayBuffer>) => Promise<void>) {
    this.#emit = emit;
  }

  /** Chunks held. */
  get waiting(): number {
    return this.#held.size;
  }

  /** Resolves once the chunk, and all that waited for it, is handed on; at once for one that is early. */
  async take(chunk: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    if (chunk < this.#next || this.#held.has(chunk)) return;
    if (chunk > this.#next + STREAM_WINDOW)
      throw new BeelineError('INTERNAL', `Chunk ${chunk} is too early; ${this.#next} is next.`);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    if (data && data.length < length) throw fault('PEER_MALFORMED', { what: 'a chunk of a wrong length' });
    const bytes = new Uint8Array(length);
    if (data) bytes.set(data.subarray(0, length));
    this.#held.set(chunk, { extents, bytes });
    if (this.#busy || chunk !== this.#next) return;
    this.#busy = true;
    try {
      for (let next = this.#held.get(this.#next); next; next = this.#held.get(this.#next)) {
        this.#held.delete(this.#next);
        this.#next++;
        await this.#emit(next.extents, next.bytes);
      }
    } finally {
      this.#busy = false;
    }
  }

  clear(): void {
    this.#held.clear();
  }
}
