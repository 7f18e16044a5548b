/** A page that sends to several, and its rows. */
import { deepEqual, equal } from 'node:assert/strict';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Stage } from './harness/stage.ts';
import { inBrowser } from './harness/suite.ts';

const SIZE = 12_000_000;
/** A receiver that is not done before the test has looked. */
const SLOWLY = ['--limit', '1M'];

/** Runs before the page's own scripts: a test can end what they open. */
const CONNECTIONS = `
globalThis.connections = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) {
    super(...given);
    connections.push(this);
  }
};`;

/** A page sends one file of SIZE to so many. */
async function sendsTo(stage: Stage, people: string) {
  const file = stage.work.path('one.bin');
  makeFile(file, SIZE);
  const sender = await stage.page();
  sender.forPeople(people);
  await sender.choose(file);
  return { sender, code: await sender.code() };
}

inBrowser('chromium', 'a page that sends to several', ({ test }) => {
  test('one page and one command receive from a page, each with a row of its own', async (stage) => {
    const { work } = stage;
    const { sender, code } = await sendsTo(stage, '2');
    equal(code.split('-').length, 4, 'three words and a number');
    const page = await stage.page();
    await page.receive(code);
    await sender.says(/Receiver 1/, '.rows');
    await sender.says(/More can come/);
    const command = await stage.receives(code, work.folder('out'), SLOWLY);
    await sender.says(/Receiver 2/, '.rows');
    await sender.when(
      async () => /Receiver 2 [1-9][0-9]?%/.test((await sender.rows())[1] ?? ''),
      () => 'progress of the second',
    );
    await command.ends(0);
    await page.reaches('completed');
    await sender.reaches('completed');
    equal(await sender.text('h1'), 'Sent to all 2');
    deepEqual(await sender.rows(), ['Receiver 1 Done', 'Receiver 2 Done']);
    equal(await page.root(), await sender.root());
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    const [saved] = await stage.saved(work.path('one.bin'));
    sameFile(work.path('one.bin'), saved!);
  });

  test('with any number the person says when it is enough, and who is under way goes on', async (stage) => {
    const { work } = stage;
    const { sender, code } = await sendsTo(stage, 'any');
    await (await stage.receives(code, work.folder('first'))).ends(0);
    await sender.says(/Waiting for others/);
    await sender.says(/1 has it/);
    const second = await stage.receives(code, work.folder('second'), ['--limit', '400k']);
    await sender.reaches('transferring');
    await sender.press('Let nobody else in');
    const late = await stage.receives(code, work.folder('late'));
    equal((await late.exited).events.at(-1)?.reason, 'OFFER_CLOSED');
    await second.ends(0);
    await sender.reaches('completed');
    equal(await sender.text('h1'), 'Sent to 2');
    sameFile(work.path('one.bin'), work.path('second', 'one.bin'));
  });

  test('a page that crashed finds its session again, while the sender still believes in its lanes', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), '--receivers', '2', '--limit', '500k']);
    const page = await stage.page();
    await page.receive(code);
    const { peer } = await sender.until(({ event, kind }) => event === 'lane' && kind === 'webrtc');
    const other = await stage.receives(code, work.folder('out'), ['--no-share']);
    await sender.until(({ event, peer: one }) => event === 'peer' && one !== peer);
    await page.keeps();
    // No word of it goes to anybody: only its place at the server is known to be empty.
    const crashed = new Promise((resolve) => page.page.once('error', resolve));
    page.watch.cdp!.send('Page.crash').catch(() => {});
    await crashed;
    await page.page.close();
    const again = await stage.page({ code });
    await again.press('Go on');
    // The browser knows what was said yes to under the code: it is not asked about again.
    await again.reaches('transferring');
    const back = sender.events.filter(({ event }) => event === 'peer').at(-1);
    equal(back?.peer, peer);
    equal(
      sender.events.some(({ event }) => event === 'ended'),
      false,
    );
    await again.press('Cancel');
    await other.kill();
    sender.signal('SIGINT');
    await sender.exited;
  });

  test('a page among several is known again by its sender when the server was restarted', async (stage) => {
    const { work } = stage;
    stage.expected = /WebSocket|ERR_CONNECTION/;
    const { server, port } = await stage.site();
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), '--receivers', '2', '--limit', '1M']);
    const page = await stage.page({ prepare: CONNECTIONS });
    await page.receive(code);
    await sender.until(({ event, kind }) => event === 'lane' && kind === 'webrtc');
    const other = await stage.receives(code, work.folder('out'), ['--no-share']);
    await sender.until(({ event, peer }) => event === 'peer' && peer === 2);
    await page.keeps();
    await server.kill();
    await sender.until(({ event, reachable }) => event === 'server' && reachable === false);
    await stage.serve(port);
    await sender.until(({ event, reachable }) => event === 'server' && reachable === true);
    // What was connected all the time breaks now: the way to another connection is by the server.
    await page.ask('connections.forEach((connection) => connection.close())');
    await page.reaches('completed', 120_000);
    await other.ends(0);
    await sender.ends(0);
  });

  test('paused and cancelled at the page, it is so for all', async (stage) => {
    const { work } = stage;
    const { sender, code } = await sendsTo(stage, '2');
    const receivers = [
      // Neither is done before it is cancelled.
      await stage.receives(code, work.folder('a'), ['--limit', '200k']),
      await stage.receives(code, work.folder('b'), ['--limit', '200k']),
    ];
    await sender.says(/Receiver 2/, '.rows');
    for (const receiver of receivers) await receiver.until(({ to }) => to === 'transferring');
    await sender.reaches('transferring');
    await sender.press('Pause');
    for (const receiver of receivers) await receiver.until(({ to }) => to === 'paused');
    await sender.reaches('paused');
    deepEqual(await sender.rows(), ['Receiver 1 Paused', 'Receiver 2 Paused']);
    await sender.press('Cancel');
    await sender.reaches('cancelled');
    for (const receiver of receivers) equal((await receiver.exited).events.at(-1)?.code, 'CANCELLED');
    await sender.says(/You cancelled/);
    deepEqual(await sender.rows(), ['Receiver 1 Cancelled', 'Receiver 2 Cancelled']);
  });
});

/** Its certificate is of its own making, and a person would be asked. */
const TRUSTING = { args: ['--ignore-certificate-errors'] };

inBrowser(
  'chromium',
  'the page of a sender',
  ({ test }) => {
    test('a page from the sender and a command receive the same offer', async (stage) => {
      const { work } = stage;
      makeFile(work.path('one.bin'), SIZE);
      const words = ['--web', '--at', '127.0.0.1:0', '--no-lan', '--receivers', '2'];
      const sender = work.start(['send', work.path('one.bin'), ...words]);
      const code = String((await sender.until('code')).code);
      const { links } = await sender.until('web');
      const { port } = await sender.until('listening');
      const page = await stage.tab(new URL(String((links as string[])[0])).origin);
      await page.open(code);
      await page.receive(code);
      await page.reaches(['transferring', 'completed']);
      const there = ['--at', `127.0.0.1:${port}`, '--no-lan', '--yes', '--to', work.folder('out')];
      await work.start(['receive', code, ...there]).ends(0);
      await page.reaches('completed');
      await sender.ends(0);
      sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    });
  },
  TRUSTING,
);
