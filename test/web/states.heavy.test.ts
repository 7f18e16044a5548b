/** Every state of the page, in Chromium, on a mock of the other side: names of controls, focus, reflow, contrast, policy. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test, { after, before } from 'node:test';
import type { Page } from 'puppeteer-core';
import { whyNoBrowser } from '../browser/harness/browsers.ts';
import { type MockPage, mockPage, play, state, whole } from './mock-page.ts';

const skip = whyNoBrowser('chromium');
const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');
const CODE = '7-velvet-canyon';
const ROOT = '9f'.repeat(32);
const T = 'mock.transfer';
const DONE = `{ event: 'done', files: 3, bytes: 1e9, resumed: 3e8, seconds: 20, root: '${ROOT}' }`;
const HOSTILE = '<img src=x onerror=alert(1)>\u202egpj.exe';
const OFFER = `{ files: 3, folders: 1, links: 0, bytes: 1e9, kind: 'files', update: false,
  names: ['photos/', ${JSON.stringify(HOSTILE)}], tops: 2, sizes: [9e8, 1e8], peer: { fingerprint: '${'ab12'.repeat(16)}' } }`;
const PROGRESS = `{ event: 'progress', bytes: 42e7, total: 1e9, rate: 2e7, eta: 29, files: 1, by: { webrtc: 2e7 },
  file: ${JSON.stringify(`photos/${HOSTILE}`)} }`;
const MANIFEST =
  "{ event: 'manifest', kind: 'files', files: 3, folders: 1, links: 0, bytes: 1e9, chunkSize: 1 }";
const PEER = `{ event: 'peer', fingerprint: '${'ab12'.repeat(16)}', agent: 'beeline/0.1.0 (Firefox on Windows)' }`;

let site: MockPage;
before(async () => {
  // A name that is not this machine's own: what comes from there over plain HTTP is insecure.
  if (!skip) site = await mockPage(['--host-resolver-rules=MAP beeline.test 127.0.0.1']);
});
after(() => site?.close());

const press = (page: Page, name: string) =>
  page.locator(`::-p-aria([name="${name}"][role="button"])`).setTimeout(30_000).click();
const text = (page: Page, selector: string) => page.$eval(selector, (element) => element.textContent?.trim());
const focused = (page: Page) => page.evaluate('document.activeElement.textContent') as Promise<string>;
/** From the end of a transfer. */
const home = (page: Page) => page.locator('#again').setTimeout(30_000).click();
const has = async (page: Page, name: string) =>
  (await page.$(`::-p-aria([name="${name}"][role="button"])`)) !== null;

async function send(page: Page): Promise<void> {
  await type(page, 'hello');
  await press(page, 'Send text');
  await play(page, `(${T}.move('connecting'), ${T}.emit(${MANIFEST}, { event: 'code', code: '${CODE}' }))`);
}

/** Into the field of a text that is to be sent. */
async function type(page: Page, words: string): Promise<void> {
  await page.locator('#tab-text').click();
  await page.locator('::-p-aria([name="Text to send"][role="textbox"])').fill(words);
}

async function receive(page: Page): Promise<void> {
  await page.locator('::-p-aria([name="Code"][role="combobox"])').fill(CODE);
  await press(page, 'Receive');
  await play(page, `${T}.move('connecting')`);
}

async function run(page: Page): Promise<void> {
  await receive(page);
  await play(page, `(${T}.emit(${PEER}), ${T}.move('transferring'), ${T}.emit(${MANIFEST}, ${PROGRESS}))`);
}

/** No rule of WCAG 2.2 A and AA broken, in both palettes; nothing to scroll sideways at 320 pixels (400 % of 1280). */
async function sound(page: Page, what: string): Promise<void> {
  await page.evaluate(AXE);
  for (const value of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
    const found = (await page.evaluate(
      `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html)))`,
    )) as string[];
    assert.deepEqual(found, [], `${what}, ${value}`);
  }
  await page.setViewport({ width: 320, height: 600 });
  const wide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
  assert.equal(wide, false, `${what} at 320 pixels`);
  const small = (await page.evaluate(
    `[...document.querySelectorAll('button, input:not([hidden]), select, textarea')].filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return width < 44 || height < 44;
    }).map(({ outerHTML }) => outerHTML)`,
  )) as string[];
  assert.deepEqual(small, [], `${what}: to be touched`);
  await page.setViewport({ width: 1000, height: 800 });
}

test('home has its controls, and says what is wrong with a code', { skip }, async () => {
  const { page, errors } = await site.open();
  await state(page, 'home');
  for (const name of ['Choose files', 'Choose a folder', 'Receive']) assert.ok(await has(page, name), name);
  assert.equal(await text(page, 'h1'), 'Straight from one device to another');
  await page.focus('#tab-files');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate('document.activeElement.id'), 'tab-text');
  assert.ok(await has(page, 'Send text'));
  await sound(page, 'home, a text');
  await press(page, 'Send text');
  assert.match((await text(page, '#text-problem'))!, /Type or paste a text/);
  await page.keyboard.press('Tab');
  await page.locator('#tab-files').click();
  await press(page, 'Receive');
  assert.match((await text(page, '#code-problem'))!, /Type or paste/);
  await sound(page, 'home');
  const code = () => page.$eval('#code-to-receive', (field) => (field as HTMLInputElement).value);
  const there = `https://beeline.example/#${CODE}`;
  await page.locator('#code-to-receive').fill(there);
  assert.equal(await code(), there);
  for (const pressed of [false, true]) {
    if (pressed) await press(page, 'Receive');
    assert.match((await text(page, '#code-problem'))!, /one of beeline\.example/);
  }
  assert.equal(await page.evaluate(`${T}`), undefined, 'a code of another server is not tried');
  await page.locator('#code-to-receive').fill(`${site.origin}/#${CODE}`);
  assert.equal(await code(), CODE);
  assert.equal(await text(page, '#code-problem'), '');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a code that looks mistyped is asked about before anything is tried', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.locator('#code-to-receive').fill('7 alpah zoo.');
  await press(page, 'Receive');
  assert.match(
    (await text(page, '#code-problem'))!,
    /'alpah' is not a word of a code. Did you mean 'alpha'\?/,
  );
  assert.equal(await page.evaluate(`${T}`), undefined, 'nothing began');
  await sound(page, 'question');
  await press(page, 'Use 7-alpha-zoo');
  await press(page, 'Receive');
  await play(page, `${T}.move('connecting')`);
  assert.equal(await page.evaluate('location.hash'), '#7-alpha-zoo');
  assert.deepEqual(errors, []);
  await page.close();
});

test('Send and Receive are both seen on a phone, and side by side on a desktop', { skip }, async () => {
  const { page } = await site.open();
  const boxes = async (width: number, height: number) => {
    await page.setViewport({ width, height });
    return (await page.$$eval('.send, .receive', (cards) =>
      cards.map((card) => {
        const { left, right, top, bottom } = card.getBoundingClientRect();
        return { left, right, top, bottom };
      }),
    )) as { left: number; right: number; top: number; bottom: number }[];
  };
  const [above, below] = await boxes(390, 844);
  assert.ok(above!.bottom <= below!.top && below!.bottom <= 844, `Receive ends at ${below!.bottom}`);
  const [left, right] = await boxes(1280, 800);
  assert.ok(left!.right <= right!.left && left!.top === right!.top && right!.bottom <= 800);
  await page.close();
});

