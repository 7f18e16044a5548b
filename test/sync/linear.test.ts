/** Work that grows with what a peer offers: it grows no faster, and is cut into slices. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bitfield } from '../../src/base/bitfield.ts';
import { realClock } from '../../src/base/clock.ts';
import { MAX_PIECES } from '../../src/base/limits.ts';
import { Slices, type Steps } from '../../src/base/slices.ts';
import { type Entry, encodePages, type OfferHeader } from '../../src/offer/manifest.ts';
import { ChunkHashes, chunkLeaf, merkleRoot } from '../../src/offer/merkle.ts';
import { checkingEntries } from '../../src/offer/names.ts';
import { ByteSpace } from '../../src/offer/space.ts';
import { ManifestPull } from '../../src/sync/manifest-pull.ts';
import type { Sink } from '../../src/sync/ports.ts';
import { unwantedChunks } from '../../src/sync/selection.ts';
import { longestHold } from '../holds.ts';

const CHUNK = 1024 * 1024;
const TIB = 1024 ** 4;

function entry(path: string, kind: Entry['kind'] = 'file', size = 0, target = ''): Entry {
  return { path, kind, size, mode: 0o644, mtime: 1_700_000_000_000_000, target, version: '' };
}

/** All of some work on a real clock, and the longest time in milliseconds that it held the event loop. */
async function inSlices<T>(steps: Steps<T>): Promise<{ value: T; held: number }> {
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const slices = new Slices(realClock, turn);
  return longestHold(() => slices.run(steps));
}

/** The shortest of a few tries: a machine that stands still, or collects garbage, is no fault of the code, whose own is there each time. */
async function leastHeld(steps: () => Steps<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5 && least >= 100; attempt++)
    least = Math.min(least, (await inSlices(steps())).held);
  return least;
}

const wanting = (wants: (entry: number) => boolean) => ({ wants }) as unknown as Sink;

test('skipping thousands of files of each chunk looks at each once', (t) => {
  const files = 200_000;
  const space = new ByteSpace(new Array(files).fill(1), CHUNK);
  const extents = t.mock.method(ByteSpace.prototype, 'extents');
  let asked = 0;
  const sink = wanting((index) => {
    asked++;
    return index === files - 1;
  });
  assert.equal(space.chunks, Math.ceil(files / MAX_PIECES));
  assert.equal(unwantedChunks(space, sink, new Bitfield()).count, space.chunks - 1, 'one file is wanted');
  assert.ok(asked <= 2 * files, `asked ${asked} times`);
  assert.equal(
    unwantedChunks(
      space,
      wanting(() => false),
      new Bitfield(),
    ).count,
    space.chunks,
  );
  assert.equal(extents.mock.callCount(), 0);
});

test('a skipped file of 64 TiB is left out at once', async () => {
  const sizes = [5, 64 * TIB, 7];
  const space = new ByteSpace(sizes, 4 * CHUNK);
  const have = new Bitfield();
  have.add(1000);
  const { value, held } = await longestHold(async () =>
    unwantedChunks(
      space,
      wanting((i) => i !== 1),
      have,
    ),
  );
  assert.equal(value.count, 2 ** 24 - 1);
  assert.ok(
    !value.has(0) && value.has(1) && !value.has(1000) && value.has(2 ** 24) && !value.has(2 ** 24 + 1),
  );
  assert.ok(held < 100, `${held} ms`);
});

test('ranges are those of their indexes', () => {
  const range = fc.tuple(fc.nat(300), fc.nat(300));
  fc.assert(
    fc.property(fc.array(range), fc.array(fc.nat(300)), fc.array(fc.nat(300)), (ranges, before, excepted) => {
      const map = new Bitfield();
      const plain = new Set(before);
      for (const index of before) map.add(index);
      const except = new Bitfield();
      for (const index of excepted) except.add(index);
      for (const [from, end] of ranges) {
        map.addRange(from, end, except);
        for (let index = from; index < end; index++) if (!except.has(index)) plain.add(index);
      }
      assert.deepEqual(
        [...map],
        [...plain].sort((a, b) => a - b),
      );
      assert.equal(map.count, plain.size);
      let missing = 0;
      while (plain.has(missing)) missing++;
      assert.equal(map.firstMissing, missing);
    }),
  );
});

