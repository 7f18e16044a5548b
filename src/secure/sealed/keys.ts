/** The keys of one sealed lane, from what both sides said in their hellos (which the PAKE key protects) and fresh nonces. */
import { concat, utf8Encode } from '../../base/bytes.ts';
import type { LaneKey } from './cipher.ts';

const { subtle } = globalThis.crypto;

/** Each side's half is its hello's `seal`: 32 bytes. */
export interface LaneSecret {
  own: Uint8Array;
  peer: Uint8Array;
  /** This side's, in the transfer. */
  role: 'sender' | 'receiver';
}

export interface LaneKeys {
  /** What the client sends; it only. */
  client: LaneKey;
  server: LaneKey;
}

/** Both sides' nonces: a record of one lane opens in no other, and one of a side's own opens nowhere. */
export interface Nonces {
  client: Uint8Array;
  server: Uint8Array;
}

/** HKDF-SHA-256 (RFC 5869), a key for each direction. @param side which of both this end seals with */
export async function laneKeys(
  { own, peer, role }: LaneSecret,
  nonces: Nonces,
  side: keyof LaneKeys,
): Promise<LaneKeys> {
  const secret = role === 'receiver' ? concat(own, peer) : concat(peer, own);
  const base = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  const salt = concat(nonces.client, nonces.server);
  const derive = (of: keyof LaneKeys) =>
    subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt, info: utf8Encode(`beeline sealed lane 1 ${of}`) },
      base,
      { name: 'AES-GCM', length: 256 },
      false,
      [of === side ? 'encrypt' : 'decrypt'],
    );
  const [client, server] = await Promise.all([derive('client'), derive('server')]);
  return { client, server };
}
