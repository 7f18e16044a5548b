/** The page about a server, for the people who run it. */
import assert from 'node:assert/strict';
import { accessible } from './harness/accessible.ts';
import { inBrowser } from './harness/suite.ts';

inBrowser('chromium', 'browser: status', ({ test }) => {
  test('it can be read by everybody, and its policy blocks nothing of it', async (stage) => {
    const { origin } = await stage.serve(0, '--status');
    const page = await stage.tab(`${origin}/status`);
    await page.page.goto(`${origin}/status`);
    assert.equal(await page.ask('document.title'), 'Beeline server: ready');
    assert.equal(await page.ask('document.querySelectorAll("table").length'), 4);
    assert.equal(
      await page.ask('getComputedStyle(document.querySelector("table")).borderCollapse'),
      'collapse',
    );
    await accessible(page, 'status');
  });
});
