/**
 * The messages that lanes carry, as frames and back. A frame is `u32 length, u8 type, body`; everything is idempotent, so that
 * any live lane may carry any message and a lost one is simply sent again. What a message holds is said once: the form of each
 * of its fields, for both ways, from which its type follows. What is read was chosen by a peer: every length and number is
 * checked before it is used.
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
  MAX_NEIGHBOURS,
  MAX_OUTSTANDING,
  MAX_PAGE,
  MAX_PAGES,
  MAX_SIGNAL,
  MAX_STATUS_SEQ,
  MIN_CHUNK,
} from '../base/limits.ts';
import { HASH_NAMES } from '../offer/hashing.ts';
import type { OfferHeader } from '../offer/manifest.ts';
import type { ChunkHash } from '../offer/merkle.ts';

export const HEADER_LENGTH = 5;

/** index (8) length (4) offset (4) form (1) hash (32): fixed, so that the data always starts at the same place. */
export const BLOCKS_HEADER_LENGTH = 49;

const FORMS = ['data', 'zeros'] as const;
const OFFER_KINDS: readonly OfferHeader['kind'][] = ['files', 'text', 'stream'];
export const STATUS_STATES = ['running', 'paused', 'cancelled', 'failed'] as const;

/** How a value stands in a body. */
interface Form<T> {
  write(to: Writer, value: T): void;
  /** @throws BeelineError PROTOCOL or BAD_MANIFEST */
  read(from: Reader): T;
}
type Read<F> = F extends Form<infer T> ? T : never;

const u64: Form<number> = {
  write: (to, value) => to.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32),
  read: (from) => from.u32() * 2 ** 32 + from.u32(),
};
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

const flag = oneOf([false, true]);

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

const chunkHash = fields<ChunkHash>({ index: count(), hash });
const ends = fields({ index: count(), from: count(), to: count(MAX_CHUNK / BLOCK_BYTES) });
/** Blocks of one chunk: `from` up to, not including, `to`. */
const range: typeof ends = {
  write: ends.write,
  read(from) {
    const read = ends.read(from);
    if (read.from >= read.to) throw malformed();
    return read;
  },
};
export type BlockRange = Read<typeof range>;

/** Who asked for the present state of a session; the higher `seq` wins, and each side counts its own. */
const status = fields({
  seq: count(MAX_STATUS_SEQ),
  state: oneOf(STATUS_STATES),
  code: text(64),
  text: text(2048),
});
export type Status = Read<typeof status>;

const unknownHash = () =>
  fault('PEER_MALFORMED', { what: 'an offer whose chunks are hashed in an unknown way' });
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
  hash: oneOf(HASH_NAMES, unknownHash),
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

/**
 * In the order of their numbers on the wire: append only. Unless it is said otherwise, a receiver says it to the origin, and
 * the origin to a receiver.
 */
