/** The page from right to left, as a language that reads so would have it: mirrored, whole on a phone, and codes still as they are typed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Page } from 'puppeteer-core';
import { whyNoBrowser } from '../browser/harness/browsers.ts';
import { mockPage, play } from './mock-page.ts';

const skip = whyNoBrowser('chromium');
const T = 'mock.transfer';
const CODE = '7-velvet-canyon';
const PRINT = '3fa91c07d2e46b85'.repeat(4);
const PEER = `{ event: 'peer', fingerprint: '${PRINT}', agent: 'beeline/0.1.0 (Chrome on Android)' }`;
const MANIFEST =
  "{ event: 'manifest', kind: 'files', files: 3, folders: 1, links: 0, bytes: 1e9, chunkSize: 1 }";
const OFFER = `{ files: 3, folders: 1, links: 0, bytes: 1e9, kind: 'files', update: false, names: ['photos/', 'a.txt'],
  tops: 2, sizes: [9e8, 1e8], peer: { fingerprint: '${PRINT}' } }`;
const PROGRESS =
  "{ event: 'progress', bytes: 42e7, total: 1e9, rate: 2e7, eta: 29, files: 1, by: { webrtc: 2e7 }, file: 'photos/1.jpg' }";

const press = (page: Page, name: string) =>
  page.locator(`::-p-aria([name="${name}"][role="button"])`).setTimeout(30_000).click();

/** Where the middles of these are, from the left. */
const middles = (page: Page, ...selectors: string[]) =>
  page.evaluate(
    (all) =>
      all.map((selector) => {
        const { left, right } = document.querySelector(selector)!.getBoundingClientRect();
        return (left + right) / 2;
      }),
    selectors,
  );

async function sound(page: Page, what: string): Promise<void> {
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const out = [...document.querySelectorAll('main *')].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width > 1 && (left < -1 || right > innerWidth + 1) && !element.closest('.unseen');
    });
    return [
      ...(scrollWidth > clientWidth ? [`${scrollWidth} of ${clientWidth}`] : []),
      ...out.map(({ outerHTML }) => outerHTML.slice(0, 120)),
    ];
  });
  assert.deepEqual(wide, [], what);
  const [mark, brand] = await middles(page, 'header .mark', 'header .brand');
  assert.ok(mark! > brand!, `${what}: the brand stands left of its mark`);
}

test('from right to left every main state is mirrored and fits on a phone', { skip }, async () => {
  const site = await mockPage();
  try {
    const { page, errors } = await site.open();
    await page.setViewport({ width: 390, height: 844 });
    await page.evaluate("document.documentElement.dir = 'rtl'");
    await play(page, "mock.know({ name: 'Anna', kind: 'phone' })");
    await page.waitForSelector('.tile');
    await sound(page, 'home');
    const [disc, name] = await middles(page, '.tile .disc', '.tile .words');
    assert.ok(disc! > name!, 'the picture of a tile comes first');

    await page.locator('#tab-text').click();
    await page.locator('#text-to-send').fill('hello');
    await press(page, 'Send text');
    await play(page, `(${T}.move('connecting'), ${T}.emit(${MANIFEST}, { event: 'code', code: '${CODE}' }))`);
    await page.waitForSelector('#code');
    await sound(page, 'waiting');
    const directions = await page.evaluate(() =>
      [...document.querySelectorAll('#code, code')].map((element) => getComputedStyle(element).direction),
    );
    assert.ok(directions.length > 0);
    assert.deepEqual([...new Set(directions)], ['ltr'], 'a code is read as it is typed');
    await press(page, 'Cancel');
    await page.locator('#again, ::-p-aria([name="Back"][role="button"])').click();

    await page.locator('#code-to-receive').fill(CODE);
    assert.equal(await page.$eval('#code-to-receive', (field) => getComputedStyle(field).direction), 'ltr');
    await press(page, 'Receive');
    await play(page, `(${T}.move('connecting'), ${T}.emit(${PEER}))`);
    await play(page, `(${T}.move('transferring'), ${T}.emit(${MANIFEST}), mock.accept(${OFFER}), 0)`);
    await page.waitForSelector('[data-screen="offer"]');
    await sound(page, 'offer');
    await press(page, 'Receive');
    await play(page, `${T}.emit(${PROGRESS})`);
    await page.waitForSelector('[data-screen="running"]');
    await sound(page, 'running');
    // What comes in moves towards this device, which is the last of the line.
    const [there, here] = await middles(page, '.line .end', '.line .here');
    assert.ok(there! > here!, 'the line runs from right to left');
    assert.deepEqual(errors, []);
  } finally {
    await site.close();
  }
});
