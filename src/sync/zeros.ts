/** Runs of zeros: sparse files are mostly that. Such a chunk travels as a flag and is never hashed twice. */
import type { Digest } from './ports.ts';

/** A chunk that is not zeros is told from one in its first bytes, nearly always. */
export function isZero(data: Uint8Array): boolean {
  // Slabs are aligned; anything else is compared byte by byte.
  const words = data.byteOffset % 4 === 0 ? Math.floor(data.length / 4) : 0;
  const view = words > 0 ? new Uint32Array(data.buffer, data.byteOffset, words) : data;
  for (let i = 0; i < words; i++) if (view[i] !== 0) return false;
  for (let i = words * 4; i < data.length; i++) if (data[i] !== 0) return false;
  return true;
}

/** Hashes of zeros by length. Bounded: a transfer has few lengths of whole chunks, and one tail a file. */
export class ZeroHashes {
  readonly #known = new Map<number, Uint8Array>();
  readonly #digest: Digest;

  constructor(digest: Digest) {
    this.#digest = digest;
  }

  async get(length: number): Promise<Uint8Array> {
    const known = this.#known.get(length);
    if (known) return known;
    const hash = await this.#digest(new Uint8Array(length));
    if (this.#known.size < 64) this.#known.set(length, hash);
    return hash;
  }
}
