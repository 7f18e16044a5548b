/**
 * `npm run soak`: transfers by the real command to a slow disk, of trees of 1 to 200,000 files. Ends with 1 if any fails.
 * Flags: --runs N (default 200), --minutes M at most (default 600), --seed N (by chance; SEED=n does the same).
 */
import { parseArgs } from 'node:util';
import { seed } from '../seed.ts';
import { type Soaked, soakOne } from './transfer.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(seed) },
  },
});
const first = Number(values.seed);
const end = performance.now() + Number(values.minutes) * 60_000;
const done: Soaked[] = [];
let failed = 0;
for (let run = 0; run < Number(values.runs) && performance.now() < end; run++) {
  try {
    const soaked = await soakOne(first + run);
    if (soaked.fast && done.length === 0) console.log(`The disk is not made slow: ${soaked.fast}`);
    done.push(soaked);
    const { files, bytes, seconds } = soaked;
    console.log(
      `seed ${first + run}: ${files} files, ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s`,
    );
  } catch (error) {
    failed++;
    console.log(`# failed: ${error instanceof Error ? error.message : error}`);
  }
}
const sum = (of: (soaked: Soaked) => number) => done.reduce((total, soaked) => total + of(soaked), 0);
console.log(
  `${done.length} transfers the same to the byte, ${failed} failed; ${sum((one) => one.files)} files, ` +
    `${Math.round(sum((one) => one.bytes) / 1e6)} MB, ${Math.round(sum((one) => one.seconds))} s; seeds from ${first}`,
);
process.exitCode = failed === 0 && done.length > 0 ? 0 : 1;