test('a link has one thing to press, and nothing begins before that', { skip }, async () => {
  const { page, errors } = await site.open(`/#${CODE}`);
  assert.equal(await text(page, 'h1'), 'Somebody wants to send you something');
  assert.match((await text(page, '#link-code'))!, new RegExp(CODE));
  assert.equal(await page.$('#code-to-receive'), null);
  assert.equal(await page.evaluate(`${T}`), undefined);
  await sound(page, 'a link');
  await page.evaluate("location.hash = '#9-other-orbit'");
  await play(page, '0');
  assert.match((await text(page, '#link-code'))!, /9-other-orbit/);
  await page.evaluate("location.hash = '#nonsense'");
  await play(page, '0');
  assert.match((await text(page, '#code-problem'))!, /not complete/);
  await page.evaluate("location.hash = '#7-alpah-zoo'");
  await play(page, '0');
  await press(page, 'See what it is');
  assert.match((await text(page, '#code-problem'))!, /Did you mean 'alpha'/);
  assert.equal(await page.evaluate(`${T}`), undefined, 'nothing began');
  await page.evaluate(`location.hash = '#${CODE}'`);
  await play(page, '0');
  await press(page, 'Not this one');
  assert.equal(await page.$eval('#code-to-receive', (field) => (field as HTMLInputElement).value), CODE);
  await page.evaluate("location.hash = '#9-other-orbit'");
  await play(page, '0');
  await press(page, 'See what it is');
  await play(page, `${T}.move('connecting')`);
  await state(page, 'connecting');
  assert.deepEqual(errors, []);
  await page.close();
});

/** A page that shows itself, and hears of others. */
async function nearby(page: Page, ...names: string[]): Promise<void> {
  await page.waitForSelector('#near');
  await press(page, 'Show this device');
  await page.waitForFunction('mock.near !== undefined');
  await tellNear(page, ...names);
}

/** Who is near from now on. */
const tellNear = (page: Page, ...names: string[]) =>
  play(page, `mock.near.nearby(${JSON.stringify(names.map((name, at) => ({ id: `${at}`, name })))})`);
const callFrom = (page: Page, id: string, name: string, nameplate = '7') =>
  play(page, `mock.near.called(${JSON.stringify({ id, name })}, '${nameplate}')`);
const nearSaid = (page: Page) => play<string[]>(page, 'mock.nearSaid.splice(0)');

test('devices nearby are shown only once this one is, and are marked as not known', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.waitForSelector('#near');
  assert.equal(await page.evaluate('mock.near'), undefined, 'nothing is shown before it is asked for');
  await sound(page, 'home, nothing shown');
  await page.locator('#near-name').fill('  Anna\u202e’s desk ');
  await nearby(page);
  assert.deepEqual(await nearSaid(page), ['Anna ’s desk']);
  assert.match((await text(page, 'main'))!, /No other device shows itself here yet/);
  await tellNear(page, 'Ben', HOSTILE);
  assert.equal((await page.$$('.tile.near')).length, 2);
  assert.match((await text(page, '.tile.near'))!, /Ben.*nearby, not known/);
  assert.match((await text(page, '.tiles'))!, /onerror=alert\(1\)>\\u\{202e\}gpj/, 'as text, and visible');
  await sound(page, 'home, devices nearby');
  await play(page, 'mock.near.nearby(undefined)');
  assert.equal((await page.$$('.tile.near')).length, 0);
  await page.reload();
  await whole(page);
  await page.waitForFunction('mock.near !== undefined');
  assert.deepEqual(await nearSaid(page), ['Anna ’s desk'], 'a reload is the same visit');
  await play(page, "mock.near.refused({ code: 'CROWDED' })");
  assert.match((await text(page, 'main'))!, /Too many devices/);
  await play(page, "dispatchEvent(new Event('focus'))");
  await page.waitForFunction('mock.near !== undefined');
  await play(page, "mock.near.refused({ code: 'REFUSED' })");
  assert.match((await text(page, 'main'))!, /does not say who is nearby/);
  const { page: later } = await site.open();
  await later.waitForSelector('#near');
  assert.equal(await later.evaluate('mock.near'), undefined, 'a yes does not hold for another visit');
  await nearby(later);
  assert.deepEqual(await nearSaid(later), ['Anna ’s desk'], 'the name is known there');
  await later.close();
  await press(page, 'Stop showing it');
  await page.reload();
  await whole(page);
  await page.waitForSelector('#near');
  assert.equal(await page.evaluate('mock.near'), undefined);
  assert.deepEqual(errors, []);
  await page.close();
});

test('one tab of a browser shows it, the one that was looked at last', { skip }, async () => {
  const { page: first } = await site.open();
  await nearby(first);
  const { page: second } = await site.open();
  await nearby(second);
  // A tab in the background draws no frames, at which it would be looked at otherwise.
  const polling = { polling: 50 };
  await first.waitForFunction("document.querySelector('main').textContent.includes('Another tab')", polling);
  assert.equal(await first.evaluate('mock.near'), undefined);
  await first.bringToFront();
  await first.waitForFunction('mock.near !== undefined', polling);
  await second.waitForFunction('mock.near === undefined', polling);
  await press(first, 'Stop showing it');
  for (const page of [first, second]) await page.close();
});

test('what goes to a device nearby has a code whose words are typed there, and calls it until somebody has come', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  await nearby(page, 'Ben');
  await nearSaid(page);
  await type(page, 'hello');
  await press(page, 'Send to Ben, nearby, not known');
  await play(page, `(${T}.move('connecting'), ${T}.emit(${MANIFEST}, { event: 'code', code: '${CODE}' }))`);
  await state(page, 'waiting');
  assert.deepEqual(await play(page, 'mock.options.receivers'), 1);
  assert.match((await text(page, '.lead'))!, /On Ben, type the words of this code/);
  assert.equal(await text(page, '#code'), CODE);
  assert.deepEqual(await nearSaid(page), ['0 7']);
  await sound(page, 'waiting for a device nearby');
  // Another tab shows this device for a while.
  await page.evaluate(
    "void navigator.locks.request('beeline-near', { steal: true }, () => new Promise(() => {})).catch(() => {})",
  );
  await page.waitForFunction('mock.near === undefined');
  await page.bringToFront();
  await play(page, "dispatchEvent(new Event('focus'))");
  await page.waitForFunction('mock.nearSaid.length === 2');
  assert.equal((await nearSaid(page))[1], '0 7', 'it is called again');
  await tellNear(page, 'Ben');
  await play(page, `${T}.move('authenticating')`);
  assert.deepEqual(await nearSaid(page), ['0 no more']);
  await play(
    page,
    `(${T}.emit({ ...${PEER}, key: 'bl1key' }), ${T}.move('transferring'), ${T}.finish(${DONE}))`,
  );
  await page.waitForSelector('#remember-name');
  assert.equal(await page.$eval('#remember-name', (field) => (field as HTMLInputElement).value), 'Ben');
  await home(page);
  // Left before anybody came.
  await type(page, 'hello');
  await press(page, 'Send to Ben, nearby, not known');
  await play(
    page,
    `(${T}.move('connecting'), ${T}.emit(${MANIFEST}, { event: 'code', code: '9-other-orbit' }))`,
  );
  await press(page, 'Cancel');
  assert.deepEqual(await nearSaid(page), ['0 9', '0 no more']);
  await press(page, 'Back');
  await press(page, 'Stop showing it');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a call from nearby asks for the words of its screen, and never stands over what is done here', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  await nearby(page, 'Ben', HOSTILE);
  await callFrom(page, '1', HOSTILE);
  assert.match(
    (await text(page, '.nearcall'))!,
    /calls itself “<img src=x onerror=alert\(1\)>\\u\{202e\}gpj.exe”/,
  );
  assert.equal(await page.$('.nearcall img'), null);
  await sound(page, 'a call from nearby');
  await press(page, 'Not now');
  assert.equal(await page.$('.nearcall'), null);
  await callFrom(page, '1', HOSTILE);
  assert.equal(await page.$('.nearcall'), null, 'that one is not heard of again');
  await run(page);
  await callFrom(page, '0', 'Ben');
  assert.equal(await page.$('.nearcall'), null, 'while something runs');
  await play(page, `${T}.finish(${DONE})`);
  await page.waitForSelector('.nearcall');
  await play(page, "mock.near.called({ id: '0', name: 'Ben' }, undefined)");
  assert.equal(await page.$('.nearcall'), null, 'it does not send any more');
  await home(page);
  await callFrom(page, '0', 'Ben');
  const card = '.nearcall button[type=submit]';
  await page.locator(card).click();
  assert.match((await text(page, '#near-problem'))!, /Type the words/);
  await page.locator('#near-words').fill('alpah-zoo');
  await page.locator(card).click();
  assert.match((await text(page, '#near-problem'))!, /Did you mean 'alpha'/);
  const begun = await play<number>(page, 'mock.begun');
  // The whole code is right too, and words are completed.
  await page.locator('#near-words').fill('');
  await page.type('#near-words', '7 alpha zo');
  await page.waitForSelector('.nearcall [role=option]');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.locator(card).click();
  assert.deepEqual(await play(page, '[mock.given, mock.begun]'), [{ code: '7-alpha-zone' }, begun + 1]);
  assert.equal(await page.$('.nearcall'), null);
  await play(page, `${T}.fail('WRONG_CODE', 'x')`);
  await press(page, 'Back');
  await callFrom(page, '0', 'Ben');
  await tellNear(page, 'Carl');
  await play(page, "mock.near.nearby([{ id: '5', name: 'Eve' }])");
  assert.equal(await page.$('.nearcall'), null, 'who is gone does not call');
  for (const id of ['5', '6']) {
    await callFrom(page, id, 'Eve');
    await press(page, 'Not now');
  }
  await page.waitForFunction('mock.near === undefined');
  assert.ok(await has(page, 'Show this device'), 'who says no three times is shown no more');
  assert.deepEqual(errors, []);
  await page.close();
});

