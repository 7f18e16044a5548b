/** What a transport may hold unsent, on paths of any rate: a word behind it is heard within about half a second. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Horizon, LEAST_HELD, MOST_HELD } from '../../src/base/horizon.ts';
import { VirtualClock } from '../virtual-clock.ts';

/** Keeps a transport full that sends so many bytes a second. @returns bytes held at the end of each tenth of a second */
function fill(rates: readonly [seconds: number, rate: number][]): number[] {
  const clock = new VirtualClock();
  const horizon = new Horizon(clock);
  let given = 0;
  let held = 0;
  const seen: number[] = [];
  for (const [seconds, rate] of rates) {
    for (let step = 0; step < seconds * 100; step++) {
      clock.jump(10);
      held = Math.max(0, held - rate / 100);
      for (; held < horizon.most(given, held); given += 65_536) held += 65_536;
      if (step % 10 === 9) seen.push(held);
    }
  }
  return seen;
}

it('at 16 Mbit/s no more than half a second of it is held', () => {
  const held = fill([[10, 2e6]]);
  assert.ok(Math.max(...held) <= 1e6, `${Math.max(...held)}`);
});

it('at 512 kbit/s the least is held, and not more for having been fast before', () => {
  const held = fill([[5, 64e3]]);
  assert.ok(Math.max(...held) <= LEAST_HELD + 65_536);
  const slowed = fill([
    [3, 60e6],
    [60, 64e3],
  ]);
  assert.ok(slowed[25]! >= MOST_HELD / 2, 'a fast path has enough to send');
  assert.ok(slowed.at(-1)! <= LEAST_HELD + 65_536, `${slowed.at(-1)}`);
});
