/**
 * What a peer and a server's relay say to each other at RELAY_PATH: a text each way, then the peers' own bytes in binary
 * messages that the server does not look into. A limit of the server ends the WebSocket with its sentence as the reason.
 */
import { BeelineError } from './errors.ts';
import { isToken } from './rendezvous.ts';

export const RELAY_VERSION = 1;
/** One WebSocket message, in bytes: what a relay holds whole before it passes it on. */
export const MAX_RELAY_MESSAGE = 128 * 1024;
/** Either text, in UTF-16 units. */
const MAX_TEXT = 256;
/** Of a close frame's reason, in bytes (RFC 6455, 5.5: a control frame holds 125, and the code takes two). */
const MAX_REASON = 123;

/** Close codes in use (RFC 6455, 7.4.1). */
export const CLOSE = { normal: 1000, goingAway: 1001, protocol: 1002, policy: 1008, busy: 1013 } as const;

/** The client's first and only text. `token` is a seat's, from `hosted` or `joined`: it tells the meeting and the side. */
export interface RelayHello {
  token: string;
}

export function encodeRelayHello({ token }: RelayHello): string {
  return JSON.stringify({ t: 'relay', v: RELAY_VERSION, token });
}

/** @throws BeelineError PROTOCOL, or VERSION if the client speaks another version. */
export function decodeRelayHello(text: string): RelayHello {
  const { t, v, token, ...more } = fieldsOf(text);
  if (t !== 'relay' || !Number.isSafeInteger(v)) throw malformed();
  if (v !== RELAY_VERSION)
    throw new BeelineError(
      'VERSION',
      `This relay speaks version ${RELAY_VERSION}, the client ${v}. Update the older Beeline.`,
    );
  if (!isToken(token) || Object.keys(more).length > 0) throw malformed();
  return { token };
}

/** The server's only text: the other side's connection is there, and what is sent from now on goes to it. */
export function encodePaired(): string {
  return JSON.stringify({ t: 'paired' });
}

/** @throws BeelineError PROTOCOL if it is anything else. */
export function decodePaired(text: string): void {
  const { t, ...more } = fieldsOf(text);
  if (t !== 'paired' || Object.keys(more).length > 0) throw malformed();
}

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

function fieldsOf(text: string): Record<string, unknown> {
  if (text.length > MAX_TEXT) throw malformed();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed();
  return value as Record<string, unknown>;
}

function malformed(): BeelineError {
  return new BeelineError('PROTOCOL', 'The relay got something malformed; is it a Beeline on the other end?');
}
