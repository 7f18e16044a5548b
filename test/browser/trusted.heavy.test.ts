/** Two who remember each other need no code: a page and a command, both ways, and two pages. Nobody else gets in by a name or a nameplate. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { KnownDevices } from '../../src/index.ts';
import { Guesses } from '../../src/session/guesses.ts';
import { Handshake } from '../../src/session/handshake.ts';
import type { Hello } from '../../src/wire/signal.ts';
import type { BeelinePage } from './harness/page.ts';
import type { Stage } from './harness/stage.ts';
import { inBrowser } from './harness/suite.ts';

const SIZE = 1 << 20;

/** A page that has received from a command, where both have chosen to remember each other. */
async function acquainted(stage: Stage): Promise<BeelinePage> {
  const { work } = stage;
  makeFile(work.path('first.bin'), SIZE);
  const { sender, code } = await stage.sends([work.path('first.bin'), '--trust', 'the page']);
  const page = await stage.page();
  await page.receive(code);
  await page.reaches('completed');
  const trusted = (await sender.ends(0)).events.find(({ event }) => event === 'trusted');
  assert.equal(trusted?.name, 'the page');
  await page.fill('Name', 'my desk');
  await page.press('Remember');
  await page.says(/my desk is remembered here/);
  await page.again();
  await page.reaches('home');
  return page;
}

/** Chooses a file by a tile, and sends it. */
async function sendByTile(page: BeelinePage, name: string, path: string): Promise<void> {
  const [chooser] = await Promise.all([page.page.waitForFileChooser(), page.press(`Send to ${name}`)]);
  await chooser.accept([path]);
  await page.reaches('staging');
  await page.says(/without a code/);
  await page.press('Send');
  await page.says(new RegExp(`Waiting for ${name}`));
}

/** A command that receives what the page sends to it. */
async function receivesFromPage(stage: Stage, to: string) {
  const { origin } = await stage.site();
  const words = ['receive', '--device', 'the page', '--yes', '--no-lan', '--server', origin, '--to', to];
  return stage.work.start(words);
}

async function sendsToPage(stage: Stage, path: string) {
  const { origin } = await stage.site();
  return stage.work.start(['send', path, '--device', 'the page', '--no-lan', '--server', origin]);
}

/** How many keys the page has. */
const STORED = `new Promise((resolve) => {
  indexedDB.open('beeline-devices').onsuccess = ({ target: { result } }) => {
    const count = result.transaction('devices').objectStore('devices').count();
    count.onsuccess = () => resolve(count.result);
  };
})`;

const HELLO: Hello = {
  ...{ fingerprint: 'ab'.repeat(32), tls: true, seal: 'cd'.repeat(32), transports: {}, hosts: [] },
  ...{ agent: 'beeline/0.1.0', lanes: 0 },
};

/** Whoever knows where the two meet, as the server does, but has another key. @returns whether it was let in */
async function impostor(
  stage: Stage,
  role: 'sender' | 'receiver',
): Promise<{ told: Promise<string>; close(): void }> {
  const { origin } = await stage.site();
  const devices = await KnownDevices.open(stage.work.path('config', 'beeline'));
  const { nameplate } = devices.secretFor('the page', role);
  const url = `${origin.replace('http', 'ws')}/v1/rendezvous`;
  let socket: WebSocket;
  let guest: number | undefined;
  let met = false;
  let over = false;
  const secret = { nameplate, way: 'device', password: randomBytes(32) } as const;
  const news = new EventEmitter();
  const told = once(news, 'told').then(([what]) => String(what));
  const there = once(news, 'there');
  const handshake = new Handshake({
    ...{ role, secret, guesses: new Guesses(Number.POSITIVE_INFINITY), hello: () => HELLO },
    admit: () => true,
    send: (body) => socket.send(JSON.stringify({ t: 'send', ...(guest && { guest }), body })),
    onHello: () => news.emit('told', 'let in'),
    onWord() {},
    onFail: (error) => news.emit('told', error.reason ?? error.code),
  });
  const dial = () => {
    socket = new WebSocket(url);
    socket.on('error', (error) => news.emit('told', String(error)));
    socket.on('open', () =>
      socket.send(JSON.stringify({ t: role === 'sender' ? 'host' : 'join', v: 2, nameplate })),
    );
    socket.on('message', (data) => {
      const said = JSON.parse(String(data));
      // The page says that it waits a moment before it does.
      if (said.t === 'refused') {
        if (met || over) return;
        socket.close();
        return setTimeout(dial, 100);
      }
      met = true;
      if (said.t === 'peer') guest = said.guest;
      if (said.t === 'peer' && said.present) handshake.peerAppeared();
      if (said.t === 'message') handshake.receive(said.body);
      return news.emit('there');
    });
  };
  dial();
  await there;
  return {
    told,
    close: () => {
      over = true;
      socket.close();
    },
  };
}

