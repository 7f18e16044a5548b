/** Secrets that stand for longer than one meeting: a pre-shared key, and a pair of device keys. */
import { primitives } from '#crypto';
import { concat, concatAll, utf8Encode } from '../base/bytes.ts';
import { fault } from '../base/errors.ts';
import { toBase32 } from './base32.ts';
import type { SharedSecret } from './secret.ts';

/** Bytes: 128 bits, if they are random. */
export const MIN_PSK = 16;

/**
 * The key has to be random (`head -c 32 /dev/urandom`), not a phrase: the nameplate is a hash of it, against which
 * a server could test guesses at leisure.
 * @throws BeelineError USAGE if the key is shorter than 16 bytes.
 */
export function fromPsk(key: Uint8Array): SharedSecret {
  if (key.length < MIN_PSK) throw fault('PSK_SHORT');
  return derive('psk', key, new Uint8Array());
}

/**
 * Both devices get the same, whichever of them asks, for each of the two directions: a device that sends, and waits for the other one
 * at the same time, must not meet itself.
 * @param shared what X25519 makes of one side's private key and the other's public one
 * @param own raw public keys, 32 bytes each
 * @param role this side's
 */
export function fromExchange(
  shared: Uint8Array,
  own: Uint8Array,
  peer: Uint8Array,
  role: 'sender' | 'receiver',
): SharedSecret {
  // RFC 7748 section 6.1 advises to bind both public keys, since several of them can give one shared secret.
  return derive('device', shared, concatAll(role === 'sender' ? [own, peer] : [peer, own]));
}

/** Nameplate and password come out of HKDF under different infos, so that the public one says nothing of the other. */
function derive(way: 'psk' | 'device', key: Uint8Array, binding: Uint8Array): SharedSecret {
  const output = (use: string) =>
    primitives.hkdf(key, concat(utf8Encode(`beeline ${way} ${use}\0`), binding), 32);
  return {
    way,
    // 75 bits: no two keys meet by chance.
    nameplate: way[0] + toBase32(output('nameplate')).slice(0, 15),
    password: output('password'),
  };
}
