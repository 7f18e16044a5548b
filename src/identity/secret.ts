/**
 * Three ways to know the same secret as the peer, made to look alike: where to meet (public) and what to prove
 * (secret, the PAKE's password). A code is for people and one use; a pre-shared key and a pair of device keys are for
 * unattended use, and go through the PAKE as well, so that every session has fresh keys and forward secrecy.
 */
import { utf8Encode } from '../base/bytes.ts';
import type { Code } from './code.ts';

export interface SharedSecret {
  way: 'code' | 'psk' | 'device';
  /** Public. For a key or device pair it is the same every time, so a server can tell that the same two meet again. */
  nameplate: string;
  /** Secret: never log it. */
  password: Uint8Array;
}

export function fromCode(code: Code): SharedSecret {
  return { way: 'code', nameplate: code.nameplate, password: utf8Encode(code.password) };
}