const BODIES = {
  offer,
  'get-page': fields({ page: count(MAX_PAGES) }),
  page: fields({ page: count(MAX_PAGES), bytes: bytes(MAX_PAGE) }),
  /** Receiver to any peer: send these blocks. `spare`, to the origin: leave out chunks that others who share were given first. */
  get: fields({ spare: flag, ranges: list(range, MAX_OUTSTANDING) }),
  /** A header of fixed length before the bytes of one or more blocks of a chunk, one after the other. */
  blocks: fields({
    index: u64,
    /** Bytes of the whole chunk. */
    length: u32,
    /** Where in the chunk these bytes belong: a multiple of BLOCK_BYTES. Of zeros: where the range that they answer begins. */
    offset: u32,
    /** 'zeros': the whole chunk is zeros, and no bytes follow. */
    form: oneOf(FORMS),
    /** Of the whole chunk. */
    hash,
  }),
  /** Receiver, for streams: every chunk below this one is written. */
  written: fields({ below: count() }),
  status,
  ping: fields({}),
  /** Whether losses that no queue makes leave as fast as before what this side sends on the lane. */
  pong: fields({ bearsLosses: flag }),
  /** Receiver: dial until there are this many lanes in all. */
  'want-lanes': fields({ count: count(MAX_LANES) }),
  /** Receiver: everything is written, this is my root. */
  finish: fields({ root: hash, gone: list(count(), MAX_GONE) }),
  /** Origin: my root, and when this began and ended by my clock (ms since 1970), for both receipts. */
  finished: fields({ root: hash, started: count(), ended: count() }),
  /** Origin: this entry's file changed or went away and will not be delivered; its bytes come as zeros. */
  gone: fields({ entry: count(), code: text(64), text: text(2048) }),
  /** Receiver: say what the hashes of these chunks are. Something lies in their places already, or others have them. */
  'get-hash': fields({ chunks: list(count(), MAX_OUTSTANDING) }),
  /** Receiver: these are here from an earlier run and will not be asked for. */
  have: fields({ chunks: list(chunkHash, MAX_HAVE) }),
  /** Receiver to origin: your last word has come. Receiver to receiver: I have all that I want. Do not wait for me. */
  confirmed: fields({}),
  /** Origin: the hash of a chunk. */
  hash: fields({ index: count(), length: count(MAX_CHUNK), hash }),
  /**
   * Receiver: so many bytes are here, `kept` of them were here before and only compared, and these chunks
   * are down since it was said last.
   */
  arrived: fields({ bytes: count(), kept: count(), chunks: list(count(), MAX_HAVE) }),
  /** Receiver to receiver: of the chunks from `first` on, these are down here: eight a byte, the lowest bit first. */
  holds: fields({ first: count(MAX_CHUNKS), bits: bytes(MAX_HOLDS) }),
  /** Receiver to receiver: these blocks, which were asked for, are not here any more. Origin: others were given them. */
  lacks: range,
  /** Receiver: others may fetch from here what I have. Introduce me to them. */
  share: fields({}),
  /** Origin: all the receivers that you are introduced to now; of each pair, one `dials`. The highest `seq` counts. */
  members: fields({
    seq: count(MAX_STATUS_SEQ),
    all: list(fields({ id: count(MAX_STATUS_SEQ), dials: flag }), MAX_NEIGHBOURS),
  }),
  /**
   * Receiver: pass this on to that member. Origin: that member says this. It is a hello, which the origin does not read.
   * The highest `seq` of each counts.
   */
  signal: fields({ member: count(MAX_STATUS_SEQ), seq: count(MAX_STATUS_SEQ), body: text(MAX_SIGNAL) }),
  /** Receiver: that member cannot be reached, or I want nothing of it: introduce another one. */
  refuse: fields({ member: count(MAX_STATUS_SEQ) }),
  /**
   * Origin, to who shares: of the chunks from `first` on, those that were given to receivers who share, and those whose hash is known.
   * Bits as of `holds`, but these take the place of what was said before.
   */
  given: fields({ first: count(MAX_CHUNKS), bits: bytes(MAX_HOLDS), hashed: bytes(MAX_HOLDS) }),
};
export type MessageType = keyof typeof BODIES;
const TYPES = Object.keys(BODIES) as MessageType[];

export interface BlocksHeader extends Read<typeof BODIES.blocks> {
  /** Bytes that follow: whole blocks, but for the chunk's last. */
  bytes: number;
}

type Bodies = { [T in MessageType]: Read<(typeof BODIES)[T]> } & {
  blocks: BlocksHeader & { data: Uint8Array };
};
export type Message = { [T in MessageType]: { type: T } & Bodies[T] }[MessageType];

/** The frame of a message; for blocks everything before its data. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const { type } = message;
  const body = new Writer();
  (BODIES[type] as Form<object>).write(body, message);
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
  // By hand: read for every few kilobytes, and by its table it takes a microsecond more.
  const reader = new Reader(body);
  const index = u64.read(reader);
  const [length, offset] = [reader.u32(), reader.u32()];
  const form = FORMS[reader.u8()];
  const chunkHash = hash.read(reader);
  const bytes = bodyLength - BLOCKS_HEADER_LENGTH;
  const end = offset + bytes;
  const whole = bytes > 0 && (end === length || (end < length && bytes % BLOCK_BYTES === 0));
  const fits = offset % BLOCK_BYTES === 0 && (form === 'zeros' ? offset < length && bytes === 0 : whole);
  if (!form || !Number.isSafeInteger(index) || length === 0 || length > MAX_CHUNK || !fits)
    throw fault('PEER_MALFORMED', { what: 'malformed blocks' });
  return { index, length, form, hash: chunkHash, offset, bytes };
}

/** Decodes every message but `blocks`. Throws PROTOCOL or BAD_MANIFEST. */
export function decodeMessage(type: Exclude<MessageType, 'blocks'>, body: Uint8Array): Message {
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
