/** The ways in which a code comes into the page: words that are completed while they are typed, and the camera. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import type { Page } from 'puppeteer-core';
import { encode } from 'uqr';
import { whyNoBrowser } from '../browser/harness/browsers.ts';
import { type MockPage, mockPage } from './mock-page.ts';

const skip = whyNoBrowser('chromium');
const CODE = '7-cross-zoo';

let folder: string;
let site: MockPage;
before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'beeline-scan-'));
  const video = join(folder, 'camera.y4m');
  // Of codes one after the other, the first is none of Beeline, and the second is one for another server.
  writeFileSync(video, camera(['https://example.com/', `https://other.example/#${CODE}`, `#${CODE}`]));
  site = await mockPage([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-video-capture=${video}`,
  ]);
});
after(async () => {
  await site?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** A video in which a camera sees each QR code for a second, as YUV4MPEG2. */
function camera(texts: readonly string[]): Buffer {
  const [width, height] = [640, 480];
  const parts = [Buffer.from(`YUV4MPEG2 W${width} H${height} F5:1 Ip A1:1 C420jpeg\n`)];
  for (const text of texts) {
    const { data, size } = encode(text, { border: 4 });
    const unit = Math.floor((height * 0.8) / size);
    const luma = Buffer.alloc(width * height, 160);
    const [left, top] = [(width - size * unit) >> 1, (height - size * unit) >> 1];
    for (let y = 0; y < size * unit; y++)
      for (let x = 0; x < size * unit; x++)
        luma[(top + y) * width + left + x] = data[Math.floor(y / unit)]![Math.floor(x / unit)] ? 20 : 235;
    const frame = [Buffer.from('FRAME\n'), luma, Buffer.alloc((width * height) / 2, 128)];
    for (let each = 0; each < 5; each++) parts.push(...frame);
  }
  return Buffer.concat(parts);
}

const field = '#code-to-receive';
const value = (page: Page) => page.$eval(field, (input) => (input as HTMLInputElement).value);
const options = (page: Page) =>
  page.$$eval('[role=option]', (all) => all.map(({ textContent }) => textContent));
const press = (page: Page, name: string) =>
  page.locator(`::-p-aria([name="${name}"][role="button"])`).setTimeout(30_000).click();

test('words of codes are offered while they are typed, and taken by key', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.type(field, '7-cro');
  await page.waitForSelector('[role=option]');
  assert.deepEqual(await options(page), ['crop', 'cross', 'crouch', 'crowd']);
  assert.equal(await page.$eval(field, (input) => input.getAttribute('aria-expanded')), 'true');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  const active = await page.$eval(field, (input) => input.getAttribute('aria-activedescendant'));
  assert.equal(await page.$eval(`#${active}`, (option) => option.textContent), 'cross');
  await page.keyboard.press('Enter');
  assert.equal(await value(page), '7-cross');
  assert.equal(await page.evaluate('mock.given'), undefined, 'a word is chosen, and nothing is tried');
  await page.type(field, '-zo');
  await page.waitForSelector('[role=option]');
  await page.keyboard.press('Escape');
  assert.deepEqual(await options(page), []);
  await page.type(field, 'o');
  await page.keyboard.press('Enter');
  await page.waitForFunction(`globalThis.mock.given?.code === '${CODE}'`);
  assert.deepEqual(errors, []);
  await page.close({ runBeforeUnload: false });
});

test('a mistyped word is corrected, and taken by pointer', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.type(field, '7-alpah');
  await page.waitForSelector('[role=option]');
  assert.deepEqual(await options(page), ['alpha']);
  await page.click('[role=option]');
  assert.equal(await value(page), '7-alpha');
  assert.deepEqual(await options(page), []);
  assert.equal(await page.evaluate('document.activeElement.id'), field.slice(1));
  assert.deepEqual(errors, []);
  await page.close();
});

/** Scans what the camera shows, with what the browser has for it. */
async function scanned(page: Page): Promise<void> {
  await press(page, 'Scan');
  await page.waitForFunction(
    (field) => (document.querySelector(field) as HTMLInputElement).value !== '',
    {},
    field,
  );
  assert.equal(await value(page), CODE);
  assert.equal(await page.$('dialog'), null);
  assert.equal(await page.evaluate('mock.given'), undefined, 'nothing is tried before the person says so');
}

test('the camera reads a code, and goes on past one that is none, or of another server', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  await scanned(page);
  assert.deepEqual(errors, []);
  await page.close();
});

test('a browser that reads codes itself is asked to', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.evaluate((text) => {
    class BarcodeDetector {
      static getSupportedFormats = async () => ['qr_code'];
      detect = async () => [{ rawValue: text }];
    }
    Object.assign(globalThis, { BarcodeDetector });
  }, `${site.origin}/#${CODE}`);
  await scanned(page);
  const fetched = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
  assert.ok(!fetched.some((name) => name.includes('decode')), 'no decoder is loaded');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a camera that may not be used is told, and Escape closes', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('No.', 'NotAllowedError'));
  });
  await press(page, 'Scan');
  await page.waitForFunction(() =>
    /may not use the camera/.test(document.querySelector('dialog')?.textContent ?? ''),
  );
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelector('dialog') === null);
  assert.deepEqual(errors, []);
  await page.close();
});

test('the camera is let go of when the dialog is closed', { skip }, async () => {
  const { page } = await site.open();
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const ask = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      Object.assign(globalThis, { tracks: stream.getTracks() });
      return stream;
    };
    class BarcodeDetector {
      static getSupportedFormats = async () => ['qr_code'];
      detect = async () => [];
    }
    Object.assign(globalThis, { BarcodeDetector });
  });
  await press(page, 'Scan');
  await page.waitForFunction('globalThis.tracks?.length === 1');
  await press(page, 'Cancel');
  await page.waitForFunction("globalThis.tracks[0].readyState === 'ended'");
  await page.close();
});
