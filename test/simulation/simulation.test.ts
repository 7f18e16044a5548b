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
const WORLDS = [
  {
    ...{ world: 'engines', runIn: run, found: FOUND, seeds: 1250, batch: 250 },
    what: 'transfers of any kind keep every promise',
  },
  {
    ...{ world: 'sessions', runIn: runSessions, found: FOUND_BY_SESSIONS, seeds: 750, batch: 250 },
    what: 'sessions end as they should, whatever befalls them',
  },
  {
    ...{ world: 'swarm', runIn: runSwarm, found: FOUND_BY_SWARM, seeds: 120, batch: 60 },
    what: 'receivers who help each other get everything, whoever lies',
  },
];

describe('simulation', () => {
  for (const { world, runIn, found, what, seeds, batch } of WORLDS) {
    for (const each of found)
      test(`${world}, seed ${each.seed}: ${each.what}`, async () => {
        const told = await runIn(each.seed);
        assert.deepEqual(told.violations, [], report(told));
      });

    for (let first = 0; first < seeds; first += batch)
      test(`${what} (seeds from ${FIRST + first})`, async () => {
        for (let i = first; i < first + batch; i++) {
          const told = await runIn(FIRST + i);
          assert.deepEqual(told.violations, [], report(told));
        }
      });
  }

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
    for (const { runIn } of WORLDS)
      for (let i = 0; i < 20; i++) {
        const [one, other] = [await runIn(FIRST + i), await runIn(FIRST + i)];
        assert.deepEqual(one, other);
      }
  });
});
