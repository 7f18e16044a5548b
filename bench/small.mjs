/** Many small files: a tree beside what people use for one, and larger and larger trees, which show what a file costs. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beeline } from './beeline.mjs';
import { makeTree, sameTree } from './files.mjs';
import { GOALS } from './goals.mjs';
import { columns, fixed, fold, mebibytes, median, ratio, spread, table } from './report.mjs';
import { rsync, rsyncMissing } from './rsync.mjs';
import { tar, tarMissing } from './tar.mjs';
import { inTurn } from './turns.mjs';

/** Shares of the largest tree that are measured too. */
const SHARES = [0.25, 0.5, 1];

/** A tree of small files: Beeline, rsync and tar. */
export async function smallFiles(work, sshd, { files, fileSize, rounds, lanes }, cipher) {
  const tree = join(work, 'tree');
  makeTree(tree, files, fileSize);
  const to = join(work, 'to');
  const noRsync = rsyncMissing(sshd);
  const noTar = tarMissing(sshd);
  const contestants = {
    Beeline: () => beeline(work, tree, to, { lanes }),
    ...(!noRsync && { rsync: () => rsync(sshd, cipher, tree, join(to, 'tree')) }),
    ...(!noTar && { tar: () => tar(sshd, cipher, tree, to) }),
  };
  const raw = await inTurn(contestants, rounds, to, () => sameTree(tree, join(to, 'tree')));
  const rows = Object.fromEntries(
    Object.entries(raw).map(([name, all]) => [name, fold(all, files * fileSize)]),
  );
  console.log(`\n${files} files of ${fileSize / 1024} KiB, ${rounds} rounds`);
  console.log(table(rows));
  if (noRsync) console.log(`rsync was skipped: ${noRsync}.`);
  else console.log(ratio('rsync -a over ssh', rows.rsync, rows.Beeline, GOALS.rsync));
  if (noTar) console.log(`tar was skipped: ${noTar}.`);
  else console.log(ratio('tar over ssh', rows.tar, rows.Beeline, GOALS.tar));
  rmSync(tree, { recursive: true });
  return { files, fileSize, rows };
}

/** Three trees, each twice as large as the one before. */
export async function largeTrees(work, sshd, { treeFiles, rounds, lanes }, cipher) {
  const tree = join(work, 'large');
  const to = join(work, 'to');
  const noRsync = rsyncMissing(sshd);
  const sizes = [];
  for (const share of SHARES) {
    const files = Math.ceil(treeFiles * share);
    makeTree(tree, files, 1024);
    const contestants = {
      Beeline: () => beeline(work, tree, to, { lanes }),
      ...(!noRsync && { rsync: () => rsync(sshd, cipher, tree, join(to, 'large')) }),
    };
    const raw = await inTurn(contestants, rounds, to, () => sameTree(tree, join(to, 'large')));
    const rows = Object.fromEntries(
      Object.entries(raw).map(([name, all]) => [name, fold(all, files * 1024)]),
    );
    const code = raw.Beeline.map((round) => round.code);
    sizes.push({ files, code: { seconds: median(code), all: code }, rows });
    rmSync(tree, { recursive: true });
  }
  console.log(`\nTrees of files of 1 KiB, ${rounds} rounds`);
  console.log(costs(sizes));
  if (noRsync) console.log(`rsync was skipped: ${noRsync}.`);
  else
    for (const { files, rows } of sizes)
      console.log(`${files} files: ${ratio('rsync -a over ssh', rows.rsync, rows.Beeline)}`);
  const [first, last] = [sizes[0], sizes.at(-1)];
  const each = ({ files, rows }) => rows.Beeline.seconds / files;
  const growth = each(last) / each(first);
  const reached = growth <= GOALS.linear ? 'reached' : 'NOT reached';
  console.log(
    `A file of the largest tree takes ${growth.toFixed(2)} times the time of one of the smallest (goal at most ${GOALS.linear} ${reached})`,
  );
  return { sizes, growth };
}

function costs(sizes) {
  const head = ['files', 'code after s', 'median s', 'µs a file', 'CPU s, from', 'CPU s, to'];
  const more = ['peak MiB, from', 'peak MiB, to', 'rsync s', 'range s'];
  const lines = sizes.map(({ files, code, rows: { Beeline, rsync } }) => [
    String(files),
    fixed(code.seconds, 2),
    fixed(Beeline.seconds, 2),
    fixed((Beeline.seconds / files) * 1e6, 0),
    fixed(Beeline.cpu.from, 2),
    fixed(Beeline.cpu.to, 2),
    mebibytes(Beeline.rss.from),
    mebibytes(Beeline.rss.to),
    fixed(rsync?.seconds, 2),
    spread(Beeline.all, 2),
  ]);
  return columns([...head, ...more], lines, []);
}
