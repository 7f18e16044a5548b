/**
 * The messages that lanes carry, and their encoding. A frame is `u32 length, u8 type, body`; everything is
 * idempotent, so that any live lane may carry any message and a lost one is simply sent again.
 */
import { Reader, Writer } from './bytes.ts';
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
import type { Offer } from './manifest.ts';

/** Who asked for the present state of a session; the higher `seq` wins, and each side counts its own. */
export interface Status {
  seq: number;
  state: 'running' | 'paused' | 'cancelled' | 'failed';
  code: string;
  text: string;
}

export interface ChunkHeader {
  index: number;
  /** Bytes of data; that many follow if `form` is 'data', none otherwise. */
  length: number;
  /** 'zeros': it is all zeros. 'same': it is what the receiver has already, by its own word in a `compare`. */
  form: 'data' | 'zeros' | 'same';
  sha256: Uint8Array;
}

/** A chunk by what is in it. */
export interface ChunkHash {
  index: number;
  sha256: Uint8Array;
}

export type Message =
  | ({ type: 'offer' } & Offer)
  | { type: 'get-page'; page: number }
  | { type: 'page'; page: number; bytes: Uint8Array }
  | { type: 'get'; chunks: number[] }
  /** Receiver to sender: get these, unless their hashes are the ones that are here already. */
  | { type: 'compare'; chunks: ChunkHash[] }
  /** Receiver to sender: these are here from an earlier run and will not be asked for. */
  | { type: 'have'; chunks: ChunkHash[] }
  | ({ type: 'chunk'; data: Uint8Array } & ChunkHeader)
  /** Receiver to sender, for streams: every chunk below this one is written. */
  | { type: 'written'; below: number }
  | ({ type: 'status' } & Status)
  | { type: 'ping'; nonce: number }
  | { type: 'pong'; nonce: number }
  /** Receiver to sender: dial until there are this many lanes in all. */
  | { type: 'want-lanes'; count: number }
  /** Receiver to sender: everything is written, this is my root. */
  | { type: 'finish'; root: Uint8Array; gone: number[] }
  /** Sender to receiver: my root, and when this began and ended by my clock (ms since 1970), for both receipts. */
  | { type: 'finished'; root: Uint8Array; started: number; ended: number }
  /** Receiver to sender: your last word has come, do not wait for me. */
  | { type: 'confirmed' }
  /** Sender to receiver: this entry's file changed or went away and will not be delivered; its bytes come as zeros. */
  | { type: 'gone'; entry: number; code: string; text: string };

export type MessageType = Message['type'];

/** Wire numbers; append only. */
const TYPES: readonly MessageType[] = [
  'offer',
  'get-page',
  'page',
  'get',
  'chunk',
  'written',
  'status',
  'ping',
  'pong',
  'want-lanes',
  'finish',
  'finished',
  'gone',
  'compare',
  'have',
  'confirmed',
];
const FORMS: readonly ChunkHeader['form'][] = ['data', 'zeros', 'same'];
const OFFER_KINDS: readonly Offer['kind'][] = ['files', 'text', 'stream'];
const STATUS_STATES: readonly Status['state'][] = ['running', 'paused', 'cancelled', 'failed'];

export const HEADER_LENGTH = 5;
/** index (8) length (4) flags (1) sha256 (32): fixed, so that a chunk's data always starts at the same place. */
export const CHUNK_HEADER_LENGTH = 45;

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

function frame(type: MessageType, body: Uint8Array, dataLength = 0): Uint8Array<ArrayBuffer> {
  return new Writer()
    .u32(body.length + dataLength)
    .u8(TYPES.indexOf(type))
    .raw(body)
    .done();
}

/** The frame of a message; for a chunk everything before its data, which the lane sends right behind it uncopied. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const body = new Writer();
  switch (message.type) {
    case 'offer':
      body
        .varint(message.version)
        .u8(OFFER_KINDS.indexOf(message.kind))
        .varint(message.entries)
        .varint(message.pages);
      body.u8(message.bytes === undefined ? 0 : 1).varint(message.bytes ?? 0);
      body.u32(message.chunkSize).u8((message.sha256 ? 1 : 0) | (message.update ? 2 : 0));
      break;
    case 'get-page':
      body.varint(message.page);
      break;
    case 'page':
      body.varint(message.page).bytes(message.bytes);
      break;
    case 'get':
      body.varint(message.chunks.length);
      for (const chunk of message.chunks) body.varint(chunk);
      break;
    case 'chunk': {
      const high = Math.floor(message.index / 2 ** 32);
      body
        .u32(high)
        .u32(message.index % 2 ** 32)
        .u32(message.length)
        .u8(FORMS.indexOf(message.form))
        .raw(message.sha256);
      return frame('chunk', body.done(), message.form === 'data' ? message.length : 0);
    }
    case 'compare':
    case 'have':
      body.varint(message.chunks.length);
      for (const { index, sha256 } of message.chunks) body.varint(index).raw(sha256);
      break;
    case 'written':
      body.varint(message.below);
      break;
    case 'status':
      body.varint(message.seq).u8(STATUS_STATES.indexOf(message.state)).text(message.code).text(message.text);
      break;
    case 'ping':
    case 'pong':
      body.u32(message.nonce);
      break;
    case 'want-lanes':
      body.varint(message.count);
      break;
    case 'finish':
      body.raw(message.root).varint(message.gone.length);
      for (const entry of message.gone) body.varint(entry);
      break;
    case 'finished':
      body.raw(message.root).varint(message.started).varint(message.ended);
      break;
    case 'confirmed':
      break;
    case 'gone':
      body.varint(message.entry).text(message.code).text(message.text);
      break;
  }
  return frame(message.type, body.done());
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
