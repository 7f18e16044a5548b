/** Thousands of whole transfers under virtual time, each from its seed; `npm run simulate` runs more. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seed } from '../seed.ts';
import { FOUND } from './found.ts';
import { report, run } from './run.ts';

const SEEDS = 2000;
const BATCH = 250;

describe('simulation', () => {
  for (const { seed: found, what } of FOUND)
    test(`seed ${found}: ${what}`, async () => {
      const told = await run(found);
      assert.deepEqual(told.violations, [], report(told));
    });

  for (let first = 0; first < SEEDS; first += BATCH)
    test(`transfers of any kind keep every promise (seeds from ${seed + first})`, async () => {
      for (let i = first; i < first + BATCH; i++) {
        const told = await run(seed + i);
        assert.deepEqual(told.violations, [], report(told));
      }
    });

  test('the same seed is the same run', async () => {
    for (let i = 0; i < 20; i++) {
      const [one, other] = [await run(seed + i), await run(seed + i)];
      assert.deepEqual(one, other);
    }
  });
});
