/** The last word of a side that ends: it is heard before the lanes are closed over it. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LANE_QUIET } from '../../src/base/limits.ts';
import { Lane, type LaneOwner } from '../../src/lanes/lane.ts';
import { drained } from '../../src/session/drain.ts';
import { SlabPool } from '../../src/sync/slabs.ts';
import { memoryPipes } from '../lanes/memory-pipe.ts';
import { VirtualClock } from '../virtual-clock.ts';

const WORD = { type: 'status', seq: 1, state: 'cancelled', code: '', text: '' } as const;

function pair(owner: Partial<LaneOwner>) {
  const [one, other] = memoryPipes();
  const owned: LaneOwner = {
    message() {},
    land: () => ({ put: () => {}, take: () => false, cut: () => {} }),
    closed() {},
  };
  const clock = new VirtualClock();
  const near = new Lane(1, one, owned, clock);
  const far = new Lane(2, other, { ...owned, ...owner }, clock);
  near.start();
  far.start();
  return { clock, near, far };
}

it('is waited for until the other side closes, though chunks stand before its end', async () => {
  const heard: string[] = [];
  const { clock, near, far } = pair({
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
    hash: new Uint8Array(32),
    data,
  } as const;
  await far.send(blocks, slab);
  near.send(WORD).catch(() => {});
  await drained(clock, [near]);
  assert.deepEqual(heard, ['status']);
});

it('is not waited for without end', async () => {
  const { clock, near, far } = pair({});
  let over = false;
  const waited = drained(clock, [near]).then(() => {
    over = true;
  });
  await clock.pass(2999);
  assert.equal(over, false);
  await clock.pass(1);
  await waited;
  near.close();
  await near.over;
  far.close();
});

it('is not waited for on a lane that has fallen silent, nor where there is none', async () => {
  const { clock, near, far } = pair({});
  clock.jump(LANE_QUIET + 1);
  assert.ok(near.quiet);
  await drained(clock, [near]);
  await drained(clock, []);
  for (const lane of [near, far]) lane.close();
  assert.equal(clock.waiting, 0);
});
