/** What hashes chunks in tests, and with what a side of them says that it is fast. */
import { createHash } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';
import { HASH_NAMES, type HashName } from '../src/offer/hashing.ts';
import type { Means } from '../src/sync/engine-ports.ts';
import type { Digest } from '../src/sync/ports.ts';

export const DIGESTS: Readonly<Record<HashName, (data: Uint8Array) => Uint8Array>> = {
  sha256: (data) => createHash('sha256').update(data).digest(),
  blake3,
};

/** @param fast the fastest first */
export function hashingWith(...fast: readonly HashName[]): Pick<Means, 'digest' | 'hashes' | 'computes'> {
  return { digest: (hash): Digest => DIGESTS[hash], hashes: () => fast, computes: HASH_NAMES };
}

export const hashing = hashingWith('sha256');
