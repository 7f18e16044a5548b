/** The three worlds, and how many seeds of each run: always the same, so that what fails is what a change broke. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seed } from '../seed.ts';
import { FOUND, FOUND_BY_SESSIONS, FOUND_BY_SWARM } from './found.ts';
import { report } from './report.ts';
import { run } from './run.ts';
import { runSessions } from './sessions.ts';
import { runSwarm } from './swarm.ts';

/** SEED=n begins elsewhere. */
export const FIRST = process.env.SEED === undefined ? 1 : seed;
/** Of `seeds` the quick tests run the first ones, and the heavy tests the others. */
export const WORLDS = [
  {
    ...{ world: 'engines', runIn: run, found: FOUND, quick: 400, seeds: 1600, batch: 200 },
    what: 'transfers of any kind keep every promise',
  },
  {
    ...{
      world: 'sessions',
      runIn: runSessions,
      found: FOUND_BY_SESSIONS,
      quick: 200,
      seeds: 1000,
      batch: 200,
    },
    what: 'sessions end as they should, whatever befalls them',
  },
  {
    ...{ world: 'swarm', runIn: runSwarm, found: FOUND_BY_SWARM, quick: 120, seeds: 1200, batch: 120 },
    what: 'receivers who help each other get everything, whoever lies',
  },
];

/** A test for each batch of seeds from the first to before the last, counted from FIRST. */
export function testSeeds({ what, runIn, batch }: (typeof WORLDS)[number], first: number, end: number): void {
  for (let from = first; from < end; from += batch)
    test(`${what} (seeds from ${FIRST + from})`, async () => {
      for (let i = from; i < from + batch; i++) {
        const told = await runIn(FIRST + i);
        assert.deepEqual(told.violations, [], report(told));
      }
    });
}
