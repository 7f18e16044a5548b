/** A blob's plain SHA-256 in hex, read in pieces: `crypto.subtle` hashes only what is in memory as a whole. */
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '../../base/bytes.ts';

/** Bytes. */
const PIECE = 4 * 1024 * 1024;

/** Rejects as `Blob.arrayBuffer` does. */
export async function hashBlob(blob: Blob): Promise<string> {
  const hash = sha256.create();
  for (let at = 0; at < blob.size; at += PIECE)
    hash.update(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()));
  return toHex(hash.digest());
}
