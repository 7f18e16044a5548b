/**
 * Reads a receipt, from a file that anybody may have written: every line is checked and every count bounded before
 * anything is kept. Names are not judged here; whoever uses them passes them through `checkEntries` first.
 */
import { fromHex, toHex, utf8Encode } from '../protocol/bytes.ts';
import { BeelineError } from '../protocol/errors.ts';
import {
  MAX_CHUNK,
  MAX_CHUNKS,
  MAX_ENTRIES,
  MAX_MANIFEST,
  MAX_PATH,
  MAX_TIME_S,
  MIN_CHUNK,
} from '../protocol/limits.ts';
import type { Entry, EntryKind } from '../protocol/manifest.ts';
import { HASHES_A_LINE, RECEIPT_VERSION, type Receipt, receiptRoot, receiptSpace } from './receipt.ts';

/** Characters. A path and a target of MAX_PATH bytes each, all escaped (six characters a byte), and the rest. */
export const MAX_RECEIPT_LINE = 64 * 1024;

const HASH = /^[0-9a-f]{64}$/;
const VERSION = /^(?:[0-9a-f]{16})?$/;
const FINGERPRINT_LENGTH = 256;
/** Microseconds: what the manifest's encoding can say. */
const MAX_MTIME = MAX_TIME_S * 1e6;

type Json = Readonly<Record<string, unknown>>;
type Head = Omit<Receipt, 'entries' | 'chunks'> & { chunks: number };

export class ReceiptReader {
  readonly #name: string;
  readonly #entries: Entry[] = [];
  readonly #chunks: (Uint8Array | undefined)[] = [];
  #head: Head | undefined;
  /** Entries that the header promises. */
  #promised = 0;
  #lines = 0;
  #bytes = 0;
  #characters = 0;

  /** @param name what messages call the receipt: a path, escaped and quoted */
  constructor(name = 'This') {
    this.#name = name;
  }

  /** One line, without its line feed. @throws BeelineError USAGE if no receipt has such a line there. */
  push(line: string): void {
    this.#lines++;
    const value = this.#parse(line);
    if (!this.#head) {
      this.#head = this.#header(value);
      this.#promised = this.#head.files + this.#head.folders + this.#head.links;
    } else if (this.#entries.length < this.#promised) this.#entry(value, this.#head);
    else this.#hashes(value, this.#head);
  }

  /** @throws BeelineError USAGE if lines are missing; VERIFICATION if the root does not fit the content. */
  end(): Receipt {
    const head = this.#head;
    if (!head || this.#entries.length < this.#promised || this.#chunks.length < head.chunks)
      throw this.#refused('it ends too early');
    const receipt: Receipt = { ...head, entries: this.#entries, chunks: this.#chunks };
    if (toHex(receiptRoot(receipt)) !== receipt.root)
      throw new BeelineError(
        'VERIFICATION',
        `${this.#name} is damaged or was changed: its root does not fit its content. The other side has the same receipt.`,
      );
    return receipt;
  }

  #parse(line: string): Json {
    if (line.length > MAX_RECEIPT_LINE) throw this.#refused('a line is too long');
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === 'object' && value !== null) return value as Json;
    } catch {
      // It is refused below, in words that do not quote it.
    }
    throw this.#refused('a line is not a JSON object');
  }

