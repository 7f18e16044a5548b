/** Under what a sender is found in the DHT: besides addresses, all that its nodes see of a meeting. */
import { primitives } from '#crypto';
import { utf8Encode } from '../../base/bytes.ts';

const VERSION = 1;

/** Where a sender with a code announces itself. The secret part of the code is in nothing that goes into the DHT. */
export function topicOf(nameplate: string): Uint8Array {
  return primitives.sha256(utf8Encode(`beeline dht ${VERSION} ${nameplate}`));
}

export interface DhtSeeds {
  host: Uint8Array;
  guest: Uint8Array;
}

/**
 * Of the key pairs of two who share a key that nobody guesses (a pre-shared key, a pair of devices): the sender is found by its one, and
 * lets in the other one alone.
 */
export function seedsOf(password: Uint8Array): DhtSeeds {
  const seed = (who: string) => primitives.hkdf(password, utf8Encode(`beeline dht ${VERSION} ${who}\0`), 32);
  return { host: seed('host'), guest: seed('guest') };
}