test('what is chosen can go to a device nearby', { skip }, async () => {
  const { page, errors } = await site.open();
  await nearby(page, 'Ben');
  const [chooser] = await Promise.all([
    page.waitForFileChooser(),
    press(page, 'Send to Ben, nearby, not known'),
  ]);
  await chooser.accept(['README.md']);
  await page.waitForSelector('#staged');
  assert.match((await text(page, 'main'))!, /It goes to Ben, where words are typed/);
  await sound(page, 'staging for a device nearby');
  await press(page, 'Somebody else');
  await sound(page, 'staging with devices nearby');
  await press(page, 'Send to Ben, nearby, not known');
  await play(page, `(${T}.move('connecting'), ${T}.emit(${MANIFEST}, { event: 'code', code: '${CODE}' }))`);
  assert.match((await text(page, '.lead'))!, /On Ben/);
  await press(page, 'Cancel');
  await press(page, 'Back');
  await press(page, 'Stop showing it');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a sender shows code, link and QR code, then how far it is', { skip }, async () => {
  const { page, errors } = await site.open();
  await send(page);
  await state(page, 'waiting');
  assert.equal(await focused(page), 'Ready to send');
  assert.equal(await text(page, '#code'), CODE);
  assert.equal(await text(page, '.sent-text'), 'hello', 'what waits stays in view');
  assert.equal(
    await page.$eval('#link', (link) => (link as HTMLAnchorElement).href),
    `${site.origin}/#${CODE}`,
  );
  assert.equal(await text(page, '#qr title'), 'QR code of the link');
  await sound(page, 'waiting');
  await play(page, `${T}.move('authenticating')`);
  await state(page, 'authenticating');
  await play(page, `(${T}.move('transferring'), ${T}.emit(${PEER}))`);
  await state(page, 'transferring');
  assert.match((await text(page, 'main'))!, /Waiting for the other side to say yes/);
  await play(page, `${T}.finish(${DONE})`);
  await state(page, 'completed');
  assert.equal(await text(page, '#root'), ROOT);
  assert.equal(await has(page, 'Save'), false);
  await home(page);
  await state(page, 'home');
  assert.deepEqual(errors, []);
  await page.close();
});

test('an offer is asked about, with its names as text', { skip }, async () => {
  const { page, errors } = await site.open();
  await receive(page);
  await sound(page, 'connecting');
  await play(page, `(${T}.emit(${PEER}), ${T}.move('transferring'), mock.accept(${OFFER}), 0)`);
  await state(page, 'offer');
  assert.match((await text(page, '#offer-names'))!, /<img src=x onerror=alert\(1\)>\\u\{202e\}gpj\.exe/);
  assert.match((await text(page, '#offer-names'))!, /photos\/.*900 MB/);
  assert.match((await text(page, '.line'))!, /Firefox on Windows/);
  await page.setViewport({ width: 390, height: 600 });
  const seen = await page.$$eval('.dock button', (buttons) =>
    buttons.every((button) => button.getBoundingClientRect().bottom <= innerHeight),
  );
  assert.ok(seen, 'what to press is in view');
  assert.equal(await page.$('#offer-names img'), null);
  assert.equal(await page.$('.rest'), null);
  await sound(page, 'offer');
  await play(page, `(mock.accept({ ...${OFFER}, tops: 25 }), 0)`);
  assert.equal(await text(page, '.rest'), 'and 23 more');
  await press(page, 'Decline');
  assert.equal(await play(page, 'mock.answer'), false);
  await play(page, `${T}.fail('REFUSED', 'Declined here. Nothing was written.')`);
  await state(page, 'failed');
  assert.equal(await text(page, 'h1'), 'Declined');
  assert.match((await text(page, '[role=alert]'))!, /ask the sender for a new code/);
  assert.equal(await page.evaluate('location.hash'), '');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a yes is for the storage of the browser, or a download where there is none', { skip }, async () => {
  const { page } = await site.open();
  for (const [opfs, store] of [
    [true, 'kept'],
    [false, 'stream'],
  ] as const) {
    await play(page, `mock.abilities.opfs = ${opfs}`);
    await receive(page);
    await play(page, `(${T}.move('transferring'), mock.accept(${OFFER}), 0)`);
    await press(page, 'Receive');
    assert.equal(await play(page, 'mock.answer'), store);
    assert.equal(await page.evaluate('location.hash'), `#${CODE}`);
    await play(page, `${T}.finish(${DONE})`);
    assert.equal(await page.evaluate('location.hash'), '');
    await home(page);
  }
  await page.close();
});

test('progress, pause and cancel, from either side', { skip }, async () => {
  const { page, errors } = await site.open();
  await run(page);
  await state(page, 'transferring');
  assert.equal(await page.$eval('#progress', (bar) => (bar as HTMLProgressElement).position), 0.42);
  assert.match((await text(page, '#file'))!, /1 of 3 files done/);
  assert.equal(await text(page, '#rate'), '20.0 MB/s');
  assert.equal(await text(page, '#left'), '30 sec left');
  assert.equal(await text(page, '#badge'), 'Direct');
  assert.equal(
    await page.$eval('#progress', (bar) => bar.getAttribute('aria-valuetext')),
    '42 percent, 20.0 MB/s, 29 seconds left',
  );
  assert.equal(await text(page, '#path'), 'direct, WebRTC');
  assert.equal(await text(page, '#peer'), 'Firefox on Windows (ab12 ab12 ab12 ab12)');
  assert.equal(await page.title(), '42% · Receiving · Beeline');
  await sound(page, 'transferring');
  await play(page, `${T}.emit({ ...${PROGRESS}, silent: 5 })`);
  assert.deepEqual([await text(page, '#rate'), await text(page, '#left')], ['No answer for 5 seconds', '']);
  await play(page, `${T}.emit(${PROGRESS})`);
  assert.equal(await text(page, '#rate'), '20.0 MB/s');
  assert.match((await text(page, '.unseen[role=status]'))!, /25 percent done/);
  await press(page, 'Pause');
  await state(page, 'paused');
  // What was under way still comes.
  await play(page, `${T}.emit(${PROGRESS})`);
  assert.deepEqual([await text(page, '#rate'), await text(page, '#left')], ['', '']);
  // The keyboard stays where it was.
  assert.equal(await focused(page), 'Resume');
  assert.match((await text(page, '.unseen[role=status]'))!, /You paused/);
  await sound(page, 'paused');
  await press(page, 'Resume');
  await play(page, `${T}.move('paused', 'peer')`);
  assert.match((await text(page, '.unseen[role=status]'))!, /The other side paused/);
  await play(page, `(${T}.move('transferring', 'peer'), ${T}.move('connecting'))`);
  await state(page, 'connecting');
  assert.equal(await text(page, 'h1'), 'Connecting again');
  await play(page, `${T}.fail('CANCELLED', 'The other side cancelled.', 'peer')`);
  await state(page, 'cancelled');
  assert.match((await text(page, '[role=alert]'))!, /The other side cancelled/);
  await sound(page, 'cancelled');
  await press(page, 'Back');
  await run(page);
  await press(page, 'Cancel');
  await state(page, 'cancelled');
  assert.match((await text(page, '[role=alert]'))!, /You cancelled/);
  assert.deepEqual(errors, []);
  await page.close();
});

