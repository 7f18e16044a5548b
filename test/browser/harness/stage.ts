/**
 * What one test plays on: a server of its own (so an origin, and a storage, of its own), pages in the suite's browser, and
 * commands. All of it ends with the test, and a page in which anything went wrong fails it.
 */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'puppeteer-core';
import { type Command, type StartOptions, within } from '../../integration/command.ts';
import { Workspace } from '../../integration/workspace.ts';
import { freePort } from '../../ports.ts';
import { downloadsOf, type Kind } from './browsers.ts';
import { type BeelinePage, openPage } from './page.ts';

const DOWNLOAD_DEADLINE = 120_000;

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
  readonly #downloads: string;
  readonly #chromium: boolean;
  readonly #pages: BeelinePage[] = [];
  #site: Site | undefined;

  constructor(browser: Browser, folder: string, kind: Kind) {
    this.browser = browser;
    this.#downloads = downloadsOf(folder);
    this.#chromium = kind === 'chromium';
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
    const list = () => readdirSync(this.#downloads).map((name) => join(this.#downloads, name));
    for (const path of list()) rmSync(path);
    await act();
    let before = '';
    for (const end = Date.now() + DOWNLOAD_DEADLINE; Date.now() < end; await delay(300)) {
      const files = list();
      // Firefox holds the name with an empty file while it writes beside it; Chromium writes under another name.
      const underway = files.some((path) => /\.(part|crdownload)$|\.org\.chromium/.test(path));
      const now = files.map((path) => `${path} ${statSync(path, { throwIfNoEntry: false })?.size}`).join();
      if (files.length >= count && !underway && now === before && !/ 0(,|$)/.test(now)) return files.sort();
      before = now;
    }
    assert.fail(`${count} downloads in time, not: ${before}`);
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
    for (const { page } of this.#pages) if (!page.isClosed()) await page.close().catch(() => {});
    await this.work.dispose();
  }
}
