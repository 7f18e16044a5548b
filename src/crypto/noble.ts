/** The primitives on noble: a page has none of its own that answer at once. */
import { gcm } from '@noble/ciphers/aes.js';
import { p256 } from '@noble/curves/nist.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { randomBytes } from '@noble/hashes/utils.js';
import { POINT_BYTES, type Primitives } from './primitives.ts';

const { Point } = p256;

/**
 * Each time an object of its own: for the base point's own object the library first computes a large table, 90 ms for one use.
 */
function pointOf(bytes: Uint8Array) {
  if (bytes.length !== POINT_BYTES) throw new RangeError('A point has another length.');
  const point = Point.fromBytes(bytes);
  point.assertValidity();
  return point;
}

export const primitives: Primitives = {
  slowAtFirst: true,
  randomBytes,
  sha256,
  hmac: (key, data) => hmac(sha256, key, data),
  hkdf: (key, info, length) => hkdf(sha256, key, undefined, info, length),
  seal: (key, nonce, plain) => gcm(key, nonce).encrypt(plain),
  open: (key, nonce, sealed) => gcm(key, nonce).decrypt(sealed),
  p256: {
    multiply: (scalar, point) => pointOf(point).multiply(Point.Fn.fromBytes(scalar)).toBytes(false),
    add(a, b) {
      const sum = pointOf(a).add(pointOf(b));
      return sum.is0() ? undefined : sum.toBytes(false);
    },
    negate: (point) => pointOf(point).negate().toBytes(false),
  },
};
