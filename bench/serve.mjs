#!/usr/bin/env node
/** The benchmark of `beeline serve` beside nginx and Python's http.server: see `--help`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bytes, whole } from './args.mjs';
import { makeFile } from './files.mjs';
import { bench, given } from './main.mjs';
import { childrenOf, startNginx, startServer } from './nginx.mjs';
import { cpuOf, freePort } from './processes.mjs';
import { columns, fixed, median, spread } from './report.mjs';

const HELP = `npm run bench:serve -- [--size 4GiB] [--rounds 5] [--dir FOLDER]

One large file in the page cache, over loopback by plain HTTP, to \`curl -o /dev/null\`: beeline serve, nginx (one worker, sendfile)
and Python's http.server in turn, with medians, processor time of the server, and ratios. Each server's first bytes and last ones are
compared with the file once.`;

const GOAL = 0.8;
const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

const options = given((argv) => {
  const { values } = parseArgs({
    args: argv,
    options: {
      size: { type: 'string', default: '4GiB' },
      rounds: { type: 'string', default: '5' },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return { ...values, size: bytes(values.size), rounds: whole(values.rounds, 'rounds') };
});
await bench('serve', options, HELP, main);

async function main(root) {
  const file = join(root, 'large.bin');
  makeFile(file, options.size);
  const contestants = {
    'beeline serve': await beeline(root, file),
    nginx: await nginx(root),
    'http.server': await python(root),
  };
  for (const [name, { url }] of Object.entries(contestants)) check(name, url, file);
  const rounds = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < options.rounds; round++)
    for (const [name, { url, pid }] of Object.entries(contestants)) {
      const before = cpuOf(pid);
      const seconds = Number(curl(['-o', '/dev/null', '-w', '%{time_total}', url]));
      rounds[name].push({ seconds, cpu: cpuOf(pid) - before });
    }
  const rate = (name) => options.size / 1e6 / median(rounds[name].map(({ seconds }) => seconds));
  const lines = Object.keys(contestants).map((name) => [
    name,
    fixed(rate(name), 0),
    spread(
      rounds[name].map(({ seconds }) => seconds),
      3,
    ),
    fixed(median(rounds[name].map(({ cpu }) => cpu)) / (options.size / 2 ** 30), 2),
    fixed(rate(name) / rate('nginx'), 2),
  ]);
  console.log(`\nOne file of ${options.size / 2 ** 20} MiB, in the page cache, ${options.rounds} rounds\n`);
  console.log(columns(['', 'MB/s', 'seconds', 'CPU s a GiB', 'of nginx'], lines, [0, 2]));
  const ratio = rate('beeline serve') / rate('nginx');
  console.log(`\n${ratio >= GOAL ? 'met' : 'MISSED'}: ${fixed(ratio, 2)} of nginx (goal ${GOAL})`);
  for (const { end } of Object.values(contestants)) end();
}

async function beeline(root, file) {
  const port = await freePort();
  const flags = ['--port', String(port), '--host', '127.0.0.1', '--public', '--config-dir', root];
  return serving(await startServer([process.execPath, COMMAND, 'serve', file, ...flags], port));
}

async function nginx(root) {
  return serving(await startNginx(root));
}

async function python(root) {
  const port = await freePort();
  const args = ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', root];
  return serving(await startServer(['python3', ...args], port));
}

function serving({ url, pid, end }) {
  return { url: `${url}/large.bin`, pid: realPid(pid), end };
}

/** A version manager's shim may stand before the program. */
function realPid(pid) {
  const [child] = childrenOf(pid);
  return child !== undefined && readFileSync(`/proc/${child}/cmdline`, 'latin1').includes('http.server')
    ? child
    : pid;
}

function curl(args) {
  return execFileSync('curl', ['-sf', ...args], { encoding: 'utf8' });
}

function check(name, url, file) {
  const copy = `${file}.copy`;
  curl(['-o', copy, url]);
  try {
    execFileSync('cmp', [file, copy]);
  } catch {
    throw new Error(`${name} sent something else.`);
  }
  execFileSync('rm', [copy]);
}
