/**
 * What a receiver's journal says, and how it stands in its file, in every runtime: a magic with the format's version,
 * then records of `u32 length of the body, u8 type, body, u32 CRC-32 over all three`. What the encoder lets through
 * the decoder takes, so that no record can cut off those behind it.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { crc32 } from '../../base/crc32.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import {
  MAX_CHUNK,
  MAX_CHUNKS,
  MAX_ENTRIES,
  MAX_PAGE,
  MAX_PAGES,
  MAX_PATH,
  MIN_CHUNK,
} from '../../base/limits.ts';
import { COMMON_HASH, HASH_NAMES, type HashName } from '../../offer/hashing.ts';
import { ChunkHashes } from '../../offer/merkle.ts';
import { nameProblem } from '../../offer/names.ts';

/** What was decided for an entry whose name the destination has already. */
export type Choice = 'skip' | 'replace' | 'rename';

export type JournalRecord =
  /**
   * `created`: ms since 1970. `chunkSize`: bytes. `pages`: how many the manifest has. `hash`: what those of chunks are made with.
   * `from`: the first URLs of what comes from such, as they are shown: without their secrets.
   */
  | {
      type: 'begin';
      created: number;
      chunkSize: number;
      pages: number;
      stream: boolean;
      hash: HashName;
      from?: readonly string[];
    }
  /** A manifest page as received. */
  | { type: 'page'; page: number; bytes: Uint8Array }
  /** `as`: relative path for `rename`, else ''. */
  | { type: 'plan'; choices: { entry: number; choice: Choice; as: string }[] }
  /** Safely on the disk. */
  | { type: 'chunks'; chunks: { index: number; hash: Uint8Array }[] }
  /** Entries that stand under their final names; undoes an earlier `lost`. */
  | { type: 'placed'; entries: number[] }
  /** Entries no longer held (dropped, vanished): their chunks do not count. Undoes an earlier `placed`. */
  | { type: 'lost'; entries: number[] }
  /** All that will come is here: so many bytes of all files. */
  | { type: 'complete'; bytes: number };

/** A journal replayed. */
export interface JournalState {
  /** Milliseconds since 1970. */
  created: number;
  /** Bytes. */
  chunkSize: number;
  stream: boolean;
  hash: HashName;
  /** URLs. */
  from?: readonly string[];
  pages: Uint8Array[];
  choices: Map<number, { choice: Choice; as: string }>;
  chunks: ChunkHashes;
  placed: Set<number>;
  /** Entries lost and not placed since. Which chunks that invalidates is the caller's concern. */
  lost: Set<number>;
  /** Bytes of all files, once all that will come is here. */
  complete: number | undefined;
}

/** The last byte is the format's version. */
export const MAGIC = new Uint8Array([...'bljrnl\n'].map((letter) => letter.charCodeAt(0)).concat(2));
/** Bytes of a record before its body, and around it. */
export const HEADER = 5;
export const FRAME = HEADER + 4;
/** URLs that a journal names, and characters of each. */
export const MOST_FROM = 20;
const MAX_FROM = 512;
/** Bytes of a record's body. */
export const MAX_BODY = 256 * 1024;

/** Items in one record. */
const MAX_ITEMS = 4096;
const HASH_BYTES = 32;
/** Most bytes of one choice: entry, choice, and a path with its length. */
const MAX_CHOICE_BYTES = 4 + 1 + 2 + MAX_PATH;
const CHOICES: readonly Choice[] = ['skip', 'replace', 'rename'];
/** A record's type is its place here; 0 stays unused, since zeros are what a crash leaves behind. */
const TYPES = [undefined, 'begin', 'page', 'plan', 'chunks', 'placed', 'lost', 'complete'] as const;

/** ChunkHashes allocates by this many chunks. */
const REGION = 4096;
/** Regions taken whatever is in them, and chunks that pay for one more. */
const FREE_REGIONS = 256;
const REGION_PRICE = 128;

/** The records as bytes, long lists cut into several. INTERNAL for what the decoder would refuse. */
export function encodeRecords(records: readonly JournalRecord[]): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  for (const record of records) {
    const type = TYPES.indexOf(record.type);
    for (const body of bodies(record)) {
      const frame = new Writer().u32(body.length).u8(type).raw(body.done()).done();
      out.raw(frame).u32(crc32(frame));
    }
  }
  return out.done();
}

