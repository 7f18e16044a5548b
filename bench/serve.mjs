#!/usr/bin/env node
/** The benchmark of `beeline serve` beside nginx and Python's http.server: see `--help`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bytes, whole } from './args.mjs';
import { makeFile } from './files.mjs';
import { bench, given } from './main.mjs';
import { cpuOf, delay, freePort, start } from './processes.mjs';
import { columns, fixed, median, spread } from './report.mjs';

const HELP = `npm run bench:serve -- [--size 4GiB] [--rounds 5] [--dir FOLDER]

One large file in the page cache, over loopback by plain HTTP, to \`curl -o /dev/null\`: beeline serve, nginx (one worker, sendfile)
and Python's http.server in turn, with medians, processor time of the server, and ratios. Each server's first bytes and last ones are
compared with the file once.`;

const GOAL = 0.8;
const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const READY_MS = 15_000;

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
  return serving([process.execPath, COMMAND, 'serve', file, ...flags], port, `/large.bin`);
}

async function nginx(root) {
  const port = await freePort();
  const conf = join(root, 'nginx.conf');
  writeFileSync(
    conf,
    `daemon off; worker_processes 1; ${asRoot()} pid ${root}/nginx.pid; error_log ${root}/nginx.log;
events { worker_connections 64; }
http { access_log off; sendfile on; tcp_nopush on; ${temporary(root)} server { listen 127.0.0.1:${port}; root ${root}; } }\n`,
  );
  const running = await serving(['nginx', '-p', root, '-c', conf], port, '/large.bin');
  // The worker does the work.
  const [worker] = childrenOf(running.pid);
  return { ...running, pid: worker ?? running.pid };
}

function temporary(root) {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${root}/nginx-${name};`)
    .join(' ');
}

async function python(root) {
  const port = await freePort();
  return serving(
    ['python3', '-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', root],
    port,
    '/large.bin',
  );
}

async function serving([command, ...args], port, path) {
  const child = start(command, args);
  const late = performance.now() + READY_MS;
  while (!(await listens(port))) {
    if (performance.now() > late) throw new Error(`${command} does not listen.`);
    await delay(50);
  }
  return {
    url: `http://127.0.0.1:${port}${path}`,
    pid: realPid(child.pid),
    end: () => child.kill('SIGTERM'),
  };
}

/** A version manager's shim may stand before the program. */
function realPid(pid) {
  const [child] = childrenOf(pid);
  return child !== undefined && readFileSync(`/proc/${child}/cmdline`, 'latin1').includes('http.server')
    ? child
    : pid;
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number);
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
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

/** Started by root, nginx would read as a user who may not enter the folder. */
function asRoot() {
  return process.getuid() === 0 ? 'user root;' : '';
}
