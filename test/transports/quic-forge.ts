/**
 * First packets of QUIC handshakes, opened and made anew: their keys follow from what they show (RFC 9001, 5.2), so anybody on the path, and
 * anybody who has one, can. Their ClientHello may then be altered, and there may be any number of them.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

const SALT = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex');
const TAG = 16;
/** Bytes of a packet number, in what is made here. */
const NUMBER = 4;
/** What a datagram with a first packet has at least (RFC 9000, 14.1). */
const LEAST = 1200;

export interface First {
  source: Buffer;
  /** The ClientHello. */
  hello: Buffer;
}

/** @param packet a client's first, with its whole ClientHello in it */
export function openFirst(packet: Buffer): First {
  const destination = packet.subarray(6, 6 + packet[5]!);
  let at = 6 + destination.length;
  const source = packet.subarray(at + 1, at + 1 + packet[at]!);
  at += 1 + source.length;
  const token = number(packet, at);
  at = token.end + token.value;
  const length = number(packet, at);
  at = length.end;
  const keys = keysOf(destination);
  const mask = maskOf(keys.header, packet.subarray(at + 4, at + 20));
  const head = Buffer.from(packet.subarray(0, at + 4));
  head[0]! ^= mask[0]! & 0x0f;
  const size = (head[0]! & 3) + 1;
  for (let i = 0; i < size; i++) head[at + i]! ^= mask[1 + i]!;
  const which = head.readUIntBE(at, size);
  const sealed = packet.subarray(at + size, at + length.value);
  const cipher = createDecipheriv('aes-128-gcm', keys.key, nonce(keys.iv, which));
  cipher.setAAD(head.subarray(0, at + size)).setAuthTag(sealed.subarray(-TAG));
  const frames = Buffer.concat([cipher.update(sealed.subarray(0, -TAG)), cipher.final()]);
  return { source: Buffer.from(source), hello: crypto(frames) };
}

/** A first packet with another destination, and so with other keys, as of somebody else. */
export function makeFirst({ source, hello }: First, destination = randomBytes(8)): Buffer {
  const crypto = Buffer.concat([Buffer.from([0x06, 0x00]), two(hello.length), hello]);
  const before = Buffer.concat([
    Buffer.from([0xc0 | (NUMBER - 1), 0, 0, 0, 1, destination.length]),
    ...[destination, Buffer.from([source.length]), source, Buffer.from([0])],
  ]);
  const room = Math.max(crypto.length, LEAST - before.length - 2 - NUMBER - TAG);
  const frames = Buffer.concat([crypto], room);
  const head = Buffer.concat([before, two(NUMBER + frames.length + TAG), Buffer.alloc(NUMBER)]);
  const { key, iv, header } = keysOf(destination);
  const cipher = createCipheriv('aes-128-gcm', key, nonce(iv, 0)).setAAD(head);
  const sealed = Buffer.concat([cipher.update(frames), cipher.final(), cipher.getAuthTag()]);
  const mask = maskOf(header, sealed.subarray(4 - NUMBER, 4 - NUMBER + 16));
  head[0]! ^= mask[0]! & 0x0f;
  for (let i = 0; i < NUMBER; i++) head[head.length - NUMBER + i]! ^= mask[1 + i]!;
  return Buffer.concat([head, sealed]);
}

/** Where the transport parameters of a ClientHello begin and end: extension 57 (RFC 9001, 8.2). */
export function parametersOf(hello: Buffer): { from: number; to: number } {
  // Type and length, version, random; then session, ciphers and compression, each with its length.
  let at = 4 + 2 + 32;
  at += 1 + hello[at]!;
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello[at]!;
  for (at += 2; at < hello.length; ) {
    const [type, length] = [hello.readUInt16BE(at), hello.readUInt16BE(at + 2)];
    if (type === 57) return { from: at + 4, to: at + 4 + length };
    at += 4 + length;
  }
  throw new Error('no transport parameters');
}

/** The data of all CRYPTO frames, which may come in pieces and in any order. */
function crypto(frames: Buffer): Buffer {
  const parts: { offset: number; data: Buffer }[] = [];
  for (let at = 0; at < frames.length; ) {
    if (frames[at] !== 0x06) {
      at++;
      continue;
    }
    const offset = number(frames, at + 1);
    const length = number(frames, offset.end);
    at = length.end + length.value;
    parts.push({ offset: offset.value, data: frames.subarray(length.end, at) });
  }
  return Buffer.concat(parts.sort((a, b) => a.offset - b.offset).map(({ data }) => data));
}

function number(bytes: Buffer, at: number): { value: number; end: number } {
  const size = 1 << (bytes[at]! >> 6);
  const value = Number(
    BigInt(`0x${bytes.subarray(at, at + size).toString('hex')}`) & ((1n << BigInt(8 * size - 2)) - 1n),
  );
  return { value, end: at + size };
}

function two(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(0x4000 | value);
  return bytes;
}

function keysOf(destination: Buffer): { key: Buffer; iv: Buffer; header: Buffer } {
  const first = createHmac('sha256', SALT).update(destination).digest();
  const client = expand(first, 'client in', 32);
  return {
    key: expand(client, 'quic key', 16),
    iv: expand(client, 'quic iv', 12),
    header: expand(client, 'quic hp', 16),
  };
}

/** HKDF-Expand-Label of TLS 1.3, of at most 32 bytes. */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

function nonce(iv: Buffer, which: number): Buffer {
  const bytes = Buffer.from(iv);
  bytes.writeUInt32BE((bytes.readUInt32BE(8) ^ which) >>> 0, 8);
  return bytes;
}

function maskOf(key: Buffer, sample: Uint8Array): Buffer {
  return createCipheriv('aes-128-ecb', key, null).update(sample);
}
