/** What many small files in one chunk cost: once for the chunk, not once more for each piece in which it comes. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ByteSpace } from '../../src/offer/space.ts';
import { CHUNK, MemorySink, MemorySource, Pair } from './harness.ts';

/** The chunk is looked through to be read, to be written, and for each side's progress. */
const LOOKS = 6;

test('a chunk of 4,000 files is looked through a few times, in however many pieces it comes', async (t) => {
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 4_000; i++) files[`f${i}`] = new Uint8Array(250).fill(1 + (i % 255));
  const source = new MemorySource(files);
  const sink = new MemorySink();
  const extents = t.mock.method(ByteSpace.prototype, 'extents');
  const pair = new Pair(source, sink);
  pair.connect({ piece: 5_000 });
  pair.connect({ piece: 5_000 });
  await pair.done;
  assert.equal(pair.outcome.error, undefined);
  assert.deepEqual(sink.files[3_999], source.files[3_999]);
  assert.ok(extents.mock.callCount() <= LOOKS, `${extents.mock.callCount()} times`);
});

test('the length of a chunk is that of its extents', () => {
  const size = fc.oneof(fc.nat(40), fc.nat(300), fc.constant(0), fc.constant(64), fc.constant(128));
  fc.assert(
    fc.property(fc.array(size, { maxLength: 30 }), (sizes) => {
      const space = new ByteSpace(sizes, 64);
      for (let chunk = 0; chunk < space.chunks; chunk++) {
        const sum = space.extents(chunk).reduce((all, { length }) => all + length, 0);
        assert.equal(space.length(chunk), sum, `chunk ${chunk}`);
      }
      assert.throws(() => space.length(space.chunks));
    }),
  );
  const stream = new ByteSpace([0], CHUNK, true);
  assert.equal(stream.length(7), CHUNK);
  stream.end(CHUNK + 5);
  assert.deepEqual([stream.length(0), stream.length(1)], [CHUNK, 5]);
});
