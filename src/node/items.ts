/** What `send` takes from memory: bytes and texts under names of their own, or one stream. */
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { fault, faultAt } from '../base/errors.ts';
import { MIN_CHUNK } from '../base/limits.ts';
import { quoted } from '../base/printable.ts';
import type { Entry } from '../offer/manifest.ts';
import { checkEntries, nameProblem } from '../offer/names.ts';
import type { Extent } from '../offer/space.ts';
import type { Source } from '../sync/ports.ts';
import { StreamSource } from './files/stream-source.ts';

/** What can be read again at any place. A Blob may be of a file: `await fs.openAsBlob(path)`. */
export type Bytes = string | Uint8Array | ArrayBuffer | Blob;
/** What can be read once, from its beginning: a Readable, a web stream, a generator. */
export type Stream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string>;

export interface SendItem {
  /** As the receiver gets it. With `/` it stands in a folder. */
  name: string;
  /** A stream can only be sent alone. */
  data: Bytes | Stream;
  /** Of a stream: so many bytes have to come, or the transfer fails. */
  size?: number;
  modified?: Date;
}

/** Permissions of what has none of its own. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

export const isStream = (data: unknown): data is Stream =>
  data instanceof ReadableStream ||
  (typeof data === 'object' &&
    data !== null &&
    Symbol.asyncIterator in data &&
    typeof data[Symbol.asyncIterator] === 'function');

/** Somebody else reads it, and it can be neither read nor closed here. */
export const isLocked = (data: unknown): boolean => data instanceof ReadableStream && data.locked;

export const isBytes = (data: unknown): data is Bytes =>
  typeof data === 'string' ||
  data instanceof Uint8Array ||
  data instanceof ArrayBuffer ||
  data instanceof Blob;

/** @throws BeelineError USAGE or UNSAFE_NAME if a name cannot be sent */
export function sourceOfItems(items: readonly SendItem[], { sha256 }: { sha256?: boolean }): Source {
  const [first] = items;
  if (!first) throw fault('NOTHING_TO_SEND');
  if (isStream(first.data)) {
    const { name, size, modified } = first;
    const stream = asReadable(first.data);
    try {
      return new StreamSource(stream, name, { chunkSize: MIN_CHUNK, sha256, size, modified });
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }
  return new MemorySource(items as readonly (SendItem & { data: Bytes })[]);
}

/** Closing it closes what it reads from. It asks for no more than is taken. An error before that waits until it is read. */
export function asReadable(data: Stream): Readable {
  const given = data instanceof EventEmitter ? heard(data) : data;
  if (given instanceof Readable) return given;
  if (given instanceof ReadableStream) return heard(Readable.fromWeb(given));
  return heard(Readable.from(given, { highWaterMark: 1 }));
}

/** An error of it that nobody listens for would end the process, though nobody may have come yet who takes from it. */
export function heard<T extends EventEmitter>(stream: T): T {
  if (!stream.listeners('error').includes(hear)) stream.on('error', hear);
  return stream;
}

const hear = () => undefined;

class MemorySource implements Source {
  readonly kind = 'files';
  readonly entries: readonly Entry[];
  readonly length: number;
  /** By entry; a folder has none. */
  readonly #data: readonly (Uint8Array | Blob | undefined)[];

  constructor(items: readonly (SendItem & { data: Bytes })[]) {
    const now = Date.now();
    const all = new Map<string, { entry: Entry; data?: Uint8Array | Blob }>();
    const rest = { target: '', version: '' };
    for (const { name, data, modified } of items) {
      const problem = nameProblem(name, 'posix');
      if (problem) throw fault('NAME_UNFIT', { name: quoted(name), problem });
      const mtime = (modified?.getTime() ?? now) * 1000;
      for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
        const path = name.slice(0, at);
        if (all.get(path)?.data) throw fault('FILE_FOR_FOLDER', { path: quoted(path) });
        all.set(path, { entry: { path, kind: 'folder', size: 0, mode: FOLDER_MODE, mtime, ...rest } });
      }
      const known = all.get(name);
      if (known?.data) throw fault('NAMES_COLLIDE', { paths: `Two of ${quoted(name)}`, name: quoted(name) });
      if (known) throw fault('FILE_FOR_FOLDER', { path: quoted(name) });
      const bytes = asBytes(data);
      const size = bytes instanceof Blob ? bytes.size : bytes.length;
      all.set(name, {
        entry: { path: name, kind: 'file', size, mode: FILE_MODE, mtime, ...rest },
        data: bytes,
      });
    }
    // Depth first: what is in a folder follows it at once.
    const key = ({ entry }: { entry: Entry }) => entry.path.replaceAll('/', '\0');
    const sorted = [...all.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    this.entries = sorted.map(({ entry }) => entry);
    this.#data = sorted.map(({ data }) => data);
    this.length = this.entries.reduce((sum, { size }) => sum + size, 0);
    checkEntries(this.entries, { platform: 'posix' });
  }

  async read(_chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    let total = 0;
    for (const { entry, offset, length, at } of extents) {
      into.set(await this.#bytes(entry, offset, offset + length), at);
      total += length;
    }
    return total;
  }

  async digests(): Promise<Map<number, string>> {
    const digests = new Map<number, string>();
    for (const [index, { kind, size }] of this.entries.entries()) {
      if (kind !== 'file') continue;
      const hash = createHash('sha256');
      for (let at = 0; at < size; at += MIN_CHUNK)
        hash.update(await this.#bytes(index, at, Math.min(size, at + MIN_CHUNK)));
      digests.set(index, hash.digest('hex'));
    }
    return digests;
  }

  async close(): Promise<void> {}

  async #bytes(entry: number, from: number, to: number): Promise<Uint8Array> {
    const data = this.#data[entry]!;
    if (!(data instanceof Blob)) return data.subarray(from, to);
    try {
      return new Uint8Array(await data.slice(from, to).arrayBuffer());
    } catch (error) {
      // Of a file that has changed since.
      const why = error instanceof Error ? error.message : String(error);
      throw faultAt('FILE_UNREADABLE', this.entries[entry]!.path, { why }, error);
    }
  }
}

function asBytes(data: Bytes): Uint8Array | Blob {
  if (typeof data === 'string') return new TextEncoder().encode(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
