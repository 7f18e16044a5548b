#!/usr/bin/env node
/** The benchmark of `beeline receive URL` beside aria2c: see `--help`. */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bytes, whole } from './args.mjs';
import { makeFile, sameFile } from './files.mjs';
import { bench, given } from './main.mjs';
import { startNginx } from './nginx.mjs';
import { cpuOf, run } from './processes.mjs';
import { columns, fixed, median, spread } from './report.mjs';

const HELP = `npm run bench:download -- [--size 1GiB] [--limited-size 200MB] [--limit 4m] [--rounds 5] [--dir FOLDER]

One large file from nginx over loopback by plain HTTP, to \`beeline receive URL\` and to \`aria2c -x4\` in turn: once without a limit, and once with
--limit bytes a second for each connection, as nginx writes it. Prints medians, processor time of the client, and ratios. Each
contestant's first file is compared with the one that is served.`;

const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

const options = given((argv) => {
  const { values } = parseArgs({
    args: argv,
    options: {
      size: { type: 'string', default: '1GiB' },
      'limited-size': { type: 'string', default: '200MB' },
      limit: { type: 'string', default: '4m' },
      rounds: { type: 'string', default: '5' },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (!/^\d+[km]$/.test(values.limit)) throw new Error('--limit is a number with k or m, such as 4m.');
  const limitedSize = bytes(values['limited-size']);
  return { ...values, size: bytes(values.size), limitedSize, rounds: whole(values.rounds, 'rounds') };
});
await bench('download', options, HELP, main);

async function main(root) {
  const { size, limitedSize, limit } = options;
  await compare(root, 'free', size, 'without a limit', '');
  await compare(
    root,
    'limited',
    limitedSize,
    `${limit} a second for each connection`,
    `limit_rate ${limit};`,
  );
}

async function compare(root, name, size, what, more) {
  const file = join(root, `${name}.bin`);
  makeFile(file, size);
  const { url, end } = await startNginx(root, { name, more });
  const contestants = { 'beeline receive': beeline, 'aria2c -x4': aria2c };
  const rounds = Object.fromEntries(Object.keys(contestants).map((each) => [each, []]));
  for (let round = 0; round < options.rounds; round++)
    for (const [each, command] of Object.entries(contestants)) {
      const to = join(root, 'to');
      mkdirSync(to);
      rounds[each].push(await timed(command(`${url}/${name}.bin`, to, root)));
      if (round === 0) sameFile(file, join(to, `${name}.bin`));
      rmSync(to, { recursive: true });
    }
  end();
  rmSync(file);
  report(size, what, rounds);
}

function beeline(url, to, root) {
  const flags = ['--to', to, '--config-dir', root, '--no-receipt', '--quiet'];
  return [process.execPath, COMMAND, 'receive', url, ...flags];
}

function aria2c(url, to) {
  return ['aria2c', '-q', '--no-conf', '-x4', '-s4', '-k1M', '--file-allocation=none', '-d', to, url];
}

async function timed([command, ...args]) {
  const before = cpuOf(process.pid, { own: false });
  const { seconds } = await run(command, args);
  return { seconds, cpu: cpuOf(process.pid, { own: false }) - before };
}

function report(size, what, rounds) {
  const seconds = (name) => rounds[name].map((round) => round.seconds);
  const cpu = (name) => median(rounds[name].map((round) => round.cpu));
  const [ours, rival] = Object.keys(rounds);
  const lines = Object.keys(rounds).map((name) => [
    ...[name, fixed(size / 1e6 / median(seconds(name)), 1), spread(seconds(name), 2), fixed(cpu(name), 2)],
    fixed(median(seconds(rival)) / median(seconds(name)), 2),
    fixed(cpu(name) / cpu(rival), 2),
  ]);
  const turns = seconds(rival).map((each, i) => each / seconds(ours)[i]);
  console.log(`\nOne file of ${fixed(size / 1e6, 0)} MB, ${what}, ${options.rounds} rounds\n`);
  const head = ['', 'MB/s', 'seconds', 'CPU s', `speed of ${rival}`, `CPU of ${rival}`];
  console.log(columns(head, lines, [0, 2]));
  console.log(`\n${ours} / ${rival}: rounds ${spread(turns, 2)} times its speed`);
}
