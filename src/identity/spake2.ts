/**
 * SPAKE2 (RFC 9382) with the ciphersuite P-256, SHA-256, HKDF, HMAC: two sides that know one password get a strong
 * key, and whoever sits between them gets one guess a run. Nothing here talks to anyone; shares and confirmations
 * travel as the caller likes. Importing this file loads @noble/curves (about 40 ms): import it lazily.
 */
import { p256 } from '@noble/curves/nist.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, concatAll, equalBytes, toHex, utf8Encode } from '../base/bytes.ts';
import { BeelineError, fault } from '../base/errors.ts';

type Point = InstanceType<typeof p256.Point>;

const { Point } = p256;
const ORDER = Point.Fn.ORDER;
const SCALAR_BYTES = 32;
/** An uncompressed SEC 1 point. */
export const SHARE_BYTES = 65;

// RFC 9382 section 4: points whose discrete logarithms nobody knows. A blinds its share with M, B with N.
const M = Point.fromHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f');
const N = Point.fromHex('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49');
/** The base point, but not the object for which the library first computes a large table: 90 ms for one use. */
const G = Point.fromAffine(Point.BASE.toAffine());

export interface Spake2Options {
  role: 'A' | 'B';
  /** The password as a scalar, 32 bytes big-endian, 1 to n-1: see `deriveScalar`. */
  w: Uint8Array;
  idA: Uint8Array | string;
  idB: Uint8Array | string;
  /** Bound into the confirmations (section 4, KDF info). */
  aad?: Uint8Array;
  /** The ephemeral scalar, for test vectors only; random otherwise. */
  scalar?: bigint;
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
  readonly #w: bigint;
  #scalar: bigint | undefined;

  constructor(options: Spake2Options) {
    this.#options = { ...options, w: options.w.slice() };
    this.#w = readScalar(options.w);
    this.#scalar = options.scalar ?? readScalar(p256.utils.randomSecretKey());
    const blind = options.role === 'A' ? M : N;
    // Section 3.3: pA = w*M + x*G, pB = w*N + y*G.
    this.share = G.multiply(this.#scalar).add(blind.multiply(this.#w)).toBytes(false);
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
    const theirBlind = role === 'A' ? N : M;
    // Section 3.3: K = h*x*(pB - w*N), with cofactor h = 1 on P-256.
    const unblinded = readShare(peerShare).subtract(theirBlind.multiply(this.#w));
    if (unblinded.is0()) throw badShare();
    const shared = unblinded.multiply(scalar).toBytes(false);

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
  const confirmationKeys = hkdf(sha256, digest.subarray(half), undefined, info, 2 * half);
  const macA = hmac(sha256, confirmationKeys.subarray(0, half), transcript);
  const macB = hmac(sha256, confirmationKeys.subarray(half), transcript);
  const [ours, theirs] = role === 'A' ? [macA, macB] : [macB, macA];
  return {
    key: digest.slice(0, half),
    confirmation: ours,
    verify: (peer) => equalBytes(peer, theirs),
  };
}

/**
 * The password as SPAKE2's w: 1 + (HKDF-SHA256(password, no salt, `beeline spake2 w` 0x00 context, 48 bytes) mod
 * (n-1)), big-endian. 48 bytes keep the bias of the reduction under 2^-128 (RFC 9380 section 5).
 *
 * RFC 9382 section 3.2 wants a memory-hard hash here where a verifier is stored, so that stealing it does not give the
 * password away. A code is stored nowhere and used once, online; the transcript lets nobody test a guess afterwards.
 * A slow hash would cost every start and protect nothing.
 */
export function deriveScalar(password: Uint8Array, context: string): Uint8Array {
  const okm = hkdf(sha256, password, undefined, utf8Encode(`beeline spake2 w\0${context}`), 48);
  const w = 1n + (BigInt(`0x${toHex(okm)}`) % (ORDER - 1n));
  return Point.Fn.toBytes(w);
}

function readScalar(bytes: Uint8Array): bigint {
  const value = bytes.length === SCALAR_BYTES ? BigInt(`0x${toHex(bytes)}`) : 0n;
  if (value === 0n || value >= ORDER) throw new BeelineError('INTERNAL', 'A SPAKE2 scalar is out of range.');
  return value;
}

/** The identity has no 65-byte encoding, so the curve check refuses it too. */
function readShare(bytes: Uint8Array): Point {
  if (bytes.length !== SHARE_BYTES || bytes[0] !== 4) throw badShare();
  try {
    const point = Point.fromBytes(bytes);
    point.assertValidity();
    return point;
  } catch (cause) {
    throw badShare(cause);
  }
}

function badShare(cause?: unknown): BeelineError {
  return fault('SHARE_MALFORMED', {}, { cause });
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
