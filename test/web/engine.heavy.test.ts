/** The first picture stands and takes what a person does while the rest of the page is still on its way, or does not come. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { HTTPRequest, Page } from 'puppeteer-core';
import { whyNoBrowser } from '../browser/harness/browsers.ts';
import { type MockPage, mockPage, state } from './mock-page.ts';

const skip = whyNoBrowser('chromium');

let site: MockPage;
before(async () => {
  if (!skip) site = await mockPage();
});
after(() => site?.close());

/** A tab that asks `each` what becomes of a request for the engine. */
async function held(each: (request: HTTPRequest) => void, path = ''): Promise<Page> {
  const page = await site.browser.newPage();
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    if (/\/assets\/mock-browser-[\w-]+\.js$/.test(request.url())) each(request);
    else void request.continue();
  });
  await page.goto(site.origin + path);
  await page.waitForSelector('main');
  return page;
}

const press = (page: Page, name: string) =>
  page.locator(`::-p-aria([name="${name}"][role="button"])`).setTimeout(30_000).click();

/** A tab in which something was asked for, and the request for the engine that is held up. */
async function pressed(): Promise<{ page: Page; request: HTTPRequest }> {
  let came!: (request: HTTPRequest) => void;
  const coming = new Promise<HTTPRequest>((resolve) => {
    came = resolve;
  });
  const page = await held(came);
  const request = await coming;
  await page.locator('#tab-text').click();
  await page.locator('#text-to-send').fill('hello');
  await press(page, 'Send text');
  await page.waitForSelector('main[data-state=connecting]');
  assert.equal(await page.evaluate('typeof mock'), 'undefined');
  return { page, request };
}

test('what was asked for before the engine has come begins as soon as it is there', { skip }, async () => {
  const { page, request } = await pressed();
  await request.continue();
  await page.waitForFunction("globalThis.mock?.given?.text === 'hello'");
  await page.close();
});

test('what was cancelled before the engine has come does not begin', { skip }, async () => {
  const { page, request } = await pressed();
  await press(page, 'Cancel');
  await state(page, 'home');
  await request.continue();
  await page.waitForFunction('globalThis.mock !== undefined');
  assert.equal(await page.evaluate('mock.given'), undefined);
  await state(page, 'home');
  await page.close();
});

const CODE = '7-velvet-canyon';

/** A tab whose request for the engine is held up. */
async function waits(path?: string): Promise<{ page: Page; come: () => Promise<void> }> {
  let came!: (request: HTTPRequest) => void;
  const coming = new Promise<HTTPRequest>((resolve) => {
    came = resolve;
  });
  const page = await held(came, path);
  const request = await coming;
  const come = async () => {
    await request.continue();
    await page.waitForFunction('globalThis.mock !== undefined');
    // What waited for it has been told, and what follows was drawn.
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
  };
  return { page, come };
}

test('a code that is pressed twice before the engine has come is tried once', { skip }, async () => {
  const { page, come } = await waits();
  await page.locator('#code-to-receive').fill(CODE);
  await page.focus('#code-to-receive');
  await page.keyboard.press('Enter');
  await page.waitForSelector('button[type=submit][aria-busy=true]');
  await page.keyboard.press('Enter');
  await come();
  await page.waitForFunction(`globalThis.mock.given?.code === '${CODE}'`);
  assert.equal(await page.evaluate('mock.begun'), 1);
  await page.close();
});

test('a code that is changed before the engine has come is not tried', { skip }, async () => {
  const { page, come } = await waits();
  await page.locator('#code-to-receive').fill(CODE);
  await page.focus('#code-to-receive');
  await page.keyboard.press('Enter');
  await page.waitForSelector('button[type=submit][aria-busy=true]');
  await page.type('#code-to-receive', 's');
  await page.waitForSelector('button[type=submit]:not([aria-busy=true])');
  await come();
  await state(page, 'home');
  assert.equal(await page.evaluate('mock.begun'), 0);
  await page.close();
});

test('a link that is left before the engine has come is not tried, nor the one before another', {
  skip,
}, async () => {
  const { page, come } = await waits(`/#${CODE}`);
  await press(page, 'See what it is');
  await page.waitForSelector('button[aria-busy=true]');
  await page.evaluate("location.hash = '#9-other-orbit'");
  await page.waitForSelector('.linked button:not([aria-busy=true])');
  await press(page, 'See what it is');
  await page.waitForSelector('button[aria-busy=true]');
  await press(page, 'Not this one');
  await page.waitForSelector('#code-to-receive');
  await come();
  await state(page, 'home');
  assert.equal(await page.evaluate('mock.begun'), 0);
  await page.close();
});

test('an engine that did not come is asked for again, and the person is told if it does not come then', {
  skip,
}, async () => {
  let lost = 2;
  const page = await held((request) => {
    if (lost-- > 0) void request.abort();
    else void request.continue();
  });
  // A gesture asks again too, so whether one press is enough depends on the moment.
  for (let tries = 0; tries < 4 && lost >= 0; tries++) {
    await page.locator('#tab-text').click();
    await page.locator('#text-to-send').fill('hello');
    await press(page, 'Send text');
    await page.waitForFunction("document.querySelector('[role=alert]') || globalThis.mock?.given");
  }
  await page.waitForFunction("globalThis.mock?.given?.text === 'hello'");
  await page.close();
});
