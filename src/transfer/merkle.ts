/**
 * The identity of a transfer: the root of a Merkle tree shaped as in RFC 9162, section 2.1.1, over the SHA-256 of
 * each manifest page and then of each chunk. Leaves of the two kinds and inner nodes are hashed in domains of
 * their own, so that none can be passed off as another. A chunk that was never moved (its files were skipped or
 * vanished) has a leaf that says so.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concat } from '../protocol/bytes.ts';

const CHUNK_LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);
const PAGE_LEAF = new Uint8Array([2]);
const ABSENT_LEAF = new Uint8Array([3]);

/** @param hash SHA-256 of a manifest page's bytes */
export function pageLeaf(hash: Uint8Array): Uint8Array {
  return sha256(concat(PAGE_LEAF, hash));
}

/** @param hash SHA-256 of a chunk's data; undefined for a chunk that was not moved */
export function chunkLeaf(hash: Uint8Array | undefined): Uint8Array {
  return hash ? sha256(concat(CHUNK_LEAF, hash)) : sha256(ABSENT_LEAF);
}

/** Root over leaf hashes in order; of no leaves, the hash of nothing (RFC 9162, 2.1.1). */
export function merkleRoot(leaves: Iterable<Uint8Array>): Uint8Array {
  // Perfect subtrees so far, largest first; equal neighbours merge at once, so the stack stays logarithmic.
  const peaks: { hash: Uint8Array; size: number }[] = [];
  for (const leaf of leaves) {
    let node = { hash: leaf, size: 1 };
    for (let last = peaks.at(-1); last && last.size === node.size; last = peaks.at(-1)) {
      peaks.pop();
      node = { hash: sha256(concat(NODE, last.hash, node.hash)), size: node.size * 2 };
    }
    peaks.push(node);
  }
  let root = peaks.pop()?.hash;
  for (let peak = peaks.pop(); peak && root; peak = peaks.pop()) root = sha256(concat(NODE, peak.hash, root));
  return root ?? sha256(new Uint8Array());
}

const BLOCK = 4096;

/** The SHA-256 of each chunk seen so far: 32 bytes a chunk, in blocks, so that sparse use costs little. */
export class ChunkHashes {
  #blocks: (Uint8Array | undefined)[] = [];
  #known: (Uint8Array | undefined)[] = [];

  set(index: number, hash: Uint8Array): void {
    const block = Math.floor(index / BLOCK);
    this.#blocks[block] ??= new Uint8Array(BLOCK * 32);
    this.#known[block] ??= new Uint8Array(BLOCK);
    this.#blocks[block].set(hash, (index % BLOCK) * 32);
    this.#known[block][index % BLOCK] = 1;
  }

  get(index: number): Uint8Array | undefined {
    const block = Math.floor(index / BLOCK);
    const at = index % BLOCK;
    return this.#known[block]?.[at] ? this.#blocks[block]!.subarray(at * 32, at * 32 + 32) : undefined;
  }

  /** The transfer's root. `absent` says which chunks count as not moved even if their hash is known. */
  root(pages: readonly Uint8Array[], chunks: number, absent: (chunk: number) => boolean): Uint8Array {
    const get = (chunk: number) => (absent(chunk) ? undefined : this.get(chunk));
    function* leaves(): Generator<Uint8Array> {
      for (const page of pages) yield pageLeaf(sha256(page));
      for (let chunk = 0; chunk < chunks; chunk++) yield chunkLeaf(get(chunk));
    }
    return merkleRoot(leaves());
  }
}