function* bodies(record: JournalRecord): Generator<Writer> {
  switch (record.type) {
    case 'begin':
      if (!sound(record)) throw unwritable();
      yield new Writer()
        .varint(record.created)
        .varint(record.chunkSize)
        .varint(record.pages)
        .u8(record.stream ? 1 : 0)
        .u8(HASH_NAMES.indexOf(record.hash))
        .raw(urls(record.from ?? []));
      break;
    case 'page':
      if (!(record.page < MAX_PAGES) || record.bytes.length > MAX_PAGE) throw unwritable();
      yield new Writer().varint(record.page).raw(record.bytes);
      break;
    case 'plan': {
      let body = new Writer();
      for (const { entry, choice, as } of record.choices) {
        if (!(entry < MAX_ENTRIES) || !fits(choice, as)) throw unwritable();
        body.varint(entry).u8(CHOICES.indexOf(choice)).text(as);
        if (body.length + MAX_CHOICE_BYTES <= MAX_BODY) continue;
        yield body;
        body = new Writer();
      }
      if (body.length > 0) yield body;
      break;
    }
    case 'chunks':
      for (let at = 0; at < record.chunks.length; at += MAX_ITEMS) {
        const part = record.chunks.slice(at, at + MAX_ITEMS);
        const body = new Writer();
        for (const { index } of part) body.u32(within(index, MAX_CHUNKS));
        for (const { hash } of part) {
          if (hash.length !== HASH_BYTES) throw unwritable();
          body.raw(hash);
        }
        yield body;
      }
      break;
    case 'complete':
      yield new Writer().varint(record.bytes);
      break;
    default:
      for (let at = 0; at < record.entries.length; at += MAX_ITEMS) {
        const body = new Writer();
        for (const entry of record.entries.slice(at, at + MAX_ITEMS)) body.u32(within(entry, MAX_ENTRIES));
        yield body;
      }
  }
}

/** The record in a body whose checksum was right; its bytes are views. PROTOCOL for what no encoder here wrote. */
function decodeRecord(type: number, body: Uint8Array): JournalRecord {
  const reader = new Reader(body);
  const name = TYPES[type];
  switch (name) {
    case 'begin': {
      const [created, chunkSize, pages] = [reader.varint(), reader.varint(), reader.varint()];
      const stream = reader.u8() === 1;
      // Until chunks could be hashed otherwise, it ended here.
      const hash = reader.left === 0 ? COMMON_HASH : HASH_NAMES[reader.u8()];
      const from: string[] = [];
      while (reader.left > 0) from.push(reader.text(MAX_FROM));
      if (!hash || from.length > MOST_FROM || !from.every(isUrl)) throw malformed();
      const record = {
        type: name,
        created,
        chunkSize,
        pages,
        stream,
        hash,
        ...(from.length > 0 && { from }),
      };
      if (!sound(record)) throw malformed();
      return record;
    }
    case 'page': {
      const page = reader.varint();
      if (page >= MAX_PAGES || reader.left > MAX_PAGE) throw malformed();
      return { type: name, page, bytes: reader.raw(reader.left) };
    }
    case 'plan': {
      const choices: { entry: number; choice: Choice; as: string }[] = [];
      while (reader.left > 0) {
        const entry = reader.varint();
        const choice = CHOICES[reader.u8()];
        const as = reader.text(MAX_PATH);
        if (entry >= MAX_ENTRIES || !choice || !fits(choice, as)) throw malformed();
        choices.push({ entry, choice, as });
      }
      return { type: name, choices };
    }
    case 'chunks': {
      const count = body.length / (4 + HASH_BYTES);
      if (!Number.isInteger(count)) throw malformed();
      const indexes = integers(body.subarray(0, 4 * count), MAX_CHUNKS);
      const hash = (i: number) => body.subarray(4 * count + HASH_BYTES * i, 4 * count + HASH_BYTES * (i + 1));
      return { type: name, chunks: indexes.map((index, i) => ({ index, hash: hash(i) })) };
    }
    case 'placed':
    case 'lost':
      return { type: name, entries: integers(body, MAX_ENTRIES) };
    case 'complete': {
      const bytes = reader.varint();
      reader.end();
      return { type: name, bytes };
    }
    default:
      throw malformed();
  }
}

