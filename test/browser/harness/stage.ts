/**
 * What one test plays on: a server of its own (so an origin, and a storage, of its own), pages in the suite's browser, and
 * commands. All of it ends with the test, and a page in which anything went wrong fails it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'puppeteer-core';
import { type Command, type StartOptions, within } from '../../integration/command.ts';
import { Workspace } from '../../integration/workspace.ts';
import { freePort } from '../../ports.ts';
import { downloadsOf, type Kind } from './browsers.ts';
import { type BeelinePage, openPage } from './page.ts';

const DOWNLOAD_DEADLINE = 120_000;
/** What an earlier test's page still saves may be renamed, or come, meanwhile. */
const GONE = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 } as const;
const UNDERWAY = /\.(part|crdownload)$|\.org\.chromium/;

export interface Site {
  server: Command;
  origin: string;
  port: number;
}

export class Stage {
  readonly work = new Workspace();
  readonly browser: Browser;
  /** Errors on the console, and violations of a policy, that the test brings about. */
  expected: RegExp | undefined;
  #downloads: string;
  readonly #chromium: boolean;
  readonly #pages: BeelinePage[] = [];
  #site: Site | undefined;

  constructor(browser: Browser, folder: string, kind: Kind) {
    this.browser = browser;
    this.#downloads = downloadsOf(folder);
    this.#chromium = kind === 'chromium';
  }

  /** Before anything else. What a page of an earlier test saves by itself at its end is not taken for this one's. */
  async begin(): Promise<void> {
    for (const name of readdirSync(this.#downloads)) rmSync(join(this.#downloads, name), GONE);
    // Firefox is told of one folder when it starts.
    if (!this.#chromium) return;
    this.#downloads = mkdtempSync(join(this.#downloads, 'of-'));
    // It lasts as long as this session, and the latest counts.
    const cdp = await this.browser.target().createCDPSession();
    await cdp.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: this.#downloads });
  }

  /** The test's server; the first call starts it. */
  async site(): Promise<Site> {
    this.#site ??= await this.serve();
    return this.#site;
  }

  /** @param port 0: any that will be free for it again */
  async serve(port = 0, ...flags: string[]): Promise<Site> {
    const server = this.work.start(
      ['server', '--port', String(port || (await freePort())), '--host', '127.0.0.1', '--no-stun', ...flags],
      { deadline: 900_000 },
    );
    const listening = await server.until('listening');
    const at = Number(listening.port);
    return { server, port: at, origin: `http://127.0.0.1:${at}` };
  }

  /**
   * A new tab, showing the page; `prepare` runs in each of its documents before the page's own scripts.
   * @param options.elsewhere it has another origin, and so a storage of its own, as on another device: no two tabs receive the same into one
   */
  async page(options: { code?: string; prepare?: string; elsewhere?: boolean } = {}): Promise<BeelinePage> {
    const { origin, port } = await this.site();
    const page = await this.tab(options.elsewhere ? `http://localhost:${port}` : origin);
    if (options.prepare !== undefined) await page.page.evaluateOnNewDocument(options.prepare);
    await page.open(options.code);
    return page;
  }

  /** A new tab that shows nothing yet. */
  async tab(origin: string): Promise<BeelinePage> {
    const page = await openPage(await this.browser.newPage(), this.#chromium, origin);
    this.#pages.push(page);
    return page;
  }

  /** A command that sends by this test's server, and its code. */
  async sends(
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<{ sender: Command; code: string }> {
    const { origin } = await this.site();
    const sender = this.work.start(['send', ...args, '--no-lan', '--server', origin], options);
    const { code } = await sender.until('code');
    return { sender, code: String(code) };
  }

  /** A command that receives into `to`, by this test's server. */
  async receives(code: string, to: string, args: readonly string[] = [], options: StartOptions = {}) {
    const { origin } = await this.site();
    const words = ['receive', code, '--yes', '--no-lan', '--server', origin, '--to', to, ...args];
    return this.work.start(words, options);
  }

  /** Does something that starts downloads, and waits until `count` files are whole; their paths. Earlier ones are removed. */
  async downloads(act: () => Promise<unknown>, count = 1): Promise<string[]> {
    const end = Date.now() + DOWNLOAD_DEADLINE;
    const isUnderway = () => this.#saves().some((path) => UNDERWAY.test(path));
    while (isUnderway() && Date.now() < end) await delay(100);
    for (const path of this.#saves()) rmSync(path, GONE);
    await act();
    let before = '';
    for (; Date.now() < end; await delay(300)) {
      // Firefox holds the name with an empty file while it writes beside it; Chromium writes under another name.
      const underway = isUnderway();
      const files = this.#saves();
      const now = files.map((path) => `${path} ${statSync(path, { throwIfNoEntry: false })?.size}`).join();
      if (files.length >= count && !underway && now === before && !/ 0(,|$)/.test(now)) return files.sort();
      before = now;
    }
    assert.fail(`${count} downloads in time, not: ${before}`);
  }

  /** Waits until the browser has saved as large a file as this one by itself; where. Chromium replaces what has its name there. */
  async saved(path: string, deadline = DOWNLOAD_DEADLINE): Promise<string[]> {
    const wanted = statSync(path).size;
    const isIt = (found: string) =>
      !UNDERWAY.test(found) && statSync(found, { throwIfNoEntry: false })?.size === wanted;
    for (const end = Date.now() + deadline; Date.now() < end; await delay(100)) {
      const found = this.#saves().filter(isIt);
      if (found.length > 0) return found;
    }
    assert.fail(`${path} was not saved in time; there is: ${this.#saves()}`);
  }

  /** What was saved, and what is being saved. */
  #saves(): string[] {
    return readdirSync(this.#downloads).map((name) => join(this.#downloads, name));
  }

  async clean(): Promise<void> {
    for (const page of this.#pages) await page.clean(this.expected);
  }

  /** What can be told of a test that failed. */
  async account(): Promise<string> {
    const pages = this.#pages.map(async ({ page, watch }, index) => {
      if (page.isClosed()) return `page ${index} is closed`;
      const told = await within(3_000, Promise.all([watch.states(), watch.violations()]));
      const [states, violations] = told ?? [['it does not answer'], []];
      return [`page ${index}: ${states.join(' → ')}`, ...violations, ...watch.errors].join('\n  ');
    });
    return [...(await Promise.all(pages)), this.work.account()].join('\n');
  }

  async dispose(): Promise<void> {
    // What a page has begun to save by itself would come in the midst of the next test.
    const end = Date.now() + DOWNLOAD_DEADLINE;
    while (this.#saves().some((path) => UNDERWAY.test(path)) && Date.now() < end) await delay(100);
    for (const { page } of this.#pages) if (!page.isClosed()) await page.close().catch(() => {});
    await this.work.dispose();
  }
}
