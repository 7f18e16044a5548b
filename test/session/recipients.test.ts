/** The one record of all who received an offer: one root for what they have, and each one's own. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { toHex } from '../../src/base/bytes.ts';
import { ChunkHashes } from '../../src/offer/merkle.ts';
import { Offer } from '../../src/offer/offer.ts';
import { Recipients } from '../../src/session/recipients.ts';
import { file } from '../node/files/helpers.ts';
import { VirtualClock } from '../virtual-clock.ts';

const CHUNK = 1 << 20;
const hashOf = (value: number) => new Uint8Array(32).fill(value);

/** What one of them ended with: the hashes of the chunks that it has. */
function outcome(offer: Offer, has: readonly (number | undefined)[], ended: number) {
  const hashes = new ChunkHashes();
  for (const [chunk, value] of has.entries()) if (value !== undefined) hashes.set(chunk, hashOf(value));
  const root = hashes.root('sha256', offer.pages, has.length, () => false);
  return { root, hash: (chunk: number) => hashes.get(chunk), chunks: has.length, started: 1, ended };
}

const made = () => {
  const offer = Offer.of('files', [file('a', 3 * CHUNK)], CHUNK);
  return { offer, all: new Recipients(new VirtualClock(), offer) };
};

it('of one receiver the record is what both sides found, without a copy', async () => {
  const { offer, all } = made();
  assert.equal(await all.facts(), undefined);
  const one = outcome(offer, [1, undefined, 3], 5);
  await all.add('sender', 'first', one);
  const facts = (await all.facts())!;
  assert.equal(facts.root, one.root);
  assert.equal(facts.hash, one.hash);
  assert.deepEqual(facts.receivers, [{ fingerprint: 'first', root: toHex(one.root), started: 1, ended: 5 }]);
});

it('of several it has every chunk that one of them has, and the root of each', async () => {
  const { offer, all } = made();
  const [one, two] = [outcome(offer, [1, undefined, undefined], 5), outcome(offer, [1, 2, undefined], 6)];
  await all.add('sender', 'first', one);
  await all.add('sender', 'second', two);
  const facts = (await all.facts())!;
  assert.deepEqual(
    facts.receivers.map(({ fingerprint, root, ended }) => [fingerprint, root, ended]),
    [
      ['first', toHex(one.root), 5],
      ['second', toHex(two.root), 6],
    ],
  );
  assert.deepEqual(toHex(facts.root), toHex(two.root));
  assert.deepEqual([facts.hash(1), facts.hash(2)], [hashOf(2), undefined]);
});

it('one that claims to have had a chunk with other bytes changes nothing in the record of what was read here', async () => {
  for (const liarFirst of [true, false]) {
    const { offer, all } = made();
    for (const chunk of [0, 1, 2]) offer.hashes.set(chunk, hashOf(chunk + 1));
    const liar = outcome(offer, [1, 99, 3], 5);
    const honest = outcome(offer, [1, 2, 3], 6);
    for (const one of liarFirst ? [liar, honest] : [honest, liar]) await all.add('sender', 'any', one);
    const facts = (await all.facts())!;
    assert.deepEqual(facts.hash(1), hashOf(2));
    assert.equal(toHex(facts.root), toHex(honest.root));
  }
});
