/** Frames into messages, from bytes that a peer chose: every length and number is checked before it is used. */
import { Reader } from '../base/bytes.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import {
  BLOCK_BYTES,
  MAX_CHUNK,
  MAX_CHUNKS,
  MAX_CONTROL_FRAME,
  MAX_ENTRIES,
  MAX_GONE,
  MAX_HAVE,
  MAX_HOLDS,
  MAX_LANES,
  MAX_OUTSTANDING,
  MAX_PAGE,
  MAX_PAGES,
  MAX_STATUS_SEQ,
  MIN_CHUNK,
} from '../base/limits.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import {
  BLOCKS_HEADER_LENGTH,
  type BlockRange,
  type BlocksHeader,
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
  if (!type) throw fault('PEER_MALFORMED', { what: 'a frame of an unknown type' });
  const max = type === 'blocks' ? BLOCKS_HEADER_LENGTH + MAX_CHUNK : MAX_CONTROL_FRAME;
  if (length > max)
    throw fault('PEER_MALFORMED', { what: `a frame of ${length} bytes; ${max} is the limit` });
  if (type === 'blocks' && length < BLOCKS_HEADER_LENGTH)
    throw fault('PEER_MALFORMED', { what: 'truncated blocks' });
  return { type, length };
}

/** Decodes the fixed part of a frame of blocks; `bodyLength` is the whole body's. Throws PROTOCOL. */
export function decodeBlocksHeader(body: Uint8Array, bodyLength: number): BlocksHeader {
  const reader = new Reader(body);
  const index = reader.u32() * 2 ** 32 + reader.u32();
  const length = reader.u32();
  const offset = reader.u32();
  const form = FORMS[reader.u8()];
  const sha256 = reader.raw(32).slice();
  const bytes = bodyLength - BLOCKS_HEADER_LENGTH;
  const end = offset + bytes;
  const whole = bytes > 0 && (end === length || (end < length && bytes % BLOCK_BYTES === 0));
  const fits = offset % BLOCK_BYTES === 0 && (form === 'zeros' ? offset < length && bytes === 0 : whole);
  if (!form || !Number.isSafeInteger(index) || length === 0 || length > MAX_CHUNK || !fits)
    throw fault('PEER_MALFORMED', { what: 'malformed blocks' });
  return { index, length, form, sha256, offset, bytes };
}

/** Decodes every message but `blocks`. Throws PROTOCOL, VERSION or BAD_MANIFEST. */
export function decodeMessage(type: Exclude<MessageType, 'blocks'>, body: Uint8Array): Message {
  const reader = new Reader(body);
  const message = decodeBody(type, reader);
  reader.end();
  return message;
}

function decodeBody(type: Exclude<MessageType, 'blocks'>, reader: Reader): Message {
  switch (type) {
    case 'offer':
      return decodeOffer(reader);
    case 'get-page':
      return { type, page: bounded(reader.varint(), MAX_PAGES) };
    case 'page':
      return { type, page: bounded(reader.varint(), MAX_PAGES), bytes: reader.bytes(MAX_PAGE).slice() };
    case 'get': {
      const count = bounded(reader.varint(), MAX_OUTSTANDING);
      return { type, ranges: Array.from({ length: count }, () => blockRange(reader)) };
    }
    case 'get-hash':
      return { type, chunks: indices(reader, MAX_OUTSTANDING) };
    case 'hash': {
      const index = reader.varint();
      return { type, index, length: bounded(reader.varint(), MAX_CHUNK), sha256: reader.raw(32).slice() };
    }
    case 'arrived':
      return { type, bytes: reader.varint(), kept: reader.varint(), chunks: indices(reader, MAX_HAVE) };
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
    case 'holds':
      return { type, first: bounded(reader.varint(), MAX_CHUNKS), bits: reader.bytes(MAX_HOLDS).slice() };
    case 'lacks':
      return { type, ...blockRange(reader) };
  }
}

function indices(reader: Reader, most: number): number[] {
  const count = bounded(reader.varint(), most);
  return Array.from({ length: count }, () => reader.varint());
}

function blockRange(reader: Reader): BlockRange {
  const index = reader.varint();
  const from = reader.varint();
  const to = bounded(reader.varint(), MAX_CHUNK / BLOCK_BYTES);
  if (from >= to) throw malformed();
  return { index, from, to };
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
    throw fault('OFFER_MALFORMED', { what: 'its numbers are absurd' });
  }
  if (kind !== 'stream' && !known) throw fault('OFFER_MALFORMED', { what: 'it has files of unknown size' });
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
  return fault('PEER_MALFORMED', { what: 'a malformed message' });
}
