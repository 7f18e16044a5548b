/**
 * The manifest: what a transfer consists of, as a list of entries, encoded in pages that the receiver pulls.
 * Non-goal: deciding whether a name is safe to write. That is `names.ts`, and every decoded entry passes it.
 */
import { fromHex, Reader, toHex, Writer } from '../base/bytes.ts';
import { fault } from '../base/errors.ts';
import { MAX_ENTRIES, MAX_PAGE, MAX_PATH, MAX_TIME_S } from '../base/limits.ts';
import { atOnce, CHEAP_STEPS, type Steps } from '../base/slices.ts';
import type { HashName } from './hashing.ts';

export type EntryKind = 'file' | 'folder' | 'link';

export interface Entry {
  /** Relative, `/`-separated, never empty. */
  path: string;
  kind: EntryKind;
  /** Bytes; 0 for folders and links. For a stream whose length is not known yet, 0. */
  size: number;
  /** Permission bits, 0 to 0o777. */
  mode: number;
  /** Whole microseconds since 1970; may be negative. */
  mtime: number;
  /** Nanoseconds on top of these, 1 to 999; absent: none. */
  nanos?: number;
  /** Where a link points, as stored in the source; '' for other kinds. */
  target: string;
  /**
   * Files: 16 hex digits that change with the file's content, as far as its sender can tell without reading it, and
   * that no other sender gives to another content; '' where it cannot tell. Opaque to the receiver.
   */
  version: string;
}

/** What a transfer is, in its sender's words: sent on every lane, and again when a stream's length becomes known. */
export interface OfferHeader {
  version: number;
  /** `text` is shown, not written; `stream` has one file whose length is known only at its end. */
  kind: 'files' | 'text' | 'stream';
  entries: number;
  pages: number;
  /** Bytes of all files; undefined for a stream that has not ended. */
  bytes: number | undefined;
  chunkSize: number;
  /** What the hashes of chunks are made with. */
  hash: HashName;
  /** True when the sender wants each file's plain SHA-256 shown at the end. */
  sha256: boolean;
  /** True when this refreshes what was sent before: a hint for the receiver's questions, never a permission. */
  update: boolean;
}

const KINDS: readonly EntryKind[] = ['file', 'folder', 'link'];
/** Bytes. */
const VERSION_LENGTH = 8;
const NONE = new Uint8Array();

/** Microseconds in a second. */
const MICROS = 1e6;

/**
 * The seconds of a time in microseconds, rounded down. Past 2^53 microseconds a number holds no fractions of a second
 * that could be trusted, and the nearest second is meant.
 */
function secondsOf(mtime: number): number {
  return Number.isSafeInteger(mtime) ? Math.floor(mtime / MICROS) : Math.round(mtime / MICROS);
}

/** What is left of a time, 0 to 999,999,999 nanoseconds. */
function nanosOf({ mtime, nanos = 0 }: Entry): number {
  return Number.isSafeInteger(mtime) ? (mtime - secondsOf(mtime) * MICROS) * 1000 + nanos : 0;
}

/** So that times before 1970 stay short too. */
function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** All of `encodingPages` in one go: for what is known to be small. */
export function encodePages(entries: readonly Entry[]): Uint8Array<ArrayBuffer>[] {
  return atOnce(encodingPages(entries));
}

/** Packs entries into pages of at most MAX_PAGE bytes, each page a count and its entries. */
export function* encodingPages(entries: readonly Entry[]): Steps<Uint8Array<ArrayBuffer>[]> {
  const pages: Uint8Array<ArrayBuffer>[] = [];
  const page = new Writer();
  for (let i = 0; i < entries.length; i++) {
    if (i % CHEAP_STEPS === 0) yield;
    const before = page.length;
    encodeEntry(page, entries[i]!);
    if (before === 0 || page.length <= MAX_PAGE) continue;
    // It does not fit, and begins the next page.
    const whole = page.done();
    pages.push(whole.slice(0, before));
    page.clear();
    page.raw(whole.subarray(before));
  }
  if (page.length > 0) pages.push(page.done());
  return pages;
}

function encodeEntry(writer: Writer, entry: Entry): void {
  writer
    .u8(KINDS.indexOf(entry.kind))
    .text(entry.path)
    .varint(entry.size)
    .varint(entry.mode)
    .varint(zigzag(secondsOf(entry.mtime)))
    .varint(nanosOf(entry));
  if (entry.kind === 'link') writer.text(entry.target);
  if (entry.kind === 'file') writer.bytes(fromHex(entry.version));
}

/** Decodes one page. Throws PROTOCOL or BAD_MANIFEST on anything `encodePages` would not have written. */
export function decodePage(page: Uint8Array): Entry[] {
  const reader = new Reader(page);
  const entries: Entry[] = [];
  while (reader.left > 0) {
    const kind = KINDS[reader.u8()];
    if (!kind) throw fault('OFFER_MALFORMED', { what: 'an entry has an unknown kind' });
    const path = reader.text(MAX_PATH);
    const size = reader.varint();
    const mode = reader.varint();
    const seconds = unzigzag(reader.varint());
    const fraction = reader.varint();
    const mtime = seconds * MICROS + Math.floor(fraction / 1000);
    const nanos = fraction % 1000;
    const target = kind === 'link' ? reader.text(MAX_PATH) : '';
    const version = kind === 'file' ? reader.bytes(VERSION_LENGTH) : NONE;
    if (
      version.length % VERSION_LENGTH !== 0 ||
      mode > 0o777 ||
      Math.abs(seconds) > MAX_TIME_S ||
      fraction >= 1e9 ||
      (kind !== 'file' && size !== 0) ||
      (kind === 'link' && target === '')
    ) {
      throw fault('OFFER_MALFORMED', { what: 'an entry contradicts itself' });
    }
    const hex = toHex(version);
    // Two literals: a spread costs as much as all else here.
    entries.push(
      nanos
        ? { path, kind, size, mode, mtime, nanos, target, version: hex }
        : { path, kind, size, mode, mtime, target, version: hex },
    );
    if (entries.length > MAX_ENTRIES)
      throw fault('OFFER_MALFORMED', { what: `there are more than ${MAX_ENTRIES} entries` });
  }
  return entries;
}