test('a receiver that stops for now is told what is kept, and that nothing went wrong', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  await run(page);
  await press(page, 'Stop for now');
  assert.equal(await page.evaluate('mock.signal.aborted'), true);
  await play(page, `${T}.fail('INTERRUPTED', 'Interrupted here.')`);
  assert.equal(await focused(page), 'Stopped for now');
  const said = await text(page, 'main');
  assert.match(said!, /420 MB of 1\.00 GB/);
  assert.match(said!, /kept in this browser/);
  assert.doesNotMatch(said!, /did not work|Interrupted/);
  assert.equal(await page.evaluate('location.hash'), `#${CODE}`);
  await sound(page, 'stopped');
  assert.deepEqual(errors, []);
  await page.close();
});

test('what was agreed to before is gone on with, and not asked about twice', { skip }, async () => {
  const { page } = await site.open();
  await receive(page);
  await play(page, `(${T}.move('transferring'), mock.accept(${OFFER}), 0)`);
  await press(page, 'Receive');
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await press(page, 'Go on');
  assert.equal(await play(page, `mock.accept(${OFFER})`), 'kept');
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await press(page, 'Go on');
  await play(page, `(${T}.move('transferring'), mock.accept({ ...${OFFER}, bytes: 2e9 }), 0)`);
  await state(page, 'offer');
  await page.close();
});

test('a new tab goes on with the very offer that was agreed to, and asks about any other', {
  skip,
}, async () => {
  const { page: first } = await site.open();
  await receive(first);
  await play(first, `(${T}.move('transferring'), mock.accept(${OFFER}), 0)`);
  await press(first, 'Receive');
  await play(first, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  const stored = String(await first.evaluate("localStorage.getItem('beeline-accepted')"));
  assert.match(stored, /^[0-9a-f]{32}$/, 'neither a name nor the code is stored');
  await first.close();
  const others = [
    `mock.accept({ ...${OFFER}, peer: { fingerprint: '${'cd'.repeat(32)}' } })`,
    `mock.accept({ ...${OFFER}, names: ['photos/', 'more'], tops: 2 })`,
  ];
  for (const offered of [`mock.accept(${OFFER})`, ...others]) {
    const { page, errors } = await site.open();
    await play(page, "mock.keep('photos', [5e8, 3e8, 2e8], 42e7)");
    await page.evaluate(`location.hash = '#${CODE}'`);
    await press(page, 'Go on');
    if (others.includes(offered)) {
      await play(page, `(${T}.move('transferring'), ${offered}, 0)`);
      await state(page, 'offer');
    } else assert.equal(await play(page, offered), 'kept');
    await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
    assert.deepEqual(errors, []);
    await page.close();
  }
  // Under another code it is another offer.
  const { page } = await site.open();
  await play(page, "mock.keep('photos', [5e8, 3e8, 2e8], 42e7)");
  await page.evaluate("location.hash = '#8-other-orbit'");
  await press(page, 'Go on');
  await play(page, `(${T}.move('transferring'), mock.accept(${OFFER}), 0)`);
  await state(page, 'offer');
  await page.close();
});

test('an error keeps the code that can still be used', { skip }, async () => {
  const { page } = await site.open();
  await receive(page);
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await state(page, 'failed');
  assert.equal(await focused(page), 'No connection to the other side');
  assert.match((await text(page, '[role=alert]'))!, /No connection can be opened\..*firewall/);
  assert.equal(await page.evaluate('location.hash'), `#${CODE}`);
  await sound(page, 'failed');
  await press(page, 'Go on');
  await state(page, 'connecting');
  await play(page, `${T}.fail('NO_PEER', 'Nobody.')`);
  await press(page, 'Back');
  await press(page, 'See what it is');
  await play(page, `${T}.fail('WRONG_CODE', 'The code was wrong.')`);
  assert.equal(await page.evaluate('location.hash'), '');
  assert.equal(await focused(page), 'The code was wrong');
  await press(page, 'Enter another code');
  await state(page, 'home');
  await page.close();
});

test('several files go straight to a folder that is picked with the yes', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.evaluate("showDirectoryPicker = async () => ({ name: 'Pictures' })");
  await receive(page);
  await play(page, `(${T}.move('transferring'), mock.accept({ ...${OFFER}, files: 1, folders: 0 }), 0)`);
  assert.equal(
    await has(page, 'Save to a folder…'),
    false,
    'of one file nothing is there before all of it is',
  );
  await play(page, `(mock.accept(${OFFER}), 0)`);
  await sound(page, 'offer');
  await press(page, 'Save to a folder…');
  await state(page, 'transferring');
  assert.equal(await page.evaluate('mock.answer.then(({ name }) => name)'), 'Pictures');
  assert.match((await text(page, 'main'))!, /Files that are whole stay in the folder/);
  await play(page, `${T}.finish(${DONE})`);
  await state(page, 'completed');
  assert.equal(await text(page, '#in-folder'), "It is in the folder 'Pictures'.");
  assert.equal(await has(page, 'Save'), false);
  await sound(page, 'completed');
  assert.deepEqual(errors, []);
  await page.close();
});

test('what arrived is saved to a folder and deleted here, with progress', { skip }, async () => {
  const { page, errors } = await site.open();
  await run(page);
  await play(page, `${T}.finish(${DONE}, mock.keep('photos', [6e8, 4e8]))`);
  await state(page, 'completed');
  await sound(page, 'completed');
  await page.evaluate("showDirectoryPicker = async () => ({ name: 'Pictures' })");
  await press(page, 'Save to a folder');
  await play(page, 'mock.saved.progress(25e7)');
  await state(page, 'saving');
  assert.equal(await page.$eval('#progress', (bar) => (bar as HTMLProgressElement).position), 0.25);
  await sound(page, 'saving');
  await press(page, 'Cancel');
  await state(page, 'completed');
  assert.deepEqual(await page.evaluate('mock.removed'), []);
  await press(page, 'Save to a folder');
  await play(page, '0');
  await play(page, 'mock.saved.resolve()');
  await state(page, 'completed');
  assert.deepEqual(await page.evaluate('mock.removed'), ['photos']);
  assert.equal(await has(page, 'Save'), false);
  assert.match((await text(page, '.note'))!, /in the folder 'Pictures'/);
  assert.deepEqual(errors, []);
  await page.close();
});

test('a single file is saved by itself, and stays until the person deletes it', { skip }, async () => {
  const { page } = await site.open();
  await run(page);
  await play(page, `(mock.abilities.folder = false, ${T}.finish(${DONE}, mock.keep('report.pdf', [1e9])))`);
  assert.equal(await focused(page), 'Received');
  assert.match((await text(page, '.note'))!, /Your browser saves it/);
  assert.equal(await has(page, 'Save'), false);
  await sound(page, 'saved by itself');
  await play(page, "mock.saved.reject(new Error('The download was stopped.'))");
  assert.match((await text(page, '[role=alert]'))!, /The download was stopped/);
  assert.equal(await has(page, 'Delete from this browser'), false);
  assert.equal(await page.evaluate('mock.downloads'), 1);
  await press(page, 'Save');
  await play(page, '0');
  await play(page, 'mock.saved.resolve()');
  assert.deepEqual(await page.evaluate('mock.removed'), []);
  await press(page, 'Save again');
  await play(page, '0');
  await play(page, 'mock.saved.resolve()');
  assert.equal(await page.evaluate('mock.downloads'), 3);
  await press(page, 'Delete from this browser');
  await play(page, '0');
  assert.deepEqual(await page.evaluate('mock.removed'), ['report.pdf']);
  assert.equal(await has(page, 'Save'), false);
  await page.close();
});

