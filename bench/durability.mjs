/**
 * What durability costs: the same transfers with syncing and without. 'Without' is a preloaded module (syncs.cjs) that
 * answers each sync at once; on a disk it measures the page cache only, which no durable transfer can equal there.
 */
import { mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beeline } from './beeline.mjs';
import { makeFile, makeTree, sameFile, sameTree } from './files.mjs';
import { GOALS } from './goals.mjs';
import { fold, median, spread, table } from './report.mjs';
import { inTurn } from './turns.mjs';

/** statfs(2): TMPFS_MAGIC. */
export const TMPFS = 0x01021994;

/** Prints the figures of each folder and resolves with them. */
export async function durability(work, options) {
  const { size, files, fileSize } = options;
  const file = join(work, 'synced.bin');
  const tree = join(work, 'synced');
  makeFile(file, size);
  makeTree(tree, files, fileSize);
  const results = {};
  const folders = [work];
  if (statSync(options.disk).dev !== statSync(work).dev) {
    folders.push(mkdtempSync(join(options.disk, 'beeline-bench-')));
    process.on('exit', () => rmSync(folders[1], { recursive: true, force: true }));
  }
  for (const folder of folders) {
    const medium = statfsSync(folder).type === TMPFS ? 'memory' : 'disk';
    const place = `received in ${folder} (${medium})`;
    const big = `${size / 2 ** 20} MiB ${place}`;
    const small = `${files} files of ${fileSize / 1024} KiB ${place}`;
    const to = join(folder, 'to');
    const copy = (name) => join(to, name);
    const one = await compare(work, file, to, options, size, () => sameFile(file, copy('synced.bin')));
    print(big, one);
    const check = () => sameTree(tree, copy('synced'));
    const many = await compare(work, tree, to, options, files * fileSize, check);
    print(small, many);
    results[folder] = { medium, big: one, small: many };
  }
  rmSync(file);
  rmSync(tree, { recursive: true });
  return results;
}

async function compare(work, path, to, { rounds, lanes }, bytes, check) {
  const run = (mode) => () => beeline(work, path, to, { lanes, env: { BENCH_SYNCS: mode } });
  const raw = await inTurn({ with: run('count'), without: run('skip') }, rounds, to, check);
  const syncs = median(raw.with.map((round) => round.to.syncs));
  if (raw.without.some((round) => !round.to.syncs))
    throw new Error(
      'The module that is to leave syncs out was asked for none: it did not reach the command.',
    );
  const rows = Object.fromEntries(Object.entries(raw).map(([name, all]) => [name, fold(all, bytes)]));
  const shares = raw.with.map(({ seconds }, i) => (raw.without[i].seconds / seconds) * 100);
  return { rows, syncs, ratio: rows.without.seconds / rows.with.seconds, shares };
}

function print(what, { rows, syncs, ratio, shares }) {
  console.log(`\nSyncing: ${what}`);
  console.log(table(rows));
  const reached = ratio >= GOALS.synced ? 'reached' : 'NOT reached';
  const share = `${(ratio * 100).toFixed(1)} % of the throughput without it`;
  const goal = `goal ${GOALS.synced * 100} ${reached}; rounds ${spread(shares, 0)}`;
  console.log(`With syncing: ${share} (${goal}); ${syncs} syncs at the receiver`);
}
