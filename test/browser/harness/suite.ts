/** Test suites in one browser: it is started before the first test and closed after the last. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'puppeteer-core';
import { closeBrowser, type Kind, launch, whyNoBrowser } from './browsers.ts';
import { Stage } from './stage.ts';

/** What a suite has: `test` plays on a stage of its own in the suite's browser. */
export interface Suite {
  readonly test: (
    name: string,
    body: (stage: Stage) => Promise<void>,
    options?: { timeout?: number },
  ) => void;
}

export interface SuiteOptions {
  args?: readonly string[];
  /** What this browser logs as an error although it is none. */
  expected?: RegExp;
}

/** A suite in one browser, which is skipped with the reason where there is none; on CI that is a failure. */
export function inBrowser(
  kind: Kind,
  name: string,
  tests: (suite: Suite) => void,
  options: SuiteOptions = {},
): void {
  const missing = whyNoBrowser(kind);
  const skip = missing !== undefined && !process.env.CI ? missing : false;
  describe(`browser: ${kind}: ${name}`, { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'beeline-browser-'));
    let browser: Browser | undefined;
    before(async () => {
      assert.equal(missing, undefined);
      browser = await launch(kind, { folder, args: options.args });
    });
    after(async () => {
      if (browser) await closeBrowser(browser);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    tests({
      test: (title, body, { timeout = 240_000 } = {}) =>
        it(title, { timeout }, async () => {
          const stage = new Stage(browser!, folder, kind);
          stage.expected = options.expected;
          try {
            await stage.begin();
            await body(stage);
            await stage.clean();
          } catch (error) {
            // In the error itself: of a failure elsewhere often nothing else is seen.
            const account = await stage.account();
            if (error instanceof Error) error.message += `\n${account}`;
            throw error;
          } finally {
            await stage.dispose();
          }
        }),
    });
  });
}
