/**
 * The receipt: what both sides of a finished transfer keep of it, so that a tree can be checked against it later. It is
 * byte for byte the same on both, but for `linksWritten`. A sender with several receivers has one that names them all. As text it is
 * JSON lines: a header, one line a receiver, one line an entry, then the chunks' hashes.
 * Non-goal: proof against its keeper. Root and content must fit each other, but nobody has signed them.
 */
import { toHex } from '../base/bytes.ts';
import { jsonLine, jsonText } from '../base/json-line.ts';
import type { HashName } from './hashing.ts';
import { type Entry, encodePages } from './manifest.ts';
import { ChunkHashes } from './merkle.ts';
import { ByteSpace } from './space.ts';

export const RECEIPT_VERSION = 3;
/** Hashes in one line. */
export const HASHES_A_LINE = 256;

/** One that has received everything, or all of it that it wanted. */
export interface Recipient {
  fingerprint: string;
  /** Hex of the root that it and the sender found equal: over the chunks that it has. */
  root: string;
  /** Milliseconds since 1970 by the sender's clock. */
  started: number;
  ended: number;
}

export interface Receipt {
  /** Hex of the Merkle root over `chunks`: with one receiver it is that one's. */
  root: string;
  kind: 'files' | 'stream';
  chunkSize: number;
  /** What `chunks` are made with. */
  hash: HashName;
  /** Of all files; for a stream its length. */
  bytes: number;
  /** How many entries of each kind there are. */
  files: number;
  folders: number;
  links: number;
  /** Only in a receiver's: it wrote links that lead out too (`all`), or no links (`skip`). Absent: those that stay inside. */
  linksWritten?: 'all' | 'skip' | undefined;
  /** A fingerprint. */
  sender: string;
  /** In the order in which they were done; a receiver's own receipt has itself alone. */
  receivers: readonly Recipient[];
  entries: readonly Entry[];
  /** Hash of each chunk's data; undefined for one that nobody has (its files were skipped). */
  chunks: (Uint8Array | undefined)[];
}

/** How the receipt's files lie in its chunks. */
type Laid = Pick<Receipt, 'entries' | 'chunkSize' | 'kind' | 'bytes'>;
export function receiptSpace({ entries, chunkSize, kind, bytes }: Laid): ByteSpace {
  const sizes = entries.map((entry) => entry.size);
  const space = new ByteSpace(sizes, chunkSize, kind === 'stream');
  if (kind === 'stream') space.end(bytes);
  return space;
}

/** The root that the receipt's entries and hashes have. */
export function receiptRoot({
  entries,
  chunks,
  hash: by,
}: Pick<Receipt, 'entries' | 'chunks' | 'hash'>): Uint8Array {
  const hashes = new ChunkHashes();
  for (const [chunk, hash] of chunks.entries()) if (hash) hashes.set(chunk, hash);
  return hashes.root(by, encodePages(entries), chunks.length, () => false);
}

/** In this order, and those that there are. */
const HEADER = [
  ...['root', 'kind', 'chunkSize', 'hash', 'bytes', 'files', 'folders', 'links', 'linksWritten'],
  'sender',
] as (keyof Receipt)[];

/** The receipt's lines, without line feeds. Equal receipts have equal lines. */
export function* encodeReceipt(receipt: Receipt): Generator<string> {
  const header = Object.fromEntries(HEADER.map((name) => [name, receipt[name]]));
  const { length: receivers } = receipt.receivers;
  const { length: chunks } = receipt.chunks;
  yield jsonLine({ beeline: 'receipt', version: RECEIPT_VERSION, ...header, receivers, chunks });
  for (const { fingerprint, root, started, ended } of receipt.receivers)
    yield jsonLine({ receiver: fingerprint, root, started, ended });
  for (const entry of receipt.entries) yield entryLine(entry);
  for (let from = 0; from < receipt.chunks.length; from += HASHES_A_LINE) {
    const some = receipt.chunks.slice(from, from + HASHES_A_LINE);
    yield jsonLine({ chunks: Array.from(some, (hash) => (hash ? toHex(hash) : null)) });
  }
}

/** Its fields in a fixed order, without those that an entry of its kind does not have. By hand, since a tree has very many. */
function entryLine({ path, kind, size, mode, mtime, nanos, target, version }: Entry): string {
  const bytes = kind === 'file' ? `,"size":${size}` : '';
  const time = nanos ? `"mtime":${mtime},"nanos":${nanos}` : `"mtime":${mtime}`;
  let more = '';
  if (kind === 'link') more = `,"target":${jsonText(target)}`;
  if (kind === 'file') more = `,"version":"${version}"`;
  return `{"path":${jsonText(path)},"kind":"${kind}"${bytes},"mode":${mode},${time}${more}}`;
}
