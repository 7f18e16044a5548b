// How soon the built page can be used on a slow telephone: the processor throttled to a quarter, 1.6 Mbit/s, 150 ms there and back,
// nothing in any cache, in Chromium. Prints the medians of several visits: the first picture (the browser's first contentful
// paint), interactive (the picture stands, and a task that was queued then has run), the engine (all of the page is here).
// Fails if interactive is over a second. An option `--visits N` sets how many.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { startServer } from '../dist/server/index.js';

const at = process.argv.indexOf('--visits');
const VISITS = at < 0 ? 5 : Number(process.argv[at + 1]);
/** Milliseconds. */
const MOST = 1000;
const SLOWER = 4;
const NET = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 0.75e6 / 8 };

const profile = mkdtempSync(join(tmpdir(), 'beeline-page-speed-'));
const server = await startServer({ host: '127.0.0.1', port: 0, stun: false });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  userDataDir: profile,
  args: ['--no-sandbox', '--headless=new'],
});
const median = (all) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
try {
  const visits = [];
  for (let visit = 0; visit < VISITS; visit++) visits.push(await look());
  const of = (what) => median(visits.map((visit) => visit[what]));
  const words = (what) => `${String(Math.round(of(what))).padStart(6)} ms  ${what}`;
  console.log(
    `medians of ${VISITS} visits, processor ${SLOWER} times slower, 1.6 Mbit/s, ${NET.latency} ms there and back`,
  );
  for (const what of ['picture', 'interactive', 'engine']) console.log(words(what));
  if (of('interactive') > MOST) {
    console.error(`Interactive takes more than ${MOST} ms.`);
    process.exitCode = 1;
  }
} finally {
  await browser.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

async function look() {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const session = await page.createCDPSession();
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', NET);
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  await page.evaluateOnNewDocument(() => {
    const watch = new MutationObserver(() => {
      if (!document.querySelector('main button')) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => (window.interactive = performance.now())));
    });
    watch.observe(document, { childList: true, subtree: true });
  });
  await page.goto(server.url, { waitUntil: 'networkidle0' });
  const found = await page.evaluate(() => ({
    picture: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    interactive: window.interactive,
    engine: Math.max(
      ...performance
        .getEntriesByType('resource')
        .filter(({ name }) => /\/assets\/.*\.js$/.test(name))
        .map(({ responseEnd }) => responseEnd),
    ),
  }));
  await context.close();
  return found;
}
