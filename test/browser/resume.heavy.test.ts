/** Tabs that are closed and opened again, reloads, and a server that is restarted: what is there is not sent again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { unfinished } from '../../src/index.ts';
import type { Command, Line } from '../integration/command.ts';
import { event, journaled } from '../integration/workspace.ts';
import { NO_WEBRTC } from './harness/no-webrtc.ts';
import type { BeelinePage } from './harness/page.ts';
import type { Stage } from './harness/stage.ts';
import { inBrowser } from './harness/suite.ts';
import { readZip } from './harness/zip.ts';

const SIZE = 32 << 20;
const LIMIT = ['--limit', '3M'];
/** For a command that is ended in the middle, even if its disk takes seconds to commit what has come. */
const SLOW = ['--limit', '1M'];
/** A server that is gone: the page tries to reach it again. */
const UNREACHABLE = /WebSocket|ERR_CONNECTION/;

/** The list is read from the storage after the page has come up. */
const UNFINISHED =
  "/Unfinished and unsaved[\\s\\S]*one\\.bin/.test(document.querySelector('main').innerText)";

const reached = (state: string, after = 0) => {
  let seen = 0;
  return (line: Line): boolean => line.event === 'state' && line.to === state && seen++ >= after;
};

interface Underway {
  page: BeelinePage;
  sender: Command;
  code: string;
}

/** Bytes that were there from before. */
function isPart(bytes: unknown): void {
  assert.ok(Number(bytes) > 0 && Number(bytes) < SIZE, `${bytes} bytes were there`);
}

/** A page that receives from a command, and keeps some of it already. */
async function receiving(stage: Stage, prepare?: string): Promise<Underway> {
  makeFile(stage.work.path('one.bin'), SIZE);
  const { sender, code } = await stage.sends([stage.work.path('one.bin'), ...LIMIT]);
  const page = await stage.page({ prepare });
  await page.receive(code);
  await page.keeps();
  return { page, sender, code };
}

/** The rest of it, by the button "Go on" and no other; what was kept is not sent again. */
async function goesOn(stage: Stage, page: BeelinePage, sender: Command): Promise<void> {
  await page.press('Go on');
  await page.reaches('completed');
  const done = event(await sender.ends(0), 'done');
  isPart(done.resumed);
  const [saved] = await stage.saved(stage.work.path('one.bin'));
  sameFile(stage.work.path('one.bin'), saved!);
}

inBrowser('chromium', 'resume', ({ test }) => {
  test('a tab that was closed: a new one goes on where it was', async (stage) => {
    const { page, sender, code } = await receiving(stage);
    await page.page.close();
    await sender.until(reached('connecting', 1));
    const again = await stage.page({ code });
    await again.shows(UNFINISHED);
    await goesOn(stage, again, sender);
  });

  test('a page that is reloaded keeps its code, and goes on where it was', async (stage) => {
    const { page, sender } = await receiving(stage);
    await page.page.reload();
    await page.reaches('home');
    await goesOn(stage, page, sender);
  });

  test('what is stopped for now is gone on with by the same page: the sender waits', async (stage) => {
    const { page, sender } = await receiving(stage);
    await page.press('Stop for now');
    assert.equal((await sender.until(reached('connecting', 1))).by, 'peer');
    await page.reaches('failed');
    await page.says(/kept/);
    await page.press('Back');
    await page.reaches('home');
    await goesOn(stage, page, sender);
  });

  test('what is complete but not saved can still be saved after a reload, and deleted', async (stage) => {
    const { work } = stage;
    for (const name of ['one.bin', 'two.bin']) makeFile(work.path(name), 3_000_000);
    const { sender, code } = await stage.sends([work.path('one.bin'), work.path('two.bin')]);
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    await page.page.close();

    const again = await stage.page();
    await again.shows(UNFINISHED);
    assert.equal(await again.has('Go on'), false);
    const [saved] = await stage.downloads(() => again.press('Save'));
    const files = readZip(readFileSync(saved!));
    for (const name of ['one.bin', 'two.bin'])
      assert.ok(files.get(name)?.equals(readFileSync(work.path(name))), name);
    await again.press('Delete');
    await again.shows("!document.querySelector('main').innerText.includes('one.bin')");
    await again.page.reload();
    await again.reaches('home');
    assert.doesNotMatch(await again.text('main'), /one\.bin/);
  });

  test('a sending page that is reloaded: the same file, chosen again, is not sent from its start', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const page = await stage.page();
    await page.choose(work.path('one.bin'));
    const first = await stage.receives(await page.code(), work.folder('out'), SLOW);
    await journaled(work.path('out'));
    await page.page.reload();
    // The page's last word, if it gets there before the page is gone; else the receiver would wait for an hour.
    const lost = first.until(reached('connecting', 1)).then(() => first.signal('SIGINT'));
    lost.catch(() => {});
    assert.ok([1, 130].includes(Number((await first.exited).status)));
    await page.reaches('home');
    await page.choose(work.path('one.bin'));
    const received = await (await stage.receives(await page.code(), work.folder('out'))).ends(0);
    await page.reaches('completed');
    isPart(event(received, 'done').resumed);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  test('a command that is killed and started again: the sending page goes on', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const page = await stage.page();
    await page.choose(work.path('one.bin'));
    const code = await page.code();
    const first = await stage.receives(code, work.folder('out'), SLOW);
    await journaled(work.path('out'));
    await first.kill();
    const [left] = await unfinished(work.path('out'));
    await page.reaches('connecting');
    const received = await (await stage.receives(code, work.folder('out'))).ends(0);
    isPart(left?.transfer?.here);
    assert.equal(event(received, 'done').resumed, left?.transfer?.here);
    await page.reaches('completed');
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  test('a sending page says that its server is gone while it waits, and that it is back', async (stage) => {
    stage.expected = UNREACHABLE;
    const { work } = stage;
    makeFile(work.path('one.bin'), 1 << 20);
    const page = await stage.page();
    await page.choose(work.path('one.bin'));
    const code = await page.code();
    const { server, port } = await stage.site();
    await server.kill();
    await page.says(/The server cannot be reached\. Trying again…/);
    await stage.serve(port);
    await page.says(/it is there again/);
    await (await stage.receives(code, work.folder('out'))).ends(0);
    await page.reaches('completed');
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  for (const [what, prepare] of [
    ['over WebRTC', undefined],
    ['over its relay', NO_WEBRTC],
  ] as const) {
    test(`the server is killed and restarted under way, ${what}: the transfer goes on`, async (stage) => {
      stage.expected = UNREACHABLE;
      const { page, sender } = await receiving(stage, prepare);
      const { server, port } = await stage.site();
      await server.kill();
      if (prepare !== undefined) {
        await page.reaches('connecting');
        await page.says(/The server cannot be reached\. Trying again…/);
        await sender.until(reached('connecting', 1));
      }
      await stage.serve(port);
      await page.reaches('completed', 90_000);
      assert.ok(Number(event(await sender.ends(0), 'done').bytes) === SIZE);
      const [saved] = await stage.saved(stage.work.path('one.bin'));
      sameFile(stage.work.path('one.bin'), saved!);
    });
  }
});
