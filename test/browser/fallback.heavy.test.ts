/** Where WebRTC is switched off, blocked or not installed, the server's relay carries, and each side says so. */
import assert from 'node:assert/strict';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Ended } from '../integration/command.ts';
import { NO_CANDIDATES, NO_WEBRTC } from './harness/no-webrtc.ts';
import { inBrowser } from './harness/suite.ts';

const SIZE = 16 << 20;
const LIMIT = ['--limit', '2M'];
const HOOK = pathToFileURL(fileURLToPath(new URL('./harness/no-datachannel.mjs', import.meta.url))).href;
const NO_DATACHANNEL = { NODE_OPTIONS: `--import ${HOOK}` };

function relayOnly({ events }: Ended): void {
  const kinds = events.filter(({ event }) => event === 'lane').map(({ kind }) => kind);
  assert.ok(kinds.length > 0);
  assert.deepEqual([...new Set(kinds)], ['relay']);
}

inBrowser('chromium', 'fallback', ({ test }) => {
  test('a page without WebRTC receives through the relay, and shows that', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), ...LIMIT]);
    const page = await stage.page({ prepare: NO_WEBRTC });
    await page.receive(code);
    await page.shows("/relay/i.test(document.querySelector('#path')?.textContent)");
    await page.reaches('completed');
    relayOnly(await sender.ends(0));
    const [saved] = await stage.saved(work.path('one.bin'));
    sameFile(work.path('one.bin'), saved!);
  });

  test('a page without WebRTC sends through the relay', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const page = await stage.page({ prepare: NO_WEBRTC });
    await page.choose(work.path('one.bin'));
    const receiver = await stage.receives(await page.code(), work.folder('out'), LIMIT);
    await page.shows("/relay/i.test(document.querySelector('#path')?.textContent)");
    relayOnly(await receiver.ends(0));
    await page.reaches('completed');
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  test('two pages, one of them without WebRTC', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const from = await stage.page();
    await from.choose(work.path('one.bin'));
    const to = await stage.page({ prepare: NO_WEBRTC });
    await to.receive(await from.code());
    await Promise.all([to.reaches('completed'), from.reaches('completed')]);
    const [saved] = await stage.saved(work.path('one.bin'));
    sameFile(work.path('one.bin'), saved!);
  });

  test('a command without node-datachannel sends through the relay, and says that browsers cannot reach it', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin')], { env: NO_DATACHANNEL });
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    const sent = await sender.ends(0);
    relayOnly(sent);
    const warned = sent.events.filter(({ event }) => event === 'warning').map(({ message }) => message);
    assert.match(`${sent.stderr}${warned}`, /browser/i);
    const [saved] = await stage.saved(work.path('one.bin'));
    sameFile(work.path('one.bin'), saved!);
  });

  test('a command without node-datachannel receives through the relay', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const page = await stage.page();
    await page.choose(work.path('one.bin'));
    const to = work.folder('out');
    const received = await (await stage.receives(await page.code(), to, [], { env: NO_DATACHANNEL })).ends(0);
    relayOnly(received);
    const warned = received.events.filter(({ event }) => event === 'warning').map(({ message }) => message);
    assert.match(`${received.stderr}${warned}`, /browser/i);
    await page.reaches('completed');
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  test('no WebRTC and no relay: both sides say that there is no way, and do not wait for ever', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), 1_000);
    const { sender, code } = await stage.sends([work.path('one.bin'), '--relay', 'never']);
    const page = await stage.page({ prepare: NO_WEBRTC });
    await page.fill('Code', code);
    await page.press('Receive');
    await page.reaches('failed', 90_000);
    assert.notEqual((await page.text('[role=alert]')).trim(), '');
    await sender.kill();
  });

  test('WebRTC that finds no candidate: the relay carries both ways', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin')]);
    const page = await stage.page({ prepare: NO_CANDIDATES });
    await page.receive(code);
    await page.reaches('completed');
    relayOnly(await sender.ends(0));
    await page.again();
    await page.choose(work.path('one.bin'));
    relayOnly(await (await stage.receives(await page.code(), work.folder('out'))).ends(0));
    await page.reaches('completed');
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });
});
