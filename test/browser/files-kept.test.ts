import assert from 'node:assert/strict';
import test from 'node:test';
import { crc32 as reference } from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from '../../src/base/crc32.ts';
import { transferKey } from '../../src/browser/files/beginning.ts';
import { lengthOf, startOf } from '../../src/browser/files/places.ts';
import type { Entry } from '../../src/offer/manifest.ts';
import { ByteSpace } from '../../src/offer/space.ts';

const MiB = 2 ** 20;
const numRuns = Number(process.env.RUNS ?? 100);

function entriesOf(sizes: readonly number[]): Entry[] {
  return sizes.map((size, i) => ({
    ...{ path: `file ${i}`, kind: 'file', size, mode: 0o644, mtime: i, target: '', version: '' },
  }));
}

const sizes = fc.array(fc.oneof(fc.nat(3000), fc.nat(5 * MiB)), { maxLength: 30 });

test('the checksum is the one everybody means by CRC-32', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => crc32(bytes) === reference(bytes)),
    { numRuns },
  );
});

test('a file is one slice of the space that is kept, and no two overlap', () => {
  fc.assert(
    fc.property(sizes, (sizes) => {
      const space = new ByteSpace(sizes, MiB);
      const owner = new Map<number, number>();
      for (let chunk = 0; chunk < space.chunks; chunk++)
        for (const { entry, offset, length, at } of space.extents(chunk)) {
          assert.equal(chunk * MiB + at, startOf(space, entry) + offset);
          const key = chunk * MiB + at;
          assert.ok(!owner.has(key));
          owner.set(key, entry);
          assert.ok(key + length <= lengthOf(space));
        }
    }),
    { numRuns },
  );
});

test('a transfer is known by its whole manifest and its chunks', () => {
  const entries = entriesOf([1, 2]);
  const cut = { chunkSize: MiB, stream: false };
  const key = transferKey(entries, cut);
  assert.match(key, /^[0-9a-f]{32}$/);
  assert.equal(key, transferKey(structuredClone(entries), cut));
  const others = [
    transferKey(entries, { ...cut, chunkSize: 2 * MiB }),
    transferKey(entries.slice(1), cut),
    ...(['path', 'size', 'mtime', 'mode', 'version'] as const).map((field) =>
      transferKey(
        [
          {
            ...entries[0]!,
            [field]: field === 'version' ? 'ab'.repeat(8) : 7,
            ...(field === 'path' && { path: 'x' }),
          },
          entries[1]!,
        ],
        cut,
      ),
    ),
  ];
  assert.equal(new Set([key, ...others]).size, others.length + 1);
});
