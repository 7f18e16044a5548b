/**
 * Thousands of whole transfers under virtual time, each from its seed. The seeds here are always the same, so that what fails is
 * what a change broke; `npm run simulate` looks for more by chance, and SEED=n begins elsewhere.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seed } from '../seed.ts';
import { FOUND, FOUND_BY_SESSIONS, FOUND_BY_SWARM } from './found.ts';
import { report } from './report.ts';
import { run } from './run.ts';
import { runSessions } from './sessions.ts';
import { copies, runSwarm } from './swarm.ts';

const FIRST = process.env.SEED === undefined ? 1 : seed;
const SEEDS = 1250;
const SESSION_SEEDS = 750;
const BATCH = 250;
const SWARM_SEEDS = 120;

describe('simulation', () => {
  for (const { seed: found, what } of FOUND)
    test(`seed ${found}: ${what}`, async () => {
      const told = await run(found);
      assert.deepEqual(told.violations, [], report(told));
    });

  for (let first = 0; first < SEEDS; first += BATCH)
    test(`transfers of any kind keep every promise (seeds from ${FIRST + first})`, async () => {
      for (let i = first; i < first + BATCH; i++) {
        const told = await run(FIRST + i);
        assert.deepEqual(told.violations, [], report(told));
      }
    });

  for (const { seed: found, what } of FOUND_BY_SESSIONS)
    test(`sessions, seed ${found}: ${what}`, async () => {
      const told = await runSessions(found);
      assert.deepEqual(told.violations, [], report(told));
    });

  for (let first = 0; first < SESSION_SEEDS; first += BATCH)
    test(`sessions end as they should, whatever befalls them (seeds from ${FIRST + first})`, async () => {
      for (let i = first; i < first + BATCH; i++) {
        const told = await runSessions(FIRST + i);
        assert.deepEqual(told.violations, [], report(told));
      }
    });

  for (let first = 0; first < SWARM_SEEDS; first += SWARM_SEEDS / 2)
    test(`receivers who help each other get everything, whoever lies (seeds from ${FIRST + first})`, async () => {
      for (let i = first; i < first + SWARM_SEEDS / 2; i++) {
        const told = await runSwarm(FIRST + i);
        assert.deepEqual(told.violations, [], report(told));
      }
    });

  for (const { seed: found, what } of FOUND_BY_SWARM)
    test(`swarm, seed ${found}: ${what}`, async () => {
      const told = await runSwarm(found);
      assert.deepEqual(told.violations, [], report(told));
    });

  test('five receivers who reach each other cost the origin less than two copies, and five who do not cost it five', async () => {
    const [together, apart] = [await copies(5, true), await copies(5, false)];
    assert.ok(together < 2, `${together} copies`);
    assert.ok(apart >= 4.99, `${apart} copies`);
  });

  for (const fault of [
    'files are not synced',
    'the journal is not synced',
    'it is placed before it is synced',
  ] as const)
    test(`it is found if ${fault}`, async () => {
      for (let seed = 1; seed <= 400; seed++) if ((await run(seed, fault)).violations.length > 0) return;
      assert.fail('it was not found');
    });

  test('the same seed is the same run', async () => {
    for (const runIn of [run, runSessions, runSwarm])
      for (let i = 0; i < 20; i++) {
        const [one, other] = [await runIn(FIRST + i), await runIn(FIRST + i)];
        assert.deepEqual(one, other);
      }
  });
});
