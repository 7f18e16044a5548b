/**
 * What the journal beside a kept transfer's bytes says: a magic with the format's version, then records of `u32 length
 * of the body, u8 type, body, u32 CRC-32 over all three`. A torn or damaged record ends what is trusted. Pure.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concatAll, equalBytes, Reader, toHex, Writer } from '../../protocol/bytes.ts';
import { BeelineError } from '../../protocol/errors.ts';
import { MAX_CHUNK, MAX_ENTRIES, MAX_PAGE, MAX_PAGES, MIN_CHUNK } from '../../protocol/limits.ts';
import { decodePage, type Entry, encodePages } from '../../protocol/manifest.ts';
import { ChunkHashes } from '../../transfer/merkle.ts';
import { ByteSpace } from '../../transfer/space.ts';
import { crc32 } from './crc32.ts';

export type JournalRecord =
  /** `created`: ms since 1970. `chunkSize`: bytes. A stream's length comes with `complete`. */
  | { type: 'begin'; created: number; chunkSize: number; pages: number; stream: boolean }
  | { type: 'page'; bytes: Uint8Array }
  /** Safely down. */
  | { type: 'chunk'; index: number; sha256: Uint8Array }
  /** An entry that its sender could not deliver: from here on zeros may stand in its place. */
  | { type: 'lost'; entry: number }
  /** It is wanted again: no chunk with a part of it counts. */
  | { type: 'back'; entry: number }
  /** All that will come is here. `bytes`: of all files. */
  | { type: 'complete'; bytes: number };

/** A journal replayed. */
export interface JournalState {
  /** Milliseconds since 1970. */
  created: number;
  entries: readonly Entry[];
  space: ByteSpace;
  have: Set<number>;
  hashes: ChunkHashes;
  lost: Set<number>;
  complete: boolean;
  /** Bytes of the journal that are trusted; what is behind them is to be cut off. */
  trusted: number;
}

/** The last byte is the format's version. */
const MAGIC = new Uint8Array([...'blspace'].map((letter) => letter.charCodeAt(0)).concat(1));
const HEADER = 5;
const FRAME = HEADER + 4;
const SHA256 = 32;
/** A record's type is its place here; 0 stays unused, since zeros are what a crash leaves behind. */
const TYPES = [undefined, 'begin', 'page', 'chunk', 'lost', 'back', 'complete'] as const;

/** The same for every offer of the same files, cut into the same chunks: 32 hex digits, fit for a folder's name. */
export function transferKey(entries: readonly Entry[], chunkSize: number): string {
  const hash = sha256.create().update(new Writer().u32(chunkSize).done());
  for (const page of encodePages(entries)) hash.update(page);
  return toHex(hash.digest()).slice(0, 32);
}

/** What a journal begins with. */
export function encodeBeginning(entries: readonly Entry[], space: ByteSpace, created: number): Uint8Array {
  const pages = encodePages(entries);
  const { chunkSize, stream } = space;
  const begin = encodeRecord({ type: 'begin', created, chunkSize, pages: pages.length, stream });
  return concatAll([MAGIC, begin, ...pages.map((bytes) => encodeRecord({ type: 'page', bytes }))]);
}

export function encodeRecord(record: JournalRecord): Uint8Array<ArrayBuffer> {
  const body = encodeBody(record).done();
  const frame = new Writer().u32(body.length).u8(TYPES.indexOf(record.type)).raw(body);
  return frame.u32(crc32(frame.done())).done();
}

function encodeBody(record: JournalRecord): Writer {
  const body = new Writer();
  switch (record.type) {
    case 'begin':
      body.varint(record.created).varint(record.chunkSize).varint(record.pages);
      return body.u8(record.stream ? 1 : 0);
    case 'page':
      return body.raw(record.bytes);
    case 'chunk':
      return body.varint(record.index).raw(record.sha256);
    case 'complete':
      return body.varint(record.bytes);
    default:
      return body.varint(record.entry);
  }
}

function decodeRecord(type: number, bytes: Uint8Array): JournalRecord | undefined {
  const body = new Reader(bytes);
  const record = decodeBody(TYPES[type], body);
  body.end();
  return record;
}

