/** A page that needs no more than to be read: by axe, in both colour schemes, and on a phone. */
import assert from 'node:assert/strict';
import axe from 'axe-core';
import type { BeelinePage } from './page.ts';

/** No violation of a rule, in light and in dark, and nothing to scroll sideways to on a phone. */
export async function accessible(page: BeelinePage, what: string): Promise<void> {
  for (const scheme of ['light', 'dark']) {
    await page.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.ask(`${axe.source}; undefined`);
    const { violations } = await page.ask<{ violations: { id: string; nodes: { html: string }[] }[] }>(
      "axe.run(document, { resultTypes: ['violations'] })",
    );
    const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
    assert.deepEqual(found, [], `${what}, ${scheme}`);
  }
  await page.page.setViewport({ width: 320, height: 640 });
  const wide = await page.ask('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  assert.equal(wide, 0, `${what} is ${wide} pixels too wide for a phone`);
  await page.page.setViewport({ width: 1000, height: 800 });
}
