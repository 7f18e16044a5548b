#!/usr/bin/env node
/** The benchmark of the main path: see `--help`. Contestants run in turn, round after round, on the same data. */
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { HELP, readArguments } from './args.mjs';
import { beeline } from './beeline.mjs';
import { durability, TMPFS } from './durability.mjs';
import { makeFile, sameFile } from './files.mjs';
import { GOALS } from './goals.mjs';
import { bench } from './main.mjs';
import { makeCertificate, pump } from './pump.mjs';
import { fold, median, ratio, table } from './report.mjs';
import { resume } from './resume.mjs';
import { chooseScp, scp, scpMissing } from './scp.mjs';
import { largeTrees, smallFiles } from './small.mjs';
import { startSshd } from './ssh.mjs';
import { startUp } from './start.mjs';
import { threads } from './threads.mjs';
import { inTurn } from './turns.mjs';
import { update } from './update.mjs';

const options = readArguments(process.argv.slice(2));
await bench('bench', options, HELP, main);

async function main(work) {
  const [cpu] = cpus();
  console.log(`Node ${process.version}, ${cpus().length} CPUs (${cpu?.model.trim()}), in ${work}`);
  const wanted = (part) => options.only === undefined || options.only === part;
  const memory = statfsSync(work).type === TMPFS;
  const about = {
    node: process.version,
    cpus: cpus().length,
    model: cpu?.model.trim(),
    rounds: options.rounds,
    memory,
  };
  const results = { about };
  if (wanted('start')) results.start = await startUp(work, options);
  if (['big', 'small', 'trees'].some(wanted)) {
    const sshd = await startSshd(work);
    if (wanted('big')) results.big = await oneFile(work, sshd);
    const cipher = results.big?.cipher;
    if (wanted('small')) results.small = await smallFiles(work, sshd, options, cipher);
    if (wanted('trees')) results.trees = await largeTrees(work, sshd, options, cipher);
    sshd.stop?.();
  }
  if (wanted('sync')) results.sync = await durability(work, options);
  if (wanted('update')) results.update = await update(work, options);
  if (wanted('resume')) results.resume = await resume(work, options);
  if (wanted('threads')) results.threads = await threads(work, options);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** One large file: Beeline, scp and the pump. */
async function oneFile(work, sshd) {
  const { size, rounds, lanes } = options;
  const path = join(work, 'one.bin');
  const byte = join(work, 'byte.bin');
  makeFile(path, size);
  makeFile(byte, 1);
  await makeCertificate(work);
  const noScp = scpMissing(sshd);
  const choice = noScp ? undefined : await scpChoice(work, sshd);
  const to = join(work, 'to');
  const contestants = {
    Beeline: () => beeline(work, path, to, { lanes }),
    ...(choice && { scp: () => scp(sshd, choice, path, join(to, basename(path))) }),
    pump: () => pump(work, size),
    'Beeline, 1 byte': () => beeline(work, byte, to, { lanes }),
  };
  const check = (name) => {
    if (name === 'Beeline' || name === 'scp') sameFile(path, join(to, basename(path)));
    if (name === 'Beeline, 1 byte') sameFile(byte, join(to, basename(byte)));
  };
  const raw = await inTurn(contestants, rounds, to, check);
  const rows = Object.fromEntries(
    Object.entries(raw).map(([name, all]) => [name, fold(all, name.endsWith('1 byte') ? 1 : size)]),
  );
  console.log(`\nOne file of ${size / 2 ** 20} MiB, ${rounds} rounds`);
  console.log(table(rows));
  if (rows.scp)
    console.log(ratio(`scp (${choice.cipher}, ${choice.direction})`, rows.scp, rows.Beeline, GOALS.scp));
  else console.log(`scp was skipped: ${noScp}.`);
  console.log(ratio('pump', rows.pump, rows.Beeline, GOALS.pump));
  const stream = median(raw.pump.map((round) => round.stream));
  console.log(`The pump's stream alone, without starting Node: ${stream.toFixed(3)} s`);
  console.log(
    `Start-up (a file of one byte): ${rows['Beeline, 1 byte'].seconds.toFixed(3)} s of Beeline's time`,
  );
  rmSync(path);
  return { size, rows, cipher: choice?.cipher };
}

async function scpChoice(work, sshd) {
  const sample = join(work, 'sample.bin');
  makeFile(sample, Math.max(1, Math.ceil(options.size / 4)));
  const choice = await chooseScp(sshd, sample, join(work, 'sample.copy'));
  rmSync(sample);
  const timed = choice.timed.map((one) => `${one.cipher} ${one.direction} ${one.seconds.toFixed(2)} s`);
  console.log(`scp on a quarter of the size: ${timed.join(', ')}`);
  return choice;
}