inBrowser('chromium', 'trusted devices', ({ test }) => {
  test('a page and a command that remember each other send both ways without a code, also after a reload', async (stage) => {
    const { work } = stage;
    const page = await acquainted(stage);
    makeFile(work.path('there.bin'), SIZE);
    await sendByTile(page, 'my desk', work.path('there.bin'));
    const receiver = await receivesFromPage(stage, work.folder('out'));
    await receiver.ends(0);
    await page.reaches('completed');
    await page.says(/Delivered to my desk/);
    sameFile(work.path('there.bin'), work.path('out', 'there.bin'));

    await page.open();
    makeFile(work.path('back.bin'), SIZE);
    const sender = await sendsToPage(stage, work.path('back.bin'));
    await page.says(/my desk wants to send you something/);
    await page.press('See what it is');
    await page.reaches('offer');
    await page.press('Receive');
    await page.reaches('completed');
    await sender.ends(0);
    await page.says(/Send something back/);
  });

  test('two pages that remember each other send more to each other without a code', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const from = await stage.page();
    await from.choose(work.path('one.bin'));
    const to = await stage.page({ elsewhere: true });
    await to.receive(await from.code());
    await to.reaches('completed');
    await from.reaches('completed');
    for (const page of [from, to]) {
      await page.fill('Name', page === from ? 'Anna' : 'Ben');
      await page.press('Remember');
      await page.says(/is remembered here/);
    }
    await from.press('Send more to Anna');
    await from.reaches('home');
    await from.press('Text', 'tab');
    await from.fill('Text to send', 'without a code');
    await from.press('Send text');
    // The other one is still where the first transfer ended.
    await to.says(/Ben wants to send you something/);
    await to.press('See what it is');
    await to.reaches('offer');
    await to.press('Receive');
    await to.reaches('completed');
    await to.says(/without a code/, '#text');
    await from.says(/Delivered to Anna/);
  });

  test('whoever knows the nameplate but has another key gets nothing, and gives nothing', async (stage) => {
    const { work } = stage;
    const page = await acquainted(stage);
    // In the place of the command that sends.
    const sending = await impostor(stage, 'sender');
    await page.says(/my desk wants to send you something/);
    await page.press('See what it is');
    await page.reaches('failed');
    await page.says(/It was another device/);
    assert.equal(await sending.told, 'DEVICE_WRONG');
    sending.close();
    await page.press('Back');
    // In the place of the command that receives: the right one still comes.
    makeFile(work.path('there.bin'), SIZE);
    await sendByTile(page, 'my desk', work.path('there.bin'));
    const receiving = await impostor(stage, 'receiver');
    assert.equal(await receiving.told, 'DEVICE_WRONG');
    receiving.close();
    await page.says(/Waiting for my desk/);
    const receiver = await receivesFromPage(stage, work.folder('out'));
    await receiver.ends(0);
    await page.reaches('completed');
    sameFile(work.path('there.bin'), work.path('out', 'there.bin'));
  });

  test('a device is renamed and forgotten in one tab: the other hears of it, and the key is gone', async (stage) => {
    const page = await acquainted(stage);
    const other = await stage.page();
    await other.press('Edit');
    await other.fill('Name of my desk', 'the desk');
    await other.page.keyboard.press('Enter');
    // The first tab hears of it.
    await page.says(/the desk/);
    await other.press('Forget the desk');
    await page.shows("!document.querySelector('.tile')");
    assert.equal(await page.ask(STORED), 0, 'its key is gone');
  });

  test('a thousand devices that somebody stored are a hundred, and nothing more is remembered', async (stage) => {
    const page = await acquainted(stage);
    await page.ask(`new Promise((resolve) => {
      indexedDB.open('beeline-devices').onsuccess = ({ target: { result } }) => {
        const transaction = result.transaction('devices', 'readwrite');
        const store = transaction.objectStore('devices');
        store.getAll().onsuccess = ({ target: { result: [known] } }) => {
          for (let at = 0; at < 1000; at++) store.put({ ...known, id: at.toString(16).padStart(64, '0') });
          store.put({ ...known, id: 'f'.repeat(64), name: 7 });
        };
        transaction.oncomplete = () => resolve();
      };
    })`);
    await page.open();
    await page.shows("document.querySelectorAll('.tile').length === 8");
    await page.press('Show all');
    await page.shows("document.querySelectorAll('.tile').length === 100");
    makeFile(stage.work.path('more.bin'), SIZE);
    const { sender, code } = await stage.sends([stage.work.path('more.bin'), '--trust', 'once more']);
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    await page.fill('Name', 'one too many');
    await page.press('Remember');
    await page.says(/No more than 100 devices/);
    assert.equal(await page.ask(STORED), 1002);
  });
});