test('nothing is saved by itself of several files, or of a text', { skip }, async () => {
  const { page, errors } = await site.open();
  for (const kept of ["mock.keep('photos', [1, 2])", 'undefined']) {
    await run(page);
    await play(page, `${T}.finish(${DONE}, ${kept})`);
    await state(page, 'completed');
    assert.equal(await page.evaluate('mock.downloads'), 0);
    await home(page);
  }
  assert.deepEqual(errors, []);
  await page.close();
});

const EVIL = '\u202e<b>x</b>\u0007'.repeat(40);
const comes = (peer: number, name = '') =>
  `{ event: 'peer', peer: ${peer}, fingerprint: '${'cd34'.repeat(16)}', agent: 'x'${name && `, name: ${JSON.stringify(name)}`} }`;
const goes = (peer: number, to: string) =>
  `{ event: 'state', peer: ${peer}, from: 'idle', to: '${to}', by: 'self' }`;
const moves = (peer: number, bytes: number) => `{ ...${PROGRESS}, peer: ${peer}, bytes: ${bytes} }`;
const ends = (peer: number, more: string) =>
  `{ event: 'ended', peer: ${peer}, fingerprint: '', bytes: 1e9, seconds: 9, ${more} }`;
/** What is drawn of each receiver: its progress is drawn a moment later. */
const rows = (page: Page) =>
  page.$$eval('.rows li', (items) => items.map((item) => item.querySelector('.meter')!.textContent!.trim()));

test('sending to several: a choice, a row for each, and an end that names each', { skip }, async () => {
  const { page, errors } = await site.open();
  await type(page, 'hello');
  assert.equal(await page.$eval('#people', (field) => (field as HTMLSelectElement).value), '1');
  await page.select('#people', '3');
  await sound(page, 'home for three');
  await press(page, 'Send text');
  assert.equal(await play(page, 'mock.options.receivers'), 3);
  await play(page, `${T}.emit(${goes(1, 'connecting')}, ${MANIFEST}, { event: 'code', code: '${CODE}' })`);
  await state(page, 'waiting');
  assert.match((await text(page, '.lead'))!, /the 3 people/);
  await sound(page, 'waiting for three');
  await play(page, `${T}.emit(${comes(1, EVIL)}, ${goes(1, 'transferring')}, ${comes(2)}, ${moves(1, 5e8)})`);
  await state(page, 'transferring');
  assert.equal(await focused(page), 'Sending');
  await page.waitForSelector('.rows progress');
  const [first, second] = await rows(page);
  assert.equal(second, 'Receiver 2Connecting');
  assert.match(first!, /^Receiver 1: \\u\{202e\}<b>x<\/b>.*50%$/);
  assert.ok(first!.length < 300, 'a long name is cut');
  assert.equal(await page.$('.rows b'), null);
  assert.equal(await text(page, '#code'), CODE, 'others can still come');
  assert.equal(
    await page.$eval('#progress', (bar) => (bar as HTMLProgressElement).position.toFixed(2)),
    '0.17',
  );
  await sound(page, 'sending to several');
  await play(page, `${T}.emit(${goes(2, 'transferring')}, ${comes(3)}, ${goes(3, 'transferring')})`);
  assert.equal(await page.$('#code'), null, 'nobody else is wanted');
  await press(page, 'Pause');
  await play(page, `${T}.emit(${goes(1, 'paused')}, ${goes(2, 'paused')}, ${goes(3, 'paused')})`);
  await state(page, 'paused');
  await press(page, 'Resume');
  await play(page, `${T}.emit(${goes(1, 'transferring')}, ${ends(1, 'ok: true')})`);
  assert.match((await text(page, '.unseen[role=status]'))!, /1 of 3 has it/);
  const lost = "ok: false, code: 'NO_PATH', message: 'It did not come back.'";
  await play(page, `${T}.emit(${ends(2, lost)}, ${ends(3, "ok: false, code: 'REFUSED', message: 'No.'")})`);
  await state(page, 'waiting');
  assert.equal(await text(page, 'h1'), 'Waiting for others');
  await press(page, 'Finish');
  assert.equal(await play(page, 'mock.closed'), true);
  await play(page, `${T}.emit({ event: 'error', code: 'NO_PEER', message: 'Only 1 of 3 received it.' })`);
  await state(page, 'failed');
  assert.equal(await focused(page), 'Sent to 1 of 3');
  assert.deepEqual((await rows(page)).slice(1), ['Receiver 2Failed', 'Receiver 3Declined']);
  assert.match((await text(page, '.rows'))!, /It did not come back/);
  await sound(page, 'sent to some');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a receiver sees what it shares, and may leave while others still fetch from it', { skip }, async () => {
  const { page, errors } = await site.open();
  const leaving = () =>
    page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))") as Promise<boolean>;
  const serve = `(mock.served = new Promise((resolve) => { mock.serves = resolve; }), 0)`;
  await run(page);
  assert.equal(await page.$('#swarm'), null, 'with nobody else there is nothing to say');
  await play(page, `${T}.emit({ event: 'swarm', from: 2, to: 1, up: 5e6, down: 12e6 })`);
  assert.match((await text(page, '#swarm'))!, /from 2, giving to 1.*12\.0 MB came .* 5\.00 MB went/);
  await sound(page, 'sharing');
  await play(page, serve);
  await play(page, `${T}.finish(${DONE}, mock.keep('photos', [9e8, 1e8]))`);
  await page.waitForSelector('#serving');
  assert.match((await text(page, '#serving'))!, /Others still fetch from you\. You can close this page/);
  assert.match((await text(page, '.unseen[role=status]'))!, /Others still fetch/);
  assert.equal(await leaving(), false);
  await sound(page, 'serving');
  // The others are done while it is saved.
  await page.evaluate("showDirectoryPicker = async () => ({ name: 'Pictures' })");
  await press(page, 'Save to a folder');
  await play(page, '0');
  await play(page, 'mock.serves()');
  await press(page, 'Cancel');
  await state(page, 'completed');
  assert.equal(await page.$('#serving'), null);
  assert.match((await text(page, '#swarm'))!, /^12\.0 MB came/);
  await home(page);
  // What is deleted, or left, is given to nobody any more.
  for (const way of ['Delete from this browser', 'Again']) {
    await play(page, serve);
    await run(page);
    await play(page, `${T}.finish(${DONE}, mock.keep('photos', [9e8, 1e8]))`);
    await page.waitForSelector('#serving');
    if (way !== 'Again') {
      await press(page, 'Save');
      await play(page, '0');
      await play(page, 'mock.saved.resolve()');
      assert.equal(await page.evaluate('mock.signal.aborted'), false);
    }
    if (way === 'Again') await home(page);
    else await press(page, way);
    await play(page, '0');
    assert.equal(await page.evaluate('mock.signal.aborted'), true, way);
    await play(page, 'mock.serves()');
    if (way !== 'Again') await home(page);
  }
  await state(page, 'home');
  assert.deepEqual(errors, []);
  await page.close();
});

test('who does not want to share says so once, for later visits too', { skip }, async () => {
  const { page, errors } = await site.open();
  await run(page);
  assert.equal(await play(page, 'mock.share'), true);
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await press(page, 'Back');
  await press(page, 'Not this one');
  await page.locator('summary').click();
  await page.select('#share', 'no');
  await sound(page, 'options');
  await page.evaluate("location.hash = ''");
  await page.reload();
  await page.waitForSelector('details[open] #share');
  assert.equal(await page.$eval('#share', (field) => (field as HTMLSelectElement).value), 'no');
  await run(page);
  assert.equal(await play(page, 'mock.share'), false);
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await press(page, 'Back');
  await press(page, 'Not this one');
  await page.select('#share', 'yes');
  assert.equal(await page.evaluate("localStorage.getItem('beeline-share')"), null);
  assert.deepEqual(errors, []);
  await page.close();
});

