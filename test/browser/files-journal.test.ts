import assert from 'node:assert/strict';
import test from 'node:test';
import { crc32 as reference } from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from '../../src/browser/files/crc32.ts';
import {
  bringBack,
  encodeBeginning,
  encodeRecord,
  replay,
  transferKey,
} from '../../src/browser/files/journal.ts';
import { lengthOf, startOf } from '../../src/browser/files/places.ts';
import { concat } from '../../src/protocol/bytes.ts';
import type { Entry } from '../../src/protocol/manifest.ts';
import { ByteSpace } from '../../src/transfer/space.ts';

const MiB = 2 ** 20;
const numRuns = Number(process.env.RUNS ?? 100);

function entriesOf(sizes: readonly number[]): Entry[] {
  return sizes.map((size, i) => ({
    ...{ path: `file ${i}`, kind: 'file', size, mode: 0o644, mtime: i, target: '', version: '' },
  }));
}

const sizes = fc.array(fc.oneof(fc.nat(3000), fc.nat(5 * MiB)), { maxLength: 30 });
const hash = (fillWith: number) => new Uint8Array(32).fill(fillWith);

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

test('what is journaled is replayed, whatever the end of the file looks like', () => {
  const chunks = fc.uniqueArray(fc.nat(60), { maxLength: 40 });
  fc.assert(
    fc.property(sizes, chunks, fc.nat(200), fc.uint8Array({ maxLength: 90 }), (sizes, all, cut, noise) => {
      const entries = entriesOf(sizes);
      const space = new ByteSpace(sizes, MiB);
      const down = all.filter((chunk) => chunk < space.chunks);
      const beginning = encodeBeginning(entries, space, 12345);
      const records = down.map((index) => encodeRecord({ type: 'chunk', index, sha256: hash(index) }));
      const whole = concat(beginning, ...records);
      const state = replay(whole)!;
      assert.deepEqual([...state.have].sort(), [...down].sort());
      assert.deepEqual(state.entries, entries);
      assert.equal(state.created, 12345);
      assert.equal(state.trusted, whole.length);
      for (const index of down) assert.deepEqual(state.hashes.get(index), hash(index));
      // Torn anywhere, with noise behind it: the records before the tear count, and nothing else.
      const end = Math.max(0, whole.length - cut);
      // Not by chance what was torn off.
      const noisy = new Uint8Array([(whole[end] ?? 0) ^ 0xff, ...noise]);
      const torn = replay(concat(whole.subarray(0, end), noisy));
      if (end < beginning.length) return;
      let sound = beginning.length;
      let count = 0;
      for (; count < records.length && sound + records[count]!.length <= end; count++)
        sound += records[count]!.length;
      assert.deepEqual([...torn!.have], down.slice(0, count));
      assert.equal(torn!.trusted, sound);
    }),
    { numRuns },
  );
});

test('one flipped bit ends what is trusted', () => {
  const entries = entriesOf([9 * MiB]);
  const space = new ByteSpace([9 * MiB], MiB);
  const beginning = encodeBeginning(entries, space, 1);
  const record = (index: number) => encodeRecord({ type: 'chunk', index, sha256: hash(index) });
  const whole = concat(beginning, record(0), record(1), record(2));
  const size = record(0).length;
  fc.assert(
    fc.property(fc.nat(3 * size - 1), fc.nat(7), (at, bit) => {
      const bad = whole.slice();
      bad[beginning.length + at]! ^= 1 << bit;
      const state = replay(bad)!;
      assert.equal(state.have.size, Math.floor(at / size));
    }),
    { numRuns },
  );
  assert.equal(replay(beginning.subarray(0, beginning.length - 1)), undefined);
  assert.equal(replay(new Uint8Array(100)), undefined);
  assert.equal(replay(new Uint8Array()), undefined);
});

test('what cannot be is not trusted: absurd chunks, entries, sizes', () => {
  const entries = entriesOf([2 * MiB]);
  const space = new ByteSpace([2 * MiB], MiB);
  const beginning = encodeBeginning(entries, space, 1);
  const good = encodeRecord({ type: 'chunk', index: 1, sha256: hash(1) });
  for (const bad of [
    encodeRecord({ type: 'chunk', index: 2, sha256: hash(2) }),
    encodeRecord({ type: 'lost', entry: 1 }),
    encodeRecord({ type: 'back', entry: 7 }),
    encodeRecord({ type: 'complete', bytes: 5 }),
    encodeRecord({ type: 'page', bytes: new Uint8Array(3) }),
    beginning.slice(8),
  ]) {
    const state = replay(concat(beginning, bad, good))!;
    assert.equal(state.have.size, 0);
    assert.equal(state.trusted, beginning.length);
  }
  for (const chunkSize of [0, 3 * MiB, 8 * MiB, 2 ** 33]) {
    const begin = encodeRecord({ type: 'begin', created: 1, chunkSize, pages: 0, stream: false });
    assert.equal(replay(concat(beginning.slice(0, 8), begin)), undefined);
  }
});

test('an entry that was lost and is wanted again takes its chunks along', () => {
  const sizes = [MiB, 10, 20, MiB];
  const space = new ByteSpace(sizes, MiB);
  const chunk = (index: number) => encodeRecord({ type: 'chunk', index, sha256: hash(index) });
  const lost = encodeRecord({ type: 'lost', entry: 1 });
  const complete = encodeRecord({ type: 'complete', bytes: 2 * MiB + 30 });
  const journal = concat(
    encodeBeginning(entriesOf(sizes), space, 1),
    chunk(0),
    lost,
    chunk(1),
    chunk(2),
    complete,
  );
  const state = replay(journal)!;
  assert.deepEqual([[...state.have], [...state.lost], state.complete], [[0, 1, 2], [1], true]);
  const again = replay(concat(journal, encodeRecord({ type: 'back', entry: 1 })))!;
  bringBack(state, 1);
  for (const { have, lost, complete } of [state, again])
    assert.deepEqual([[...have], [...lost], complete], [[0, 2], [], false]);
});

test('a transfer is known by its whole manifest and its chunks', () => {
  const entries = entriesOf([1, 2]);
  const key = transferKey(entries, MiB);
  assert.match(key, /^[0-9a-f]{32}$/);
  assert.equal(key, transferKey(structuredClone(entries), MiB));
  const others = [
    transferKey(entries, 2 * MiB),
    transferKey(entries.slice(1), MiB),
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
        MiB,
      ),
    ),
  ];
  assert.equal(new Set([key, ...others]).size, others.length + 1);
});
