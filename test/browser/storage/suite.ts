/** Storage tests in one Chromium: each has an origin, and so a storage, of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'puppeteer-core';
import { closeBrowser, downloadsOf, launch, whyNoBrowser } from '../harness/browsers.ts';
import { Origin } from './driver.ts';

export interface Place {
  origin: Origin;
  browser: Browser;
  /** Where downloads go. */
  downloads: string;
}

type Test = (name: string, body: (place: Place) => Promise<void>) => void;

export function storageSuite(name: string, tests: (test: Test) => void): void {
  const missing = whyNoBrowser('chromium');
  describe(`browser storage: ${name}`, { skip: missing !== undefined && !process.env.CI && missing }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'beeline-storage-'));
    let browser: Browser;
    before(async () => {
      browser = await launch('chromium', { folder });
    });
    after(async () => {
      await closeBrowser(browser);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    tests((title, body) =>
      it(title, async () => {
        const origin = await Origin.start(browser);
        try {
          await body({ origin, browser, downloads: downloadsOf(folder) });
        } finally {
          await origin.close();
        }
      }),
    );
  });
}
