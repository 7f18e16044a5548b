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
import { columns, fixed, median } from './report.mjs';
import { HELP, readArguments } from './wan-args.mjs';
import { beeline, beelineOf } from './wan-beeline.mjs';
import { alone, beside, kept, pinging, SMALL, small } from './wan-goals.mjs';
import { scp, scpMissing } from './wan-scp.mjs';
import { tls } from './wan-tls.mjs';

const { makeWan, whyNoWan } = await tsImport('../lab/wan.ts', import.meta.url);
/** What a file lasts for, at the full rate, beyond the time that is measured. */
const SPARE = 1.15;

const options = given(readArguments);
const other = options.other && join(options.other, 'cli/main.js');
const RUN = { beeline, scp, tls, ...(other && { other: beelineOf(options.other) }) };
/** Which of them are Beeline, and their command: undefined is this build's. */
const COMMANDS = new Map([['beeline', undefined], ...(other ? [['other', other]] : [])]);
let wan;
await bench('wan', options, HELP, main, removeLink);

async function main(root) {
  const missing = whyNoWan();
  if (missing !== undefined) throw new Error(missing);
  const { seconds, first, queue, seed, rounds, paths } = options;
  const [cpu] = cpus();
  console.log(`Node ${process.version}, ${cpus().length} CPUs (${cpu?.model.trim()}), in ${root}`);
  console.log(
    `TCP on CUBIC, buffers up to ${buffers()}; ${seconds} s each, ${rounds} rounds, queue ${queue} ms, seed ${seed}`,
  );
  const noScp = scpMissing();
  const contestants = options.contestants.filter((name) => name !== 'scp' || !noScp);
  if (noScp && options.contestants.includes('scp')) console.log(`scp was skipped: ${noScp}.`);
  const results = [];
  for (const path of paths) {
    const file = join(root, 'wan.bin');
    makeFile(file, Math.ceil((path.rate / 8) * 1e6 * seconds * SPARE));
    makeFile(join(root, 'small.bin'), SMALL);
    const all = Object.fromEntries(contestants.map((name) => [name, []]));
    console.log(`\n${path.rtt} ms round trip, ${path.loss} % loss, ${path.rate} Mbit/s`);
    const lone = [];
    for (let round = 0; round < rounds; round++) {
      for (const name of contestants) all[name].push(await one(root, file, path, name, seed + round));
      if (!options.goals) continue;
      const work = (at) => alone({ work: at, wan, seconds });
      lone.push(await onLink(root, path, seed + round, work));
    }
    rmSync(file);
    rmSync(join(root, 'small.bin'));
    console.log(table(all, path.rate));
    for (const [name, [{ lanes }]] of Object.entries(all))
      if (lanes) console.log(`${name}: ${lanesText(lanes)}`);
    if (options.goals) console.log(goalsText(all, lone, path));
    results.push({ ...path, rounds: all, lone });
  }
  if (options.json) {
    const report = { seconds, first, queue, seed, results };
    writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
}

/** One contestant on a fresh link. */
async function one(root, file, path, name, seed) {
  const { seconds, first, lanes } = options;
  const alone = await onLink(root, path, seed, async (work) => {
    const stop = pinging({ wan, seconds });
    const done = await RUN[name]({ work, wan, file, seconds, lanes });
    const { samples } = done;
    if (samples.firstByte === undefined) throw new Error(`${name} moved nothing.`);
    const [there] = await wan.counters();
    return {
      ping: stop(),
      goodput: samples.goodput(0, seconds),
      first: samples.goodput(0, Math.min(first, seconds)),
      second: samples.goodput(seconds / 2, seconds),
      firstByte: samples.firstByte,
      cpu: { from: cpuIn(wan.left), to: cpuIn(wan.right), link: cpuOf(wan.pid) },
      link: there,
      lanes: done.lanes,
      series: samples.series(seconds),
    };
  });
  if (!options.goals || !COMMANDS.has(name)) return alone;
  const shared = await onLink(root, path, seed, (work) =>
    beside(RUN[name], { work, wan, file, seconds, lanes }),
  );
  const command = COMMANDS.get(name);
  const whole = await onLink(root, path, seed, (work) => small(command, { root, work, wan }));
  return { ...alone, shared, small: whole };
}

/** Makes a link, and leaves nothing of what ran on it. */
async function onLink(root, { rtt, loss, rate }, seed, run) {
  const work = join(root, 'work');
  mkdirSync(work);
  wan = await makeWan({
    ...{ delayMs: rtt / 2, loss: loss / 100, rateMbit: rate },
    ...{ queueMs: options.queue, seed },
  });
  try {
    return await run(work);
  } finally {
    await killIn(wan.left);
    await killIn(wan.right);
    removeLink();
    rmSync(work, { recursive: true, force: true });
  }
}

function table(all, rate) {
  const share = (value) => `${value.toFixed(1)} (${((value / rate) * 100).toFixed(0)} %)`;
  const perSecond = (cpu) => fixed(cpu === undefined ? undefined : (cpu / options.seconds) * 100, 0);
  const range = (rows) => {
    const shares = rows.map(({ goodput }) => (goodput / rate) * 100);
    return `${Math.min(...shares).toFixed(0)}-${Math.max(...shares).toFixed(0)} %`;
  };
  const head = [
    'Mbit/s (of the link)',
    `${options.seconds} s`,
    'range',
    `first ${options.first} s`,
    'second half',
    'first byte s',
    'ping ms, 95 %',
    'CPU % from',
    'to',
    'link',
    'queue drops',
  ];
  const drops = ({ dropped, packets, lost }) => (dropped / (packets + lost + dropped)) * 100;
  const lines = Object.entries(all).map(([name, rows]) => {
    const middle = (of) => median(rows.map(of));
    return [
      name,
      share(middle((row) => row.goodput)),
      range(rows),
      ...['first', 'second'].map((part) => share(middle((row) => row[part]))),
      middle((row) => row.firstByte).toFixed(2),
      `${fixed(
        middle((row) => row.ping.median),
        0,
      )}, ${fixed(
        middle((row) => row.ping.high),
        0,
      )}`,
      ...['from', 'to', 'link'].map((end) => perSecond(middle((row) => row.cpu[end]))),
      `${middle((row) => drops(row.link)).toFixed(2)} %`,
    ];
  });
  return columns(head, lines);
}

/** Beside a CUBIC stream, and with a small file. */
function goalsText(all, lone, { rtt, rate }) {
  const lines = [...COMMANDS.keys()].flatMap((name) => {
    const rows = all[name] ?? [];
    if (rows.length === 0) return [];
    const middle = (of) => median(rows.map(of));
    const trips =
      rtt > 0 ? middle((row) => (row.small.firstByte - row.small.firstLane) / (rtt / 1000)) : undefined;
    return [
      [
        name,
        median(lone).toFixed(1),
        middle((row) => row.shared.neighbour).toFixed(1),
        `${median(kept(rows, lone, rate)).toFixed(0)} %`,
        middle((row) => row.shared.goodput).toFixed(1),
        middle((row) => row.small.firstByte).toFixed(2),
        fixed(trips, 1),
        middle((row) => row.small.seconds).toFixed(2),
      ],
    ];
  });
  const head = [
    '',
    'CUBIC alone, Mbit/s',
    'beside',
    'of its due',
    'Beeline beside it',
    '10 MB: first byte s',
    'round trips after the first lane',
    'end s',
  ];
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
