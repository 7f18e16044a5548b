/**
 * Several files as one ZIP (stored, ZIP64 where needed), as a stream, made by client-zip. Added here: times
 * that ZIP can say, fewer and larger pieces, and the ZIP64 end record that an archive of more than 65,534 members needs
 * (APPNOTE 4.3.14, 4.4.1.4) whatever its size. Names are its callers': fitted.ts leaves none that an unpacker may misread.
 */
import { makeZip, predictLength } from 'client-zip';
import { concatAll, utf8Encode } from '../base/bytes.ts';

export interface ZipMember {
  path: string;
  /** Absent: a folder. */
  content?: ReadableStream<Uint8Array>;
  /** Bytes; 0 for a folder. */
  size: number;
  /** Milliseconds since 1970. */
  mtime: number;
  /** Permission bits. */
  mode?: number;
}

/** Members from which the plain end record cannot count them. */
const MANY = 0xffff;
/** Bytes. Pieces are brought together to this. */
const PIECE = 1024 * 1024;
const END64_RECORD = 56;
const END64_LOCATOR = 20;
/** Of the specification that ZIP64 came with. */
const VERSION = 45;
/** From here on a size or an offset does not fit its plain field. */
const LARGE = 0xffffffff;
/** DOS times are of 1980 to 2107, in local time: a day inside on either end is in range everywhere. */
const EARLIEST = Date.UTC(1980, 0, 2);
const LATEST = Date.UTC(2107, 11, 30);

/** For people: what is at the top, if it is one thing. */
export function archiveName(paths: readonly string[]): string {
  const tops = new Set(paths.map((path) => path.split('/')[0]!));
  const [only] = tops;
  return tops.size === 1 ? `${only}.zip` : 'beeline.zip';
}

export function zipStream(members: AsyncIterable<ZipMember>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let count = 0;
  async function* inputs() {
    for await (const { path, content, mtime, mode } of members) {
      count++;
      const lastModified = new Date(Math.min(Math.max(mtime, EARLIEST), LATEST));
      if (content) yield { name: path, input: content, lastModified, mode };
      else yield { name: `${path}/`, lastModified };
    }
  }
  const zipped = makeZip(inputs()).getReader();
  const parts = withEnd64(zipped, () => count);
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const some: Uint8Array[] = [];
        let bytes = 0;
        while (bytes < PIECE) {
          const { done, value } = await parts.next();
          if (done) break;
          some.push(value);
          bytes += value.length;
        }
        // What is one piece already passes as it is, and can be transferred without a copy.
        if (bytes > 0) controller.enqueue(some.length === 1 ? own(some[0]!) : concatAll(some));
        if (bytes < PIECE) controller.close();
      },
      cancel: (reason) => zipped.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Nothing here is shared memory. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** Bytes of the archive that `zipStream` makes of these. */
export function zipLength(
  members: readonly Omit<ZipMember, 'content'>[],
  folders: readonly string[],
): number {
  const files = members.map(({ path, size }) => ({ name: path, size }));
  const all = [...folders.map((path) => ({ name: `${path}/`, size: undefined })), ...files];
  const content = all.reduce((sum, { name, size = 0 }) => sum + aroundOf(name, size) + size, 0);
  const added = all.length >= MANY && content < LARGE ? END64_RECORD + END64_LOCATOR : 0;
  return Number(predictLength(all)) + added;
}

/** Bytes before and behind a member's own: local header (4.3.7), name, and data descriptor (4.3.9). */
function aroundOf(name: string, size: number): number {
  return 46 + utf8Encode(name).length + (size >= LARGE ? 8 : 0);
}

/** The parts of an archive, with the ZIP64 end record before its last one, if that cannot count the members. */
async function* withEnd64(
  parts: ReadableStreamDefaultReader<Uint8Array>,
  count: () => number,
): AsyncGenerator<Uint8Array> {
  let last: Uint8Array | undefined;
  for (;;) {
    const { done, value } = await parts.read();
    if (last && (!done || count() < MANY)) yield last;
    if (done) break;
    last = value;
  }
  if (!last || count() < MANY) return;
  const end = new DataView(last.buffer, last.byteOffset, last.length);
  const [size, offset] = [end.getUint32(12, true), end.getUint32(16, true)];
  // An archive whose members fill 4 GiB has the record already.
  if (offset < LARGE) yield end64(count(), size, offset);
  yield last;
}

/** Zip64 end of central directory record and its locator. */
function end64(count: number, size: number, offset: number): Uint8Array {
  const bytes = new Uint8Array(END64_RECORD + END64_LOCATOR);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x06064b50, true);
  view.setBigUint64(4, BigInt(END64_RECORD - 12), true);
  view.setUint16(12, VERSION, true);
  view.setUint16(14, VERSION, true);
  view.setBigUint64(24, BigInt(count), true);
  view.setBigUint64(32, BigInt(count), true);
  view.setBigUint64(40, BigInt(size), true);
  view.setBigUint64(48, BigInt(offset), true);
  view.setUint32(56, 0x07064b50, true);
  view.setBigUint64(64, BigInt(offset + size), true);
  view.setUint32(72, 1, true);
  return bytes;
}
