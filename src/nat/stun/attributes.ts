/** What STUN attributes say (RFC 8489, 14). Readers return undefined for what is malformed. */
import { ipBytes, ipText } from '../../base/addresses.ts';
import { BeelineError } from '../../base/errors.ts';
import type { Address } from '../../wire/candidate.ts';
import { ATTRIBUTE, attributeOf, type StunMessage } from './message.ts';

const FAMILY_V4 = 1;
const FAMILY_V6 = 2;
const COOKIE = [0x21, 0x12, 0xa4, 0x42] as const;
/** Characters of a reason phrase (RFC 8489, 14.8). */
const MAX_REASON = 127;

/**
 * For XOR-MAPPED-, XOR-PEER- and XOR-RELAYED-ADDRESS.
 * @throws BeelineError INTERNAL if the host is no IP address.
 */
export function xorAddress(address: Address, transaction: Uint8Array): Uint8Array {
  return masked(plainAddress(address), transaction);
}

export function readXorAddress(value: Uint8Array | undefined, transaction: Uint8Array): Address | undefined {
  return value && readPlainAddress(masked(value, transaction));
}

/** For MAPPED-ADDRESS and OTHER-ADDRESS, whose bytes are as they are. @throws BeelineError INTERNAL */
export function plainAddress({ host, port }: Address): Uint8Array {
  const ip = ipBytes(host);
  if (!ip) throw new BeelineError('INTERNAL', `${JSON.stringify(host)} is not an IP address.`);
  return Uint8Array.from([0, ip.length === 4 ? FAMILY_V4 : FAMILY_V6, port >> 8, port & 0xff, ...ip]);
}

export function readPlainAddress(value: Uint8Array | undefined): Address | undefined {
  if (!value || value.length !== (value[1] === FAMILY_V4 ? 8 : value[1] === FAMILY_V6 ? 20 : -1))
    return undefined;
  const port = (value[2]! << 8) | value[3]!;
  return port === 0 ? undefined : { host: ipText(value.subarray(4)), port };
}

/** @param code 300 to 699. */
export function errorCode(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason.slice(0, MAX_REASON));
  const value = new Uint8Array(4 + text.length);
  value[2] = Math.floor(code / 100);
  value[3] = code % 100;
  value.set(text, 4);
  return value;
}

/** `reason` is fit for a terminal: one line, no control or bidirectional characters. */
export function readErrorCode(message: StunMessage): { code: number; reason: string } | undefined {
  const value = attributeOf(message, ATTRIBUTE.errorCode);
  if (!value || value.length < 4) return undefined;
  const hundreds = value[2]! & 7;
  if (hundreds < 3 || hundreds > 6 || value[3]! > 99) return undefined;
  const text = new TextDecoder().decode(value.subarray(4)).slice(0, MAX_REASON);
  const reason = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, ' ');
  return { code: hundreds * 100 + value[3]!, reason };
}

/** Port and address are covered by the cookie, an IPv6 address beyond 4 bytes by the transaction (RFC 8489, 14.2). */
function masked(value: Uint8Array, transaction: Uint8Array): Uint8Array {
  const mask = [...COOKIE, ...transaction];
  return value.map((byte, i) => (i < 2 ? byte : byte ^ (i < 4 ? mask[i - 2]! : (mask[i - 4] ?? 0))));
}
