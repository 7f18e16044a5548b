/** The paths that Firefox has: it sends, receives and keeps; there is no folder to save to, so several files are one ZIP. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Line } from '../integration/command.ts';
import { errorCode, event } from '../integration/workspace.ts';
import { NO_WEBRTC } from './harness/no-webrtc.ts';
import { inBrowser, type Suite } from './harness/suite.ts';
import { assertSame, makeMixedFolder, readFolder, within } from './harness/tree.ts';
import { readZip } from './harness/zip.ts';

const SIZE = 12_345_678;
/** However long WebRTC takes to connect: nothing goes another way. */
const DIRECT = ['--relay', 'never'];
const kindsOf = (events: readonly Line[]) =>
  events.filter(({ event }) => event === 'lane').map(({ kind }) => kind);

/** A WebSocket to the relay that the page itself gave up, since it was not needed any more. */
const ABANDONED =
  /can’t establish a connection to the server at wss?:|was interrupted while the page was loading/;

inBrowser('firefox', 'transfers', suite, { expected: ABANDONED });

function suite({ test }: Suite): void {
  test('command to browser: kept, then saved as a download', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), ...DIRECT]);
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    const sent = await sender.ends(0);
    assert.equal(await page.root(), event(sent, 'done').root);
    assert.deepEqual([...new Set(kindsOf(sent.events))], ['webrtc']);
    assert.equal(await page.has('Save to a folder'), false, 'no button that could not work');
    const [saved] = await stage.saved(work.path('one.bin'));
    assert.equal(basename(saved!), 'one.bin');
    sameFile(work.path('one.bin'), saved!);
  });

  test('command to browser: a folder is saved as a ZIP', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    const { sender, code } = await stage.sends([work.path('mixed')]);
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    const files = (map: Map<string, Buffer>) => new Map([...map].filter(([path]) => !path.endsWith('/')));
    const expected = files(within('mixed', readFolder(work.path('mixed'))));
    // So small an archive is handed over before the browser has made a download of it: once is no proof.
    for (let round = 0; round < 5; round++) {
      await page.reaches('completed');
      const [saved] = await stage.downloads(() => page.press(round === 0 ? 'Save' : 'Save again'));
      assertSame(files(readZip(readFileSync(saved!))), expected);
    }
  });

  test('browser to command: files, over WebRTC', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    makeFile(work.path('empty'), 0);
    const page = await stage.page();
    await page.choose(work.path('one.bin'), work.path('empty'));
    const received = await (await stage.receives(await page.code(), work.folder('out'), DIRECT)).ends(0);
    await page.reaches('completed');
    assert.equal(await page.root(), event(received, 'done').root);
    assert.deepEqual([...new Set(kindsOf(received.events))], ['webrtc']);
    for (const name of ['one.bin', 'empty']) sameFile(work.path(name), work.path('out', name));
  });

  test('a text, both ways', async (stage) => {
    const text = 'Grüße & <b>日本語</b>\n';
    const { sender, code } = await stage.sends(['--text', text]);
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    assert.equal(await page.ask("document.querySelector('pre#text, #text pre').textContent"), text);
    await page.again();
    await page.sendText(text);
    const received = await (await stage.receives(await page.code(), stage.work.folder('out'))).ends(0);
    assert.equal(event(received, 'text').text, text);
    await page.reaches('completed');
  });

  test('without WebRTC, the relay carries both ways', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), '--limit', '2M']);
    const page = await stage.page({ prepare: NO_WEBRTC });
    await page.receive(code);
    await page.shows("/relay/i.test(document.querySelector('#path')?.textContent)");
    await page.reaches('completed');
    assert.deepEqual([...new Set(kindsOf((await sender.ends(0)).events))], ['relay']);
    await page.again();
    await page.choose(work.path('one.bin'));
    const received = await (await stage.receives(await page.code(), work.folder('out'))).ends(0);
    assert.deepEqual([...new Set(kindsOf(received.events))], ['relay']);
    await page.reaches('completed');
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  test('a tab that was closed: a new one goes on where it was', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), 32 << 20);
    const { sender, code } = await stage.sends([work.path('one.bin'), '--limit', '3M']);
    const page = await stage.page();
    await page.receive(code);
    await page.keeps();
    await page.page.close();
    const again = await stage.page({ code });
    await again.press('Go on');
    // The browser knows what was said yes to under the code: it is not asked about again.
    await again.reaches('completed');
    const { resumed } = event(await sender.ends(0), 'done');
    assert.ok(Number(resumed) > 0, 'some of it was there');
    const [saved] = await stage.saved(work.path('one.bin'));
    sameFile(work.path('one.bin'), saved!);
  });

  test('pause, resume and cancel', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), 32 << 20);
    const { sender, code } = await stage.sends([work.path('one.bin'), '--limit', '3M']);
    const page = await stage.page();
    await page.receive(code);
    await page.moved(0.05);
    await page.press('Pause');
    await page.reaches('paused');
    await page.press('Resume');
    await page.reaches('transferring');
    await page.press('Cancel');
    await page.reaches('cancelled');
    assert.equal(errorCode(await sender.ends(3)), 'CANCELLED');
  });
}
