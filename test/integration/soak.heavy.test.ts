/** A short run of what `npm run soak` does at length: many small files, to a slow disk. */
import { describe, it } from 'node:test';
import { seed } from '../seed.ts';
import { soakOne } from '../soak/transfer.ts';

const MOST_FILES = [50, 2000, 10_000, 10_000];

describe('integration: soak', () => {
  for (const [i, most] of MOST_FILES.entries())
    it(`a tree arrives on a slow disk (${i + 1} of ${MOST_FILES.length})`, async () => {
      await soakOne(seed + i, most);
    });
});
