/**
 * How large a picture is, by the head of its file: to make a small one of it, a browser opens all of its pixels first, and a file of
 * a few kilobytes may have billions. Pure.
 */

export interface PictureSize {
  width: number;
  height: number;
}

/** Bytes at the beginning of a file in which its size is looked for: before a photograph's stands what its camera wrote. */
export const HEAD = 1 << 18;
/** Pixels of the largest picture that is made small. */
const MOST_PIXELS = 50_000_000;
/** One side is at most so many times as long as the other: what is left of a longer strip shows nothing. */
const MOST_RATIO = 4;

/** Whether a small picture may be made of it. @param head the first bytes of a file */
export function mayShrink(head: Uint8Array): boolean {
  const found = extentOf(head);
  if (!found) return false;
  const { width, height } = found;
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  return short > 0 && long <= short * MOST_RATIO && width * height <= MOST_PIXELS;
}

/** Undefined where it is not known, whatever the file's name says. */
export function extentOf(head: Uint8Array): PictureSize | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const text = (at: number, length: number) =>
    Array.from(head.subarray(at, at + length), (byte) => String.fromCharCode(byte)).join('');
  try {
    if (text(0, 8) === '\x89PNG\r\n\x1a\n' && text(12, 4) === 'IHDR')
      return { width: view.getUint32(16), height: view.getUint32(20) };
    if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return ofGif(view);
    if (text(0, 4) === 'RIFF' && text(8, 4) === 'WEBP') return ofWebp(view, text(12, 4));
    if (text(0, 2) === 'BM') return ofBmp(view);
    if (view.getUint16(0) === 0xffd8) return ofJpeg(view);
  } catch (thrown) {
    // It ends too early.
    if (!(thrown instanceof RangeError)) throw thrown;
  }
  return undefined;
}

/** Markers of a frame are 0xffc0 to 0xffcf, without tables of Huffman (c4), of arithmetic coding (cc), and what is reserved (c8). */
const NO_FRAMES: ReadonlySet<number> = new Set([0xc4, 0xc8, 0xcc]);

function ofJpeg(view: DataView): PictureSize | undefined {
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    // Any number of 0xff may stand before a marker.
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAMES.has(marker))
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    // What has no length, and the picture itself, do not stand before its frame.
    if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xda)) return undefined;
    const length = view.getUint16(at + 2);
    if (length < 2) return undefined;
    at += 2 + length;
  }
}

/** A first frame that is larger than its screen makes that larger, in some browsers. */
function ofGif(view: DataView): PictureSize | undefined {
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  let at = 13 + tableOf(view.getUint8(10));
  for (;;) {
    const block = view.getUint8(at);
    if (block === 0x2c) {
      const [left, top] = [view.getUint16(at + 1, true), view.getUint16(at + 3, true)];
      const [wide, tall] = [view.getUint16(at + 5, true), view.getUint16(at + 7, true)];
      return { width: Math.max(width, left + wide), height: Math.max(height, top + tall) };
    }
    if (block !== 0x21) return undefined;
    at += 2;
    for (let length = -1; length !== 0; at += 1 + length) length = view.getUint8(at);
  }
}

/** Bytes of a table of colours. */
const tableOf = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);

function ofWebp(view: DataView, kind: string): PictureSize | undefined {
  if (kind === 'VP8X') return { width: 1 + uint24(view, 24), height: 1 + uint24(view, 27) };
  if (kind === 'VP8 ')
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (kind !== 'VP8L' || view.getUint8(20) !== 0x2f) return undefined;
  const bits = view.getUint32(21, true);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
}

const uint24 = (view: DataView, at: number): number =>
  view.getUint16(at, true) + (view.getUint8(at + 2) << 16);

function ofBmp(view: DataView): PictureSize {
  // The oldest head has 12 bytes. In a later one a height below zero means that the first row stands at the top.
  if (view.getUint32(14, true) === 12)
    return { width: view.getUint16(18, true), height: view.getUint16(20, true) };
  return { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
}
