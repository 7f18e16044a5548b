/** Hashing anew what an earlier run left: several chunks at a time, and none after a failure. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ChunkHash } from '../../src/offer/merkle.ts';
import { rehashed } from '../../src/sync/store/rehash.ts';
import { DIGESTS } from '../hashing.ts';
import { turn } from './harness.ts';

const bytesOf = (index: number) => new Uint8Array(50).fill(index);
const left: ChunkHash[] = Array.from({ length: 20 }, (_, i) => ({
  index: 3 * i,
  hash: DIGESTS.sha256(bytesOf(3 * i)),
}));
const digests = { from: DIGESTS.sha256, to: DIGESTS.blake3 };

test('four are read at a time, and each gets its own new hash, unless it is gone or changed', async () => {
  let [reading, most] = [0, 0];
  const chunks = await rehashed(left, {
    ...digests,
    read: async (index) => {
      most = Math.max(most, ++reading);
      // The later ones come first.
      for (let i = index % 4; i < 4; i++) await turn();
      reading--;
      return index === 6 ? undefined : bytesOf(index === 9 ? 1 : index);
    },
  });
  assert.equal(most, 4);
  const expected = left.filter(({ index }) => index !== 6 && index !== 9);
  assert.deepEqual(
    [...chunks].map(({ index, hash }) => [index, Buffer.from(hash)]),
    expected.map(({ index }) => [index, Buffer.from(DIGESTS.blake3(bytesOf(index)))]),
  );
});

test('a failure is heard of when nothing is being read any more, and nothing is read after it', async () => {
  let [reading, begun] = [0, 0];
  const all = rehashed(left, {
    ...digests,
    read: async (index) => {
      begun++;
      reading++;
      for (let i = 0; i < (index === 3 ? 1 : 5); i++) await turn();
      reading--;
      if (index === 3) throw new Error('given up');
      return bytesOf(index);
    },
  });
  await assert.rejects(all, { message: 'given up' });
  assert.deepEqual([reading, begun], [0, 4]);
});
