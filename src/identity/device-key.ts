/** The text form of a device's public key: `bl1`, then base32 of the key and of the first 4 bytes of its SHA-256. */
import { createHash } from 'node:crypto';
import { concat, equalBytes } from '../base/bytes.ts';
import { BeelineError, fault } from '../base/errors.ts';
import { fromBase32, toBase32 } from './base32.ts';
import { X25519_BYTES } from './x25519.ts';

export const DEVICE_KEY_PREFIX = 'bl1';
const CHECKSUM_BYTES = 4;
const TEXT_LENGTH = DEVICE_KEY_PREFIX.length + Math.ceil(((X25519_BYTES + CHECKSUM_BYTES) * 8) / 5);

export function formatDeviceKey(key: Uint8Array): string {
  if (key.length !== X25519_BYTES) throw new BeelineError('INTERNAL', 'A device key is 32 bytes long.');
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
  const key = bytes?.slice(0, X25519_BYTES);
  if (!bytes || !key || !equalBytes(bytes.subarray(X25519_BYTES), checksum(key)))
    throw fault('DEVICE_KEY_MISTYPED');
  return key;
}

function checksum(key: Uint8Array): Uint8Array {
  return createHash('sha256').update(key).digest().subarray(0, CHECKSUM_BYTES);
}
