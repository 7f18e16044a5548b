/**
 * Watching for hosts: a client that waits for several devices names their nameplates once, and the server says which of them have a
 * host, now and at each change.
 */
import * as v from 'valibot';
import { BeelineError } from '../base/errors.ts';
import { list, only } from '../base/json.ts';
import { NEAR_CLIENT } from './near.ts';
import {
  byteLength,
  CLIENT,
  MAX_RENDEZVOUS_TEXT,
  NAMEPLATE,
  REFUSED,
  RENDEZVOUS_V,
  readRendezvous,
} from './rendezvous.ts';

/** Nameplates of one watcher. */
export const MAX_WATCHED = 1000;

/**
 * Only nameplates that nobody can guess may be watched, those of standing secrets (`identity/standing-secret.ts`). Otherwise a stranger
 * could list the meetings that a server has now, and be the first at each.
 */
const STANDING_FORM = /^[dp][a-z2-7]{15}$/;
const STANDING = v.pipe(NAMEPLATE, v.regex(STANDING_FORM));

export const isWatchable = (nameplate: string): boolean => STANDING_FORM.test(nameplate);

const WATCH = only({
  t: v.literal('watch'),
  v: RENDEZVOUS_V,
  nameplates: v.pipe(list(STANDING, MAX_WATCHED), v.minLength(1)),
});

const SEAT = v.variant('t', [...CLIENT.options, WATCH, ...NEAR_CLIENT]);

const WATCHER = v.variant('t', [
  /** `present`: those of the nameplates that have a host now. */
  only({ t: v.literal('watching'), v: RENDEZVOUS_V, present: list(NAMEPLATE, MAX_WATCHED) }),
  /** A host has come, or has gone. */
  only({ t: v.literal('hosting'), nameplate: NAMEPLATE, present: v.boolean() }),
  REFUSED,
]);

/** What a client says to a server, watching and showing itself to others included. */
export type SeatMessage = v.InferOutput<typeof SEAT>;
export type WatchMessage = v.InferInput<typeof WATCH>;
/** What a server says to a watcher. */
export type WatcherMessage = v.InferOutput<typeof WATCHER>;

/** @throws BeelineError INTERNAL if the nameplates are so long that the message would be too large */
export function encodeWatch(message: WatchMessage | WatcherMessage): string {
  const text = JSON.stringify(message);
  if (byteLength(text) > MAX_RENDEZVOUS_TEXT)
    throw new BeelineError('INTERNAL', `A message to watch has at most ${MAX_RENDEZVOUS_TEXT} bytes.`);
  return text;
}

/** @throws BeelineError PROTOCOL, or VERSION if the client speaks another version. */
export function decodeSeatMessage(text: string): SeatMessage {
  return readRendezvous(SEAT, text);
}

/** @throws BeelineError PROTOCOL, or VERSION if the server speaks another version. */
export function decodeWatcherMessage(text: string): WatcherMessage {
  return readRendezvous(WATCHER, text);
}
