/**
 * A receiver on a failing disk: whatever befalls it between any two operations, what its journal says is on the disk,
 * nothing unfinished stands under a final name, and the next run ends with the tree as it was sent. LONG=1 tries
 * every operation; otherwise a sample of them, another one each time.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { staged } from '../node/files/helpers.ts';
import { randomFrom, seed } from '../seed.ts';
import type { Fault } from './plan.ts';
import { Receiving } from './receiving.ts';

const linux = { skip: process.platform !== 'linux' && 'models Linux' };
const LONG = process.env.LONG === '1';

/** So many operations of a run, in order; all in the long run. */
function points(total: number, sample: number, random: () => number): number[] {
  const all = Array.from({ length: total }, (_, i) => i + 1);
  while (!LONG && all.length > sample) all.splice(Math.floor(random() * all.length), 1);
  return all;
}

/** How many operations a run is when nothing happens; orders differ, so that others are a few more or less. */
async function measure(t: TestContext): Promise<number> {
  const receiving = new Receiving(t, randomFrom(seed));
  const { operations, error } = await receiving.life({});
  if (error) throw error;
  receiving.checkWhole();
  // Told the sender that all is well: so it has to be.
  receiving.disk.losePower();
  receiving.checkWhole({ strays: true });
  receiving.end();
  assert.ok(operations.length > 100, `${operations.length} operations`);
  return operations.length;
}

/** Runs a case with its own random numbers, and says which one it was if it fails. */
async function each(
  t: TestContext,
  at: number,
  run: (receiving: Receiving, random: () => number) => Promise<void>,
) {
  const random = randomFrom(seed + at);
  const receiving = new Receiving(t, random);
  try {
    await run(receiving, random);
  } catch (error) {
    throw new Error(`at operation ${at} of seed ${seed}: ${error}`, { cause: error });
  } finally {
    receiving.end();
  }
}

test('a crash between any two operations, with the power or without', linux, async (t) => {
  const total = await measure(t);
  for (const n of points(total, 60, randomFrom(seed)))
    await each(t, n, async (receiving, random) => {
      await receiving.life({ crashAt: n });
      for (let more = 0; ; more++) {
        if (random() < 0.7) receiving.disk.losePower();
        receiving.check();
        await receiving.bury();
        if (more === 2) break;
        await receiving.life({ crashAt: 1 + Math.floor(random() * total), shortWrites: 0.2 });
      }
      const { finished } = receiving;
      const { error } = await receiving.life({});
      if (error && !finished) throw error;
      receiving.checkWhole();
    });
});

test('a disk that fails at any operation: a clear error, and the next run goes on', linux, async (t) => {
  const total = await measure(t);
  for (const n of points(total, 30, randomFrom(seed + 1)))
    await each(t, n, async (receiving, random) => {
      const code = (['ENOSPC', 'EIO', 'EDQUOT', 'EROFS'] as const)[Math.floor(random() * 4)]!;
      const faults: Fault[] = [{ code, from: n, to: random() < 0.5 ? n : Infinity }];
      await receiving.life({ faults, shortWrites: 0.3 });
      if (random() < 0.5) receiving.disk.losePower();
      receiving.check();
      await receiving.bury();
      const { finished } = receiving;
      const error = await receiving.recover();
      if (error && !finished) throw error;
      receiving.checkWhole();
    });
});

test('a disk that works again: the same run goes on', linux, async (t) => {
  const total = await measure(t);
  for (const n of points(total, 30, randomFrom(seed + 2)))
    await each(t, n, async (receiving, random) => {
      const code = (['ENOSPC', 'EIO', 'EDQUOT'] as const)[Math.floor(random() * 3)]!;
      const { error } = await receiving.life({ faults: [{ code, from: n }], shortWrites: 0.3 }, true);
      receiving.check();
      await receiving.bury();
      // It may have failed before there was anything to go on with, or when all was done but the tidying up.
      assert.ok(
        error || receiving.warned === staged(receiving.to).length > 0,
        'a staging left without a word',
      );
      if (error || receiving.warned) await receiving.recover();
      receiving.checkWhole();
      receiving.disk.losePower();
      receiving.checkWhole({ strays: true });
    });
});
