/** Pages among the receivers of one offer: they help each other and commands, over WebRTC. */
import { ok } from 'node:assert/strict';
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
    const pages = [await stage.page(), await stage.page()];
    for (const page of pages) await page.receive(code);
    for (const page of pages) await page.reaches('completed');
    const { events } = await sender.ends(0);
    ok(sizes(events) < 1.8, `the sender sent it ${sizes(events).toFixed(2)} times`);
    for (const page of pages) {
      const [saved] = await stage.downloads(() => page.press('Save'));
      sameFile(work.path('one.bin'), saved!);
    }
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
