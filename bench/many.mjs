#!/usr/bin/env node
/** The benchmark of one offer with many receivers: see `--help`. Each case has a fresh network. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';
import { makeFile } from './files.mjs';
import { bench, given } from './main.mjs';
import { HELP, ON_LAN, readArguments } from './many-args.mjs';
import { sendToAll } from './many-beeline.mjs';
import { endAll } from './processes.mjs';
import { columns, fixed, mebibytes } from './report.mjs';

const { Star, whyNoStar } = await tsImport('../lab/star.ts', import.meta.url);
/** At most: times one receiver's time, times the size on a cable, and bytes of memory. */
const GOALS = { times: { 8: 1.3, 16: 1.5 }, sent: 1.5, crossed: 1.15, memory: 200e6 };
/** Processors this busy, of 1, bound what the cables could carry. */
const SATURATED = 0.85;
/** A transfer that takes this many times what its slowest cable needs is stuck. */
const PATIENCE = 3;
const SETTLE_SECONDS = 120;

const options = given(readArguments);
await bench('many', options, HELP, main);

async function main(root) {
  const missing = whyNoStar();
  if (missing !== undefined) throw new Error(missing);
  const { size, rates, factor } = options;
  const [cpu] = cpus();
  const { origin, receiver, slow } = rates;
  console.log(`Node ${process.version}, ${cpus().length} CPUs (${cpu?.model.trim()}), in ${root}`);
  console.log(
    `${size / 1e6} MB; Mbit/s up and down: origin ${origin.up}/${origin.down}, receivers ${receiver.up}/${receiver.down}, ` +
      `the LAN's slow cable ${slow.up}/${slow.down}${factor === 1 ? '' : ` (all times ${factor})`}\n`,
  );
  const file = join(root, 'many.bin');
  makeFile(file, size);
  const rows = [];
  for (const plan of plans()) {
    const row = { ...plan, ...(await one(root, file, plan)) };
    rows.push(row);
    console.log(`# ${row.name}: ${row.seconds.toFixed(1)} s, ${row.sent.toFixed(2)} times the size sent`);
  }
  const base = rows.find(({ kind }) => kind === 'one');
  console.log(`\n${table(rows, base)}`);
  for (const line of [...verdicts(rows, base), ...doubts(rows)]) console.log(line);
  if (options.json)
    writeFileSync(options.json, `${JSON.stringify({ size, factor, rates, rows }, undefined, 2)}\n`);
}

function plans() {
  const [first] = options.receivers;
  const all = [
    { kind: 'one', name: 'one receiver', count: 1, swarm: true },
    ...options.receivers.map((count) => ({ kind: 'help', name: `${count} who help`, count, swarm: true })),
    { kind: 'alone', name: `${first} without help`, count: first, swarm: false },
    { kind: 'lan', name: `${ON_LAN} on a far LAN`, count: ON_LAN, swarm: true },
  ];
  return all.filter(({ kind }) => options.cases.includes(kind));
}

/** One case on a fresh network. */
async function one(root, file, { kind, count, swarm }) {
  const { rates, size } = options;
  const work = join(root, 'work');
  mkdirSync(work);
  const star = new Star();
  try {
    const origin = star.addHost(rates.origin);
    const lan = kind === 'lan' ? star.addLan(rates.slow) : undefined;
    const hosts = Array.from({ length: count }, () => star.addHost(rates.receiver, lan));
    const narrowest = Math.min(rates.origin.up, lan ? rates.slow.down : Number.POSITIVE_INFINITY);
    // Without help all of it passes the narrowest cable once for each.
    const needed = (count * size * 8) / (narrowest * 1e6);
    const deadline = (needed * PATIENCE + SETTLE_SECONDS) * 1000;
    const done = await sendToAll({ work, file, origin, hosts, swarm, deadline });
    return {
      ...done,
      sent: star.carried(origin).up / size,
      crossed: lan && star.carried(lan).down / size,
      peak: { from: done.from.rss, to: Math.max(...done.to.map(({ rss }) => rss)) },
      cpu: { from: done.from.cpu, to: done.to.reduce((sum, { cpu }) => sum + cpu, 0) },
    };
  } finally {
    endAll();
    star.remove();
    rmSync(work, { recursive: true, force: true });
  }
}

function table(rows, base) {
  const head = [
    '',
    'all have it s',
    'times one',
    'of it transferring s',
    'origin sent / size',
    'slow cable / size',
    'CPU s from',
    'CPU s to',
    'CPUs busy %',
    'peak MiB from',
    'peak MiB to',
  ];
  const lines = rows.map((row) => [
    row.name,
    row.seconds.toFixed(1),
    // The far LAN's cable is another one than that of `one`.
    fixed(row.kind === 'lan' || !base ? undefined : row.seconds / base.seconds, 2),
    row.transferring.toFixed(1),
    row.sent.toFixed(2),
    fixed(row.crossed, 2),
    row.cpu.from.toFixed(1),
    row.cpu.to.toFixed(1),
    (row.busy * 100).toFixed(0),
    mebibytes(row.peak.from),
    mebibytes(row.peak.to),
  ]);
  return columns(head, lines);
}

/** A line for each goal that a row has. */
function verdicts(rows, base) {
  const lines = [];
  const line = (row, what, value, most, unit = '') =>
    lines.push(
      `${row.name}: ${what} ${value.toFixed(2)}${unit} (goal at most ${most}${unit}: ${value <= most ? 'reached' : 'NOT reached'})`,
    );
  for (const row of rows) {
    const times = row.kind === 'help' ? GOALS.times[row.count] : undefined;
    if (times !== undefined && base)
      line(row, "times one receiver's time", row.seconds / base.seconds, times);
    if (row.kind === 'help') line(row, 'the origin sent, times the size', row.sent, GOALS.sent);
    if (row.kind === 'lan') line(row, 'crossed the slow cable, times the size', row.crossed, GOALS.crossed);
    const peak = Math.max(row.peak.from, row.peak.to);
    line(row, 'peak memory of any process', peak / 1e6, GOALS.memory / 1e6, ' MB');
  }
  return lines;
}

/** What bounds a row besides its cables. */
function doubts(rows) {
  return rows
    .filter(({ busy }) => busy >= SATURATED)
    .map(
      ({ name, busy }) =>
        `${name}: the processors were ${(busy * 100).toFixed(0)} % busy and bound this row, not the cables. ` +
        'Use --rate 0.4 for ratios that they do not bound.',
    );
}