/** Brings records together again, in the order they were written. */
export class Replay {
  #state: JournalState | undefined;
  #pages = 0;
  #pagesLeft = 0;
  readonly #regions = new Set<number>();

  /** Undefined before all pages are there. */
  state(): JournalState | undefined {
    return this.#pagesLeft === 0 ? this.#state : undefined;
  }

  /** False for what no journal says: nothing from there on is trusted. */
  take(type: number, body: Uint8Array): boolean {
    try {
      return this.#apply(decodeRecord(type, body));
    } catch (error) {
      if (error instanceof BeelineError) return false;
      throw error;
    }
  }

  #apply(record: JournalRecord): boolean {
    const state = this.#state;
    if (record.type === 'begin') {
      if (state) return false;
      const { created, chunkSize, pages, stream, hash, from } = record;
      this.#pages = this.#pagesLeft = pages;
      const [placed, lost] = [new Set<number>(), new Set<number>()];
      const [choices, chunks] = [new Map(), new ChunkHashes()];
      this.#state = {
        ...(from && { from }),
        ...{ created, chunkSize, stream, hash, pages: [], choices, chunks, placed, lost },
        complete: undefined,
      };
      return true;
    }
    if (!state) return false;
    switch (record.type) {
      case 'page':
        if (record.page >= this.#pages || state.pages[record.page]) return false;
        state.pages[record.page] = record.bytes.slice();
        this.#pagesLeft--;
        break;
      case 'plan':
        for (const { entry, choice, as } of record.choices) state.choices.set(entry, { choice, as });
        break;
      case 'chunks':
        for (const { index, hash } of record.chunks) {
          if (this.#affords(index, state.chunks.have.count)) state.chunks.set(index, hash);
        }
        break;
      case 'placed':
        for (const entry of record.entries) move(entry, state.lost, state.placed);
        break;
      case 'lost':
        for (const entry of record.entries) move(entry, state.placed, state.lost);
        break;
      case 'complete':
        state.complete = record.bytes;
    }
    return true;
  }

  /** Chunks so far apart that a small journal would cost much memory do not count: they are moved again. */
  #affords(index: number, count: number): boolean {
    const region = Math.floor(index / REGION);
    if (!this.#regions.has(region)) {
      if (this.#regions.size >= FREE_REGIONS + count / REGION_PRICE) return false;
      this.#regions.add(region);
    }
    return true;
  }
}

function move(entry: number, from: Set<number>, to: Set<number>): void {
  from.delete(entry);
  to.add(entry);
}

/** Big-endian u32s below a limit, at most MAX_ITEMS of them. */
function integers(bytes: Uint8Array, limit: number): number[] {
  const count = bytes.length / 4;
  if (!Number.isInteger(count) || count > MAX_ITEMS) throw malformed();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const value = view.getUint32(4 * i);
    if (value >= limit) throw malformed();
    values.push(value);
  }
  return values;
}

function urls(from: readonly string[]): Uint8Array {
  if (from.length > MOST_FROM || !from.every(isUrl)) throw unwritable();
  return from.reduce((body, url) => body.text(url), new Writer()).done();
}

/** It is shown, so it has nothing else in it than what a URL has. */
function isUrl(text: string): boolean {
  return text.length <= MAX_FROM && /^https?:\/\/[\x21-\x7e]+$/.test(text);
}

function sound({ chunkSize, pages }: { chunkSize: number; pages: number }): boolean {
  const powerOfTwo = (chunkSize & (chunkSize - 1)) === 0;
  return powerOfTwo && chunkSize >= MIN_CHUNK && chunkSize <= MAX_CHUNK && pages <= MAX_PAGES;
}

/** A name from the disk is trusted as little as one from a peer. Windows takes fewer names than others do. */
function fits(choice: Choice, as: string): boolean {
  return choice === 'rename' ? nameProblem(as, 'posix') === undefined : as === '';
}

function within(value: number, limit: number): number {
  if (!Number.isInteger(value) || value < 0 || value >= limit) throw unwritable();
  return value;
}

function unwritable(): BeelineError {
  return new BeelineError('INTERNAL', 'That is no record for a journal.');
}

function malformed(): BeelineError {
  return fault('JOURNAL_MALFORMED');
}
