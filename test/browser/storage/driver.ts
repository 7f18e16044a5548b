/** A page of its own origin with the storage code and nothing else, in real Chromium, driven by name. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import type { Browser, Page } from 'puppeteer-core';
import { BeelineError, type ErrorCode } from '../../../src/base/errors.ts';
import type { Scenario } from './page.ts';

/** As the server's, as far as it concerns workers and downloads. */
const POLICY =
  "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; frame-src 'self'; " +
  "require-trusted-types-for 'script'; trusted-types beeline";
const SOURCES = {
  '/page.js': 'test/browser/storage/page.ts',
  '/storage.worker.js': 'src/browser/files/storage.worker.ts',
  '/download.worker.js': 'src/browser/files/download.worker.ts',
};

let bundles: Promise<Map<string, string>> | undefined;

async function bundle(): Promise<Map<string, string>> {
  const made = await Promise.all(
    Object.entries(SOURCES).map(async ([path, entry]) => {
      const { outputFiles } = await build({
        ...{ entryPoints: [entry], bundle: true, write: false, format: 'esm', target: 'es2022' },
        ...{ platform: 'browser', logLevel: 'error' },
      });
      return [path, outputFiles[0]!.text] as const;
    }),
  );
  return new Map(made);
}

export class Origin {
  readonly #browser: Browser;
  readonly #server: Server;
  readonly #pages: Page[] = [];

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser;
    this.#server = server;
  }

  static async start(browser: Browser): Promise<Origin> {
    bundles ??= bundle();
    const files = await bundles;
    const server = createServer((request, response) => {
      const script = files.get(request.url!);
      response.setHeader('content-security-policy', POLICY);
      response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript');
      response.end(
        script ?? '<!doctype html><title>Storage</title><script type=module src=/page.js></script>',
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Origin(browser, server);
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async page(): Promise<StoragePage> {
    const page = await this.#browser.newPage();
    this.#pages.push(page);
    await page.goto(this.url);
    await page.waitForFunction('globalThis.scenario');
    return new StoragePage(page);
  }

  async close(): Promise<void> {
    // A page that crashed does not answer.
    for (const page of this.#pages) void page.close().catch(() => {});
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

type Answer<K extends keyof Scenario> = Awaited<ReturnType<Scenario[K]>>;

export class StoragePage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** @throws BeelineError what the page's own code threw */
  async do<K extends keyof Scenario>(name: K, ...args: Parameters<Scenario[K]>): Promise<Answer<K>> {
    const told = (await this.page.evaluate(`scenario(${JSON.stringify(name)}, ${JSON.stringify(args)})`)) as {
      value: Answer<K>;
      error?: { code: ErrorCode; message: string; paths: string[] };
    };
    if (told.error) throw new BeelineError(told.error.code, told.error.message, told.error);
    return told.value;
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.page.waitForFunction('globalThis.scenario');
  }

  /** The page dies as by a crash: nothing of it is told that it ends. */
  async kill(): Promise<void> {
    const cdp = await this.page.createCDPSession();
    const dead = new Promise((resolve) => this.page.once('error', resolve));
    cdp.send('Page.crash').catch(() => {});
    await dead;
  }
}

/** Waits until the group commit has said of so many bytes that they are down. */
export async function journaled(page: StoragePage, bytes: number): Promise<void> {
  for (const end = Date.now() + 60_000; (await page.do('kept'))[0]?.have !== bytes; await delay(50))
    assert.ok(Date.now() < end, 'not all of it was journaled');
}

/** Asserts the code, and that a person is told something that ends in a full stop. */
export async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<BeelineError> {
  const error = await promise.then(
    () => assert.fail(`expected ${code}`),
    (thrown) => thrown,
  );
  assert.ok(error instanceof BeelineError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, /\.$/);
  return error;
}
