/**
 * With what the chunks of an offer are hashed: one function for the whole offer and for all who receive it. Its origin
 * chooses, and its header says which. Every program can compute each of them, some of them slowly; a page can only SHA-256.
 */

/** In the order of their numbers, on the wire and in journals: append only. */
export const HASH_NAMES = ['sha256', 'blake3'] as const;
export type HashName = (typeof HASH_NAMES)[number];

/** What everybody can. */
export const COMMON_HASH: HashName = 'sha256';

/**
 * Each side says with what it is fast, the fastest first. The origin's order counts, and has at its end what it can do slowly.
 */
export function chooseHash(ours: readonly HashName[], theirs: readonly HashName[]): HashName {
  return ours.find((hash) => theirs.includes(hash)) ?? COMMON_HASH;
}
