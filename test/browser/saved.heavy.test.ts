/** A single file goes to the browser's downloads by itself: once, whatever becomes of the page. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Kind } from './harness/browsers.ts';
import type { BeelinePage } from './harness/page.ts';
import { inBrowser, type Suite } from './harness/suite.ts';

const SIZE = 12_345_678;

/** Downloads that pages of this origin have begun, also those before a reload. */
const COUNTING = `{
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function () {
    if (this.hasAttribute('download')) localStorage.begun = Number(localStorage.begun ?? 0) + 1;
    return click.call(this);
  };
}`;
const begun = (page: BeelinePage) => page.ask<number>('Number(localStorage.begun ?? 0)');

const suite =
  (kind: Kind) =>
  ({ test }: Suite): void => {
    test('a single file is saved by itself, once, also by a page in the background that is reloaded', async (stage) => {
      const { work } = stage;
      makeFile(work.path('alone.bin'), SIZE);
      const { sender, code } = await stage.sends([work.path('alone.bin'), '--limit', '8M']);
      const page = await stage.page({ prepare: COUNTING });
      await page.asks(code);
      await page.press('Receive');
      const other = await stage.page({ elsewhere: true });
      await other.page.bringToFront();
      await page.reaches('completed');
      await sender.ends(0);
      await page.says(/Your browser saves it to your downloads/);
      const [saved] = await stage.saved(work.path('alone.bin'));
      assert.equal(basename(saved!), 'alone.bin');
      sameFile(work.path('alone.bin'), saved!);
      // A tab in the background draws nothing.
      await page.page.bringToFront();
      assert.equal(await page.has('Save'), false);

      await page.page.reload();
      await page.reaches('home');
      await page.says(/given to your downloads/);
      assert.equal(await begun(page), 1);
      const [again] = await stage.downloads(() => page.press('Save again'));
      sameFile(work.path('alone.bin'), again!);
      assert.equal(await begun(page), 2);
    });

    test('the copy in the browser stays, whatever becomes of the download, until it is deleted', async (stage) => {
      const { work } = stage;
      makeFile(work.path('short.bin'), SIZE);
      const { sender, code } = await stage.sends([work.path('short.bin')]);
      const page = await stage.page();
      await page.receive(code);
      await page.reaches('completed');
      await sender.ends(0);
      await stage.saved(work.path('short.bin'));
      await page.again();
      await page.says(/given to your downloads/);
      assert.ok((await page.stored()) >= SIZE);
      await page.press('Delete');
      await page.when(
        async () => (await page.stored()) === 0,
        () => 'empty storage',
      );
    });

    if (kind === 'firefox') return;

    test('two pages in turn, two files: each is saved, and several files wait for a button', async (stage) => {
      const { work } = stage;
      for (const name of ['first.bin', 'second.bin']) makeFile(work.path(name), 3_000_000 + name.length);
      const page = await stage.page({ prepare: COUNTING });
      for (const name of ['first.bin', 'second.bin']) {
        const { sender, code } = await stage.sends([work.path(name)]);
        await page.receive(code);
        await page.reaches('completed');
        await sender.ends(0);
        const [saved] = await stage.saved(work.path(name));
        sameFile(work.path(name), saved!);
        await page.again();
        await page.reaches('home');
      }
      const { sender, code } = await stage.sends([work.path('first.bin'), work.path('second.bin')]);
      await page.receive(code);
      await page.reaches('completed');
      await sender.ends(0);
      await page.when(
        () => page.has('Save'),
        () => 'Save',
      );
      assert.equal(await begun(page), 2);
    });
  };

for (const kind of ['chromium', 'firefox'] as const) inBrowser(kind, 'saved by itself', suite(kind));
