/** A short run of what `npm run torture` does at length. */
import { test } from 'node:test';
import { seed } from '../seed.ts';
import { tortureOne } from '../torture/transfer.ts';

for (let i = 0; i < 6; i++)
  test(`transfers whose processes are killed arrive all the same (${i + 1} of 6)`, async () => {
    await tortureOne(seed + i);
  });
