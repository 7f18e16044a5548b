/** X25519 (RFC 7748) on raw 32-byte keys, over node:crypto. */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { concat, fromHex } from '../base/bytes.ts';
import { fault } from '../base/errors.ts';
import { DEVICE_KEY_BYTES } from './device-key.ts';

// RFC 8410 section 7 and section 4: what stands before the 32 bytes in PKCS #8 and in SubjectPublicKeyInfo.
const PKCS8_HEAD = fromHex('302e020100300506032b656e04220420');
const SPKI_HEAD = fromHex('302a300506032b656e032100');

/** A new private key as PKCS #8 PEM, which other tools read too. */
export function generatePrivatePem(): string {
  return generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Raw. */
export interface OwnKeys {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
}

/** Both keys of a PKCS #8 PEM, or undefined if it is not an X25519 private key. */
export function readPrivatePem(pem: string): OwnKeys | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return undefined;
  }
  if (key.asymmetricKeyType !== 'x25519') return undefined;
  const { d, x } = key.export({ format: 'jwk' });
  return { privateKey: Buffer.from(d!, 'base64url'), publicKey: Buffer.from(x!, 'base64url') };
}

/**
 * The 32-byte shared secret; hash it before use.
 * @throws BeelineError USAGE for keys of a wrong length, or of small order (RFC 7748 section 6.1: all-zero result).
 */
export function exchange(ownPrivate: Uint8Array, peerPublic: Uint8Array): Uint8Array {
  if (ownPrivate.length !== DEVICE_KEY_BYTES || peerPublic.length !== DEVICE_KEY_BYTES)
    throw fault('DEVICE_KEY_LENGTH');
  try {
    return diffieHellman({
      privateKey: createPrivateKey({ key: der(PKCS8_HEAD, ownPrivate), format: 'der', type: 'pkcs8' }),
      publicKey: createPublicKey({ key: der(SPKI_HEAD, peerPublic), format: 'der', type: 'spki' }),
    });
  } catch {
    // No cause: nothing that was near a private key goes into an error.
    throw fault('DEVICE_KEY_UNUSABLE');
  }
}

function der(head: Uint8Array, key: Uint8Array): Buffer {
  return Buffer.from(concat(head, key));
}