test('a text is called a text on both sides, from the offer to the end', { skip }, async () => {
  const { page, errors } = await site.open();
  const manifest =
    "{ event: 'manifest', kind: 'text', files: 1, folders: 0, links: 0, bytes: 83, chunkSize: 1 }";
  const done = `{ ...${DONE}, files: 1, bytes: 83, resumed: 0 }`;
  await send(page);
  await play(page, `${T}.emit(${manifest})`);
  assert.match((await text(page, '.contents'))!, /^A text, 83 B$/);
  await play(page, `(${T}.move('transferring'), ${T}.finish(${done}))`);
  assert.match((await text(page, '.lead'))!, /^A text, 83 B in /);
  await home(page);
  await receive(page);
  const before = `{ ...${done}, resumed: 83 }`;
  await play(page, `(${T}.move('transferring'), ${T}.emit(${manifest}), ${T}.finish(${before}))`);
  assert.match((await text(page, '.lead'))!, /^A text, 83 B, 83 B of it was there/, 'nothing had to move');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a text is shown as text', { skip }, async () => {
  const { page, errors } = await site.open();
  await receive(page);
  await play(page, `(${T}.move('transferring'), ${T}.emit({ event: 'text', text: '<b>hi</b>\\nthere' }))`);
  await play(page, `${T}.finish({ ...${DONE}, files: 0, bytes: 16, resumed: 0 })`);
  assert.equal(await text(page, '#text'), '<b>hi</b>\nthere');
  assert.ok(await has(page, 'Copy'));
  await sound(page, 'text');
  assert.deepEqual(errors, []);
  await page.close();
});

test('home offers what is unfinished and unsaved', { skip }, async () => {
  const { page, errors } = await site.open();
  await play(page, "(mock.keep('photos', [5e8, 3e8, 2e8], 42e7), mock.keep('report.pdf', [2e6]))");
  await page.evaluate(`location.hash = '#${CODE}'`);
  await page.waitForSelector('::-p-aria([name="Unfinished and unsaved"][role="region"])');
  assert.match((await text(page, '.kept li'))!, /photos.*42% has arrived/);
  await sound(page, 'kept');
  await press(page, 'Go on');
  // This tab does not know yet that what is kept came under this code.
  await play(page, `(${T}.move('transferring'), mock.accept(${OFFER}), 0)`);
  await state(page, 'offer');
  await press(page, 'Receive');
  assert.equal(await play(page, 'mock.answer'), 'kept');
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await page.reload();
  await whole(page);
  await state(page, 'home');
  await play(page, "(mock.keep('photos', [5e8, 3e8, 2e8], 42e7), mock.keep('report.pdf', [2e6]))");
  await page.evaluate("dispatchEvent(new Event('hashchange'))");
  // This tab knows by now what is received under the code: the folder, whatever says that it is one.
  await press(page, 'Go on');
  // Agreed to before: the same is not asked about again.
  assert.equal(await play(page, `mock.accept(${OFFER})`), 'kept');
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await press(page, 'Back');
  await page.waitForSelector('.kept');
  await press(page, 'Go on');
  await play(page, `(${T}.move('transferring'), mock.accept({ ...${OFFER}, bytes: 2e9 }), 0)`);
  // Of the same name, and something else.
  await state(page, 'offer');
  await press(page, 'Decline');
  assert.equal(await play(page, 'mock.answer'), false);
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await press(page, 'Back');
  await page.waitForSelector('.kept');
  await page.locator('.kept li:last-child ::-p-aria([name="Delete"][role="button"])').click();
  await page.waitForFunction("!document.querySelector('.kept').textContent.includes('report.pdf')");
  assert.deepEqual(await page.evaluate('mock.removed'), ['report.pdf']);
  assert.deepEqual(errors, []);
  await page.close();
});

/** Both clicks at one place, as a mouse makes them. */
async function twice(page: Page, name: string): Promise<void> {
  const button = await page.waitForSelector(`::-p-aria([name="${name}"][role="button"])`);
  await button!.scrollIntoView();
  const { x, y } = await button!.clickablePoint();
  for (const clickCount of [1, 2]) {
    await page.mouse.move(x, y);
    await page.mouse.down({ clickCount });
    await page.mouse.up({ clickCount });
    // What the first one changes has been drawn.
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))');
  }
}

test('the second half of a double click does nothing', { skip }, async () => {
  const { page, errors } = await site.open();
  await play(page, "(mock.keep('a', [2e6]), mock.keep('b', [2e6]), mock.keep('c', [2e6]))");
  await page.evaluate("dispatchEvent(new Event('hashchange'))");
  await page.waitForSelector('.kept');
  // The next of the list moves up to where the first was.
  await twice(page, 'Delete');
  await page.waitForFunction("document.querySelectorAll('.kept li').length === 2");
  assert.deepEqual(await page.evaluate('mock.removed'), ['a']);
  await run(page);
  await twice(page, 'Pause');
  assert.equal(await play(page, `${T}.state`), 'paused');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a link that is opened meanwhile is neither obeyed nor forgotten', { skip }, async () => {
  const { page, errors } = await site.open();
  await run(page);
  await page.evaluate("location.hash = '#8-other-orbit'");
  await state(page, 'transferring');
  await play(page, `${T}.finish(${DONE})`);
  await state(page, 'completed');
  assert.equal(await page.evaluate('location.hash'), '#8-other-orbit');
  assert.equal(await page.evaluate('history.state'), null);
  await home(page);
  assert.match((await text(page, '#link-code'))!, /8-other-orbit/);
  assert.deepEqual(errors, []);
  await page.close();
});

test('what is gone on with after another link was opened is under its own code, with the yes to that', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  await receive(page);
  await play(page, `(${T}.move('transferring'), mock.accept(${OFFER}), 0)`);
  await press(page, 'Receive');
  await page.evaluate("location.hash = '#8-other-orbit'");
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await press(page, 'Go on');
  assert.equal(await page.evaluate('mock.given.code'), CODE);
  assert.equal(await play(page, `mock.accept(${OFFER})`), 'kept');
  await page.evaluate("location.hash = '#8-other-orbit'");
  await play(page, `${T}.fail('WRONG_CODE', 'The code was wrong.')`);
  assert.equal(await has(page, 'Try again'), false, 'nobody can use it any more');
  await press(page, 'Enter another code');
  assert.match((await text(page, '#link-code'))!, /8-other-orbit/);
  assert.deepEqual(errors, []);
  await page.close();
});

test('what another program gives does not take the place of what runs', { skip }, async () => {
  const page = await site.browser.newPage();
  await page.evaluateOnNewDocument(() => {
    const setConsumer = (take: unknown) => Object.assign(globalThis, { take });
    Object.defineProperty(globalThis, 'launchQueue', { value: { setConsumer } });
  });
  await page.goto(site.origin);
  await page.waitForFunction('globalThis.mock !== undefined');
  const give = () => play(page, "take({ files: [{ getFile: async () => new File(['x'], 'x.txt') }] })");
  await run(page);
  await give();
  await page.waitForSelector('.note[role=alert]');
  await state(page, 'transferring');
  assert.match((await text(page, '.note'))!, /One transfer at a time/);
  await sound(page, 'one at a time');
  await play(page, `${T}.finish(${DONE})`);
  await state(page, 'completed');
  assert.equal(await page.$('.note'), null);
  await give();
  await page.waitForSelector('main[data-state=staging]');
  await page.close({ runBeforeUnload: false });
});

