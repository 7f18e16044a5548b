/** The secrets of two devices whose keys lie in files: a page's keys never leave the browser, which does this itself. */
import type { SharedSecret } from './secret.ts';
import { fromExchange } from './standing-secret.ts';
import { exchange, type OwnKeys } from './x25519.ts';

/**
 * Keys are raw X25519, 32 bytes each.
 * @param role this side's
 * @throws BeelineError USAGE for an unusable key.
 */
export function fromDevices(
  { privateKey, publicKey }: OwnKeys,
  peerPublic: Uint8Array,
  role: 'sender' | 'receiver',
): SharedSecret {
  return fromExchange(exchange(privateKey, peerPublic), publicKey, peerPublic, role);
}
