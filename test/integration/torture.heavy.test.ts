/** A short run of what `npm run torture` does at length. */
import { describe, it } from 'node:test';
import { seed } from '../seed.ts';
import { tortureMany } from '../torture/many.ts';
import { tortureOne } from '../torture/transfer.ts';

const TRANSFERS = 6;
const OFFERS = 4;

describe('integration: torture', () => {
  for (let i = 0; i < TRANSFERS; i++)
    it(`transfers whose processes are killed arrive all the same (${i + 1} of ${TRANSFERS})`, async () => {
      await tortureOne(seed + i);
    });
  for (let i = 0; i < OFFERS; i++)
    it(`receivers of one offer who are killed, and come late, all have it at the end (${i + 1} of ${OFFERS})`, async () => {
      await tortureMany(seed + i);
    });
});
