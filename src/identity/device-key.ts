/** The text form of a device's public key: `bl1`, then base32 of the key and of the first 4 bytes of its SHA-256. */
import { primitives } from '#crypto';
import { concat, equalBytes } from '../base/bytes.ts';
import { BeelineError, fault } from '../base/errors.ts';
import { fromBase32, toBase32 } from './base32.ts';
import { DEVICE_KEY_PREFIX } from './device-name.ts';

/** Of a public key, X25519 (RFC 7748). */
export const DEVICE_KEY_BYTES = 32;

const CHECKSUM_BYTES = 4;
const TEXT_LENGTH = DEVICE_KEY_PREFIX.length + Math.ceil(((DEVICE_KEY_BYTES + CHECKSUM_BYTES) * 8) / 5);

export function formatDeviceKey(key: Uint8Array): string {
  if (key.length !== DEVICE_KEY_BYTES) throw new BeelineError('INTERNAL', 'A device key is 32 bytes long.');
  return DEVICE_KEY_PREFIX + toBase32(concat(key, checksum(key)));
}

/**
 * The 32 bytes; upper case and space around are forgiven.
 * @throws BeelineError USAGE if it is no device key, or one with a typing error.
 */
export function parseDeviceKey(text: string): Uint8Array {
  const typed = text.length > 2 * TEXT_LENGTH ? '' : text.trim().toLowerCase();
  if (!typed.startsWith(DEVICE_KEY_PREFIX) || typed.length !== TEXT_LENGTH)
    throw fault('DEVICE_KEY_MALFORMED', { prefix: DEVICE_KEY_PREFIX, length: TEXT_LENGTH });
  const bytes = fromBase32(typed.slice(DEVICE_KEY_PREFIX.length));
  const key = bytes?.slice(0, DEVICE_KEY_BYTES);
  if (!bytes || !key || !equalBytes(bytes.subarray(DEVICE_KEY_BYTES), checksum(key)))
    throw fault('DEVICE_KEY_MISTYPED');
  return key;
}

function checksum(key: Uint8Array): Uint8Array {
  return primitives.sha256(key).subarray(0, CHECKSUM_BYTES);
}
