/**
 * The cryptography that the layers above are built of. There are two: Node's own in a program (native.ts), noble's in a page (noble.ts).
 * `#crypto`, in package.json, is the one for where the code runs. test/crypto holds both to the same.
 */

export interface Primitives {
  /** The first uses take long, since their code is compiled then. */
  readonly slowAtFirst: boolean;
  /** From the system's source of randomness. */
  randomBytes(length: number): Uint8Array;
  sha256(data: Uint8Array): Uint8Array;
  /** RFC 2104 with SHA-256. */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** RFC 5869 with SHA-256 and no salt. */
  hkdf(key: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** AES-256-GCM with a nonce of 12 bytes. The tag, 16 bytes, comes last. */
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Undoes `seal`. @throws if anything was changed */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array;
  readonly p256: Curve;
}

/**
 * P-256 (NIST SP 800-186). A point is 65 bytes, as SEC 1 writes it uncompressed; the identity has no such form. A scalar is 32 bytes,
 * big-endian, from 1 to the order less 1. What takes points throws for one that is not on the curve.
 */
export interface Curve {
  multiply(scalar: Uint8Array, point: Uint8Array): Uint8Array;
  /** Undefined: the sum is the identity. */
  add(a: Uint8Array, b: Uint8Array): Uint8Array | undefined;
  negate(point: Uint8Array): Uint8Array;
}

/** Of P-256: the number of its points. */
export const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
export const SCALAR_BYTES = 32;
export const POINT_BYTES = 65;
