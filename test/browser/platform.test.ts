import assert from 'node:assert/strict';
import test from 'node:test';
import { platform } from '../../src/browser/platform.ts';

test('a page hashes with SHA-256, says so, and takes no offer that is hashed otherwise', async () => {
  assert.deepEqual(platform.hashes(), ['sha256']);
  assert.deepEqual(platform.computes, ['sha256']);
  const hash = await platform.digest('sha256')(new TextEncoder().encode('abc'));
  assert.equal(Buffer.from(hash).toString('hex').slice(0, 8), 'ba7816bf');
  assert.throws(() => platform.digest('blake3'), { code: 'PROTOCOL', reason: 'PEER_MISBEHAVES' });
});
