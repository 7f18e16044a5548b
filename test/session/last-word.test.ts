/** The last word of a side that ends: it is heard before the lanes are closed over it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Lane, type LaneOwner } from '../../src/lanes/lane.ts';
import { lastWordHeard } from '../../src/session/last-word.ts';
import { SlabPool } from '../../src/transfer/slabs.ts';
import { memoryPipes } from '../lanes/memory-pipe.ts';

const WORD = { type: 'status', seq: 1, state: 'cancelled', code: '', text: '' } as const;

function pair(owner: Partial<LaneOwner>): { near: Lane; far: Lane } {
  const [one, other] = memoryPipes();
  const owned: LaneOwner = { message() {}, land: () => ({ put: () => {}, cut: () => {} }), closed() {} };
  const near = new Lane(1, one, owned);
  const far = new Lane(2, other, { ...owned, ...owner });
  near.start();
  far.start();
  return { near, far };
}

it('is waited for until the other side closes, though chunks stand before its end', async () => {
  const heard: string[] = [];
  const { near, far } = pair({
    message(lane, message) {
      heard.push(message.type);
      lane.close();
    },
  });
  const slab = new SlabPool(65_536).take()!;
  const { bytes: data } = slab;
  const blocks = {
    type: 'blocks',
    index: 0,
    form: 'data',
    length: 65_536,
    offset: 0,
    bytes: 65_536,
    sha256: new Uint8Array(32),
    data,
  } as const;
  await far.send(blocks, slab);
  near.send(WORD).catch(() => {});
  await lastWordHeard([near]);
  assert.deepEqual(heard, ['status']);
});

it('is not waited for without end', async () => {
  const { near, far } = pair({});
  await lastWordHeard([near]);
  near.close();
  await near.over;
  far.close();
});
