/** What the receiver has: which chunks are down, their hashes, and how many bytes that makes. */
import type { ChunkHash } from '../protocol/messages.ts';
import { HaveMap } from './have.ts';
import { ChunkHashes } from './merkle.ts';
import type { ByteSpace } from './space.ts';

export class Holdings {
  readonly have = new HaveMap();
  readonly hashes = new ChunkHashes();
  /** Chunks that an earlier run left here. */
  readonly before = new HaveMap();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(index: number, sha256: Uint8Array, length: number): void {
    if (!this.have.add(index)) return;
    this.hashes.set(index, sha256);
    this.#bytes += length;
  }

  /** Starts over from what a sink says it holds. Returns the bytes of that. */
  restart(held: Iterable<ChunkHash>, space: ByteSpace): number {
    this.have.clear();
    this.before.clear();
    this.#bytes = 0;
    for (const { index, sha256 } of held) {
      this.add(index, sha256, space.length(index));
      this.before.add(index);
    }
    return this.#bytes;
  }

  /** What an earlier run left here, in lists of at most `most`. */
  *heldBefore(chunks: number, most: number): Generator<ChunkHash[]> {
    let list: ChunkHash[] = [];
    for (let index = 0; this.before.count > 0 && index < chunks; index++) {
      if (!this.before.has(index)) continue;
      list.push({ index, sha256: this.hashes.get(index)! });
      if (list.length < most) continue;
      yield list;
      list = [];
    }
    if (list.length > 0) yield list;
  }
}
