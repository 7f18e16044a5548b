/**
 * Reads a receipt, from a file that anybody may have written: every line is checked and every count bounded before
 * anything is kept. Names are not judged here; whoever uses them passes them through `checkEntries` first.
 */
import * as v from 'valibot';
import { fromHex, toHex } from '../base/bytes.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { count, hex, list, readJson } from '../base/json.ts';
import {
  MAX_CHUNK,
  MAX_CHUNKS,
  MAX_ENTRIES,
  MAX_MANIFEST,
  MAX_PATH,
  MAX_RECIPIENTS,
  MAX_TIME_S,
  MIN_CHUNK,
} from '../base/limits.ts';
import { HASH_NAMES } from './hashing.ts';
import type { Entry } from './manifest.ts';
import {
  HASHES_A_LINE,
  RECEIPT_VERSION,
  type Receipt,
  type Recipient,
  receiptRoot,
  receiptSpace,
} from './receipt.ts';

/** Characters. A path and a target of MAX_PATH bytes each, all escaped (six characters a byte), and the rest. */
export const MAX_RECEIPT_LINE = 64 * 1024;

const VERSION = /^(?:[0-9a-f]{16})?$/;
const FINGERPRINT_LENGTH = 256;
/** Microseconds: what the manifest's encoding can say. */
const MAX_MTIME = MAX_TIME_S * 1e6;

type Head = Omit<Receipt, 'entries' | 'chunks' | 'receivers'> & { chunks: number; receivers: number };

const utf8 = (max: number) => v.pipe(v.string(), v.maxBytes(max));
const anyCount = count(Number.MAX_SAFE_INTEGER);
const START = v.object({ beeline: v.literal('receipt'), version: v.optional(v.unknown()) });

const HEAD = v.pipe(
  v.object({
    root: hex(32),
    kind: v.picklist(['files', 'stream']),
    chunkSize: v.pipe(
      count(MAX_CHUNK, MIN_CHUNK),
      v.check((size) => (size & (size - 1)) === 0),
    ),
    hash: v.picklist(HASH_NAMES),
    bytes: anyCount,
    files: count(MAX_ENTRIES),
    folders: count(MAX_ENTRIES),
    links: count(MAX_ENTRIES),
    linksWritten: v.optional(v.picklist(['all', 'skip'])),
    sender: utf8(FINGERPRINT_LENGTH),
    receivers: count(MAX_RECIPIENTS, 1),
    chunks: count(MAX_CHUNKS),
  }),
  v.check(({ bytes, chunks, chunkSize }) => bytes <= chunks * chunkSize),
  v.check(({ files, folders, links }) => files + folders + links > 0),
  v.check(({ files, folders, links }) => files + folders + links <= MAX_ENTRIES),
  v.check(({ kind, files, folders, links }) => kind === 'files' || (files === 1 && folders + links === 0)),
);

const RECEIVER = v.object({
  receiver: utf8(FINGERPRINT_LENGTH),
  root: hex(32),
  started: anyCount,
  ended: anyCount,
});

const ENTRY = v.pipe(
  v.object({
    path: v.pipe(v.string(), v.nonEmpty(), v.maxBytes(MAX_PATH)),
    kind: v.picklist(['file', 'folder', 'link']),
    mode: count(0o777),
    // Past 2^53 too, where not every integer is a number.
    mtime: count(MAX_MTIME, -MAX_MTIME),
    nanos: v.optional(count(999), 0),
    size: v.optional(anyCount, 0),
    target: v.optional(utf8(MAX_PATH), ''),
    version: v.optional(v.pipe(v.string(), v.regex(VERSION)), ''),
  }),
  v.check(({ kind, size, version }) => kind === 'file' || (size === 0 && version === '')),
  v.check(({ kind, target }) => (kind === 'link') === (target !== '')),
);

const HASHES = v.object({ chunks: list(v.nullable(hex(32)), HASHES_A_LINE) });

export class ReceiptReader {
  readonly #name: string;
  readonly #receivers: Recipient[] = [];
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

  /** One line, without its line feed. @throws BeelineError DAMAGED if no receipt has such a line there. */
  push(line: string): void {
    this.#lines++;
    if (line.length > MAX_RECEIPT_LINE) throw this.#refused('a line is too long');
    if (!this.#head) {
      this.#head = this.#header(line);
      this.#promised = this.#head.files + this.#head.folders + this.#head.links;
    } else if (this.#receivers.length < this.#head.receivers) this.#receiver(line);
    else if (this.#entries.length < this.#promised) this.#entry(line, this.#head);
    else this.#hashes(line, this.#head);
  }

  /** @throws BeelineError DAMAGED if lines are missing; VERIFICATION if the root does not fit the content. */
  end(): Receipt {
    const head = this.#head;
    if (!head || this.#entries.length < this.#promised || this.#chunks.length < head.chunks)
      throw this.#refused('it ends too early');
    const [receivers, entries, chunks] = [this.#receivers, this.#entries, this.#chunks];
    const receipt: Receipt = { ...head, receivers, entries, chunks };
    const [only, ...others] = receivers;
    const another = others.length === 0 && only?.root !== head.root;
    if (another || toHex(receiptRoot(receipt)) !== receipt.root)
      throw fault('RECEIPT_ALTERED', { name: this.#name });
    return receipt;
  }

  #read<S extends v.GenericSchema>(schema: S, line: string, otherwise: string): v.InferOutput<S> {
    return readJson(schema, line, () => this.#refused(otherwise));
  }

  #header(line: string): Head {
    const { version } = this.#read(START, line, 'it begins like something else');
    if (version !== RECEIPT_VERSION) throw fault('RECEIPT_OTHER_VERSION', { name: this.#name });
    return this.#read(HEAD, line, 'its header is not one');
  }

  #receiver(line: string): void {
    const { receiver: fingerprint, ...rest } = this.#read(RECEIVER, line, 'a receiver is not one');
    this.#receivers.push({ fingerprint, ...rest });
  }

  #entry(line: string, head: Head): void {
    const { nanos, ...entry } = this.#read(ENTRY, line, 'an entry contradicts itself');
    const { path, target, size } = entry;
    this.#characters += path.length + target.length;
    if (this.#characters > MAX_MANIFEST) throw this.#refused('its names are too long');
    this.#bytes += size;
    if (head.kind === 'files' && this.#bytes > head.bytes) throw this.#refused('its sizes do not add up');
    this.#entries.push({ ...entry, ...(nanos && { nanos }) });
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

  #hashes(line: string, head: Head): void {
    const left = head.chunks - this.#chunks.length;
    const { chunks } = this.#read(HASHES, line, 'a line of hashes is not one');
    if (left === 0 || chunks.length !== Math.min(left, HASHES_A_LINE))
      throw this.#refused('a line of hashes has the wrong length');
    for (const hash of chunks) this.#chunks.push(hash === null ? undefined : fromHex(hash));
  }

  #refused(why: string): BeelineError {
    const where = this.#lines > 0 ? ` (line ${this.#lines})` : '';
    return fault('RECEIPT_MALFORMED', { name: this.#name, why, where });
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
