/** The page built on the mock of src/browser, served as `beeline server` serves it, in Chromium. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { build, type Plugin } from 'vite';
import { receivingOnly } from '../../src/server/page-files.ts';
import config from '../../web/vite.config.ts';
import { closeBrowser, launch } from '../browser/harness/browsers.ts';

/** As strict as the server's: what this page did against it would be a violation there too. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self'; " +
  "manifest-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types beeline";
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};
const STORAGE = '\0storage.worker';
const SHELL = '\0shell';

const mock: Plugin = {
  name: 'mock-browser',
  enforce: 'pre',
  resolveId(source, importer) {
    if (source.endsWith('?worker&url')) return STORAGE;
    if (source.endsWith('src/browser/index.ts')) return resolve('test/web/mock-browser.ts');
    // Nothing keeps it, and what was built on the mock is not to outlive it.
    if (source.endsWith('/shell.ts')) return SHELL;
    const real = importer?.endsWith('mock-light.ts');
    return source.endsWith('src/browser/light.ts') && !real ? resolve('test/web/mock-light.ts') : undefined;
  },
  load(id) {
    if (id === SHELL)
      return 'export const keepShell = () => {}; export const sharedWith = async () => globalThis.shared;';
    return id === STORAGE ? "export default '/storage.worker.js'" : undefined;
  },
};

export interface MockPage {
  origin: string;
  browser: Browser;
  /** A tab with its own recorder of violated policies and of errors. */
  open(path?: string, from?: string): Promise<{ page: Page; errors: string[] }>;
  close(): Promise<void>;
}

/** @param args more of them for the browser */
export async function mockPage(args: readonly string[] = []): Promise<MockPage> {
  const folder = await mkdtemp(join(tmpdir(), 'beeline-web-'));
  const outDir = join(folder, 'web');
  await build({
    ...config,
    ...{ configFile: false, logLevel: 'warn', plugins: [mock], build: { ...config.build, outDir } },
  });
  const server = createServer(async ({ url = '/' }, response) => {
    const asked = new URL(url, 'http://x').pathname;
    const path = asked === '/' ? '/index.html' : asked;
    try {
      // As the server of a sender gives it.
      const receiving = path === '/receiving';
      const file = await readFile(join(outDir, receiving ? 'index.html' : path));
      const body = receiving ? receivingOnly(file.toString()) : file;
      response.setHeader(
        'content-type',
        TYPES[receiving ? '.html' : extname(path)] ?? 'application/octet-stream',
      );
      response.setHeader('content-security-policy', POLICY);
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await launch('chromium', { folder: join(folder, 'chromium'), args });
  return {
    ...{ origin, browser },
    async open(path = '/', from = origin) {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('request', (request) => {
        if (!request.url().startsWith(`${from}/`)) errors.push(`asked for ${request.url()}`);
      });
      await page.goto(from + path);
      await whole(page);
      return { page, errors };
    },
    async close() {
      await closeBrowser(browser);
      await new Promise((done) => server.close(done));
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

/** Resolves once all of a page that was loaded is there: the engine comes behind the first picture, and an insecure page goes without. */
export async function whole(page: Page): Promise<void> {
  await page.waitForSelector('main');
  await page.waitForFunction('!isSecureContext || globalThis.mock !== undefined');
}

/** Runs an expression on `mock` in the page, and lets the page draw what follows. */
export async function play<T>(page: Page, expression: string): Promise<T> {
  const value = await page.evaluate(`Promise.resolve(${expression}).then((value) => value)`);
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
  return value as T;
}

export async function state(page: Page, wanted: string): Promise<void> {
  const found = await page.$eval('main', (main) => (main as HTMLElement).dataset.state);
  assert.equal(found, wanted);
}
