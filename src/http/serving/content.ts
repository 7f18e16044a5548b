/** Bytes of a file into an answer: one span of it, or several as the parts of a multipart body (RFC 9110, 14.6). */
import { randomBytes } from 'node:crypto';
import type { Outlet } from './outlet.ts';
import { Pieces } from './pieces.ts';
import type { ByteSpan } from './ranges.ts';
import { type DirectWay, ON_THE_WAY } from './sendfile.ts';
import type { ServedFile } from './tree.ts';

/** Bytes that are written between two times that the system has no room. */
const BETWEEN = 64 * 1024;

/** The file ended before its length, which `read` has not noticed. */
export class Truncated extends Error {}

/** A span with so many bytes before its last ones is worth the direct way. */
const LEAST_DIRECT = 16 * 1024 * 1024;

export async function pourSpan(file: ServedFile, { from, end }: ByteSpan, outlet: Outlet): Promise<void> {
  const last = end - ON_THE_WAY;
  const direct =
    file.descriptor !== undefined && last - from >= LEAST_DIRECT ? await outlet.direct() : undefined;
  if (!direct) return copy(file, { from, end }, outlet);
  let at = from;
  try {
    at = await sendDirectly(file, { from, end: last }, outlet, direct);
  } finally {
    direct.close();
  }
  return copy(file, { from: at, end }, outlet);
}

/** Where the system has no room, a piece is written as usual: Node tells when that has found room. */
async function sendDirectly(
  file: ServedFile,
  { from, end }: ByteSpan,
  outlet: Outlet,
  direct: DirectWay,
): Promise<number> {
  const piece = Buffer.allocUnsafeSlow(BETWEEN);
  let at = from;
  while (at < end) {
    outlet.gone.throwIfAborted();
    const sent = await direct.send(file.descriptor!, at, end - at);
    outlet.sent(sent);
    at += sent;
    if (at >= end) break;
    const wanted = piece.subarray(0, Math.min(BETWEEN, end - at));
    // It looks at the file too.
    if ((await file.read(wanted, at)) < wanted.length)
      throw new Truncated('The file is shorter than it was.');
    await outlet.write(wanted);
    at += wanted.length;
  }
  return at;
}

/** Each read is behind a look at the file (`ServedFile.read`), so that nothing of a changed one is written. */
async function copy(file: ServedFile, { from, end }: ByteSpan, outlet: Outlet): Promise<void> {
  const pieces = new Pieces();
  let writing: Promise<void> = Promise.resolve();
  try {
    for (let at = from; at < end; ) {
      const buffer = pieces.next();
      const wanted = buffer.subarray(0, Math.min(buffer.length, end - at));
      const got = await file.read(wanted, at);
      await writing;
      if (got < wanted.length) throw new Truncated('The file is shorter than it was.');
      at += got;
      const began = performance.now();
      writing = outlet.write(wanted).then(() => pieces.wrote(performance.now() - began));
      // It is waited for in the next turn, and must not count as unhandled if reading fails before.
      writing.catch(() => undefined);
    }
    await writing;
  } finally {
    await writing.catch(() => undefined);
    pieces.close();
  }
}

/** The parts of a body of several spans, as their heads and what is between them. */
export interface Multipart {
  type: string;
  /** Bytes of the whole body. */
  length: number;
  /** What stands before each span. */
  heads: readonly Buffer[];
  tail: Buffer;
}

export function multipartOf(spans: readonly ByteSpan[], size: number, type: string): Multipart {
  // Random, so that nothing in a file can look like it.
  const boundary = randomBytes(18).toString('base64url');
  const heads = spans.map(({ from, end }) =>
    Buffer.from(
      `\r\n--${boundary}\r\ncontent-type: ${type}\r\ncontent-range: bytes ${from}-${end - 1}/${size}\r\n\r\n`,
    ),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const bytes = spans.reduce((sum, { from, end }, part) => sum + heads[part]!.length + end - from, 0);
  return { type: `multipart/byteranges; boundary=${boundary}`, length: bytes + tail.length, heads, tail };
}
