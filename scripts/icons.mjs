// Draws the icons that systems want as PNG from web/public/icon.svg, by Chromium, into web/public/icons. A maskable one and
// Apple's are cut by the system: their ground reaches every edge, and what is drawn on it keeps to the middle.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

const FOLDER = 'web/public/icons';
/** The ground of the mark, as in icon.svg. */
const GROUND = /<rect[^>]*fill="(#[0-9a-f]{6})"/;
const ICONS = [
  { name: '192', size: 192, whole: true },
  { name: '512', size: 512, whole: true },
  { name: 'maskable-512', size: 512, scale: 0.8 },
  { name: 'apple-touch', size: 180, scale: 0.9 },
];

const svg = readFileSync('web/public/icon.svg', 'utf8');
const ground = GROUND.exec(svg)?.[1];
if (ground === undefined) throw new Error('icon.svg has no ground of one colour.');
mkdirSync(FOLDER, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), 'beeline-icons-'));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  userDataDir: profile,
  args: ['--no-sandbox'],
});
try {
  const page = await browser.newPage();
  for (const { name, size, whole = false, scale = 1 } of ICONS) {
    await page.setViewport({ width: size, height: size });
    const style = `body{margin:0;height:100vh;display:grid;place-items:center;background:${whole ? 'transparent' : ground}}svg{width:${100 * scale}vw}`;
    await page.setContent(`<style>${style}</style>${svg}`);
    await page.screenshot({ path: join(FOLDER, `${name}.png`), omitBackground: whole });
  }
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
