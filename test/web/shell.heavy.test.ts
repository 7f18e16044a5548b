/** The installed page, as it was built and as a server gives it, in Chromium: without the server, with a newer one, and with what others share. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, beforeEach } from 'node:test';
import type { Browser, ElementHandle, Page } from 'puppeteer-core';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { closeBrowser, launch, whyNoBrowser } from '../browser/harness/browsers.ts';

const skip = whyNoBrowser('chromium');
const BUILT = 'dist/web';

let folder: string;
let browser: Browser;
let server: RunningServer | undefined;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'beeline-shell-'));
  browser = await launch('chromium', { folder: join(folder, 'chromium') });
});
after(async () => {
  if (skip) return;
  await server?.close();
  await closeBrowser(browser);
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});
beforeEach(async () => {
  await server?.close();
  server = undefined;
});

/** A server of an origin that no test had before, unless a port is given. */
async function serve(page = BUILT, port = 0): Promise<string> {
  server = await startServer({ host: '127.0.0.1', port, stun: false, page });
  return server.url;
}

async function stop(): Promise<number> {
  const { port } = server!;
  await server!.close();
  server = undefined;
  return port;
}

/** A tab whose page is kept as soon as this resolves. */
async function visit(origin: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(origin);
  await page.evaluate(async () => {
    const { active } = await navigator.serviceWorker.ready;
    if (active!.state === 'activated') return;
    await new Promise((resolve) => active!.addEventListener('statechange', resolve, { once: true }));
  });
  return page;
}

/** Waits until all of the page is here and runs. */
async function whole(page: Page): Promise<void> {
  await page.waitForSelector('main[data-state=home]');
  await page.waitForFunction(() =>
    performance
      .getEntriesByType('resource')
      .some(
        (entry) =>
          /\/assets\/browser-/.test(entry.name) &&
          (entry as PerformanceResourceTiming).responseStatus === 200,
      ),
  );
}

const stores = (page: Page) =>
  page.evaluate(async () => {
    const all: Record<string, string[]> = {};
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      all[name] = requests.map(({ url }) => new URL(url).pathname).sort();
    }
    return all;
  });

/** What is built, with another name for its script and another version of its worker. */
function newer(): string {
  const to = join(folder, 'newer');
  cpSync(BUILT, to, { recursive: true });
  const name = readdirSync(join(to, 'assets')).find((each) => /^index-.*\.js$/.test(each))!;
  const other = name.replace(/-.{8}\.js$/, '-newer000.js');
  const worker = readFileSync(join(to, 'shell.worker.js'), 'utf8');
  const version = /["'`]([\w-]{22})["'`]/.exec(worker)![1]!;
  for (const file of [
    ...readdirSync(join(to, 'assets')).map((each) => `assets/${each}`),
    'index.html',
    'shell.worker.js',
  ]) {
    const text = readFileSync(join(to, file), 'utf8')
      .replaceAll(name, other)
      .replaceAll(version, 'n'.repeat(22));
    const marked = file === 'index.html' ? text.replace('<head>', '<head><meta name="newer">') : text;
    writeFileSync(join(to, file), marked);
  }
  cpSync(join(to, 'assets', name), join(to, 'assets', other));
  rmSync(join(to, 'assets', name));
  return to;
}

test('a page that was there once opens without its server, whole', { skip }, async () => {
  const origin = await serve();
  const first = await visit(origin);
  await first.close();
  await stop();
  const page = await browser.newPage();
  await page.goto(origin);
  await whole(page);
  await page.close();
});

test('nothing but what the page consists of is kept, whatever is asked for', { skip }, async () => {
  const origin = await serve();
  const page = await visit(origin);
  await page.goto(`${origin}/?receive`);
  await whole(page);
  await page.evaluate(async () => {
    await fetch('/healthz');
    await fetch('/nothing-of-the-kind');
  });
  const built = [
    ...readdirSync(join(BUILT, 'assets')).map((name) => `/assets/${name}`),
    '/',
    '/icon.svg',
    '/manifest.webmanifest',
  ];
  const kept = Object.values(await stores(page));
  assert.deepEqual(kept, [built.sort()]);
  assert.equal(page.url(), `${origin}/`, 'how it was opened is forgotten');
  await page.close();
});

test('a newer page is seen at once, and takes the place of the old one when that is closed', {
  skip,
}, async () => {
  const origin = await serve();
  const old = await visit(origin);
  const [before] = Object.keys(await stores(old));
  const port = await stop();
  await serve(newer(), port);
  const page = await browser.newPage();
  await page.goto(origin);
  await whole(page);
  assert.ok(await page.$('meta[name=newer]'), 'the newer document');
  // The browser looks for a newer worker by itself, when it likes.
  await page.evaluate(async () => {
    const registration = (await navigator.serviceWorker.getRegistration('/'))!;
    await registration.update();
  });
  await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistration('/'))?.waiting);
  assert.equal(Object.keys(await stores(page)).length, 2, 'what an open page needs is not taken from it');
  await old.close();
  await page.close();
  const next = await browser.newPage();
  await next.goto(origin);
  await next.waitForFunction(async () => (await caches.keys()).length === 1);
  assert.notEqual(Object.keys(await stores(next))[0], before);
  await next.close();
  await stop();
  const alone = await browser.newPage();
  await alone.goto(origin);
  await whole(alone);
  assert.ok(await alone.$('meta[name=newer]'), 'the newer document without a server, too');
  await alone.close();
});