function decodeBody(type: (typeof TYPES)[number], body: Reader): JournalRecord | undefined {
  switch (type) {
    case 'begin': {
      const [created, chunkSize, pages] = [body.varint(), body.varint(), body.varint()];
      return { type, created, chunkSize, pages, stream: body.u8() === 1 };
    }
    case 'page':
      return { type, bytes: body.raw(body.left) };
    case 'chunk':
      return { type, index: body.varint(), sha256: body.raw(SHA256) };
    case 'complete':
      return { type, bytes: body.varint() };
    case 'lost':
    case 'back':
      return { type, entry: body.varint() };
    default:
      return undefined;
  }
}

/** Undefined for what is no journal, or has no whole beginning. */
export function replay(journal: Uint8Array): JournalState | undefined {
  if (!equalBytes(journal.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const view = new DataView(journal.buffer, journal.byteOffset, journal.length);
  const found = new Replay();
  let at = MAGIC.length;
  while (journal.length - at >= FRAME) {
    const size = view.getUint32(at);
    if (size > MAX_PAGE || journal.length - at < FRAME + size) break;
    const end = at + HEADER + size;
    if (crc32(journal.subarray(at, end)) !== view.getUint32(end)) break;
    if (!found.take(journal[at + HEADER - 1]!, journal.subarray(at + HEADER, end))) break;
    at = end + 4;
  }
  return found.state(at);
}

class Replay {
  #begin: (JournalRecord & { type: 'begin' }) | undefined;
  #pages: Uint8Array[] = [];
  #state: JournalState | undefined;

  state(trusted: number): JournalState | undefined {
    return this.#state && { ...this.#state, trusted };
  }

  /** False for what no journal says: nothing from there on is trusted. */
  take(type: number, body: Uint8Array): boolean {
    try {
      const record = decodeRecord(type, body);
      if (!record) return false;
      return this.#state ? this.#apply(record, this.#state) : this.#open(record);
    } catch (error) {
      if (error instanceof BeelineError) return false;
      throw error;
    }
  }

  #open(record: JournalRecord): boolean {
    if (record.type === 'begin') {
      const { chunkSize, pages } = record;
      const powerOfTwo = (chunkSize & (chunkSize - 1)) === 0;
      if (this.#begin || !powerOfTwo || chunkSize < MIN_CHUNK || chunkSize > MAX_CHUNK || pages > MAX_PAGES)
        return false;
      this.#begin = record;
    } else if (record.type === 'page' && this.#begin) this.#pages.push(record.bytes);
    else return false;
    if (this.#pages.length < this.#begin.pages) return true;
    const { created, chunkSize, stream } = this.#begin;
    const entries = this.#pages.flatMap(decodePage);
    if (entries.length > MAX_ENTRIES) return false;
    const sizes = entries.map((entry) => entry.size);
    const space = new ByteSpace(sizes, chunkSize, stream);
    const [have, hashes, lost] = [new Set<number>(), new ChunkHashes(), new Set<number>()];
    this.#state = { created, entries, space, have, hashes, lost, complete: false, trusted: 0 };
    return true;
  }

  #apply(record: JournalRecord, state: JournalState): boolean {
    const { entries, space, have, hashes, lost } = state;
    switch (record.type) {
      case 'chunk':
        if (record.index >= space.chunks) return false;
        have.add(record.index);
        hashes.set(record.index, record.sha256);
        return true;
      case 'lost':
      case 'back':
        if (record.entry >= entries.length) return false;
        if (record.type === 'lost') lost.add(record.entry);
        else bringBack(state, record.entry);
        return true;
      case 'complete':
        if (space.stream) space.end(record.bytes);
        else if (space.bytes !== record.bytes) return false;
        state.complete = true;
        return true;
      default:
        return false;
    }
  }
}

/** An entry that was lost is wanted again. */
export function bringBack(state: JournalState, entry: number): void {
  const { first, end } = state.space.chunksOf(entry);
  for (let chunk = first; chunk < end; chunk++) state.have.delete(chunk);
  state.lost.delete(entry);
  state.complete = false;
}
