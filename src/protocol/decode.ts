/** Frames into messages, from bytes that a peer chose: every length and number is checked before it is used. */
import { Reader } from './bytes.ts';
import { BeelineError } from './errors.ts';
import {
  MAX_CHUNK,
  MAX_CONTROL_FRAME,
  MAX_ENTRIES,
  MAX_GONE,
  MAX_HAVE,
  MAX_LANES,
  MAX_OUTSTANDING,
  MAX_PAGE,
  MAX_PAGES,
  MAX_STATUS_SEQ,
  MIN_CHUNK,
} from './limits.ts';
import {
  CHUNK_HEADER_LENGTH,
  type ChunkHash,
  type ChunkHeader,
  FORMS,
  type Message,
  type MessageType,
  OFFER_KINDS,
  STATUS_STATES,
  TYPES,
} from './messages.ts';

export interface FrameHeader {
  type: MessageType;
  /** Bytes of body. */
  length: number;
}

/** Checks type and length before anything is allocated for the body. Throws PROTOCOL. */
export function decodeHeader(bytes: Uint8Array): FrameHeader {
  const reader = new Reader(bytes);
  const length = reader.u32();
  const type = TYPES[reader.u8()];
  if (!type) throw new BeelineError('PROTOCOL', 'The other side sent a frame of an unknown type.');
  const max = type === 'chunk' ? CHUNK_HEADER_LENGTH + MAX_CHUNK : MAX_CONTROL_FRAME;
  if (length > max)
    throw new BeelineError(
      'PROTOCOL',
      `The other side sent a frame of ${length} bytes; ${max} is the limit.`,
    );
  if (type === 'chunk' && length < CHUNK_HEADER_LENGTH)
    throw new BeelineError('PROTOCOL', 'The other side sent a truncated chunk.');
  return { type, length };
}

/** Decodes the fixed part of a chunk frame's body; `bodyLength` is the whole body's. Throws PROTOCOL. */
export function decodeChunkHeader(bytes: Uint8Array, bodyLength: number): ChunkHeader {
  const reader = new Reader(bytes);
  const index = reader.u32() * 2 ** 32 + reader.u32();
  const length = reader.u32();
  const form = FORMS[reader.u8()];
  const sha256 = reader.raw(32).slice();
  if (
    !form ||
    !Number.isSafeInteger(index) ||
    length > MAX_CHUNK ||
    bodyLength !== CHUNK_HEADER_LENGTH + (form === 'data' ? length : 0)
  ) {
    throw new BeelineError('PROTOCOL', 'The other side sent a malformed chunk.');
  }
  return { index, length, form, sha256 };
}

/** Decodes every message but `chunk`. Throws PROTOCOL, VERSION or BAD_MANIFEST. */
export function decodeMessage(type: Exclude<MessageType, 'chunk'>, body: Uint8Array): Message {
  const reader = new Reader(body);
  const message = decodeBody(type, reader);
  reader.end();
  return message;
}

function decodeBody(type: Exclude<MessageType, 'chunk'>, reader: Reader): Message {
  switch (type) {
    case 'offer':
      return decodeOffer(reader);
    case 'get-page':
      return { type, page: bounded(reader.varint(), MAX_PAGES) };
    case 'page':
      return { type, page: bounded(reader.varint(), MAX_PAGES), bytes: reader.bytes(MAX_PAGE).slice() };
    case 'get': {
      const count = bounded(reader.varint(), MAX_OUTSTANDING);
      return { type, chunks: Array.from({ length: count }, () => reader.varint()) };
    }
    case 'compare':
      return { type, chunks: chunkHashes(reader, MAX_OUTSTANDING) };
    case 'have':
      return { type, chunks: chunkHashes(reader, MAX_HAVE) };
    case 'written':
      return { type, below: reader.varint() };
    case 'status': {
      const seq = bounded(reader.varint(), MAX_STATUS_SEQ);
      const state = STATUS_STATES[reader.u8()];
      if (!state) throw malformed();
      return { type, seq, state, code: reader.text(64), text: reader.text(2048) };
    }
    case 'ping':
    case 'pong':
      return { type, nonce: reader.u32() };
    case 'want-lanes':
      return { type, count: bounded(reader.varint(), MAX_LANES) };
    case 'finish': {
      const root = reader.raw(32).slice();
      const count = bounded(reader.varint(), MAX_GONE);
      return { type, root, gone: Array.from({ length: count }, () => reader.varint()) };
    }
    case 'finished':
      return { type, root: reader.raw(32).slice(), started: reader.varint(), ended: reader.varint() };
    case 'confirmed':
      return { type };
    case 'gone':
      return { type, entry: reader.varint(), code: reader.text(64), text: reader.text(2048) };
  }
}

function chunkHashes(reader: Reader, most: number): ChunkHash[] {
  const count = bounded(reader.varint(), most);
  return Array.from({ length: count }, () => ({ index: reader.varint(), sha256: reader.raw(32).slice() }));
}

function decodeOffer(reader: Reader): Message {
  const version = reader.varint();
  const kind = OFFER_KINDS[reader.u8()];
  const entries = reader.varint();
  const pages = reader.varint();
  const known = reader.u8() === 1;
  const bytes = reader.varint();
  const chunkSize = reader.u32();
  const flags = reader.u8();
  const power = chunkSize >= MIN_CHUNK && chunkSize <= MAX_CHUNK && (chunkSize & (chunkSize - 1)) === 0;
  if (
    !kind ||
    flags > 3 ||
    !power ||
    entries < 1 ||
    entries > MAX_ENTRIES ||
    pages < 1 ||
    pages > Math.min(MAX_PAGES, entries)
  ) {
    throw new BeelineError('BAD_MANIFEST', 'The other side offers a transfer with absurd numbers.');
  }
  if (kind !== 'stream' && !known)
    throw new BeelineError('BAD_MANIFEST', 'The other side offers files of unknown size.');
  return {
    type: 'offer',
    version,
    kind,
    entries,
    pages,
    bytes: known ? bytes : undefined,
    chunkSize,
    sha256: (flags & 1) !== 0,
    update: (flags & 2) !== 0,
  };
}

function bounded(value: number, max: number): number {
  if (value > max) throw malformed();
  return value;
}

function malformed(): BeelineError {
  return new BeelineError('PROTOCOL', 'The other side sent a malformed message.');
}
