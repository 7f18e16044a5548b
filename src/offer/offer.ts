/**
 * An offer: what one peer, its origin, gives to others. Every participant has the same one, and each learns of it, over
 * time, the hash of each chunk and which files the origin cannot deliver.
 */
import { fault } from '../base/errors.ts';
import type { Steps } from '../base/slices.ts';
import { COMMON_HASH, type HashName } from './hashing.ts';
import { type Entry, encodePages, type OfferHeader } from './manifest.ts';
import { ChunkHashes } from './merkle.ts';
import { ByteSpace } from './space.ts';

/** What an offer is made of, once all of its manifest is known. */
export interface OfferParts {
  kind: OfferHeader['kind'];
  entries: readonly Entry[];
  /** The manifest as it crosses: the root is over these bytes. */
  pages: readonly Uint8Array[];
  space: ByteSpace;
  hash: HashName;
}

export class Offer {
  readonly kind: OfferHeader['kind'];
  readonly entries: readonly Entry[];
  readonly pages: readonly Uint8Array[];
  readonly space: ByteSpace;
  /** What the hashes of chunks are made with. Its origin decides before it tells anybody of the offer. */
  hash: HashName;
  /** Of chunks, by the origin's word. */
  readonly hashes = new ChunkHashes();
  /** Entries that the origin cannot deliver. */
  readonly gone = new Set<number>();

  constructor({ kind, entries, pages, space, hash }: OfferParts) {
    this.kind = kind;
    this.entries = entries;
    this.pages = pages;
    this.space = space;
    this.hash = hash;
  }

  /** What a peer offers that has these entries. */
  static of(kind: OfferHeader['kind'], entries: readonly Entry[], chunkSize: number): Offer {
    const sizes = entries.map((entry) => entry.size);
    const space = new ByteSpace(sizes, chunkSize, kind === 'stream');
    return new Offer({ kind, entries, pages: encodePages(entries), space, hash: COMMON_HASH });
  }

  /** @throws BeelineError PROTOCOL if a peer says that it has another chunk than there are */
  checkExist(indexes: Iterable<number>): void {
    for (const index of indexes)
      if (index >= this.space.chunks)
        throw fault('PEER_MISBEHAVES', { what: 'has a chunk that does not exist' });
  }

  /** @throws BeelineError PROTOCOL if a peer says that a chunk has another length than it has */
  checkLength(index: number, length: number): void {
    if (length !== this.space.length(index))
      throw fault('PEER_MALFORMED', { what: `chunk ${index} in a wrong length` });
  }

  /** Whether a chunk holds bytes that the origin cannot deliver. Its content then depends on when it was read. */
  isTorn(chunk: number): boolean {
    return this.space.touches(this.gone)(chunk);
  }

  /** The root over the manifest and these hashes. `absent` says which chunks count as not moved even if their hash is known. */
  rooting(hashes: ChunkHashes, absent: (chunk: number) => boolean): Steps<Uint8Array> {
    return hashes.rooting(this.hash, this.pages, this.space.chunks, absent);
  }
}
