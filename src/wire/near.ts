/**
 * Who is near: a page that shows itself to others at the same address says its name once, and the server tells it who else does, and who
 * of them has a nameplate for it. Names and calls prove nothing; the words of the code do.
 */
import * as v from 'valibot';
import { BeelineError } from '../base/errors.ts';
import { hex, list, only, text } from '../base/json.ts';
import { isPlainName } from '../base/printable.ts';
import {
  byteLength,
  MAX_RENDEZVOUS_TEXT,
  REFUSED,
  RENDEZVOUS_V,
  readRendezvous,
  TOKEN,
} from './rendezvous.ts';

/** Characters of a name. */
export const MAX_NEAR_NAME = 32;
/** Who shows itself at one address. */
export const MAX_NEAR = 16;

/** Made by the server of the token that a page has for this visit, so that nobody can show itself as another. */
export const NEAR_ID = hex(8);
export const NEAR_NAME = v.pipe(text(MAX_NEAR_NAME), v.check(isPlainName));
/** Of a code that a server gave out. One that nobody can guess, of a standing secret, is no stranger's to tell. */
export const CALL_NAMEPLATE = v.pipe(v.string(), v.regex(/^[1-9][0-9]{0,8}$/));

/** A page that shows itself, as the others hear of it. */
export const NEAR_DEVICE = only({ id: NEAR_ID, name: NEAR_NAME });
export type NearDevice = Readonly<v.InferOutput<typeof NEAR_DEVICE>>;

export const NEAR_CLIENT = [
  only({ t: v.literal('near'), v: RENDEZVOUS_V, name: NEAR_NAME, token: TOKEN }),
  /** I send something to it, at this nameplate; absent: not any more. */
  only({ t: v.literal('call'), to: NEAR_ID, nameplate: v.optional(CALL_NAMEPLATE) }),
] as const;

const TO_NEAR = v.variant('t', [
  /** All others that show themselves now; the first one says that this side does, too. */
  only({ t: v.literal('nearby'), v: RENDEZVOUS_V, devices: list(NEAR_DEVICE, MAX_NEAR) }),
  only({ t: v.literal('called'), from: NEAR_DEVICE, nameplate: v.optional(CALL_NAMEPLATE) }),
  REFUSED,
]);

export type NearClientMessage = v.InferInput<(typeof NEAR_CLIENT)[number]>;
/** What a server says to a page that shows itself. */
export type NearMessage = v.InferOutput<typeof TO_NEAR>;

/** @throws BeelineError INTERNAL if the message would be too large */
export function encodeNear(message: NearClientMessage | NearMessage): string {
  const text = JSON.stringify(message);
  if (byteLength(text) > MAX_RENDEZVOUS_TEXT)
    throw new BeelineError('INTERNAL', `A message of who is near has at most ${MAX_RENDEZVOUS_TEXT} bytes.`);
  return text;
}

/** @throws BeelineError PROTOCOL, or VERSION if the server speaks another version. */
export function decodeNearMessage(text: string): NearMessage {
  return readRendezvous(TO_NEAR, text);
}
