/** By its place a sender knows a receiver again that was started anew. */
import { primitives } from '#crypto';
import { concatAll, toHex, utf8Encode } from '../base/bytes.ts';
import type { SharedSecret } from './secret.ts';

/**
 * 32 hex digits, the same for one secret and one destination, however often it is started. They tell nothing else.
 * @param key of this machine or browser alone
 */
export function placeFor(key: Uint8Array, { nameplate, password }: SharedSecret, to: string): string {
  const what = concatAll([utf8Encode(`beeline place\0${nameplate}\0${to}\0`), password]);
  return toHex(primitives.hmac(key, what).subarray(0, 16));
}
