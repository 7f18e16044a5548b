#!/usr/bin/env node
/** The benchmark of the page: see `--help`. Contestants run in turn, round after round, in one browser. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';
import { bytes } from './args.mjs';
import { bare } from './browser-bare.mjs';
import { makeFile, sameFile } from './files.mjs';
import { columns, median, ratio } from './report.mjs';

const { closeBrowser, launch, whyNoBrowser } = await tsImport(
  '../test/browser/harness/browsers.ts',
  import.meta.url,
);
const { Stage } = await tsImport('../test/browser/harness/stage.ts', import.meta.url);

const HELP = `npm run bench:browser -- [--size 512MiB] [--rounds 3]

Chromium and the command over this machine's own interfaces, in turn, with medians and ratios:
  a file from the page to the command, and from the command into the browser's storage, by WebRTC alone, each compared
  byte by byte;
  the same number of bytes over a bare data channel between the browser and a Node process, both ways, with nothing
  read, hashed or written.
Exit status: 0 when every transfer worked and was identical, whatever the figures; 1 otherwise.`;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '512MiB' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});
const GOAL = 0.8;
/** Nothing but what the bare channel is of. */
const WEBRTC = ['--relay', 'never', '--no-receipt'];
const DIRECTIONS = { 'from-page': 'page to command', 'to-page': 'command to page' };

if (values.help) {
  console.log(HELP);
} else {
  const missing = whyNoBrowser('chromium');
  if (missing !== undefined) {
    console.error(missing);
    process.exit(1);
  }
  const size = bytes(values.size);
  const folder = mkdtempSync(join(tmpdir(), 'beeline-bench-browser-'));
  const browser = await launch('chromium', { folder });
  try {
    await main(browser, folder, size, Number(values.rounds));
  } catch (error) {
    console.error(`The benchmark failed: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await closeBrowser(browser);
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

async function main(browser, folder, size, rounds) {
  const [cpu] = cpus();
  console.log(
    `Node ${process.version}, ${await browser.version()}, ${cpus().length} CPUs (${cpu?.model.trim()})`,
  );
  const file = join(folder, 'one.bin');
  makeFile(file, size);
  const results = {};
  for (let round = 0; round < rounds; round++) {
    for (const direction of Object.keys(DIRECTIONS)) {
      const tab = await browser.newPage();
      note(results, `bare, ${DIRECTIONS[direction]}`, await bare(tab, direction, size));
      await tab.close();
      note(results, `Beeline, ${DIRECTIONS[direction]}`, await beeline(browser, folder, direction, file));
    }
  }
  const rows = Object.entries(results).map(([name, seconds]) => [
    name,
    median(seconds).toFixed(2),
    (size / 1e6 / median(seconds)).toFixed(0),
    seconds.map((each) => each.toFixed(2)).join(' '),
  ]);
  console.log(columns(['', 'median s', 'MB/s', 'rounds'], rows, [0, 3]));
  for (const name of Object.values(DIRECTIONS)) {
    const [rival, ours] = [`bare, ${name}`, `Beeline, ${name}`].map((each) => ({
      seconds: median(results[each]),
      all: results[each],
    }));
    console.log(ratio(`a bare data channel, ${name}`, rival, ours, GOAL));
  }
}

function note(results, name, seconds) {
  results[name] ??= [];
  results[name].push(seconds);
}

/** Seconds from the moment that both sides have agreed to the end. */
async function beeline(browser, folder, direction, file) {
  const stage = new Stage(browser, folder, 'chromium');
  try {
    await stage.begin();
    const page = await stage.page();
    return direction === 'from-page' ? await fromPage(stage, page, file) : await toPage(stage, page, file);
  } finally {
    await stage.dispose();
  }
}

async function fromPage(stage, page, file) {
  await page.choose(file);
  const receiver = await stage.receives(await page.code(), stage.work.folder('out'), WEBRTC);
  await receiver.until(({ event, to }) => event === 'state' && to === 'transferring');
  const seconds = await until(receiver);
  await page.reaches('completed');
  sameFile(file, stage.work.path('out', 'one.bin'));
  return seconds;
}

async function toPage(stage, page, file) {
  const { sender, code } = await stage.sends([file, ...WEBRTC]);
  await page.asks(code);
  const pressed = page.press('Receive');
  const seconds = await until(sender);
  await pressed;
  await page.reaches('completed');
  await compareSaved(stage, file);
  return seconds;
}

async function until(command) {
  const began = performance.now();
  await command.until('done', 600_000);
  const seconds = (performance.now() - began) / 1000;
  await command.ends(0);
  return seconds;
}

async function compareSaved(stage, file) {
  const [saved] = await stage.saved(file);
  sameFile(file, saved);
  rmSync(saved);
  await page.press('Again');
  await page.press('Delete');
  await page.shows("!document.querySelector('main').innerText.includes('one.bin')");
}
