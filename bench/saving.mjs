#!/usr/bin/env node
/** How long many small files take until a person has them where they want them: see `--help`. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';
import { makeFile } from './files.mjs';
import { columns, median } from './report.mjs';

const { closeBrowser, launch, whyNoBrowser } = await tsImport(
  '../test/browser/harness/browsers.ts',
  import.meta.url,
);
const { Stage } = await tsImport('../test/browser/harness/stage.ts', import.meta.url);
const { PICKER } = await tsImport('../test/browser/harness/picker.ts', import.meta.url);

const HELP = `node bench/saving.mjs [--files 3000] [--bytes 4096] [--rounds 3]     (after npm run build)

Chromium receives a folder of files from the command over this machine's own interfaces, and saves it: straight to a folder that was
picked when saying yes; kept, and then copied to a folder; kept, and then as one ZIP. Ways in turn, with medians. Seconds are those from the
yes to the last file, and of them those that the person waits after everything has arrived. A folder of the browser's own storage stands
for the one that a person picks, since no dialog can be driven.`;

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '3000' },
    bytes: { type: 'string', default: '4096' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});

/** What is done when it has arrived, if anything is. */
const WAYS = {
  'straight to a folder': { yes: 'Save to a folder…' },
  'kept, then to a folder': { yes: 'Receive', save: 'Save to a folder' },
  'kept, then one ZIP': { yes: 'Receive', save: 'Save' },
};

if (values.help) console.log(HELP);
else {
  const missing = whyNoBrowser('chromium');
  if (missing !== undefined) {
    console.error(missing);
    process.exit(1);
  }
  const folder = mkdtempSync(join(tmpdir(), 'beeline-bench-saving-'));
  const browser = await launch('chromium', { folder });
  try {
    await main(browser, folder);
  } finally {
    await closeBrowser(browser);
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

async function main(browser, folder) {
  const [files, bytes, rounds] = [values.files, values.bytes, values.rounds].map(Number);
  const [cpu] = cpus();
  console.log(
    `Node ${process.version}, ${await browser.version()}, ${cpus().length} CPUs (${cpu?.model.trim()})`,
  );
  const many = join(folder, 'many');
  mkdirSync(many);
  for (let n = 0; n < files; n++) makeFile(join(many, `${n}.bin`), bytes);
  const results = Object.fromEntries(Object.keys(WAYS).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, way] of Object.entries(WAYS))
      results[name].push(await receive(browser, folder, many, files, way));
  const rows = Object.entries(results).map(([name, all]) => [
    name,
    median(all.map(({ whole }) => whole)).toFixed(1),
    median(all.map(({ saving }) => saving)).toFixed(1),
    all.map(({ whole }) => whole.toFixed(1)).join(' '),
  ]);
  console.log(`${files} files of ${bytes} bytes`);
  console.log(columns(['', 'median s', 'of it saving', 'rounds'], rows, [0, 3]));
}

async function receive(browser, folder, many, files, { yes, save }) {
  const stage = new Stage(browser, folder, 'chromium');
  try {
    const { sender, code } = await stage.sends([many, '--no-receipt']);
    const page = await stage.page({ prepare: PICKER });
    await page.asks(code);
    const began = performance.now();
    await page.press(yes);
    await page.reaches('completed', 300_000);
    const arrived = performance.now();
    if (save === 'Save') await stage.downloads(() => page.press(save));
    else if (save) {
      await page.press(save);
      await page.shows(
        "document.querySelector('main').innerText.includes(\"It is in the folder 'picked'\")",
        300_000,
      );
    }
    const ended = performance.now();
    await sender.ends(0);
    if (save !== 'Save') await isThere(page, files);
    return { whole: (ended - began) / 1000, saving: (ended - arrived) / 1000 };
  } finally {
    await stage.dispose();
  }
}

/** All files are in the picked folder; then it is emptied. */
async function isThere(page, files) {
  const found = await page.ask(`(async () => {
    const top = await showDirectoryPicker();
    const folder = await top.getDirectoryHandle('many');
    let found = 0;
    for await (const _ of folder.keys()) found++;
    await top.removeEntry('many', { recursive: true });
    return found;
  })()`);
  if (found !== files) throw new Error(`${found} of ${files} files are there.`);
}
