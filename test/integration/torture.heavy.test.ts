/** A short run of what `npm run torture` does at length. */
import { describe, it } from 'node:test';
import { seed } from '../seed.ts';
import { tortureOne } from '../torture/transfer.ts';

const TRANSFERS = 6;

describe('integration: torture', () => {
  for (let i = 0; i < TRANSFERS; i++)
    it(`transfers whose processes are killed arrive all the same (${i + 1} of ${TRANSFERS})`, async () => {
      await tortureOne(seed + i);
    });
});