test('a text that another program shares waits for what was chosen before', { skip }, async () => {
  const page = await site.browser.newPage();
  await page.evaluateOnNewDocument(() => {
    const shared = new Promise((share) => Object.assign(globalThis, { share }));
    Object.assign(globalThis, { shared });
  });
  await page.goto(`${site.origin}/?shared=x`);
  await page.waitForFunction('globalThis.mock !== undefined');
  const input = (await page.$('#files')) as unknown as { uploadFile(path: string): Promise<void> };
  await input.uploadFile('package.json');
  await state(page, 'staging');
  await play(page, "share({ files: [], text: 'from elsewhere' })");
  await page.waitForSelector('.note');
  assert.match((await text(page, '.note'))!, /A text came too/);
  assert.match((await text(page, '#staged'))!, /package\.json/);
  await sound(page, 'a text waits');
  await press(page, 'Cancel');
  await state(page, 'home');
  await (await page.waitForSelector('::-p-aria([name="Text"][role="tab"])'))!.click();
  assert.equal(await page.$eval('textarea', ({ value }) => value), 'from elsewhere');
  await page.close({ runBeforeUnload: false });
});

test('a link that is opened while folders are read stops that', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.evaluate(`(() => {
    mock.dropped = new Promise((resolve) => { mock.drop = resolve; });
    const data = new DataTransfer();
    data.items.add(new File(['x'], 'x.txt'));
    dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
  })()`);
  await state(page, 'connecting');
  await page.evaluate(`location.hash = '#${CODE}'`);
  await state(page, 'home');
  await page.evaluate('mock.drop([])');
  await play(page, '0');
  await state(page, 'home');
  assert.equal(await page.evaluate('mock.given'), undefined);
  assert.deepEqual(errors, []);
  await page.close();
});

/** A file from outside, held over the middle of the page and let go, as a person's hand does it. */
async function dropFile(page: Page): Promise<string | undefined> {
  const session = await page.createCDPSession();
  const data = { items: [], files: [resolve('package.json')], dragOperationsMask: 1 };
  const at = { x: 300, y: 300, data };
  await session.send('Input.dispatchDragEvent', { type: 'dragEnter', ...at });
  await session.send('Input.dispatchDragEvent', { type: 'dragOver', ...at });
  await play(page, '0');
  const words = await page.$eval('.drop', (drop) => drop.textContent ?? undefined).catch(() => undefined);
  await session.send('Input.dispatchDragEvent', { type: 'drop', ...at });
  await session.detach();
  // A browser that opens the file has begun to by now.
  await new Promise((done) => setTimeout(done, 300));
  return words;
}

test('a file that is dropped where nothing is sent does not replace the page', { skip }, async () => {
  const { page } = await site.open();
  const stays = async (wanted: string, words: RegExp) => {
    assert.match((await dropFile(page)) ?? '', words, wanted);
    assert.equal(new URL(page.url()).origin, site.origin, wanted);
    await state(page, wanted);
    assert.equal(await page.$('.drop'), null);
  };
  await run(page);
  await stays('transferring', /cancel it, then drop/);
  await play(page, `${T}.finish(${DONE})`);
  await stays('completed', /Go back first/);
  await home(page);
  await run(page);
  await play(page, `${T}.fail('NO_PATH', 'No connection can be opened.')`);
  await stays('failed', /Go back first/);
  await press(page, 'Back');
  await press(page, 'Not this one');
  assert.equal(await dropFile(page), 'Drop to send');
  await state(page, 'staging');
  assert.equal(await dropFile(page), 'Drop to add');
  await press(page, 'Send');
  assert.deepEqual(await play(page, 'mock.given.map(({ path }) => path)'), ['package.json']);
  await page.close();
});

const TRANSFER = `(() => {
  const data = new DataTransfer();
  data.items.add(new File(['a'], 'image.png'));
  data.items.add(new File(['bb'], 'image.png'));
  return data;
})()`;

test('files are taken by the input, by a paste and by a drop, into a list that is looked through', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  const given = () => play<string[]>(page, 'mock.given.map(({ path }) => path)');
  const staged = () => page.$$eval('#staged .name', (names) => names.map(({ textContent }) => textContent));
  const input = (await page.$('#files')) as unknown as { uploadFile(path: string): Promise<void> };
  await input.uploadFile('package.json');
  await play(page, '0');
  await state(page, 'staging');
  assert.equal(await focused(page), 'This is what you send');
  assert.equal(await page.evaluate('mock.given'), undefined, 'nobody is told of it yet');
  await play(page, `dispatchEvent(new ClipboardEvent('paste', { clipboardData: ${TRANSFER} }))`);
  assert.deepEqual(await staged(), ['package.json', 'image.png', 'image (2).png']);
  await sound(page, 'staging');
  await press(page, 'Remove image.png');
  const label = () => page.evaluate("document.activeElement.getAttribute('aria-label')");
  assert.equal(await label(), 'Remove image (2).png', 'the next of the list has the focus');
  const again = (await page.$('#files')) as unknown as { uploadFile(path: string): Promise<void> };
  await again.uploadFile('package.json');
  await play(page, '0');
  assert.deepEqual(await staged(), ['package.json', 'image (2).png'], 'the same file is there once');
  await press(page, 'Send');
  assert.deepEqual(await given(), ['package.json', 'image (2).png']);
  await play(page, `(${T}.move('connecting'), ${T}.emit(${MANIFEST}, { event: 'code', code: '${CODE}' }))`);
  assert.match((await text(page, '#sent'))!, /package\.json.*image \(2\)\.png/);
  await sound(page, 'waiting with files');
  await play(page, `${T}.fail('NO_PEER', 'Nobody came.')`);
  await play(page, 'mock.given = undefined');
  await press(page, 'Send again');
  assert.deepEqual(await given(), ['package.json', 'image (2).png']);
  await press(page, 'Cancel');
  await press(page, 'Back');
  await play(
    page,
    `dispatchEvent(new DragEvent('dragenter', { dataTransfer: ${TRANSFER}, cancelable: true }))`,
  );
  assert.equal(await text(page, '.drop'), 'Drop to send');
  await play(page, `dispatchEvent(new DragEvent('drop', { dataTransfer: ${TRANSFER}, cancelable: true }))`);
  assert.deepEqual(await staged(), ['image.png', 'image (2).png']);
  await press(page, 'Remove image (2).png');
  assert.equal(await focused(page), 'This is what you send', 'behind the last there is none');
  await press(page, 'Remove image.png');
  await state(page, 'home');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a picture is shown small, and one that has too many pixels is not opened', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.evaluate(`(async () => {
    const canvas = document.createElement('canvas');
    canvas.width = 40;
    canvas.height = 30;
    const small = await new Promise((done) => canvas.toBlob(done, 'image/png'));
    const large = new Uint8Array(await small.arrayBuffer());
    new DataView(large.buffer).setUint32(16, 40_000);
    new DataView(large.buffer).setUint32(20, 30_000);
    const open = createImageBitmap;
    globalThis.opened = 0;
    globalThis.createImageBitmap = (...given) => {
      opened++;
      return open(...given);
    };
    const data = new DataTransfer();
    // They are drawn in this order.
    data.items.add(new File([large], 'large.png'));
    data.items.add(new File([small], 'small.png'));
    dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));
  })()`);
  await page.waitForSelector('#staged li:nth-child(2) canvas:not([hidden])');
  assert.equal(await page.$('#staged li:first-child canvas:not([hidden])'), null);
  assert.equal(await page.evaluate('opened'), 1);
  assert.deepEqual(errors, []);
  await page.close({ runBeforeUnload: false });
});

test('a text that is pasted is to be sent, and a link is opened', { skip }, async () => {
  const { page, errors } = await site.open();
  const paste = (words: string) =>
    play(
      page,
      `(() => {
        const data = new DataTransfer();
        data.setData('text/plain', ${JSON.stringify(words)});
        document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
      })()`,
    );
  await paste('see you at eight');
  assert.equal(
    await page.$eval('#text-to-send', (field) => (field as HTMLTextAreaElement).value),
    'see you at eight',
  );
  await page.locator('#tab-files').click();
  await paste('or nine');
  assert.equal(
    await page.$eval('#text-to-send', (field) => (field as HTMLTextAreaElement).value),
    'see you at eight\nor nine',
  );
  await paste('https://other.example/#7-cross-zoo');
  assert.match((await text(page, '.note'))!, /one of other\.example/);
  assert.equal(await page.evaluate('location.hash'), '');
  await paste(`${site.origin}/#${CODE}`);
  await page.waitForSelector('#link-code');
  assert.equal(await page.evaluate(`${T}`), undefined, 'nothing began');
  assert.deepEqual(errors, []);
  await page.close();
});