test('a server that has trouble does not take the page away', { skip }, async () => {
  const origin = await serve();
  await (await visit(origin)).close();
  const page = await browser.newPage();
  const port = await stop();
  const gateway = createServer((_, response) => response.writeHead(502).end('Bad gateway'));
  await new Promise<void>((done) => gateway.listen(port, '127.0.0.1', done));
  try {
    await page.goto(origin);
    await whole(page);
  } finally {
    gateway.closeAllConnections();
    await new Promise((done) => gateway.close(done));
    await page.close();
  }
});

/** What another program does that shares something: a form that is posted to the page. */
async function share(
  page: Page,
  origin: string,
  fields: Record<string, string>,
  path?: string,
): Promise<void> {
  await page.goto('about:blank');
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<textarea name="${name}">${value}</textarea>`,
  );
  await page.setContent(
    `<form method="post" enctype="multipart/form-data" action="${origin}/share">${inputs.join('')}<input type="file" name="files"></form>`,
  );
  if (path !== undefined) await ((await page.$('input')) as ElementHandle<HTMLInputElement>).uploadFile(path);
  else await page.$eval('input', (input) => input.remove());
  await Promise.all([page.waitForNavigation(), page.$eval('form', (form) => form.submit())]);
}

test('what another program shares arrives in the page, and never at the server', { skip }, async () => {
  const origin = await serve();
  const page = await visit(origin);
  const file = join(folder, 'shared.txt');
  writeFileSync(file, 'hello');
  await share(page, origin, {}, file);
  await page.waitForSelector('main:not([data-state=home])');
  await page.waitForFunction(() => document.querySelector('main')!.textContent!.includes('5 B'));
  assert.equal(page.url().split('#')[0], `${origin}/`);
  await page.close({ runBeforeUnload: false });
  const other = await visit(origin);
  await share(other, origin, { title: 'Read this', url: 'https://example.com/' });
  await other.waitForFunction(() =>
    document.querySelector<HTMLTextAreaElement>('#text-to-send')?.value.includes('https://example.com/'),
  );
  assert.deepEqual(Object.keys(await stores(other)).length, 1);
  await other.close({ runBeforeUnload: false });
});

test('what nobody shared is not there, and the page says so', { skip }, async () => {
  const origin = await serve();
  const page = await visit(origin);
  await page.goto(`${origin}/?shared=00000000-0000-4000-8000-000000000000`);
  await page.waitForSelector('main[data-state=home] [role=alert]');
  assert.match((await page.$eval('main', (main) => main.textContent))!, /did not arrive/);
  await page.close();
});

test('files that a system opens with the installed page are taken', { skip }, async () => {
  const origin = await serve();
  const page = await browser.newPage();
  await page.evaluateOnNewDocument(() => {
    const handle = { getFile: async () => new File(['hello'], 'opened.txt') };
    Object.defineProperty(globalThis, 'launchQueue', {
      value: { setConsumer: (take: (launch: unknown) => void) => take({ files: [handle] }) },
    });
  });
  await page.goto(origin);
  await page.waitForSelector('main:not([data-state=home])');
  await page.waitForFunction(() => document.querySelector('main')!.textContent!.includes('5 B'));
  await page.close({ runBeforeUnload: false });
});

test('a browser takes the page for one that can be installed', { skip }, async () => {
  const origin = await serve();
  const page = await visit(origin);
  const session = await page.createCDPSession();
  const { errors } = await session.send('Page.getAppManifest');
  assert.deepEqual(errors, []);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  assert.deepEqual(installabilityErrors, []);
  const { icons, shortcuts } = JSON.parse(readFileSync(join(BUILT, 'manifest.webmanifest'), 'utf8'));
  const pictures = [...icons, ...shortcuts.flatMap((each: { icons: unknown[] }) => each.icons)];
  for (const { src, type } of [...pictures, { src: '/icons/apple-touch.png' }]) {
    const answer = await fetch(origin + src);
    assert.equal(answer.status, 200, src);
    if (type !== undefined) assert.equal(answer.headers.get('content-type'), type, src);
  }
  await page.close();
});
