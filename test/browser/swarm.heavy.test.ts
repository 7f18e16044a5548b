/** Pages among the receivers of one offer: they help each other and commands, over WebRTC. */
import { equal, ok } from 'node:assert/strict';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Line } from '../integration/command.ts';
import { inBrowser } from './harness/suite.ts';

const SIZE = 16_000_000;
/** So long that WebRTC has connected well before it is over. */
const SLOWLY = ['--limit', '2M', '--receivers', '2'];

/** What the sender's lanes carried, in sizes of the offer. */
function sizes(events: readonly Line[]): number {
  const closed = events.filter(({ event, status }) => event === 'lane' && status === 'closed');
  return closed.reduce((sum, { bytes }) => sum + Number(bytes), 0) / SIZE;
}

inBrowser('chromium', 'receivers that help each other', ({ test }) => {
  test('two pages: the command that sends gives much less than both take', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), ...SLOWLY]);
    const pages = [await stage.page(), await stage.page({ elsewhere: true })];
    for (const page of pages) await page.receive(code);
    for (const page of pages) await page.reaches('completed');
    for (const page of pages) await page.says(/came from other receivers, .* went to them/, '#swarm');
    const { events } = await sender.ends(0);
    ok(sizes(events) < 1.8, `the sender sent it ${sizes(events).toFixed(2)} times`);
    await stage.saved(work.path('one.bin'));
    for (const page of pages) {
      const [saved] = await stage.downloads(() => page.press('Save again'));
      sameFile(work.path('one.bin'), saved!);
    }
  });

  test('a page that is done says that it still gives, until the others are done or it is left', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { code } = await stage.sends([work.path('one.bin'), '--limit', '2M', '--receivers', '3']);
    const slow = await stage.receives(code, work.folder('slow'), ['--limit', '300k']);
    const pages = [await stage.page(), await stage.page({ elsewhere: true })];
    for (const page of pages) await page.receive(code);
    for (const page of pages) await page.says(/You can close this page/, '#serving');
    // Nothing of it is asked about, and the others lose nothing by it.
    await pages[0]!.page.close();
    await slow.ends(0);
    sameFile(work.path('one.bin'), work.path('slow', 'one.bin'));
    await pages[1]!.shows("!document.querySelector('#serving')");
  });

  test('a page that does not share gives to nobody and fetches from nobody', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), 6_000_000);
    const { sender, code } = await stage.sends([work.path('one.bin'), ...SLOWLY]);
    const page = await stage.page();
    await page.page.locator('summary').click();
    await page.page.select('#share', 'no');
    await page.receive(code);
    const other = await stage.receives(code, work.folder('out'));
    await page.reaches('completed');
    const received = await other.ends(0);
    await sender.ends(0);
    equal(await page.text('#swarm'), '');
    equal(
      received.events.find(({ event }) => event === 'swarm'),
      undefined,
    );
  });

  test('a page and a command give to each other', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), ...SLOWLY]);
    const page = await stage.page();
    await page.receive(code);
    const received = await (await stage.receives(code, work.folder('out'))).ends(0);
    await page.reaches('completed');
    const { events } = await sender.ends(0);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    const last = received.events.filter(({ event }) => event === 'swarm').at(-1);
    ok(Number(last?.down) + Number(last?.up) > 0.2 * SIZE, JSON.stringify(last));
    ok(sizes(events) < 1.8, `the sender sent it ${sizes(events).toFixed(2)} times`);
  });
});
