#!/usr/bin/env node
/** Writes the pictures of the page's main states for the documents, from a real transfer: `node scripts/screenshots.mjs [FOLDER]`. */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';
import { makeFile } from '../bench/files.mjs';

const harness = (name) => tsImport(`../test/browser/harness/${name}.ts`, import.meta.url);
const { closeBrowser, launch, whyNoBrowser } = await harness('browsers');
const { Stage } = await harness('stage');

const FOLDER = process.argv[2] ?? 'docs/images';
const DESKTOP = { width: 760, height: 700 };
/** For what stands below the first screen. */
const MORE = 190;
const PHONE = { width: 360, height: 680 };
/** Bytes that one picture may have. */
const MOST = 60_000;

const missing = whyNoBrowser('chromium');
if (missing !== undefined) throw new Error(missing);
const folder = mkdtempSync(join(tmpdir(), 'beeline-screenshots-'));
mkdirSync(FOLDER, { recursive: true });
const browser = await launch('chromium', { folder });
const stage = new Stage(browser, folder, 'chromium');
try {
  const holiday = stage.work.folder('Holiday pictures');
  for (let i = 1; i <= 6; i++) makeFile(join(holiday, `IMG_204${i}.jpg`), 4_200_000 + 310_000 * i);
  await sending(stage, holiday);
  await several(stage, holiday);
  await receiving(stage, holiday);
  await failing(stage, holiday);
} finally {
  await stage.dispose();
  await closeBrowser(browser);
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

async function sending(stage, path) {
  const page = await stage.page();
  await shot(page, 'home');
  await shot(page, 'home-dark', { dark: true });
  await shot(page, 'home-phone', { phone: true });
  await page.chooseFolder(path);
  await page.code();
  await shot(page, 'sending');
  await shot(page, 'sending-phone', { phone: true });
  await page.press('Cancel');
}

async function several(stage, path) {
  const page = await stage.page();
  await page.forPeople('3');
  await page.chooseFolder(path);
  const code = await page.code();
  const receivers = [];
  for (const [name, limit] of [
    ['first', '100M'],
    ['second', '1M'],
    ['third', '600k'],
  ]) {
    receivers.push(await stage.receives(code, stage.work.folder(name), ['--limit', limit]));
    await page.says(new RegExp(`Receiver ${receivers.length}`), '.rows');
  }
  await receivers[0].until('done');
  await page.when(
    async () => (await page.rows()).slice(1).every((row) => /[1-9][0-9]%/.test(row)),
    () => 'ten per cent at each',
  );
  await shot(page, 'several', { tall: true });
  await shot(page, 'several-phone', { phone: true, tall: true });
  await page.press('Cancel');
  for (const receiver of receivers) await receiver.exited;
}

async function receiving(stage, path) {
  const { sender, code } = await stage.sends([path, '--limit', '4M']);
  const page = await stage.page({ code });
  await page.press('Receive');
  await page.reaches('offer');
  await shot(page, 'offer');
  await page.press('Receive');
  await page.moved(0.5);
  await shot(page, 'transferring');
  await shot(page, 'transferring-dark', { dark: true });
  await shot(page, 'transferring-phone', { phone: true });
  await page.press('Pause');
  await page.reaches('paused');
  await shot(page, 'paused');
  await page.press('Resume');
  await page.reaches('completed');
  await sender.ends(0);
  await shot(page, 'completed');
}

async function failing(stage, path) {
  const { sender, code } = await stage.sends([path]);
  const page = await stage.page();
  await page.fill('Code', `${code}-zoo`);
  await page.press('Receive');
  await page.reaches('failed');
  await sender.ends(4);
  await shot(page, 'failed');
}

async function shot(page, name, { dark = false, phone = false, tall = false } = {}) {
  const tab = page.page;
  await tab.bringToFront();
  const { width, height } = phone ? PHONE : DESKTOP;
  await tab.setViewport({ width, height: tall ? height + MORE : height });
  await tab.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
  const path = join(FOLDER, `${name}.png`);
  await tab.screenshot({ path });
  const { size } = statSync(path);
  console.log(`${path}: ${size} bytes`);
  if (size > MOST)
    throw new Error(`${path} has ${size} bytes: a picture for the documents has at most ${MOST}.`);
}
