/**
 * What a peer and a server's relay say to each other at RELAY_PATH: a text each way, then the peers' own bytes in binary
 * messages that the server does not look into. A limit of the server ends the WebSocket with its sentence as the reason.
 */
import * as v from 'valibot';
import { type BeelineError, fault } from '../base/errors.ts';
import { count, only, readJson, version } from '../base/json.ts';
import { MAX_GUEST, TOKEN } from './rendezvous.ts';

export const RELAY_VERSION = 1;
/** One WebSocket message, in bytes: what a relay holds whole before it passes it on. */
export const MAX_RELAY_MESSAGE = 128 * 1024;
/** Either text, in UTF-16 units. */
const MAX_TEXT = 256;
/** Of a close frame's reason, in bytes (RFC 6455, 5.5: a control frame holds 125, and the code takes two). */
const MAX_REASON = 123;

/** Close codes in use (RFC 6455, 7.4.1). */
export const CLOSE = { normal: 1000, goingAway: 1001, protocol: 1002, policy: 1008, busy: 1013 } as const;

/** What a client shows at the relay. */
export interface RelaySeat {
  /** Of its place at the rendezvous, from `hosted` or `joined`. It tells the meeting, the side and which guest it is. */
  token: string;
  /** Host only: for which guest this connection is. */
  guest?: number | undefined;
}

/** The client's first and only text. */
export function encodeRelayHello({ token, guest }: RelaySeat): string {
  return JSON.stringify({ t: 'relay', v: RELAY_VERSION, token, guest });
}

/** @throws BeelineError PROTOCOL, or VERSION if the client speaks another version. */
export function decodeRelayHello(text: string): RelaySeat {
  return read(HELLO, text);
}

/** The server's only text: the other side's connection is there, and what is sent from now on goes to it. */
export function encodePaired(): string {
  return JSON.stringify({ t: 'paired' });
}

/** @throws BeelineError PROTOCOL if it is anything else. */
export function decodePaired(text: string): void {
  read(PAIRED, text);
}

const HELLO = only({
  t: v.literal('relay'),
  v: version(RELAY_VERSION, (theirs) =>
    fault('VERSION_OTHER', { what: 'relay', ours: RELAY_VERSION, theirs }),
  ),
  token: TOKEN,
  guest: v.optional(count(MAX_GUEST, 1)),
});
const PAIRED = only({ t: v.literal('paired') });

/** A sentence cut to what a close frame can carry. Ours are ASCII: a unit is a byte. */
export function closeReason(sentence: string): string {
  return sentence.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON);
}

/** What of a close frame's reason may be shown to a person. */
export function readReason(reason: string): string {
  return reason
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, MAX_REASON)
    .trim();
}

function read<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> {
  if (text.length > MAX_TEXT) throw malformed();
  return readJson(schema, text, malformed);
}

function malformed(): BeelineError {
  return fault('RELAY_MALFORMED');
}