  #header(value: Json): Head {
    const { root, kind, chunkSize, bytes, files, folders, links, linksWritten, started, ended } = value;
    const { sender, receiver, chunks } = value;
    if (value.beeline !== 'receipt') throw this.#refused('it begins like something else');
    if (value.version !== RECEIPT_VERSION)
      throw new BeelineError(
        'USAGE',
        `${this.#name} was made by another version of Beeline. Use a newer one.`,
      );
    if (
      !isText(root, 64) ||
      !HASH.test(root) ||
      (kind !== 'files' && kind !== 'stream') ||
      !isCount(chunkSize, MAX_CHUNK) ||
      chunkSize < MIN_CHUNK ||
      (chunkSize & (chunkSize - 1)) !== 0 ||
      !isCount(chunks, MAX_CHUNKS) ||
      !isCount(bytes, chunks * chunkSize) ||
      !isCount(files, MAX_ENTRIES) ||
      !isCount(folders, MAX_ENTRIES) ||
      !isCount(links, MAX_ENTRIES) ||
      files + folders + links === 0 ||
      files + folders + links > MAX_ENTRIES ||
      (kind === 'stream' && (files !== 1 || folders + links > 0)) ||
      !isLinksWritten(linksWritten) ||
      !isCount(started) ||
      !isCount(ended) ||
      !isText(sender, FINGERPRINT_LENGTH) ||
      !isText(receiver, FINGERPRINT_LENGTH)
    )
      throw this.#refused('its header is not one');
    const counts = { bytes, files, folders, links, chunks };
    const written = linksWritten && { linksWritten };
    return { root, kind, chunkSize, ...counts, ...written, started, ended, sender, receiver };
  }

  #entry(value: Json, head: Head): void {
    const { path, kind, mode, mtime, nanos = 0, size = 0, target = '', version = '' } = value;
    if (
      !isText(path, MAX_PATH) ||
      path === '' ||
      !isKind(kind) ||
      !isCount(mode, 0o777) ||
      !isTime(mtime) ||
      !isCount(nanos, 999) ||
      !isCount(size, kind === 'file' ? undefined : 0) ||
      !isText(target, MAX_PATH) ||
      (kind === 'link') !== (target !== '') ||
      !isText(version, 16) ||
      !VERSION.test(version) ||
      (kind !== 'file' && version !== '')
    )
      throw this.#refused('an entry contradicts itself');
    this.#characters += path.length + target.length;
    if (this.#characters > MAX_MANIFEST) throw this.#refused('its names are too long');
    this.#bytes += size;
    if (head.kind === 'files' && this.#bytes > head.bytes) throw this.#refused('its sizes do not add up');
    this.#entries.push({ path, kind, size, mode, mtime, ...(nanos && { nanos }), target, version });
    if (this.#entries.length === this.#promised) this.#complete(head);
  }

  /** All entries are there: the header must be theirs, and the number of chunks that of their layout. */
  #complete(head: Head): void {
    const counts = { file: 0, folder: 0, link: 0 };
    for (const { kind } of this.#entries) counts[kind]++;
    const counted =
      counts.file === head.files && counts.folder === head.folders && counts.link === head.links;
    const sum = head.kind === 'stream' ? head.bytes : this.#bytes;
    if (
      !counted ||
      sum !== head.bytes ||
      receiptSpace({ ...head, entries: this.#entries }).chunks !== head.chunks
    )
      throw this.#refused('its header does not fit its entries');
  }

  #hashes(value: Json, head: Head): void {
    const left = head.chunks - this.#chunks.length;
    const { chunks } = value;
    if (!Array.isArray(chunks) || left === 0 || chunks.length !== Math.min(left, HASHES_A_LINE))
      throw this.#refused('a line of hashes has the wrong length');
    for (const hash of chunks as unknown[]) {
      if (hash !== null && (!isText(hash, 64) || !HASH.test(hash))) throw this.#refused('a hash is not one');
      this.#chunks.push(hash === null ? undefined : fromHex(hash));
    }
  }

  #refused(why: string): BeelineError {
    const where = this.#lines > 0 ? ` (line ${this.#lines})` : '';
    return new BeelineError('USAGE', `${this.#name} is not a receipt: ${why}${where}.`);
  }
}

/** @throws BeelineError as ReceiptReader does. */
export async function decodeReceipt(
  lines: Iterable<string> | AsyncIterable<string>,
  name?: string,
): Promise<Receipt> {
  const reader = new ReceiptReader(name);
  for await (const line of lines) reader.push(line);
  return reader.end();
}

function isCount(value: unknown, max = Number.MAX_SAFE_INTEGER): value is number {
  return isInteger(value, max) && value >= 0;
}

function isInteger(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && Math.abs(value as number) <= max;
}

/** Past 2^53 too, where not every integer is a number. */
function isTime(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs(value as number) <= MAX_MTIME;
}

/** @param max UTF-8 bytes */
function isText(value: unknown, max: number): value is string {
  return typeof value === 'string' && (value.length * 3 <= max || utf8Encode(value).length <= max);
}

function isLinksWritten(value: unknown): value is Head['linksWritten'] {
  return value === undefined || value === 'all' || value === 'skip';
}

function isKind(value: unknown): value is EntryKind {
  return value === 'file' || value === 'folder' || value === 'link';
}
