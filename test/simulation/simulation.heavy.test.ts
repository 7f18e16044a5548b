/** The seeds that the quick tests leave out. */
import { describe } from 'node:test';
import { testSeeds, WORLDS } from './worlds.ts';

describe('simulation at length', () => {
  for (const world of WORLDS) testSeeds(world, world.quick, world.seeds);
});
