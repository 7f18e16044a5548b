/**
 * SPAKE2 (RFC 9382) with the ciphersuite P-256, SHA-256, HKDF, HMAC: two sides that know one password get a strong
 * key, and whoever sits between them gets one guess a run. Nothing here talks to anyone; shares and confirmations
 * travel as the caller likes.
 */
import { primitives } from '#crypto';
import { concat, concatAll, equalBytes, fromHex, toHex, utf8Encode } from '../base/bytes.ts';
import { BeelineError, fault } from '../base/errors.ts';
import { ORDER, POINT_BYTES, SCALAR_BYTES } from '../crypto/primitives.ts';

const { hkdf, hmac, p256, randomBytes, sha256 } = primitives;

/** A share is a point. */
export const SHARE_BYTES = POINT_BYTES;

// RFC 9382 section 4: points whose discrete logarithms nobody knows. A blinds its share with M, B with N.
const M = fromHex(
  '04886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f5ff355163e43ce224e0b0e65ff02ac8e5c7be09419c785e0ca547d55a12e2d20',
);
const N = fromHex(
  '04d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b4907d60aa6bfade45008a636337f5168c64d9bd36034808cd564490b1e656edbe7',
);
/** The base point (SP 800-186). */
const G = fromHex(
  '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
);
/** So many random bytes, reduced, are a scalar with a bias under 2^-128 (RFC 9380 section 5). */
const WIDE_BYTES = 48;

export interface Spake2Options {
  role: 'A' | 'B';
  /** The password as a scalar, 32 bytes big-endian, 1 to n-1: see `deriveScalar`. */
  w: Uint8Array;
  idA: Uint8Array | string;
  idB: Uint8Array | string;
  /** Bound into the confirmations (section 4, KDF info). */
  aad?: Uint8Array;
  /** The ephemeral scalar, as w is, for test vectors only; random otherwise. */
  scalar?: Uint8Array;
}

export interface Spake2Result {
  /** Ke, 16 bytes. Not to be used before `verify` has said yes. */
  key: Uint8Array;
  /** Proves to the peer that this side has the same key; 32 bytes. */
  confirmation: Uint8Array;
  /** Whether the peer's confirmation is right; takes the same time either way. */
  verify(peer: Uint8Array): boolean;
}

export class Spake2 {
  /** Ours to send: 65 bytes, an uncompressed point. */
  readonly share: Uint8Array;
  readonly #options: Spake2Options;
  #scalar: Uint8Array | undefined;

  constructor(options: Spake2Options) {
    const w = checked(options.w).slice();
    this.#options = { ...options, w };
    this.#scalar = options.scalar ? checked(options.scalar) : reduced(randomBytes(WIDE_BYTES));
    // Section 3.3: pA = w*M + x*G, pB = w*N + y*G.
    const blind = p256.multiply(w, options.role === 'A' ? M : N);
    const share = p256.add(p256.multiply(this.#scalar, G), blind);
    if (!share) throw new BeelineError('INTERNAL', 'A SPAKE2 scalar undoes the password.');
    this.share = share;
  }

  /**
   * Completes the run. Works once, whatever comes of it: one share answered twice would be two guesses.
   * @throws BeelineError PROTOCOL if the peer's share is not a usable point; INTERNAL if called again.
   */
  finish(peerShare: Uint8Array): Spake2Result {
    const scalar = this.#scalar;
    this.#scalar = undefined;
    if (scalar === undefined) throw new BeelineError('INTERNAL', 'This key exchange was already completed.');
    const { role, w, idA, idB, aad = new Uint8Array() } = this.#options;
    const theirBlind = p256.multiply(w, role === 'A' ? N : M);
    // Section 3.3: K = h*x*(pB - w*N), with cofactor h = 1 on P-256.
    const unblinded = difference(peerShare, theirBlind);
    const shared = p256.multiply(scalar, unblinded);

    const [shareA, shareB] = role === 'A' ? [this.share, peerShare] : [peerShare, this.share];
    const transcript = concatAll([bytesOf(idA), bytesOf(idB), shareA, shareB, shared, w].flatMap(prefixed));
    return keySchedule(role, transcript, aad);
  }
}

/** Section 4: Ke || Ka = Hash(TT), KcA || KcB = KDF(Ka), and a MAC over TT from each side. */
function keySchedule(role: 'A' | 'B', transcript: Uint8Array, aad: Uint8Array): Spake2Result {
  const digest = sha256(transcript);
  const half = digest.length / 2;
  const info = concat(utf8Encode('ConfirmationKeys'), aad);
  const confirmationKeys = hkdf(digest.subarray(half), info, 2 * half);
  const macA = hmac(confirmationKeys.subarray(0, half), transcript);
  const macB = hmac(confirmationKeys.subarray(half), transcript);
  const [ours, theirs] = role === 'A' ? [macA, macB] : [macB, macA];
  return {
    key: digest.slice(0, half),
    confirmation: ours,
    verify: (peer) => equalBytes(peer, theirs),
  };
}

/**
 * The password as SPAKE2's w: 1 + (HKDF-SHA256(password, no salt, `beeline spake2 w` 0x00 context, 48 bytes) mod
 * (n-1)), big-endian.
 *
 * RFC 9382 section 3.2 wants a memory-hard hash here where a verifier is stored, so that stealing it does not give the
 * password away. A code is stored nowhere and used once, online; the transcript lets nobody test a guess afterwards.
 * A slow hash would cost every start and protect nothing.
 */
export function deriveScalar(password: Uint8Array, context: string): Uint8Array {
  return reduced(hkdf(password, utf8Encode(`beeline spake2 w\0${context}`), WIDE_BYTES));
}

function reduced(wide: Uint8Array): Uint8Array {
  const value = 1n + (BigInt(`0x${toHex(wide)}`) % (ORDER - 1n));
  return fromHex(value.toString(16).padStart(2 * SCALAR_BYTES, '0'));
}

function checked(scalar: Uint8Array): Uint8Array {
  const value = scalar.length === SCALAR_BYTES ? BigInt(`0x${toHex(scalar)}`) : 0n;
  if (value === 0n || value >= ORDER) throw new BeelineError('INTERNAL', 'A SPAKE2 scalar is out of range.');
  return scalar;
}

/** A peer's share without its blind. The identity has no form of 65 bytes, so it is no share; it is refused as a difference too. */
function difference(share: Uint8Array, blind: Uint8Array): Uint8Array {
  if (share.length !== SHARE_BYTES || share[0] !== 4) throw fault('SHARE_MALFORMED');
  let point: Uint8Array | undefined;
  try {
    point = p256.add(share, p256.negate(blind));
  } catch (cause) {
    throw fault('SHARE_MALFORMED', {}, { cause });
  }
  if (!point) throw fault('SHARE_MALFORMED');
  return point;
}

/** Section 3.3: every part of TT after its length, 8 bytes little-endian. */
function prefixed(part: Uint8Array): Uint8Array[] {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(part.length), true);
  return [length, part];
}

function bytesOf(id: Uint8Array | string): Uint8Array {
  return typeof id === 'string' ? utf8Encode(id) : id;
}
