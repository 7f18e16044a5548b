/**
 * A ping of dht-rpc, which HyperDHT's nodes answer with the address that they see it come from: what STUN is at a server, where there
 * is none. Version 3 of that protocol, as dht-rpc 6 speaks it: little-endian, IPv4 only.
 */
import { familyOf } from '../base/addresses.ts';
import type { Address } from '../wire/candidate.ts';

/** The kind in the upper four bits, the version in the lower ones. */
const REQUEST = 0x03;
const REPLY = 0x13;
/** Of a request: a command of dht-rpc itself. */
const INTERNAL = 0x04;
const PING = 0x00;
/** Kind, flags, transaction, address, port: what both begin with. */
const HEAD_BYTES = 10;
const TRANSACTION_AT = 2;
const ADDRESS_AT = 4;
const PORT_AT = 8;
/** No reply to a ping is longer: it may also have an id, a token and a few nodes. */
const MOST_REPLY_BYTES = 1_400;

/** @param transaction 16 bits. @returns undefined for an address that is none of IPv4 */
export function encodeDhtPing(transaction: number, to: Address): Uint8Array | undefined {
  if (familyOf(to.host) !== 4) return undefined;
  const bytes = new Uint8Array(HEAD_BYTES + 1);
  const view = new DataView(bytes.buffer);
  bytes[0] = REQUEST;
  bytes[1] = INTERNAL;
  view.setUint16(TRANSACTION_AT, transaction, true);
  bytes.set(to.host.split('.').map(Number), ADDRESS_AT);
  view.setUint16(PORT_AT, to.port, true);
  bytes[HEAD_BYTES] = PING;
  return bytes;
}

/** What a reply is to, and where its node saw the ping come from. Undefined for what is none. */
export function decodeDhtReply(bytes: Uint8Array): { transaction: number; mapped: Address } | undefined {
  if (bytes.length < HEAD_BYTES || bytes.length > MOST_REPLY_BYTES || bytes[0] !== REPLY) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEAD_BYTES);
  const host = bytes.subarray(ADDRESS_AT, PORT_AT).join('.');
  return {
    transaction: view.getUint16(TRANSACTION_AT, true),
    mapped: { host, port: view.getUint16(PORT_AT, true) },
  };
}
