/** Every state by axe, in light and in dark, at a phone's width; and a file received by the keyboard alone. */
import assert from 'node:assert/strict';
import axe from 'axe-core';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { BeelinePage } from './harness/page.ts';
import { inBrowser } from './harness/suite.ts';

const SIZE = 24 << 20;

interface Violation {
  id: string;
  help: string;
  nodes: { html: string; failureSummary: string }[];
}

/** No violation of a rule in either colour scheme, and nothing to scroll sideways to at 320 CSS pixels (WCAG 1.4.10). */
async function accessible(page: BeelinePage, what: string): Promise<void> {
  const state = await page.state();
  for (const scheme of ['light', 'dark']) {
    await page.page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]);
    // By DevTools, which the page's policy does not bind.
    await page.ask(`${axe.source}; undefined`);
    const { violations } = await page.ask<{ violations: Violation[] }>(
      "axe.run(document, { resultTypes: ['violations'] })",
    );
    const found = violations.map(({ id, help, nodes }) => [
      id,
      help,
      ...nodes.map((node) => node.failureSummary + node.html),
    ]);
    assert.deepEqual(found, [], `${what}, ${scheme}`);
  }
  await page.page.setViewport({ width: 320, height: 640 });
  const wide = await page.ask('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  assert.equal(wide, 0, `${what} is ${wide} pixels too wide for a phone`);
  await page.page.setViewport({ width: 1000, height: 800 });
  assert.equal(await page.state(), state, 'looked at in one state');
}

/** What has the focus, as a person is told of it. */
const FOCUSED = `(() => {
  const { activeElement: element } = document;
  const style = getComputedStyle(element);
  return {
    name: (element.labels?.[0]?.textContent ?? element.textContent ?? '').trim(),
    tag: element.tagName,
    seen: style.outlineStyle !== 'none' || style.boxShadow !== 'none',
  };
})()`;

/** Goes to a control as those do who have no mouse. */
async function tabTo(page: BeelinePage, name: string, tag: string): Promise<void> {
  const passed: string[] = [];
  for (let presses = 0; presses < 40; presses++) {
    await page.page.keyboard.press('Tab');
    const focused = await page.ask<{ name: string; tag: string; seen: boolean }>(FOCUSED);
    passed.push(`${focused.tag} ${focused.name.slice(0, 30)}`);
    if (focused.name !== name || focused.tag !== tag) continue;
    assert.ok(focused.seen, `the focus can be seen on ${name}`);
    return;
  }
  assert.fail(`The Tab key does not come to ${tag} ${name}, only to ${passed.join(', ')}`);
}

inBrowser('chromium', 'accessibility', ({ test }) => {
  test('home, sending, offer, transferring, paused, completed, kept: no violation', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const from = await stage.page();
    await accessible(from, 'home');
    await from.choose(work.path('one.bin'));
    const code = await from.code();
    await accessible(from, 'sending with a code');
    await from.press('Cancel');
    await from.reaches(['cancelled', 'home']);
    await accessible(from, 'cancelled');

    const { sender, code: theirs } = await stage.sends([work.path('one.bin'), '--limit', '1M']);
    assert.notEqual(theirs, code);
    const to = await stage.page();
    await to.asks(theirs);
    await accessible(to, 'offer');
    await to.press('Receive');
    await to.reaches('transferring');
    await to.moved(0.02);
    await accessible(to, 'transferring');
    await to.press('Pause');
    await to.reaches('paused');
    await accessible(to, 'paused');
    await to.press('Resume');
    await to.reaches('completed');
    await sender.ends(0);
    await accessible(to, 'completed, receiving');
    await to.page.reload();
    await to.reaches('home');
    await to.shows("document.querySelector('main').innerText.includes('one.bin')");
    await accessible(to, 'home, with something kept');
  });

  test('sent, a text, failed: no violation', async (stage) => {
    const page = await stage.page();
    await page.sendText('a text');
    const receiver = await stage.receives(await page.code(), stage.work.folder('out'));
    await receiver.ends(0);
    await page.reaches('completed');
    await accessible(page, 'completed, sending');
    await page.again();

    const { sender, code } = await stage.sends(['--text', 'some text']);
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    await accessible(page, 'a text received');
    await page.again();

    const other = await stage.sends(['--text', 'some text']);
    await page.fill('Code', `${other.code}-zoo`);
    await page.press('Receive');
    await page.reaches('failed');
    await other.sender.ends(4);
    await accessible(page, 'failed');
  });

  test('by the keyboard alone: a code is typed, an offer accepted, a file saved; screen readers are told', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), 3_000_000);
    const { sender, code } = await stage.sends([work.path('one.bin')]);
    const page = await stage.page();
    await tabTo(page, 'Code', 'INPUT');
    await page.page.keyboard.type(code);
    await page.page.keyboard.press('Enter');
    await page.reaches('offer');
    const focused = await page.ask<{ tag: string }>(FOCUSED);
    assert.notEqual(focused.tag, 'BODY', 'the focus is not lost when what it was on goes away');
    await tabTo(page, 'Receive', 'BUTTON');
    await page.page.keyboard.press('Enter');
    await page.reaches('completed');
    await sender.ends(0);
    await page.shows(
      "[...document.querySelectorAll('[role=status], [aria-live]')].some((live) => /received/i.test(live.textContent))",
    );
    await stage.saved(work.path('one.bin'));
    await tabTo(page, 'Save again', 'BUTTON');
    const [saved] = await stage.downloads(() => page.page.keyboard.press('Enter'));
    sameFile(work.path('one.bin'), saved!);
  });
});
