/** Pause, resume and cancel from each side, said in words on the other; wrong and unknown codes. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Command, Line } from '../integration/command.ts';
import { errorCode, event } from '../integration/workspace.ts';
import type { BeelinePage } from './harness/page.ts';
import type { Stage } from './harness/stage.ts';
import { inBrowser } from './harness/suite.ts';

const SIZE = 24 << 20;
/** Seconds enough at this rate to act in the middle. */
const LIMIT = ['--limit', '1500k'];

const reached = (state: string, after = 0) => {
  let seen = 0;
  return (line: Line): boolean => line.event === 'state' && line.to === state && seen++ >= after;
};

/** A page that receives from a command, with bytes moving. */
async function receiving(stage: Stage): Promise<{ page: BeelinePage; sender: Command }> {
  makeFile(stage.work.path('one.bin'), SIZE);
  const { sender, code } = await stage.sends([stage.work.path('one.bin'), ...LIMIT]);
  const page = await stage.page();
  await page.receive(code);
  await page.reaches('transferring');
  await page.moved(0.05);
  return { page, sender };
}

/** A page that sends to a command, with bytes moving. */
async function sending(stage: Stage): Promise<{ page: BeelinePage; receiver: Command }> {
  makeFile(stage.work.path('one.bin'), SIZE);
  const page = await stage.page();
  await page.choose(stage.work.path('one.bin'));
  const receiver = await stage.receives(await page.code(), stage.work.folder('out'), LIMIT);
  await page.reaches('transferring');
  await page.moved(0.05);
  return { page, receiver };
}

inBrowser('chromium', 'control', ({ test }) => {
  test('while it runs, the page tells how far it is, how fast, how long, by which path, and with whom', async (stage) => {
    const { page, sender } = await receiving(stage);
    await page.shows("document.querySelector('#file-now')?.textContent.includes('one.bin')");
    await page.shows("/\\d.*B\\/s/.test(document.querySelector('#rate').textContent)");
    await page.shows("/left/.test(document.querySelector('#left').textContent)");
    await page.shows("/WebRTC|direct/i.test(document.querySelector('#path').textContent)");
    const peer = event({ events: sender.events, status: 0, stdout: Buffer.alloc(0), stderr: '' }, 'peer');
    await page.says(/[0-9a-f]{4}/, '#peer');
    assert.ok(peer.fingerprint);
    assert.ok(
      await page
        .has('one.bin', 'progressbar')
        .then(() =>
          page.ask(
            "document.querySelector('#progress').labels.length > 0 || document.querySelector('#progress').hasAttribute('aria-label') || document.querySelector('#progress').hasAttribute('aria-labelledby')",
          ),
        ),
    );
    await page.press('Cancel');
    await sender.ends(3);
  });

  test('a receiving page pauses and goes on: the sender is told by whom', async (stage) => {
    const { page, sender } = await receiving(stage);
    await page.press('Pause');
    await page.reaches('paused');
    assert.equal((await sender.until(reached('paused'))).by, 'peer');
    await page.says(/You paused/);
    await page.press('Resume');
    await page.reaches('transferring');
    await page.reaches('completed');
    await sender.ends(0);
    const [saved] = await stage.saved(stage.work.path('one.bin'));
    sameFile(stage.work.path('one.bin'), saved!);
  });

  test('a sending page pauses and goes on: the receiver is told by whom', async (stage) => {
    const { page, receiver } = await sending(stage);
    await page.press('Pause');
    await page.reaches('paused');
    assert.equal((await receiver.until(reached('paused'))).by, 'peer');
    await page.says(/You paused/);
    await page.press('Resume');
    await receiver.ends(0);
    await page.reaches('completed');
    sameFile(stage.work.path('one.bin'), stage.work.path('out', 'one.bin'));
  });

  test('a receiving page is paused by the other page, and told so', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), 512 << 20);
    const from = await stage.page();
    await from.choose(work.path('one.bin'));
    const to = await stage.page();
    await to.receive(await from.code());
    await to.moved(0.01);
    await from.press('Pause');
    await to.reaches('paused');
    await to.says(/The other side paused/);
    await from.says(/You paused/);
    const before = await to.progress();
    await from.press('Resume');
    await to.moved(before! + 0.01);
    await to.press('Pause');
    await from.reaches('paused');
    await from.says(/The other side paused/);
    await to.press('Cancel');
    await from.reaches('cancelled');
    await from.says(/The other side cancelled/);
    await to.reaches('cancelled');
    await to.says(/You cancelled/);
  });

  test('a receiving page cancels: both sides end, nothing is left in its storage', async (stage) => {
    const { page, sender } = await receiving(stage);
    await page.press('Cancel');
    assert.equal(errorCode(await sender.ends(3)), 'CANCELLED');
    await page.reaches('cancelled');
    await page.says(/You cancelled/);
    await page.press('Back');
    await page.reaches('home');
    await page.when(
      async () => !(await page.has('Delete')),
      () => 'end of what was kept',
    );
  });

  test('a sending page cancels: the command ends with 3 and leaves nothing', async (stage) => {
    const { page, receiver } = await sending(stage);
    await page.press('Cancel');
    assert.equal(errorCode(await receiver.ends(3)), 'CANCELLED');
    await page.reaches('cancelled');
    await page.says(/You cancelled/);
    assert.equal(existsSync(stage.work.path('out', 'one.bin')), false);
  });

  test('a sender that is interrupted: the page says so, and keeps what has arrived', async (stage) => {
    const { page, sender } = await receiving(stage);
    // Of what has only moved nothing may be down yet.
    await page.keeps();
    sender.signal('SIGINT');
    await sender.ends(130);
    await page.reaches('failed');
    await page.says(/interrupted.*kept/, '[role=alert]');
    await page.press('Back');
    await page.shows("/Unfinished[\\s\\S]*one\\.bin/.test(document.querySelector('main').innerText)");
  });

  test('a wrong code ends both sides: 4 at the command, an alert in the page', async (stage) => {
    makeFile(stage.work.path('one.bin'), 10);
    const { sender, code } = await stage.sends([stage.work.path('one.bin')]);
    const page = await stage.page();
    await page.fill('Code', `${code}-zoo`);
    await page.press('Receive');
    await page.reaches('failed');
    await page.says(/code/i, '[role=alert]');
    assert.equal(errorCode(await sender.ends(4)), 'WRONG_CODE');
    await page.press('Back');
    await page.reaches('home');
  });

  test('a command with a wrong code: 4 there, an alert in the sending page', async (stage) => {
    makeFile(stage.work.path('one.bin'), 10);
    const page = await stage.page();
    await page.choose(stage.work.path('one.bin'));
    const wrong = await stage.receives(`${await page.code()}-zoo`, stage.work.folder('out'));
    assert.equal(errorCode(await wrong.ends(4)), 'WRONG_CODE');
    await page.reaches('failed');
    await page.says(/code/i, '[role=alert]');
  });

  test('what is no code is told before anything is asked of the server', async (stage) => {
    const page = await stage.page();
    const before = page.watch.urls.length;
    await page.fill('Code', 'nonsense');
    await page.press('Receive');
    await page.shows(
      "[...document.querySelectorAll('[role=alert]')].some((alert) => /code/i.test(alert.textContent))",
    );
    assert.equal(await page.state(), 'home');
    // The icon is asked for whenever the browser likes, and what the page consists of comes behind the first picture.
    const own = /\/(?:icon\.svg|assets\/[\w.-]+|download\.worker\.js)$/;
    const asked = page.watch.urls.slice(before).filter((url) => !own.test(url));
    assert.deepEqual(asked, []);
  });
});
