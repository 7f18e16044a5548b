/** STUN messages on the wire (RFC 8489). Goal: nothing that arrives makes decoding throw, or cost more than its length. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { BeelineError, fault } from '../../base/errors.ts';

export type StunClass = 'request' | 'indication' | 'success' | 'error';

export interface StunAttribute {
  type: number;
  /** Without its padding. */
  value: Uint8Array;
}

export interface StunMessage {
  class: StunClass;
  /** One of METHOD, or any other of 12 bits. */
  method: number;
  /** 12 bytes. */
  transaction: Uint8Array;
  /** In the order of the wire. */
  attributes: StunAttribute[];
}

export const METHOD = {
  binding: 1,
  allocate: 3,
  refresh: 4,
  createPermission: 8,
  channelBind: 9,
  connect: 10,
  connectionBind: 11,
  connectionAttempt: 12,
} as const;

/** Types from 0x8000 on may be ignored by those who do not know them. */
export const ATTRIBUTE = {
  mappedAddress: 0x01,
  changeRequest: 0x03,
  username: 0x06,
  messageIntegrity: 0x08,
  errorCode: 0x09,
  unknownAttributes: 0x0a,
  lifetime: 0x0d,
  xorPeerAddress: 0x12,
  data: 0x13,
  realm: 0x14,
  nonce: 0x15,
  xorRelayedAddress: 0x16,
  requestedAddressFamily: 0x17,
  requestedTransport: 0x19,
  messageIntegritySha256: 0x1c,
  xorMappedAddress: 0x20,
  priority: 0x24,
  useCandidate: 0x25,
  connectionId: 0x2a,
  software: 0x8022,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
  otherAddress: 0x802c,
  /** Beeline's own. */
  beelineStream: 0xbee1,
} as const;

export const STUN_HEADER = 20;
/** Bytes of a whole message: they travel in single datagrams, and nothing that Beeline says or hears is near it. */
export const MAX_STUN = 2048;

const COOKIE = 0x2112a442;
const INTEGRITY_LENGTH = 20;
/** "STUN", so that the checksum differs from that of a protocol around it that uses the same CRC (RFC 8489, 14.7). */
const FINGERPRINT_XOR = 0x5354554e;
/** Index: the class's two bits. */
const CLASSES: readonly StunClass[] = ['request', 'indication', 'success', 'error'];

export function newTransaction(): Uint8Array {
  return new Uint8Array(randomBytes(12));
}

/**
 * @param options.key adds MESSAGE-INTEGRITY (HMAC-SHA1). @param options.fingerprint adds FINGERPRINT.
 * @throws BeelineError PROTOCOL if the whole is over MAX_STUN: attributes may repeat what a server gave.
 */
export function encodeStun(
  message: StunMessage,
  options: { key?: Uint8Array; fingerprint?: boolean } = {},
): Uint8Array {
  const { method, transaction, attributes } = message;
  if (transaction.length !== 12 || method < 0 || method > 0xfff)
    throw new BeelineError('INTERNAL', 'A malformed STUN message was to be sent.');
  let length = STUN_HEADER + (options.key ? 4 + INTEGRITY_LENGTH : 0) + (options.fingerprint ? 8 : 0);
  for (const { value } of attributes) length += 4 + padded(value.length);
  if (length > MAX_STUN) throw fault('STUN_MALFORMED');

  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, typeOf(message.class, method));
  view.setUint32(4, COOKIE);
  bytes.set(transaction, 8);
  let at = STUN_HEADER;
  const add = (type: number, value: Uint8Array) => {
    view.setUint16(at, type);
    view.setUint16(at + 2, value.length);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  };
  for (const { type, value } of attributes) add(type, value);
  if (options.key) add(ATTRIBUTE.messageIntegrity, integrity(bytes, at, options.key));
  // Covered by the checksum: the length up to and with FINGERPRINT itself, which is the last.
  view.setUint16(2, length - STUN_HEADER);
  if (options.fingerprint) add(ATTRIBUTE.fingerprint, fingerprint(bytes, at));
  return bytes;
}

/**
 * @returns undefined unless it is one whole, well-formed message and nothing more; a FINGERPRINT in it is checked.
 * What follows MESSAGE-INTEGRITY is left out, since nothing vouches for it (RFC 8489, 14.5).
 */
