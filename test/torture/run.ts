/**
 * `npm run torture`: transfers of mixed trees by the real command, with sender, receiver, both or the server killed at
 * random points, each taken up again until it is there. Ends with 1 if any tree is not byte for byte the same.
 * `--many`: one offer to several receivers each time, of whom some are killed, come late or never come again.
 * Flags: --runs N (default 300), --jobs N side by side (default 3), --minutes N at most (default 60). SEED=n repeats.
 */
import { parseArgs } from 'node:util';
import { seed } from '../seed.ts';
import { tortureMany } from './many.ts';
import type { Story } from './story.ts';
import { tortureOne } from './transfer.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    jobs: { type: 'string', default: '3' },
    many: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '60' },
  },
});
const torture = values.many ? tortureMany : tortureOne;
const runs = Number(values.runs);
const end = performance.now() + Number(values.minutes) * 60_000;
const stories: Story[] = [];
const failures: string[] = [];
let next = 0;

async function work(): Promise<void> {
  while (next < runs && performance.now() < end) {
    const mine = next++;
    try {
      stories.push(await torture(seed + mine));
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
      console.log(`# failed: ${failures.at(-1)}`);
    }
    if ((mine + 1) % 10 === 0) console.log(`# ${mine + 1} of ${runs}, ${failures.length} failed`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const kills = stories.reduce((sum, story) => sum + story.kills, 0);
const resumed = stories.reduce((sum, story) => sum + story.resumed, 0);
console.log(
  `${stories.length} ${values.many ? 'offers' : 'transfers'} the same to the byte, ${failures.length} failed, of ${runs}; ${kills} kills, ` +
    `${Math.round(resumed / 1e6)} MB not moved again; seed ${seed}`,
);
process.exitCode = failures.length === 0 && stories.length === runs ? 0 : 1;
