/** Binding requests and what their answers say (RFC 8489, 7; RFC 5780 for the other port). */

import { BeelineError, fault } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { readErrorCode, readPlainAddress, readXorAddress } from './attributes.ts';
import {
  ATTRIBUTE,
  attributeOf,
  encodeStun,
  METHOD,
  type StunAttribute,
  type StunMessage,
} from './message.ts';

export interface Binding {
  /** What the server saw of this side: its own address, or its NAT's. */
  mapped: Address;
  /** The server's other port (OTHER-ADDRESS), if it has one. */
  other?: Address;
}

/** Milliseconds for one question, all its repetitions included. */
export const ASK_DEADLINE = 3_000;

/** CHANGE-REQUEST's flags (RFC 5780, 7.2). */
export const CHANGE_HOST = 4;
export const CHANGE_PORT = 2;

export function bindingRequest(transaction: Uint8Array, changePort = false): Uint8Array {
  const change: StunAttribute = { type: ATTRIBUTE.changeRequest, value: Uint8Array.of(0, 0, 0, CHANGE_PORT) };
  const attributes = changePort ? [change] : [];
  return encodeStun(
    { class: 'request', method: METHOD.binding, transaction, attributes },
    { fingerprint: true },
  );
}

/** @throws BeelineError SERVER if the server refused, or did not say an address. */
export function readBinding(answer: StunMessage, server: Address): Binding {
  const name = formatAddress(server);
  if (answer.class === 'error') {
    const { code, reason } = readErrorCode(answer) ?? { code: 0, reason: 'no reason given' };
    throw fault('STUN_REFUSED', { server: name, what: `refused: ${reason} (${code})` });
  }
  const mapped = readXorAddress(attributeOf(answer, ATTRIBUTE.xorMappedAddress), answer.transaction);
  if (!mapped) throw fault('STUN_REFUSED', { server: name, what: 'does not say which address it sees' });
  const other = readPlainAddress(attributeOf(answer, ATTRIBUTE.otherAddress));
  if (!other) return { mapped };
  // A server that listens on every address does not know which of them it was asked at, and says so.
  const anywhere = other.host === '0.0.0.0' || other.host === '::';
  return { mapped, other: anywhere ? { host: server.host, port: other.port } : other };
}

export function silent(server: Address): BeelineError {
  return fault('STUN_LATE', { server: formatAddress(server) });
}

export function cancelled(): BeelineError {
  return new BeelineError('CANCELLED', 'Nobody waits for the STUN server any more.');
}
