/** The page of an inbox: what is chosen arrives, with script and without; what is cut off goes on; a refusal is told in words. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { ElementHandle } from 'puppeteer-core';
import type { Command } from '../integration/command.ts';
import { freePort } from '../ports.ts';
import { accessible } from './harness/accessible.ts';
import type { BeelinePage } from './harness/page.ts';
import type { Stage } from './harness/stage.ts';
import { inBrowser, type Suite } from './harness/suite.ts';

const MiB = 2 ** 20;
/** What a browser logs of a request that was refused, or that found nobody. */
const REFUSED = /Failed to load resource|Cross-Origin Request Blocked|NS_ERROR_/;

class Inbox {
  readonly port: number;
  readonly #stage: Stage;
  readonly #flags: readonly string[];
  command!: Command;
  link = '';

  private constructor(stage: Stage, port: number, flags: readonly string[]) {
    this.#stage = stage;
    this.port = port;
    this.#flags = flags;
  }

  static async open(stage: Stage, ...flags: string[]): Promise<Inbox> {
    const inbox = new Inbox(stage, await freePort(), flags);
    await inbox.start();
    return inbox;
  }

  async start(): Promise<void> {
    const { work } = this.#stage;
    const where = [
      '--to',
      work.folder('inbox'),
      '--port',
      String(this.port),
      '--host',
      '127.0.0.1',
      '--no-lan',
    ];
    this.command = work.start(['listen', '--http', ...where, ...this.#flags]);
    [this.link] = (await this.command.until('uploads')).links as [string];
  }

  /** A tab that shows it, with script or without. */
  async page(script = true): Promise<BeelinePage> {
    const page = await this.#stage.tab(this.link);
    if (!script) await page.page.setJavaScriptEnabled(false);
    await page.page.goto(this.link);
    return page;
  }

  path(...names: string[]): string {
    return this.#stage.work.path('inbox', ...names);
  }

  same(name: string, data: Uint8Array): void {
    assert.ok(readFileSync(this.path(...name.split('/'))).equals(data), `${name} is identical`);
  }
}

async function give(page: BeelinePage, input: '#files' | '#folder', ...paths: string[]): Promise<void> {
  const found = await page.page.waitForSelector(input);
  await (found as ElementHandle<HTMLInputElement>).uploadFile(...paths);
}

/** What each row says of its file. */
const states = (page: BeelinePage) =>
  page.ask<Record<string, string>>(
    "Object.fromEntries([...document.querySelectorAll('#list li')].map((row) => " +
      "[row.querySelector('.name').textContent, row.querySelector('.state').textContent]))",
  );

const arrived = (page: BeelinePage, files: number) =>
  page.when(
    async () =>
      Object.values(await states(page)).filter((state) => state === 'Arrived').length === files &&
      !(await page.ask("!!document.querySelector('#list .failed')")),
    () => `${files} arrived`,
    120_000,
  );

function common({ test }: Suite): void {
  test('several files that are chosen arrive, identical', async (stage) => {
    const inbox = await Inbox.open(stage);
    const files = new Map([
      ['Grüße & <b>.bin', randomBytes(5 * MiB + 3)],
      ['small', randomBytes(10)],
      ['empty', Buffer.alloc(0)],
    ]);
    stage.work.folder('from');
    for (const [name, data] of files) writeFileSync(stage.work.path('from', name), data);
    const page = await inbox.page();
    await give(page, '#files', ...[...files.keys()].map((name) => stage.work.path('from', name)));
    await arrived(page, files.size);
    for (const [name, data] of files) inbox.same(name, data);
    assert.deepEqual(readdirSync(inbox.path()).sort(), [...files.keys()].sort());
  });

  test('the inbox is killed in the middle and started again: the page goes on by itself', async (stage) => {
    stage.expected = REFUSED;
    const inbox = await Inbox.open(stage, '--limit', '6M');
    const { link } = inbox;
    const data = randomBytes(64 * MiB + 7);
    writeFileSync(stage.work.path('tape.bin'), data);
    const page = await inbox.page();
    await give(page, '#files', stage.work.path('tape.bin'));
    await page.shows("document.querySelector('#list progress').value > 0.3", 60_000);
    await inbox.command.kill();
    assert.deepEqual(
      readdirSync(inbox.path()).filter((name) => !name.startsWith('.beeline-')),
      [],
    );
    await page.shows("document.querySelector('#list .state').textContent === 'Connecting again'", 60_000);
    // What a proxy says meanwhile is not that the upload is lost.
    let asked = 0;
    const proxy = createServer((_, answer) => {
      asked++;
      answer.writeHead(502).end();
    }).listen(inbox.port, '127.0.0.1');
    await page.when(
      async () => asked >= 3,
      () => 'further tries',
    );
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
    await inbox.start();
    assert.equal(inbox.link, link);
    await arrived(page, 1);
    inbox.same('tape.bin', data);
    assert.deepEqual(readdirSync(inbox.path()), ['tape.bin']);
  });

  test('a name that is refused, and why', async (stage) => {
    stage.expected = REFUSED;
    const inbox = await Inbox.open(stage);
    writeFileSync(stage.work.path('.hidden'), 'x');
    const page = await inbox.page();
    await give(page, '#files', stage.work.path('.hidden'));
    await page.says(/Not sent[\s\S]*A name that begins with a dot is not taken here\./, '#list');
    assert.deepEqual(readdirSync(inbox.path()), []);
  });
}

inBrowser('firefox', 'uploads', common);

inBrowser('chromium', 'uploads', (suite) => {
  common(suite);
  const { test } = suite;

  test('a folder keeps its folders', async (stage) => {
    const inbox = await Inbox.open(stage);
    const files = { 'trip/a.jpg': randomBytes(MiB + 1), 'trip/day two/b.jpg': randomBytes(77) };
    mkdirSync(stage.work.path('trip', 'day two'), { recursive: true });
    for (const [name, data] of Object.entries(files)) writeFileSync(join(stage.work.dir, name), data);
    const page = await inbox.page();
    await give(page, '#folder', stage.work.path('trip'));
    await arrived(page, 2);
    for (const [name, data] of Object.entries(files)) inbox.same(name, data);
  });

  test('without script it is a form, and an answer says what became of each file', async (stage) => {
    stage.expected = REFUSED;
    const inbox = await Inbox.open(stage);
    const data = randomBytes(2 * MiB);
    writeFileSync(stage.work.path('one.bin'), data);
    writeFileSync(stage.work.path('.two'), 'x');
    const page = await inbox.page(false);
    await give(page, '#files', stage.work.path('one.bin'), stage.work.path('.two'));
    await Promise.all([page.page.waitForNavigation(), page.page.click('#without button')]);
    assert.match(await page.text('main'), /1 of 2 arrived/);
    assert.deepEqual(await states(page), { 'one.bin': 'Arrived', '.two': 'Refused' });
    assert.match(await page.text('main'), /A name that begins with a dot is not taken here\./);
    inbox.same('one.bin', data);
    await page.page.click('a.button');
    await page.page.waitForSelector('#without button');
  });

  test('no violation of a rule of accessibility: at rest, sending, refused, arrived, answered', async (stage) => {
    stage.expected = REFUSED;
    const inbox = await Inbox.open(stage, '--max-size', '100MiB', '--limit', '1M');
    writeFileSync(stage.work.path('.hidden'), 'x');
    writeFileSync(stage.work.path('small'), 'x');
    writeFileSync(stage.work.path('long.bin'), Buffer.alloc(90 * MiB));
    const page = await inbox.page();
    await accessible(page, 'at rest');
    await give(page, '#files', ...['.hidden', 'small', 'long.bin'].map((name) => stage.work.path(name)));
    await arrived(page, 1);
    await page.says(/Not sent/);
    await page.shows("[...document.querySelectorAll('#list progress')].some(({ value }) => value > 0)");
    await accessible(page, 'sending');
    await page.press('Stop');
    await page.says(/Stopped/);
    await page.when(
      async () => readdirSync(inbox.path()).join() === 'small',
      () => 'stopped upload gone',
    );
    const form = await inbox.page(false);
    await give(form, '#files', stage.work.path('small'), stage.work.path('.hidden'));
    await Promise.all([form.page.waitForNavigation(), form.page.click('#without button')]);
    // For axe alone: the page has none.
    await form.page.setJavaScriptEnabled(true);
    await accessible(form, 'answered');
  });
});