export function decodeStun(bytes: Uint8Array): StunMessage | undefined {
  if (!looksLikeStun(bytes) || bytes.length > MAX_STUN) return undefined;
  const view = viewOf(bytes);
  if (view.getUint16(2) !== bytes.length - STUN_HEADER || bytes.length % 4 !== 0) return undefined;
  const attributes: StunAttribute[] = [];
  let sealed = false;
  for (let at = STUN_HEADER; at < bytes.length; ) {
    const type = view.getUint16(at);
    const length = view.getUint16(at + 2);
    const end = at + 4 + padded(length);
    if (end > bytes.length) return undefined;
    const value = copy(bytes, at + 4, length);
    if (type === ATTRIBUTE.fingerprint) {
      if (end !== bytes.length || length !== 4 || !same(value, fingerprint(bytes, at))) return undefined;
      attributes.push({ type, value });
    } else if (!sealed) {
      attributes.push({ type, value });
      sealed = type === ATTRIBUTE.messageIntegrity;
    }
    at = end;
  }
  const type = view.getUint16(0);
  return {
    class: CLASSES[((type >> 7) & 2) | ((type >> 4) & 1)]!,
    method: ((type & 0x3e00) >> 2) | ((type & 0xe0) >> 1) | (type & 0xf),
    transaction: copy(bytes, 8, 12),
    attributes,
  };
}

/** True if MESSAGE-INTEGRITY is there and made with this key. Of bytes that decodeStun takes; false for others. */
export function hasIntegrity(bytes: Uint8Array, key: Uint8Array): boolean {
  if (!looksLikeStun(bytes) || bytes.length > MAX_STUN || bytes.length % 4 !== 0) return false;
  const view = viewOf(bytes);
  for (let at = STUN_HEADER; at < bytes.length; ) {
    const length = view.getUint16(at + 2);
    if (at + 4 + padded(length) > bytes.length) return false;
    if (view.getUint16(at) === ATTRIBUTE.messageIntegrity)
      return length === INTEGRITY_LENGTH && same(copy(bytes, at + 4, length), integrity(bytes, at, key));
    at += 4 + padded(length);
  }
  return false;
}

/** At least a header, two zero bits and the magic cookie: tells STUN from other traffic on one socket (RFC 8489, 5). */
export function looksLikeStun(bytes: Uint8Array): boolean {
  return bytes.length >= STUN_HEADER && bytes[0]! < 0x40 && viewOf(bytes).getUint32(4) === COOKIE;
}

/** The first of its type: of repeated ones only that counts (RFC 8489, 5). */
export function attributeOf(message: StunMessage, type: number): Uint8Array | undefined {
  return message.attributes.find((each) => each.type === type)?.value;
}

/** The class's two bits lie among the method's twelve (RFC 8489, figure 3). */
function typeOf(kind: StunClass, method: number): number {
  const bits = CLASSES.indexOf(kind);
  return (
    ((method & 0xf80) << 2) | ((method & 0x70) << 1) | (method & 0xf) | ((bits & 2) << 7) | ((bits & 1) << 4)
  );
}

/** HMAC over all before the attribute at `at`, with a length that ends behind it (RFC 8489, 14.5). */
function integrity(bytes: Uint8Array, at: number, key: Uint8Array): Uint8Array {
  const covered = copy(bytes, 0, at);
  viewOf(covered).setUint16(2, at - STUN_HEADER + 4 + INTEGRITY_LENGTH);
  return createHmac('sha1', key).update(covered).digest();
}

function fingerprint(bytes: Uint8Array, at: number): Uint8Array {
  const value = new Uint8Array(4);
  viewOf(value).setUint32(0, crc32(bytes.subarray(0, at)) ^ FINGERPRINT_XOR);
  return value;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Not `slice`: a Buffer's is no copy, and would keep a whole receive buffer alive. */
function copy(bytes: Uint8Array, from: number, length: number): Uint8Array {
  return new Uint8Array(bytes.subarray(from, from + length));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A key for MESSAGE-INTEGRITY: the password itself (RFC 8489, 9.1.1). Non-goal: SASLprep; Beeline's own passwords are ASCII. */
export function shortTermKey(password: string): Uint8Array {
  return new TextEncoder().encode(password);
}

/** MD5, which every TURN server still speaks (RFC 8489, 9.2.2). */
export function longTermKey(username: string, realm: string, password: string): Uint8Array {
  return new Uint8Array(createHash('md5').update(`${username}:${realm}:${password}`).digest());
}
