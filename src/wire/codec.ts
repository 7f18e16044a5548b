/**
 * Messages into frames and back. The form of each field is said once, for both ways. What is read was chosen by a peer: every
 * length and number is checked before it is used.
 */
import { Reader, Writer } from '../base/bytes.ts';
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
import type { OfferHeader } from '../offer/manifest.ts';
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

/** How a value stands in a body. */
interface Form<T> {
  write(to: Writer, value: T): void;
  /** @throws BeelineError PROTOCOL or BAD_MANIFEST */
  read(from: Reader): T;
}

const u32: Form<number> = { write: (to, value) => to.u32(value), read: (from) => from.u32() };
const hash: Form<Uint8Array> = {
  write: (to, value) => to.raw(value),
  read: (from) => from.raw(32).slice(),
};

const count = (max = Number.POSITIVE_INFINITY): Form<number> => ({
  write: (to, value) => to.varint(value),
  read: (from) => bounded(from.varint(), max),
});

const bytes = (max: number): Form<Uint8Array> => ({
  write: (to, value) => to.bytes(value),
  read: (from) => from.bytes(max).slice(),
});

const text = (max: number): Form<string> => ({
  write: (to, value) => to.text(value),
  read: (from) => from.text(max),
});

const oneOf = <T>(all: readonly T[], refuse = malformed): Form<T> => ({
  write: (to, value) => to.u8(all.indexOf(value)),
  read(from) {
    const found = all[from.u8()];
    if (found === undefined) throw refuse();
    return found;
  },
});

const list = <T>(item: Form<T>, max: number): Form<T[]> => ({
  write(to, values) {
    to.varint(values.length);
    for (const value of values) item.write(to, value);
  },
  read: (from) => Array.from({ length: bounded(from.varint(), max) }, () => item.read(from)),
});

/** Several, in the order in which they are named. */
function fields<T extends object>(forms: { readonly [K in keyof T]: Form<T[K]> }): Form<T> {
  const all = Object.entries(forms) as [keyof T, Form<T[keyof T]>][];
  return {
    write(to, value) {
      for (const [name, form] of all) form.write(to, value[name]);
    },
    read(from) {
      const value = {} as T;
      for (const [name, form] of all) value[name] = form.read(from);
      return value;
    },
  };
}

const chunkHash = fields<ChunkHash>({ index: count(), sha256: hash });
const ends = fields<BlockRange>({ index: count(), from: count(), to: count(MAX_CHUNK / BLOCK_BYTES) });
const range: Form<BlockRange> = {
  write: ends.write,
  read(from) {
    const read = ends.read(from);
    if (read.from >= read.to) throw malformed();
    return read;
  },
};

const numbers = fields<Omit<OfferHeader, 'sha256' | 'update'>>({
  version: count(),
  kind: oneOf(OFFER_KINDS, absurd),
  entries: count(),
  pages: count(),
  bytes: {
    write: (to, value) => to.u8(value === undefined ? 0 : 1).varint(value ?? 0),
    read(from) {
      const known = from.u8() === 1;
      const value = from.varint();
      return known ? value : undefined;
    },
  },
  chunkSize: u32,
});
const offer: Form<OfferHeader> = {
  write(to, header) {
    numbers.write(to, header);
    to.u8((header.sha256 ? 1 : 0) | (header.update ? 2 : 0));
  },
  read(from) {
    const header = numbers.read(from);
    const flags = from.u8();
    const { kind, entries, pages, chunkSize } = header;
    const power = chunkSize >= MIN_CHUNK && chunkSize <= MAX_CHUNK && (chunkSize & (chunkSize - 1)) === 0;
    const fits =
      entries >= 1 && entries <= MAX_ENTRIES && pages >= 1 && pages <= Math.min(MAX_PAGES, entries);
    if (flags > 3 || !power || !fits) throw absurd();
    if (kind !== 'stream' && header.bytes === undefined)
      throw fault('OFFER_MALFORMED', { what: 'it has files of unknown size' });
    return { ...header, sha256: (flags & 1) !== 0, update: (flags & 2) !== 0 };
  },
};

type Controls = Exclude<Message, { type: 'blocks' }>;

/** Of every message but `blocks`. */
const BODIES: { readonly [M in Controls as M['type']]: Form<Omit<M, 'type'>> } = {
  offer,
  'get-page': fields({ page: count(MAX_PAGES) }),
  page: fields({ page: count(MAX_PAGES), bytes: bytes(MAX_PAGE) }),
  get: fields({ ranges: list(range, MAX_OUTSTANDING) }),
  'get-hash': fields({ chunks: list(count(), MAX_OUTSTANDING) }),
  hash: fields({ index: count(), length: count(MAX_CHUNK), sha256: hash }),
  arrived: fields({ bytes: count(), kept: count(), chunks: list(count(), MAX_HAVE) }),
  have: fields({ chunks: list(chunkHash, MAX_HAVE) }),
  written: fields({ below: count() }),
  status: fields({
    seq: count(MAX_STATUS_SEQ),
    state: oneOf(STATUS_STATES),
    code: text(64),
    text: text(2048),
  }),
  ping: fields({ nonce: u32 }),
  pong: fields({ nonce: u32 }),
  'want-lanes': fields({ count: count(MAX_LANES) }),
  finish: fields({ root: hash, gone: list(count(), MAX_GONE) }),
  finished: fields({ root: hash, started: count(), ended: count() }),
  confirmed: fields({}),
  gone: fields({ entry: count(), code: text(64), text: text(2048) }),
  holds: fields({ first: count(MAX_CHUNKS), bits: bytes(MAX_HOLDS) }),
  lacks: range,
};

/** The frame of a message; for blocks everything before its data. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const { type } = message;
  const body = new Writer();
  if (type === 'blocks') {
    const { index, length, offset, form, sha256 } = message;
    body.u32(Math.floor(index / 2 ** 32)).u32(index % 2 ** 32);
    body.u32(length).u32(offset).u8(FORMS.indexOf(form)).raw(sha256);
  } else (BODIES[type] as Form<object>).write(body, message);
  return new Writer()
    .u32(body.length + (type === 'blocks' ? message.bytes : 0))
    .u8(TYPES.indexOf(type))
    .raw(body.done())
    .done();
}

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

/** Decodes every message but `blocks`. Throws PROTOCOL or BAD_MANIFEST. */
export function decodeMessage(type: Controls['type'], body: Uint8Array): Message {
  const reader = new Reader(body);
  const message = { type, ...BODIES[type].read(reader) } as Message;
  reader.end();
  return message;
}

function bounded(value: number, max: number): number {
  if (value > max) throw malformed();
  return value;
}

function malformed(): BeelineError {
  return fault('PEER_MALFORMED', { what: 'a malformed message' });
}

function absurd(): BeelineError {
  return fault('OFFER_MALFORMED', { what: 'its numbers are absurd' });
}
