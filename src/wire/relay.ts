/**
 * What a peer and a server's relay say to each other at RELAY_PATH: a text each way, then the peers' own bytes in binary
 * messages that the server does not look into. A limit of the server ends the WebSocket with its sentence as the reason.
 */
import * as v from 'valibot';
import { type BeelineError, fault } from '../base/errors.ts';
import { count, only, readJson, text, version } from '../base/json.ts';
import { MAX_GUEST, TOKEN } from './rendezvous.ts';

export const RELAY_VERSION = 1;
/** One WebSocket message, in bytes: what a relay holds whole before it passes it on. */
export const MAX_RELAY_MESSAGE = 128 * 1024;
/** Any text, in UTF-16 units. */
const MAX_TEXT = 512;
/** Of the URL of another instance, in UTF-16 units. */
export const MAX_RELAY_URL = 256;
/** Of a close frame's reason, in bytes (RFC 6455, 5.5: a control frame holds 125, and the code takes two). */
const MAX_REASON = 123;

/** Close codes in use (RFC 6455, 7.4.1). */
export const CLOSE = { normal: 1000, goingAway: 1001, protocol: 1002, policy: 1008, busy: 1013 } as const;

/** Where the other side's connection waits, if the server is several instances. */
export interface RelayMove {
  /** As for `--server`. */
  url: string;
  /** For that instance alone, once, and soon. */
  ticket: string;
}

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

/** The same at the instance that a ticket is for. */
export function encodeRelayTicket(ticket: string): string {
  return JSON.stringify({ t: 'relay', v: RELAY_VERSION, ticket });
}

/** @throws BeelineError PROTOCOL, or VERSION if the client speaks another version. */
export function decodeRelayHello(text: string): RelaySeat | { ticket: string } {
  return read(HELLO, text);
}

/** One of the server's two texts: the other side's connection is there, and what is sent from now on goes to it. */
export function encodePaired(): string {
  return JSON.stringify({ t: 'paired' });
}

/** The other: another instance carries these two, and this connection ends. */
export function encodeMoved(move: RelayMove): string {
  return JSON.stringify({ t: 'moved', ...move });
}

/** @returns nothing for `paired` @throws BeelineError PROTOCOL if it is anything else. */
export function decodeRelayAnswer(text: string): RelayMove | undefined {
  const said = read(ANSWER, text);
  return said.t === 'moved' ? said : undefined;
}

const HEAD = {
  t: v.literal('relay'),
  v: version(RELAY_VERSION, (theirs) =>
    fault('VERSION_OTHER', { what: 'relay', ours: RELAY_VERSION, theirs }),
  ),
};
const HELLO = v.union([
  only({ ...HEAD, token: TOKEN, guest: v.optional(count(MAX_GUEST, 1)) }),
  only({ ...HEAD, ticket: TOKEN }),
]);
const ANSWER = v.variant('t', [
  only({ t: v.literal('paired') }),
  only({ t: v.literal('moved'), url: text(MAX_RELAY_URL), ticket: TOKEN }),
]);

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

function read<S extends v.GenericSchema>(schema: S, said: string): v.InferOutput<S> {
  if (said.length > MAX_TEXT) throw malformed();
  return readJson(schema, said, malformed);
}

function malformed(): BeelineError {
  return fault('RELAY_MALFORMED');
}
