/**
 * Hundreds of whole transfers under virtual time, each from its seed, and every seed that ever found something. The heavy tests
 * have thousands more, and `npm run simulate` looks for more by chance.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { report } from './report.ts';
import { run } from './run.ts';
import { cost, orphaned, runSwarm } from './swarm.ts';
import { FIRST, testSeeds, WORLDS } from './worlds.ts';

describe('simulation', () => {
  for (const each of WORLDS) {
    const { world, runIn, found } = each;
    for (const { seed, what } of found)
      test(`${world}, seed ${seed}: ${what}`, async () => {
        const told = await runIn(seed);
        assert.deepEqual(told.violations, [], report(told));
      });

    testSeeds(each, 0, each.quick);
  }

  test('receivers who reach each other cost the origin about one copy and the time of one, and those who do not all theirs', async () => {
    const alone = await cost({ receivers: 1, together: false });
    const [together, apart] = [
      await cost({ receivers: 5, together: true }),
      await cost({ receivers: 5, together: false }),
    ];
    assert.ok(together.copies < 1.2, `${together.copies} copies`);
    assert.ok(together.seconds < 1.3 * alone.seconds, `${together.seconds} s, and ${alone.seconds} alone`);
    assert.ok(apart.copies >= 4.99, `${apart.copies} copies`);
  });

  test('an origin that goes away when all is at some receiver is not missed until its last word', async () => {
    assert.equal(await orphaned({ receivers: 5, together: true, chunks: 60, seconds: 10 }, 0.5), 5);
  });

  test('it is found if what a liar brings is not checked', async () => {
    for (let seed = 1; seed <= 600; seed++)
      if ((await runSwarm(seed, 'what comes is not checked')).violations.length > 0) return;
    assert.fail('it was not found');
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
