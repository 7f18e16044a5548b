/**
 * How a receiver that was started again proves that it is the one from before, under a code that is burnt: by the place of its hello,
 * which its sender alone has heard. 128 bits of it are random, so nobody guesses them as a code is guessed.
 */
import { primitives } from '#crypto';
import { concatAll, toHex, utf8Encode } from '../base/bytes.ts';
import type { SharedSecret } from './secret.ts';

/** By which a place is named to the sender, in the clear: 32 hex digits, from which nobody makes the place. */
export function nameOfPlace(place: string): string {
  return toHex(primitives.sha256(utf8Encode(`beeline place name\0${place}`)).subarray(0, 16));
}

/** The code's password and the place: who came back has to know both. */
export function returnPassword({ password }: SharedSecret, place: string): Uint8Array {
  return concatAll([utf8Encode(`beeline return\0${place}\0`), password]);
}
