/**
 * The identity of a transfer: the root of a Merkle tree shaped as in RFC 9162, section 2.1.1, over the hash of
 * each manifest page and then of each chunk. Leaves of each kind and inner nodes have prefixes of their own, and so has each
 * function that chunks are hashed with: none can pass as another. A chunk that was never moved (its files were skipped or
 * vanished) has a leaf that says so.
 */
import { primitives } from '#crypto';
import { Bitfield } from '../base/bitfield.ts';
import { concat } from '../base/bytes.ts';
import { atOnce, type Steps } from '../base/slices.ts';
import type { HashName } from './hashing.ts';

/** A chunk by what is in it. */
export interface ChunkHash {
  index: number;
  hash: Uint8Array;
}

const { sha256 } = primitives;

const NODE = new Uint8Array([1]);
const PAGE_LEAF = new Uint8Array([2]);
const ABSENT_LEAF = new Uint8Array([3]);
const CHUNK_LEAVES: Readonly<Record<HashName, Uint8Array>> = {
  sha256: new Uint8Array([0]),
  blake3: new Uint8Array([4]),
};

/** @param hash SHA-256 of a manifest page's bytes */
export function pageLeaf(hash: Uint8Array): Uint8Array {
  return sha256(concat(PAGE_LEAF, hash));
}

/** @param hash of a chunk's data, made with `by`; undefined for a chunk that was not moved */
export function chunkLeaf(by: HashName, hash: Uint8Array | undefined): Uint8Array {
  return hash ? sha256(concat(CHUNK_LEAVES[by], hash)) : sha256(ABSENT_LEAF);
}

/** Root over leaf hashes in order; of no leaves, the hash of nothing (RFC 9162, 2.1.1). */
export function merkleRoot(leaves: Iterable<Uint8Array>): Uint8Array {
  const tree = new Peaks();
  for (const leaf of leaves) tree.add(leaf);
  return tree.root();
}

/** Perfect subtrees so far, largest first; equal neighbours merge at once, so that the stack stays logarithmic. */
class Peaks {
  readonly #peaks: { hash: Uint8Array; size: number }[] = [];
  /** Roots of 1, 2, 4, … leaves of chunks that were not moved. */
  readonly #absent: Uint8Array[] = [];
  #leaves = 0;

  add(leaf: Uint8Array): void {
    this.#push(leaf, 1);
  }

  /** So many leaves of chunks that were not moved, in a few steps: there may be millions of them in a row. */
  addAbsent(leaves: number): void {
    for (let left = leaves; left > 0; ) {
      // The largest subtree that begins here and is full of them.
      let level = 0;
      while (2 ** (level + 1) <= left && this.#leaves % 2 ** (level + 1) === 0) level++;
      this.#push(this.#absentRoot(level), 2 ** level);
      left -= 2 ** level;
    }
  }

  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const { hash } of this.#peaks.reverse()) root = root ? sha256(concat(NODE, hash, root)) : hash;
    return root ?? sha256(new Uint8Array());
  }

  #push(hash: Uint8Array, size: number): void {
    this.#leaves += size;
    let node = { hash, size };
    for (let last = this.#peaks.at(-1); last?.size === node.size; last = this.#peaks.at(-1)) {
      this.#peaks.pop();
      node = { hash: sha256(concat(NODE, last.hash, node.hash)), size: node.size * 2 };
    }
    this.#peaks.push(node);
  }

  #absentRoot(level: number): Uint8Array {
    for (let at = this.#absent.length; at <= level; at++) {
      const below = this.#absent[at - 1];
      this.#absent.push(below ? sha256(concat(NODE, below, below)) : sha256(ABSENT_LEAF));
    }
    return this.#absent[level]!;
  }
}

const BLOCK = 4096;

/** Chunks with the hash of each: 32 bytes a chunk, in blocks, so that sparse use costs little. */
export class ChunkHashes {
  /** The chunks whose hash is here. */
  readonly have = new Bitfield();
  #blocks: (Uint8Array | undefined)[] = [];

  set(index: number, hash: Uint8Array): void {
    const block = Math.floor(index / BLOCK);
    this.#blocks[block] ??= new Uint8Array(BLOCK * 32);
    this.#blocks[block].set(hash, (index % BLOCK) * 32);
    this.have.add(index);
  }

  get(index: number): Uint8Array | undefined {
    if (!this.have.has(index)) return undefined;
    const at = (index % BLOCK) * 32;
    return this.#blocks[Math.floor(index / BLOCK)]!.subarray(at, at + 32);
  }

  clear(): void {
    this.have.clear();
    this.#blocks = [];
  }

  /** Each with its hash, in order. */
  *[Symbol.iterator](): Generator<ChunkHash> {
    for (const index of this.have) yield { index, hash: this.get(index)! };
  }

  /** All of `rooting` in one go: for what is known to be small. */
  root(
    by: HashName,
    pages: readonly Uint8Array[],
    chunks: number,
    absent: (chunk: number) => boolean,
  ): Uint8Array {
    return atOnce(this.rooting(by, pages, chunks, absent));
  }

  /** The transfer's root. `by`: what these hashes are made with. `absent` says which chunks count as not moved even if their hash is known. */
  *rooting(
    by: HashName,
    pages: readonly Uint8Array[],
    chunks: number,
    absent: (chunk: number) => boolean,
  ): Steps<Uint8Array> {
    const tree = new Peaks();
    for (const page of pages) {
      yield;
      tree.add(pageLeaf(sha256(page)));
    }
    for (let chunk = 0; chunk < chunks; ) {
      yield;
      const known = this.#blocks[Math.floor(chunk / BLOCK)];
      const end = Math.min(chunks, (Math.floor(chunk / BLOCK) + 1) * BLOCK);
      if (known) {
        const hash = absent(chunk) ? undefined : this.get(chunk);
        tree.add(chunkLeaf(by, hash));
        chunk++;
      } else {
        tree.addAbsent(end - chunk);
        chunk = end;
      }
    }
    return tree.root();
  }
}
