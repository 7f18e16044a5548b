/** The page as a person uses it: by the names of its controls and by what it shows. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { ElementHandle, Page } from 'puppeteer-core';
import { Watch } from './watch.ts';

const CLICK_DEADLINE = 60_000;
const LOOK_EVERY = 50;
const LOOK = 'See what it is';

export type Role = 'button' | 'textbox' | 'combobox' | 'tab' | 'link' | 'region' | 'progressbar' | 'heading';

export class BeelinePage {
  readonly page: Page;
  readonly watch: Watch;
  readonly origin: string;
  #people: string | undefined;

  constructor(page: Page, watch: Watch, origin: string) {
    this.page = page;
    this.watch = watch;
    this.origin = origin;
  }

  /** Loads the page anew, with the code in the fragment if one is given. */
  async open(code?: string): Promise<void> {
    await this.page.goto(`${this.origin}/${code === undefined ? '' : `#${encodeURIComponent(code)}`}`);
    await this.reaches('home');
  }

  /** The value of an expression in the page, which content security policies do not hinder. */
  async ask<T>(expression: string): Promise<T> {
    return (await this.page.evaluate(expression)) as T;
  }

  state(): Promise<string | undefined> {
    return this.ask("document.querySelector('main')?.dataset.state");
  }

  /** Waits for a state; an end that was not asked for fails at once, with what the page says of it. */
  async reaches(wanted: string | readonly string[], deadline = 60_000): Promise<string> {
    const fits = typeof wanted === 'string' ? [wanted] : wanted;
    let state: string | undefined;
    await this.when(
      async () => {
        state = await this.state();
        if (state === undefined || fits.includes(state)) return state !== undefined;
        if (['failed', 'cancelled', 'completed'].includes(state))
          assert.fail(`The page is ${state}, not ${fits.join(' or ')}: ${await this.text('main')}`);
        return false;
      },
      () => `state ${fits.join(' or ')}, but ${state}`,
      deadline,
    );
    return state!;
  }

  /** Waits until a condition holds, which may throw to give up. */
  async when(holds: () => Promise<boolean>, what: () => string, deadline = 60_000): Promise<void> {
    for (const end = Date.now() + deadline; !(await holds()); await delay(LOOK_EVERY))
      if (Date.now() > end)
        assert.fail(`No ${what()} in time. The page says: ${await this.text('main').catch(() => '')}`);
  }

  /** Waits until an expression is true in the page. */
  async shows(expression: string, deadline = 60_000): Promise<void> {
    await this.when(
      () => this.ask<boolean>(`!!(${expression})`),
      () => expression,
      deadline,
    );
  }

  /** Waits until a person reads this there: a state can be shown a moment before its words. */
  async says(wanted: RegExp, selector = 'main'): Promise<void> {
    await this.when(
      async () => wanted.test(await this.text(selector)),
      () => `text like ${wanted}`,
      60_000,
    );
  }

  /** What a person reads there; '' where there is nothing. */
  text(selector: string): Promise<string> {
    // What is folded away has no text that is seen.
    const found = `document.querySelector(${JSON.stringify(selector)})`;
    return this.ask(`(${found}?.innerText || ${found}?.textContent) ?? ''`);
  }

  /** Clicks a button by its accessible name, as soon as it can be. */
  async press(name: string, role: Role = 'button'): Promise<void> {
    // A tab in the background draws no frames, and the click waits for the control to stand still.
    await this.page.bringToFront();
    await this.page.locator(accessible(name, role)).setTimeout(CLICK_DEADLINE).click();
  }

  async fill(name: string, text: string): Promise<void> {
    await this.page.bringToFront();
    // That of a code offers words.
    const role = name === 'Code' ? 'combobox' : 'textbox';
    await this.page.locator(accessible(name, role)).setTimeout(CLICK_DEADLINE).fill(text);
  }

  /** Whether a control of that name can be seen now. */
  async has(name: string, role: Role = 'button'): Promise<boolean> {
    const found = await this.page.$(accessible(name, role));
    return found !== null && (await found.isVisible());
  }

  /** Says for how many people the next offer is: a number, or 'any'. */
  forPeople(wanted: string): void {
    this.#people = wanted;
  }

  /** What each receiver's row says, at a page that sends to several. */
  rows(): Promise<string[]> {
    return this.ask(
      "[...document.querySelectorAll('.rows .meter')].map((row) => row.innerText.replace(/\\s+/g, ' '))",
    );
  }

  /** Offers files by the button "Choose files"; they stay on the disk, the browser reads them from there. */
  async choose(...paths: string[]): Promise<void> {
    await (await this.#input('#files')).uploadFile(...paths);
    await this.#sendStaged();
  }

  /** Offers one folder by the button "Choose a folder" (Chromium only). */
  async chooseFolder(path: string): Promise<void> {
    await (await this.#input('#folder')).uploadFile(path);
    await this.#sendStaged();
  }

  /** What was chosen is shown before it is offered. */
  async #sendStaged(): Promise<void> {
    await this.reaches('staging');
    if (this.#people !== undefined) await this.page.select('#people', this.#people);
    await this.press('Send');
  }

  /** Types a text and offers it. */
  async sendText(text: string): Promise<void> {
    await this.press('Text', 'tab');
    await this.fill('Text to send', text);
    await this.press('Send text');
  }

  /** From the end of a transfer back home. */
  async again(): Promise<void> {
    await this.page.bringToFront();
    await this.page.locator('#again').setTimeout(CLICK_DEADLINE).click();
  }

  async #input(selector: string): Promise<ElementHandle<HTMLInputElement>> {
    const input = await this.page.waitForSelector(selector, { timeout: CLICK_DEADLINE });
    assert.ok(input, `${selector} is there`);
    return input as ElementHandle<HTMLInputElement>;
  }

  /** Drops files and folders onto the page (Chromium only). */
  async drop(...paths: string[]): Promise<void> {
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
      await this.watch.cdp!.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data });
    await this.#sendStaged();
  }

  /** The code of what this page sends. */
  async code(): Promise<string> {
    await this.shows("document.querySelector('#code')?.textContent?.includes('-')");
    return (await this.text('#code')).trim();
  }

  /** The root of what was transferred, hex. */
  async root(): Promise<string> {
    await this.says(/^\s*[0-9a-f]{64}\s*$/, '#root');
    return (await this.text('#root')).trim();
  }

  /** Share of what has moved, 0 to 1; undefined while there is no bar. */
  progress(): Promise<number | undefined> {
    return this.ask("document.querySelector('#progress')?.position");
  }

  /** Waits until at least this share has moved. */
  async moved(share: number, deadline = 60_000): Promise<void> {
    await this.when(
      async () => ((await this.progress()) ?? 0) >= share,
      () => `progress of ${share}`,
      deadline,
    );
  }

  /** Waits until some of what comes is certainly down in the page's storage: what is said to have come can still be lost. */
  async keeps(): Promise<void> {
    await this.moved(0.05);
    const before = await this.ask<number>(JOURNALED);
    await this.when(
      async () => (await this.ask<number>(JOURNALED)) > before,
      () => 'record that something is down',
    );
  }

  /** Bytes in the page's own storage; -1 while that changes. */
  stored(): Promise<number> {
    return this.ask(`${STORED}.catch(() => -1)`);
  }

  /** What a page with an opened link has in the place of a field. */
  async look(): Promise<void> {
    await this.press(LOOK);
  }

  /** Types a code, unless its link was opened, and is asked: the offer stands on the page then. */
  async asks(code: string): Promise<void> {
    if ((await this.text('#link-code')) !== '') await this.look();
    else {
      await this.fill('Code', code);
      await this.press('Receive');
    }
    await this.reaches('offer');
  }

  /** Types a code and accepts what is offered. */
  async receive(code: string): Promise<void> {
    await this.asks(code);
    await this.press('Receive');
  }

  /** Nothing was logged as an error, thrown, or kept back by a policy; `expected` is what the test brings about. */
  async clean(expected?: RegExp): Promise<void> {
    const errors = this.watch.errors.filter((text) => !expected?.test(text));
    assert.deepEqual(errors, [], 'no error on the console');
    if (this.page.isClosed()) return;
    const violations = (await this.watch.violations()).filter((text) => !expected?.test(text));
    assert.deepEqual(violations, [], 'no violation of a policy');
  }
}

const STORED = `(async () => {
  let bytes = 0;
  const top = await (await navigator.storage.getDirectory()).getDirectoryHandle('beeline', { create: true });
  for await (const folder of top.values())
    for await (const file of folder.values()) bytes += (await file.getFile()).size;
  return bytes;
})()`;

/** Bytes of the journals in the page's storage. */
const JOURNALED = `(async () => {
  let bytes = 0;
  const top = await (await navigator.storage.getDirectory()).getDirectoryHandle('beeline');
  for await (const folder of top.values()) bytes += (await (await folder.getFileHandle('journal')).getFile()).size;
  return bytes;
})()`;

const accessible = (name: string, role: Role) => `::-p-aria([name="${name}"][role="${role}"])`;

/** A fresh tab, watched from its start. */
export async function openPage(tab: Page, chromium: boolean, origin: string): Promise<BeelinePage> {
  return new BeelinePage(tab, await Watch.of(tab, chromium), origin);
}
