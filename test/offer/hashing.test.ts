import assert from 'node:assert/strict';
import test from 'node:test';
import { chooseHash, HASH_NAMES, type HashName } from '../../src/offer/hashing.ts';
import { ChunkHashes, chunkLeaf, pageLeaf } from '../../src/offer/merkle.ts';

test('what both sides are fast with is taken, in the order of the origin; SHA-256 where there is nothing', () => {
  const cases: [HashName[], HashName[], HashName][] = [
    [['blake3', 'sha256'], ['blake3', 'sha256'], 'blake3'],
    [['blake3', 'sha256'], ['sha256', 'blake3'], 'blake3'],
    [['sha256', 'blake3'], ['blake3', 'sha256'], 'sha256'],
    [['blake3', 'sha256'], ['sha256'], 'sha256'],
    [['sha256'], ['blake3', 'sha256'], 'sha256'],
    [['sha256'], ['blake3'], 'sha256'],
    [[], ['blake3'], 'sha256'],
  ];
  for (const [ours, theirs, hash] of cases)
    assert.equal(chooseHash(ours, theirs), hash, `${ours} / ${theirs}`);
});

test('the same 32 bytes are another leaf, and another root, for each function', () => {
  const hash = new Uint8Array(32).fill(7);
  const leaves = HASH_NAMES.map((by) => chunkLeaf(by, hash));
  const hex = [...leaves, pageLeaf(hash)].map((leaf) => Buffer.from(leaf).toString('hex'));
  assert.equal(new Set(hex).size, HASH_NAMES.length + 1);
  const hashes = new ChunkHashes();
  hashes.set(0, hash);
  const roots = HASH_NAMES.map((by) => Buffer.from(hashes.root(by, [], 2, () => false)).toString('hex'));
  assert.equal(new Set(roots).size, HASH_NAMES.length);
  // What was not moved is the same whatever the rest is hashed with.
  assert.deepEqual(chunkLeaf('sha256', undefined), chunkLeaf('blake3', undefined));
});
