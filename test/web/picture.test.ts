/** Heads of pictures, as files have them, and what is too large or not known. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { extentOf, mayShrink } from '../../web/model/picture.ts';

type Make = (width: number, height: number) => Uint8Array;

const bytes = (...parts: (string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : part)),
  );
const big = (value: number, length: number) =>
  Array.from({ length }, (_, at) => Math.floor(value / 256 ** (length - 1 - at)) % 256);
const little = (value: number, length: number) => big(value, length).reverse();

const png: Make = (w, h) =>
  bytes('\x89PNG\r\n\x1a\n', big(13, 4), 'IHDR', big(w, 4), big(h, 4), [8, 6, 0, 0, 0]);
const frame = (w: number, h: number, marker = 0xc0) => [
  0xff,
  marker,
  0,
  11,
  8,
  ...big(h, 2),
  ...big(w, 2),
  1,
  1,
  17,
  0,
];
/** What a camera writes stands before the frame, with a picture of its own in it. */
const exif = [0xff, 0xe1, ...big(2 + 400, 2), ...new Array(386).fill(0), ...frame(9, 9), 0];
const jpeg: Make = (w, h) =>
  bytes([0xff, 0xd8, ...exif, 0xff, 0xc4, 0, 3, 0, 0xff, 0xff, 0xdb, 0, 3, 0, ...frame(w, h, 0xc2)]);
const screen = (w: number, h: number, flags = 0x80) =>
  ['GIF89a', [...little(w, 2), ...little(h, 2), flags, 0, 0]] as const;
const shown = (w: number, h: number) => [0x2c, 0, 0, 0, 0, ...little(w, 2), ...little(h, 2), 0];
const gif: Make = (w, h) =>
  bytes(
    ...screen(w, h),
    new Array(6).fill(0),
    [0x21, 0xf9, 4, 0, 0, 0, 0, 0],
    [0x21, 0xfe, 2, 1, 1, 0],
    shown(w, h),
  );
const riff = (kind: string, body: number[]) =>
  bytes('RIFF', little(99, 4), 'WEBP', kind, little(body.length, 4), body);
const lossy: Make = (w, h) => riff('VP8 ', [0, 0, 0, 0x9d, 0x01, 0x2a, ...little(w, 2), ...little(h, 2)]);
const lossless: Make = (w, h) => riff('VP8L', [0x2f, ...little(w - 1 + (h - 1) * 2 ** 14, 4)]);
const extended: Make = (w, h) => riff('VP8X', [0, 0, 0, 0, ...little(w - 1, 3), ...little(h - 1, 3)]);
const bmp: Make = (w, h) =>
  bytes('BM', new Array(12).fill(0), little(40, 4), little(w, 4), little(2 ** 32 - h, 4));
const oldBmp: Make = (w, h) => bytes('BM', new Array(12).fill(0), little(12, 4), little(w, 2), little(h, 2));
const ALL = { png, jpeg, gif, lossy, lossless, extended, bmp, oldBmp };

test('the head of each format says how large the picture is', () => {
  for (const [name, make] of Object.entries(ALL))
    for (const [width, height] of [
      [640, 480],
      [1, 1],
      [300, 1200],
    ] as const)
      assert.deepEqual(extentOf(make(width, height)), { width, height }, name);
});

test('a small picture is made of no more than 50 megapixels, and of no strip', () => {
  for (const [name, make] of Object.entries(ALL)) {
    assert.equal(mayShrink(make(8000, 6000)), true, `${name}, 48 megapixels`);
    assert.equal(mayShrink(make(8000, 8000)), false, `${name}, 64 megapixels`);
    assert.equal(mayShrink(make(400, 100)), true, name);
    assert.equal(mayShrink(make(401, 100)), false, `${name}, a strip`);
    assert.equal(mayShrink(make(100, 401)), false, `${name}, a tall strip`);
  }
  assert.equal(mayShrink(png(0, 0)), false);
  assert.equal(mayShrink(png(2 ** 31, 2 ** 31)), false);
});

test('a frame of a GIF that is larger than its screen counts', () => {
  assert.equal(mayShrink(bytes(...screen(10, 10, 0), shown(60_000, 60_000))), false);
});

test('what is not known is not made small: another format, a head that is cut, any bytes', () => {
  const avif = bytes(big(28, 4), 'ftypavif', new Array(16).fill(0));
  for (const other of [avif, bytes('<svg width="1" height="1">'), bytes('\x00\x00\x01\x00'), bytes()])
    assert.equal(extentOf(other), undefined);
  for (const [name, make] of Object.entries(ALL)) {
    const whole = make(640, 480);
    const least = { png: 24, bmp: 26, oldBmp: 22, lossy: 30, lossless: 25, extended: 30, jpeg: 0, gif: 0 }[
      name
    ]!;
    for (let length = 0; length < (least || 10); length++)
      assert.equal(extentOf(whole.subarray(0, length)), undefined, `${name}, ${length} bytes`);
  }
  // A frame of which a segment that is too long, or a table that never ends, takes the place.
  assert.equal(extentOf(bytes([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff], frame(9, 9))), undefined);
  assert.equal(extentOf(bytes([0xff, 0xd8, 0xff, 0xe1, 0, 0], frame(9, 9))), undefined);
  const head = fc.constantFrom(...Object.values(ALL).map((make) => [...make(9, 9)].slice(0, 20)));
  fc.assert(
    fc.property(
      fc.tuple(head, fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 })),
      ([start, rest]) => {
        const found = extentOf(Uint8Array.from([...start, ...rest]));
        assert.ok(found === undefined || (found.width >= 0 && found.height >= 0));
      },
    ),
  );
});
