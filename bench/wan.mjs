#!/usr/bin/env node
/** The benchmark of wide-area links: see `--help`. Each contestant has a fresh link, with the same losses to come. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';
import { makeFile } from './files.mjs';
import { bench, given } from './main.mjs';
import { cpuOf, delay } from './processes.mjs';
import { columns, fixed } from './report.mjs';
import { HELP, readArguments } from './wan-args.mjs';
import { beeline } from './wan-beeline.mjs';
import { scp, scpMissing } from './wan-scp.mjs';
import { tls } from './wan-tls.mjs';

const { makeWan, whyNoWan } = await tsImport('../lab/wan.ts', import.meta.url);
const RUN = { beeline, scp, tls };
/** What a file lasts for, at the full rate, beyond the time that is measured. */
const SPARE = 1.15;

const options = given(readArguments);
let wan;
await bench('wan', options, HELP, main, removeLink);

async function main(root) {
  const missing = whyNoWan();
  if (missing !== undefined) throw new Error(missing);
  const { seconds, first, queue, seed, paths } = options;
  const [cpu] = cpus();
  console.log(`Node ${process.version}, ${cpus().length} CPUs (${cpu?.model.trim()}), in ${root}`);
  console.log(`TCP on CUBIC, buffers up to ${buffers()}; ${seconds} s each, queue ${queue} ms, seed ${seed}`);
  const noScp = scpMissing();
  const contestants = options.contestants.filter((name) => name !== 'scp' || !noScp);
  if (noScp && options.contestants.includes('scp')) console.log(`scp was skipped: ${noScp}.`);
  const results = [];
  for (const path of paths) {
    const file = join(root, 'wan.bin');
    makeFile(file, Math.ceil((path.rate / 8) * 1e6 * seconds * SPARE));
    const rows = {};
    console.log(`\n${path.rtt} ms round trip, ${path.loss} % loss, ${path.rate} Mbit/s`);
    for (const name of contestants) rows[name] = await one(root, file, path, name);
    rmSync(file);
    console.log(table(rows, path.rate));
    for (const [name, { lanes }] of Object.entries(rows))
      if (lanes) console.log(`${name}: ${lanesText(lanes)}`);
    results.push({ ...path, rows });
  }
  if (options.json) {
    const report = { seconds, first, queue, seed, results };
    writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
}

/** One contestant on a fresh link. */
async function one(root, file, { rtt, loss, rate }, name) {
  const { seconds, first, queue: queueMs, seed, lanes } = options;
  const work = join(root, 'work');
  mkdirSync(work);
  wan = await makeWan({ delayMs: rtt / 2, loss: loss / 100, rateMbit: rate, queueMs, seed });
  try {
    const done = await RUN[name]({ work, wan, file, seconds, lanes });
    const { samples } = done;
    if (samples.firstByte === undefined) throw new Error(`${name} moved nothing.`);
    const [there] = await wan.counters();
    return {
      goodput: samples.goodput(0, seconds),
      first: samples.goodput(0, Math.min(first, seconds)),
      second: samples.goodput(seconds / 2, seconds),
      firstByte: samples.firstByte,
      cpu: { from: cpuIn(wan.left), to: cpuIn(wan.right), link: cpuOf(wan.pid) },
      link: there,
      lanes: done.lanes,
      series: samples.series(seconds),
    };
  } finally {
    await killIn(wan.left);
    await killIn(wan.right);
    removeLink();
    rmSync(work, { recursive: true, force: true });
  }
}

function table(rows, rate) {
  const share = (value) => `${value.toFixed(1)} (${((value / rate) * 100).toFixed(0)} %)`;
  const perSecond = (cpu) => fixed(cpu === undefined ? undefined : (cpu / options.seconds) * 100, 0);
  const head = [
    'Mbit/s (of the link)',
    `${options.seconds} s`,
    `first ${options.first} s`,
    'second half',
    'first byte s',
    'CPU % from',
    'to',
    'link',
    'queue drops',
  ];
  const lines = Object.entries(rows).map(([name, row]) => [
    name,
    ...[row.goodput, row.first, row.second].map(share),
    row.firstByte.toFixed(2),
    ...[row.cpu.from, row.cpu.to, row.cpu.link].map(perSecond),
    `${((row.link.dropped / (row.link.packets + row.link.lost + row.link.dropped)) * 100).toFixed(2)} %`,
  ]);
  return columns(head, lines);
}

function lanesText(lanes) {
  const texts = lanes.map(
    ({ kind, most, opened, first, last }) =>
      `${kind}: up to ${most} lanes at once (${last} at the end, ${opened} opened in all, first at ${first.toFixed(2)} s)`,
  );
  return texts.join('; ') || 'no lane was told of';
}

/** What the kernel lets TCP buffers grow to: it bounds a single stream's window. */
function buffers() {
  const most = (name) => {
    const bytes = Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/)[2]);
    return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  };
  return `${most('tcp_wmem')} to send and ${most('tcp_rmem')} to receive`;
}

/** Ids of everything that runs on a host of ours. */
function processesIn({ namespace }) {
  const text = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8', timeout: 10_000 });
  return text.split('\n').filter(Boolean).map(Number);
}

function cpuIn(host) {
  return processesIn(host).reduce((sum, pid) => sum + (cpuOf(pid) ?? 0), 0);
}

/** Ends them: also what a command started and left, such as sshd's sessions, which outlive their listener. */
async function killIn(host) {
  for (let attempt = 0; attempt < 40; attempt++) {
    if (killOnce(host) === 0) return;
    await delay(50);
  }
}

function killOnce(host) {
  const pids = processesIn(host);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  return pids.length;
}

function removeLink() {
  if (!wan) return;
  try {
    killOnce(wan.left);
    killOnce(wan.right);
  } catch {
    // The namespaces are gone already.
  }
  wan.remove();
  wan = undefined;
}