test('what has arrived can be looked at, but never as a page of this site', { skip }, async () => {
  const { page } = await site.open();
  await run(page);
  await play(
    page,
    `(() => {
      const kept = mock.keep('a', [1, 2, 3]);
      kept.folders = [];
      const blob = async () => new Blob(['<script>opener.pwned = 1</script>'], { type: 'text/html' });
      kept.files = ['a.html', 'b.svg', 'c.txt'].map((path) => ({ ...kept.files[0], path, blob }));
      ${T}.finish(${DONE}, kept);
    })()`,
  );
  await page.waitForSelector('#arrived');
  assert.equal(await has(page, 'Open a.html'), false);
  assert.equal(await has(page, 'Open b.svg'), false);
  await sound(page, 'received files');
  await page.evaluate('open = (address) => { globalThis.opened = address; }');
  await press(page, 'Open c.txt');
  await page.waitForFunction('globalThis.opened');
  const type = await page.evaluate(
    'fetch(opened).then(({ headers }) => headers.get("content-type"), () => "")',
  );
  assert.ok(type === '' || type === 'text/plain;charset=utf-8', String(type));
  await page.evaluate("open = () => { throw new Error('It cannot be opened.'); }");
  await press(page, 'Open c.txt');
  await page.waitForSelector('.note[role=alert]');
  assert.match((await text(page, '.note'))!, /It cannot be opened/);
  await page.close();
});

test('another language is spoken at once, and at later visits', { skip }, async () => {
  const { page, errors } = await site.open();
  await page.select('#language', 'de');
  await page.waitForFunction("document.documentElement.lang === 'de'");
  assert.notEqual(await text(page, 'h1'), 'Straight from one device to another');
  await sound(page, 'home in German');
  await page.reload();
  await page.waitForSelector('main');
  assert.equal(await page.evaluate('document.documentElement.lang'), 'de');
  await page.select('#language', 'en');
  await page.waitForFunction("document.documentElement.lang === 'en'");
  assert.equal(await text(page, 'h1'), 'Straight from one device to another');
  assert.deepEqual(errors, []);
  await page.close();
});

test('what is warned of is said in the language of the page, and what it has no words for is marked as English', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  await run(page);
  await page.select('#language', 'de');
  await page.waitForFunction("document.documentElement.lang === 'de'");
  const warning = "event: 'warning', code: 'UNSAFE_NAME', message: 'In English.'";
  await play(
    page,
    `${T}.emit({ ${warning}, reason: 'NAME_WRITTEN_AS', values: { as: 'b' }, path: 'a' }, { ${warning}, reason: 'OF_TOMORROW', path: 'c' })`,
  );
  const items = () =>
    page.$$eval('.warnings li', (all) =>
      all.map((item) => [item.textContent, item.querySelector('[lang=en][dir=ltr]')?.textContent ?? '']),
    );
  const [known, unknown] = await items();
  assert.match(known![0]!, /„a“.+„b“/);
  assert.equal(known![1], '');
  const isolated = await page.$$eval('.warnings bdi', (all) => all.map((one) => one.textContent));
  assert.deepEqual(isolated, ['a', 'b']);
  assert.deepEqual(unknown, ['c: In English.', 'c: In English.']);
  await play(page, `${T}.fail('NO_PATH', 'Nothing leads there.')`);
  await page.locator('details.details').click();
  assert.equal(await text(page, '#said [lang=en][dir=ltr]'), 'Nothing leads there.');
  await sound(page, 'ended in German');
  await page.select('#language', 'en');
  await page.waitForFunction("document.documentElement.lang === 'en'");
  assert.deepEqual((await items())[0], ['a: In English.', 'a: In English.'], 'English is what came');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a device that is not remembered: the kind of error in the language of the page, the rest in English', {
  skip,
}, async () => {
  const { page, errors } = await site.open();
  await run(page);
  await play(page, `(${T}.emit({ ...${PEER}, key: 'bl1key' }), ${T}.finish(${DONE}))`);
  await page.waitForSelector('#remember-name');
  await play(page, "mock.unknowable = { code: 'USAGE', message: 'More than \\u202e100.' }");
  const refused = async () => {
    await page.locator('.remember button').click();
    await page.waitForSelector('#remember-problem [role=alert]');
    assert.equal(await page.$eval('#remember-name', (field) => field.ariaInvalid), 'true');
    return text(page, '#remember-problem');
  };
  assert.equal(await refused(), 'More than \\u{202e}100.');
  await page.select('#language', 'de');
  await page.waitForFunction("document.documentElement.lang === 'de'");
  await page.locator('#remember-name').fill('Ben');
  assert.equal(await text(page, '#remember-problem'), '');
  assert.equal(await refused(), 'Etwas daran passt nicht. More than \\u{202e}100.');
  assert.equal(await text(page, '#remember-problem [lang=en][dir=ltr]'), 'More than \\u{202e}100.');
  await sound(page, 'not remembered, in German');
  await play(page, 'mock.unknowable = undefined');
  await page.locator('.remember button').click();
  await page.waitForSelector('.note.done[role=status]');
  assert.match((await text(page, '.note.done'))!, /Ben/);
  await page.select('#language', 'en');
  await page.waitForFunction("document.documentElement.lang === 'en'");
  assert.deepEqual(errors, []);
  await page.close();
});

test('a language whose words do not come is told of, and all stays as it is', { skip }, async () => {
  const { page } = await site.open();
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    if (/\/assets\/fr-[\w-]+\.js$/.test(request.url())) void request.abort();
    else void request.continue();
  });
  await page.select('#language', 'fr');
  await page.waitForSelector('.note[role=alert]');
  assert.match((await text(page, '.note'))!, /A part of this page did not come/);
  assert.equal(await page.$eval('#language', (field) => (field as HTMLSelectElement).value), 'en');
  assert.equal(await page.evaluate('document.documentElement.lang'), 'en');
  await page.close();
});

test('a page from a sender offers to receive only', { skip }, async () => {
  const { page, errors } = await site.open('/receiving');
  await state(page, 'home');
  assert.equal(await page.$('#send, #files, #text-to-send'), null);
  assert.ok(await page.$('#code-to-receive'));
  await page.evaluate(`(() => {
    const data = new DataTransfer();
    data.items.add(new File(['x'], 'x.txt'));
    dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
    dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));
  })()`);
  await play(page, '0');
  await state(page, 'home');
  assert.equal(await page.evaluate('mock.given'), undefined);
  await sound(page, 'receiving only');
  assert.deepEqual(errors, []);
  await page.close();
});

test('where a browser gives no cryptography, there is one message and no control', { skip }, async () => {
  const { page, errors } = await site.open('/#7-a', site.origin.replace('127.0.0.1', 'beeline.test'));
  assert.equal(await page.evaluate('isSecureContext'), false);
  await state(page, 'insecure');
  assert.match((await text(page, 'main'))!, /https:/);
  assert.equal(await page.$('button, input, textarea, select'), null);
  await sound(page, 'insecure');
  assert.deepEqual(
    errors.filter((error) => !error.includes('Cross-Origin-Opener-Policy')),
    [],
  );
  await page.close();
});

test('leaving is asked about only while there is something to lose', { skip }, async () => {
  const { page } = await site.open();
  const leaving = () =>
    page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))") as Promise<boolean>;
  // What guards the page is put on and off after it is drawn.
  const becomes = async (asks: boolean) => {
    for (let look = 0; (await leaving()) !== asks; look++) {
      assert.ok(look < 600, `leaving is ${asks ? 'not ' : ''}asked about`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await becomes(false);
  await send(page);
  await becomes(true);
  await press(page, 'Cancel');
  await becomes(false);
  await page.close();
});
