/** What a transport may hold unsent, on paths of any rate: a word behind it is heard within about half a second. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { Horizon, LEAST_HELD, MOST_HELD } from '../../src/lanes/horizon.ts';

/** Keeps a transport full that sends so many bytes a second. @returns bytes held at the end of each tenth of a second */
function fill(t: TestContext, rates: readonly [seconds: number, rate: number][]): number[] {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const horizon = new Horizon();
  let given = 0;
  let held = 0;
  const seen: number[] = [];
  for (const [seconds, rate] of rates) {
    for (let step = 0; step < seconds * 100; step++) {
      now += 10;
      held = Math.max(0, held - rate / 100);
      for (; held < horizon.most(given, held); given += 65_536) held += 65_536;
      if (step % 10 === 9) seen.push(held);
    }
  }
  return seen;
}

it('at 16 Mbit/s no more than half a second of it is held', (t) => {
  const held = fill(t, [[10, 2e6]]);
  assert.ok(Math.max(...held) <= 1e6, `${Math.max(...held)}`);
});

it('at 512 kbit/s the least is held, and not more for having been fast before', (t) => {
  const held = fill(t, [[5, 64e3]]);
  assert.ok(Math.max(...held) <= LEAST_HELD + 65_536);
  const slowed = fill(t, [
    [3, 60e6],
    [60, 64e3],
  ]);
  assert.ok(slowed[25]! >= MOST_HELD / 2, 'a fast path has enough to send');
  assert.ok(slowed.at(-1)! <= LEAST_HELD + 65_536, `${slowed.at(-1)}`);
});