test('chunks that did not move make a root in few steps, and the same one', async () => {
  for (const pages of [0, 1, 3, 4])
    for (const [chunks, known] of [
      [9000, [0, 5, 8999]],
      [4096, []],
      [12_289, [4096]],
    ] as const) {
      const hashes = new ChunkHashes();
      for (const chunk of known) hashes.set(chunk, new Uint8Array(32).fill(chunk));
      const leaves = Array.from({ length: chunks }, (_, chunk) => chunkLeaf('sha256', hashes.get(chunk)));
      const bytes = Array.from({ length: pages }, (_, page) => new Uint8Array([page]));
      const whole = new ChunkHashes();
      for (let chunk = 0; chunk < chunks; chunk++) whole.set(chunk, hashes.get(chunk) ?? new Uint8Array(32));
      assert.deepEqual(
        hashes.root('sha256', bytes, chunks, () => false),
        // Every chunk one by one, as if each were known.
        whole.root('sha256', bytes, chunks, (chunk) => !hashes.get(chunk)),
      );
      if (pages === 0)
        assert.deepEqual(
          hashes.root('sha256', bytes, chunks, () => false),
          merkleRoot(leaves),
        );
    }
  let steps = 0;
  for (const _ of new ChunkHashes().rooting('sha256', [], 2 ** 24 + 3, () => false)) steps++;
  assert.ok(steps < 10_000, `${steps} steps`);
});

test('protects from: links with long targets deep in a tree, before anybody is asked', async () => {
  // 35 MB of them took over 15 s, in one piece.
  const entries: Entry[] = [];
  let path = '';
  for (let depth = 0; depth < 15; depth++) {
    path += `${path && '/'}${'x'.repeat(250)}`;
    entries.push(entry(path, 'folder'));
  }
  entries.push(entry(`${path}/a`, 'folder'));
  for (let i = 0; i < 4400; i++) entries.push(entry(`${path}/l${i}`, 'link', 0, `${'a/../'.repeat(815)}a`));
  const before = process.cpuUsage();
  await inSlices(checkingEntries(entries));
  const { user } = process.cpuUsage(before);
  assert.ok(user < 8_000_000, `${user} µs`);
  const held = await leastHeld(() => checkingEntries(entries));
  assert.ok(held < 100, `${held} ms in one piece`);
});

test('a manifest of 200,000 entries is decoded and checked in slices', async () => {
  const entries = [entry('d', 'folder')];
  for (let i = 0; i < 200_000; i++) entries.push(entry(`d/file-${i}`, 'file', 7));
  const pages = encodePages(entries);
  const offer = {
    kind: 'files',
    entries: entries.length,
    pages: pages.length,
    bytes: 1_400_000,
    chunkSize: CHUNK,
  };
  const pull = new ManifestPull(offer as OfferHeader);
  for (const [page, bytes] of pages.entries()) pull.take(page, bytes);
  const decoded = await inSlices(pull.decoding());
  assert.equal(decoded.value.entries.length, entries.length);
  const again = () => {
    const other = new ManifestPull(offer as OfferHeader);
    for (const [page, bytes] of pages.entries()) other.take(page, bytes);
    return other.decoding();
  };
  const held = [await leastHeld(again), await leastHeld(() => checkingEntries(decoded.value.entries))];
  assert.ok(Math.max(...held) < 100, `${held.join(' and ')} ms in one piece`);
});

test('a chunk has bytes of 4096 files at most, however small they are, and of all together each once', () => {
  const size = fc.oneof(
    { arbitrary: fc.constantFrom(0, 1), weight: 8 },
    fc.nat(300),
    fc.constantFrom(CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 7),
  );
  // Runs of one size, so that there are enough of the small ones.
  const sizes = fc
    .array(fc.tuple(size, fc.constantFrom(1, 2, 4095, 4096, 4097, 9000)), { maxLength: 6 })
    .map((runs) => runs.flatMap(([each, count]) => new Array<number>(each < 2 ? count : 1).fill(each)));
  fc.assert(
    fc.property(sizes, (sizes) => {
      const space = new ByteSpace(sizes, CHUNK);
      const seen = new Array<number>(sizes.length).fill(0);
      for (let chunk = 0; chunk < space.chunks; chunk++) {
        const extents = space.extents(chunk);
        assert.ok(extents.length > 0 && extents.length <= MAX_PIECES, `${extents.length} pieces`);
        let at = 0;
        for (const extent of extents) {
          assert.deepEqual([extent.at, extent.offset], [at, seen[extent.entry]]);
          at += extent.length;
          seen[extent.entry]! += extent.length;
        }
        assert.equal(space.length(chunk), at);
        assert.ok(at <= CHUNK);
      }
      assert.deepEqual(seen, sizes);
      for (const [entry, bytes] of sizes.entries()) {
        const { first, end } = space.chunksOf(entry);
        assert.equal(bytes > 0, end > first);
        if (bytes < CHUNK) assert.ok(end - first <= 1, 'a small one is in one chunk');
      }
    }),
    { numRuns: 200 },
  );
});
