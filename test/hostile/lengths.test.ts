/** Negative, huge and overlapping lengths, in frames and in manifests. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Writer } from '../../src/base/bytes.ts';
import { MAX_CONTROL_FRAME, MAX_ENTRIES, MAX_PAGES } from '../../src/base/limits.ts';
import type { Entry } from '../../src/offer/manifest.ts';
import { encodeMessage } from '../../src/wire/messages.ts';
import { file } from '../node/files/helpers.ts';
import { CHUNK, offerOf, type Script } from './bad-sender.ts';
import { each, ending, LIMIT, meet, tree, world } from './world.ts';

const MiB = 1024 * 1024;

/** A frame's five bytes. */
const header = (length: number, type: number) => new Writer().u32(length).u8(type).done();
const OFFER = encodeMessage(offerOf([file('a', 1)], 1));

test('protects from: a negative, huge or overlapping length in a frame', LIMIT, async (t) => {
  const chunkBody = (length: number, form: number, index = 0) =>
    new Writer().u32(0).u32(index).u32(length).u32(0).u8(form).raw(new Uint8Array(32)).done();
  const overlong = (bytes: number[], type: number) =>
    Buffer.concat([header(bytes.length, type), Uint8Array.from(bytes)]);
  const raw: Record<string, Uint8Array> = {
    ...Object.fromEntries(
      [0, 1, 2, 3, 5, 6, 12, 13, 14].flatMap((type) =>
        [MAX_CONTROL_FRAME + 1, 2 ** 31, 2 ** 32 - 1].map((length) => [
          `${type} of ${length}`,
          header(length, type),
        ]),
      ),
    ),
    'a chunk frame of 4 GiB': header(2 ** 32 - 1, 4),
    'a chunk frame shorter than its header': header(48, 4),
    'a chunk longer than its frame': Buffer.concat([header(49, 4), chunkBody(CHUNK, 0)]),
    'a chunk shorter than its frame': Buffer.concat([header(49 + 10, 4), chunkBody(5, 0)]),
    'a chunk with a negative length': Buffer.concat([header(49, 4), chunkBody(-1, 1)]),
    'zeros that bring data': Buffer.concat([header(49 + 10, 4), chunkBody(10, 1)]),
    'an offer cut short': Buffer.concat([header(OFFER.length - 6, 0), OFFER.subarray(5, -1)]),
    'an offer with more behind it': Buffer.concat([
      header(OFFER.length - 4, 0),
      OFFER.subarray(5),
      new Uint8Array(1),
    ]),
    'a varint of ten bytes': overlong([255, 255, 255, 255, 255, 255, 255, 255, 255, 1], 0),
    'a varint over 2^53': overlong([255, 255, 255, 255, 255, 255, 255, 127], 12),
    'a varint with a tail of zeros': overlong([0x81, 0x80, 0], 12),
    'a page longer than its frame': overlong([0, 255, 255, 7], 2),
    'a page longer than a page': overlong([0, 129, 128, 8, ...new Array(10).fill(0)], 2),
    'a frame of no type': header(1, 200),
  };
  await each(Object.entries(raw), async ([what, bytes]) => {
    const place = world(t);
    const before = process.memoryUsage().arrayBuffers;
    const { receiver } = await meet(
      t,
      { pipe: (pipe) => pipe.write(bytes, () => {}), entries: [file('a', 1)] },
      { to: place.to, lanes: 1 },
    );
    const code = await ending(receiver);
    assert.ok(code === 'PROTOCOL' || code === 'BAD_MANIFEST', `${what}: ${code}`);
    assert.ok(process.memoryUsage().arrayBuffers - before < 100 * MiB, what);
    assert.deepEqual(tree(place.to), {});
  });
});

test('protects from: a negative, huge or overlapping length in an offer or a manifest', LIMIT, async (t) => {
  /** A page whose numbers no honest encoder writes. */
  const page = (size: readonly number[], path = [1, 97]) =>
    Uint8Array.from([0, ...path, ...size, 0xa4, 3, 0, 0]);
  const huge = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
  const one = [file('a', 1)];
  const sized = (...sizes: number[]): Entry[] => sizes.map((size, i) => file(`f${i}`, size));
  const tries: Record<string, Script> = {
    'a size of ten bytes': { entries: one, pages: [page(huge)] },
    'a size over 2^53': { entries: one, pages: [page([255, 255, 255, 255, 255, 255, 255, 127])] },
    'a name longer than its page': { entries: one, pages: [page([1], [100, 97])] },
    'a name of 2^53 bytes': { entries: one, pages: [page([1], [255, 255, 255, 255, 255, 255, 255, 15])] },
    'sizes that add up to more than 2^53': { entries: sized(2 ** 52, 2 ** 52, 2 ** 52), offer: { bytes: 0 } },
    'sizes that wrap to what was offered': {
      entries: sized(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      offer: { bytes: Number.MAX_SAFE_INTEGER },
    },
    'a petabyte': { entries: sized(2 ** 50) },
    'more than was offered': { entries: sized(10), offer: { bytes: 9 } },
    'fewer entries than were offered': { entries: sized(10, 10), offer: { entries: 3 } },
    'more entries than were offered': { entries: sized(10, 10), offer: { entries: 1 } },
    'no entries': { entries: one, offer: { entries: 0 } },
    'too many entries': { entries: one, offer: { entries: MAX_ENTRIES + 1 } },
    '2^53 entries': { entries: one, offer: { entries: Number.MAX_SAFE_INTEGER } },
    'no pages': { entries: one, offer: { pages: 0 } },
    'more pages than entries': { entries: one, offer: { pages: 2 } },
    'too many pages': { entries: one, offer: { entries: MAX_ENTRIES, pages: MAX_PAGES + 1 } },
    ...Object.fromEntries(
      [0, 1, CHUNK - 1, CHUNK / 2, 3 * CHUNK, 8 * CHUNK, 2 ** 31, 2 ** 32 - 1].map((chunkSize) => [
        `chunks of ${chunkSize}`,
        { entries: one, offer: { chunkSize } },
      ]),
    ),
  };
  await each(Object.entries(tries), async ([what, script]) => {
    const place = world(t);
    const { receiver } = await meet(t, script, { to: place.to });
    const code = await ending(receiver);
    assert.ok(code === 'BAD_MANIFEST' || code === 'PROTOCOL', `${what}: ${code}`);
    assert.deepEqual(tree(place.to), {}, what);
  });
});
