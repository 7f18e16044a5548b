/** Reading and writing the wire's integers and strings. Every read is bounds-checked and ends in PROTOCOL. */
import { BeelineError, fault } from './errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Throws PROTOCOL on malformed UTF-8, so that one byte string has one meaning. */
export function utf8Decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw fault('PEER_MALFORMED', { what: 'text that is not valid UTF-8' }, { cause });
  }
}

const DIGITS = utf8Encode('0123456789abcdef');

/** In one piece: a text that is put together digit by digit stays many pieces in memory. */
export function toHex(bytes: Uint8Array): string {
  const digits = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    digits[2 * i] = DIGITS[bytes[i]! >> 4]!;
    digits[2 * i + 1] = DIGITS[bytes[i]! & 15]!;
  }
  return utf8.decode(digits);
}

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length >> 1);
  let sound = text.length % 2 === 0;
  for (let i = 0; i < bytes.length && sound; i++) {
    const value = (digit(text.charCodeAt(2 * i)) << 4) | digit(text.charCodeAt(2 * i + 1));
    sound = value >= 0;
    bytes[i] = value;
  }
  if (!sound) throw fault('PEER_MALFORMED', { what: 'malformed hex' });
  return bytes;
}

/** What a lower-case hex digit stands for; a negative number for any other character. */
function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x61 + 10 : -1;
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatAll(parts);
}

/** As `concat`, of a list of any length. */
export function concatAll(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Bytes of the longest integer. */
const MAX_VARINT = 8;

/** Appends to a buffer that grows. Integers are big-endian; `varint` is LEB128 up to 2^53-1. */
export class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
    return this;
  }

  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new BeelineError('INTERNAL', `Cannot encode ${value}.`);
    this.#reserve(MAX_VARINT);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  text(text: string): this {
    const { length } = text;
    if (length >= 0x80) return this.bytes(utf8Encode(text));
    // Most names are short and plain: a call of the encoder costs more than their bytes do.
    this.#reserve(1 + length);
    const bytes = this.#bytes;
    const at = this.#length + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return this.bytes(utf8Encode(text));
      bytes[at + i] = code;
    }
    bytes[at - 1] = length;
    this.#length = at + length;
    return this;
  }

  /** Begins anew, in the same buffer. */
  clear(): void {
    this.#length = 0;
  }

  /** The bytes so far, as a copy that later writes do not touch. */
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads what Writer wrote, from bytes that a peer chose. */
export class Reader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    if (this.left < 1) throw truncated();
    return this.#bytes[this.#at++]!;
  }

  u32(): number {
    const [a, b, c, d] = this.raw(4);
    return ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw truncated();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        // One value has one encoding, so that hashes over encodings mean something.
        if ((byte === 0 && i > 0) || !Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 0x80;
    }
    throw fault('PEER_MALFORMED', { what: 'a malformed integer' });
  }

  raw(length: number): Uint8Array {
    if (length > this.left) throw truncated();
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }

  bytes(max: number): Uint8Array {
    const length = this.varint();
    if (length > max)
      throw fault('PEER_MALFORMED', { what: `a field of ${length} bytes; ${max} is the limit` });
    return this.raw(length);
  }

  text(max: number): string {
    return utf8Decode(this.bytes(max));
  }

  /** Throws PROTOCOL if anything is left over. */
  end(): void {
    if (this.left > 0) throw fault('PEER_MALFORMED', { what: 'a message with trailing bytes' });
  }
}

function truncated(): BeelineError {
  return fault('PEER_MALFORMED', { what: 'a truncated message' });
}
