/** Straight into a folder that the person picks when saying yes: nothing is stored twice, and nothing that is there is touched. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { makeFile } from '../../bench/files.mjs';
import { event } from '../integration/workspace.ts';
import type { BeelinePage } from './harness/page.ts';
import { PICKER, pickedFiles } from './harness/picker.ts';
import type { Stage } from './harness/stage.ts';
import { inBrowser } from './harness/suite.ts';
import { assertSame, makeMixedFolder, readFolder, within } from './harness/tree.ts';

const FILES = 24;
const SIZE = 1 << 20;
const LIMIT = ['--limit', '1500k'];

/** What is in the way there. */
const THERE = `(async () => {
  const top = await showDirectoryPicker();
  const file = await top.getFileHandle('mixed', { create: true });
  const target = await file.createWritable();
  await target.write('mine');
  await target.close();
  await top.getFileHandle('MIXED (2)', { create: true });
})()`;

/** Writes down what is ticked, in which state, and how many bytes each has in its place at that moment. */
const TICKING = `
globalThis.ticked = [];
addEventListener('DOMContentLoaded', () => {
  const seen = new Set();
  new MutationObserver(() => {
    const { state } = document.querySelector('main')?.dataset ?? {};
    for (const row of document.querySelectorAll('#coming li.whole')) {
      const name = row.querySelector('.name').innerText;
      if (seen.has(name)) continue;
      seen.add(name);
      const looking = showDirectoryPicker()
        .then((top) => top.getFileHandle(name))
        .then((file) => file.getFile())
        .then(({ size }) => size, String);
      ticked.push({ name, state, looking });
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
});`;

/** Files that are whole in the picked folder. */
const WHOLE = `(async () => {
  const top = await showDirectoryPicker();
  let whole = 0;
  // It is made with the first file.
  const folder = await top.getDirectoryHandle('many').catch(() => undefined);
  if (!folder) return 0;
  // One that is being put in its place is not there for a moment.
  const sizeOf = (file) => file.getFile().then(({ size }) => size, () => 0);
  for await (const file of folder.values()) if ((await sizeOf(file)) === ${SIZE}) whole++;
  return whole;
})()`;

/** Folders that the page keeps to go on with. */
const PICKED = `new Promise((resolve, reject) => {
  const opening = indexedDB.open('beeline');
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const count = opening.result.transaction('folders').objectStore('folders').count();
    count.onsuccess = () => (opening.result.close(), resolve(count.result));
    count.onerror = () => reject(count.error);
  };
})`;

/** What has arrived is gone on with by nobody: neither its journal nor its folder is kept. */
async function leavesNothing(page: BeelinePage): Promise<void> {
  await page.when(
    async () => (await page.stored()) === 0,
    () => 'empty storage',
  );
  await page.when(
    async () => (await page.ask<number>(PICKED)) === 0,
    () => 'no folder kept',
  );
}

/** From the end that it shows, once the browser has said that it may still write there. */
async function goesOn(page: BeelinePage): Promise<void> {
  await page.press('Go on');
  await page.when(
    async () => (await page.state()) !== 'failed',
    () => 'going on',
  );
}

/** Once it has ended: what was not whole is gone. */
async function wholeFiles(page: BeelinePage): Promise<Map<string, Buffer>> {
  let files = new Map<string, Buffer>();
  await page.when(
    async () => {
      // While something is removed it may be listed and not be there.
      const found = await pickedFiles(page).catch(() => undefined);
      files = found ?? files;
      return [...(found ?? [['', Buffer.alloc(0)]])].every(
        ([path, bytes]) => path.endsWith('/') || bytes.length === SIZE,
      );
    },
    () => 'folder with whole files alone',
  );
  return files;
}

/** Many files on their way into the folder, some of them there. */
async function underWay(stage: Stage) {
  const { work } = stage;
  mkdirSync(work.path('many'));
  for (let n = 0; n < FILES; n++) makeFile(work.path('many', `${n}.bin`), SIZE);
  const { sender, code } = await stage.sends([work.path('many'), ...LIMIT]);
  const page = await stage.page({ prepare: PICKER });
  await page.asks(code);
  await page.press('Save to a folder…');
  await page.keeps();
  await page.when(
    async () => (await page.ask<number>(WHOLE)) > 2,
    () => 'whole file in the folder',
  );
  const expected = within('many', readFolder(work.path('many')));
  return { page, sender, expected };
}

inBrowser('chromium', 'straight into a folder', ({ test }) => {
  test('a folder, beside what has its name there, and nothing in the storage', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    mkdirSync(work.path('mixed', 'empty folder'));
    const { sender, code } = await stage.sends([work.path('mixed')]);
    const page = await stage.page({ prepare: PICKER });
    await page.ask(THERE);
    await page.asks(code);
    await page.press('Save to a folder…');
    await page.reaches('completed');
    await sender.ends(0);
    await page.says(/It is in the folder 'picked'\./);
    const expected = within('mixed (3)', readFolder(work.path('mixed')));
    expected.set('mixed', Buffer.from('mine'));
    expected.set('MIXED (2)', Buffer.alloc(0));
    assertSame(await pickedFiles(page), expected);
    assert.equal(await page.has('Save'), false);
    await leavesNothing(page);
  });

  test('each file is ticked when it is in its place, and not all at the end', async (stage) => {
    const { work } = stage;
    const names = Array.from({ length: 8 }, (_, n) => `${n}.bin`);
    for (const name of names) makeFile(work.path(name), SIZE);
    const { sender, code } = await stage.sends([...names.map((name) => work.path(name)), ...LIMIT]);
    const page = await stage.page({ prepare: PICKER + TICKING });
    await page.asks(code);
    await page.press('Save to a folder…');
    await page.reaches('completed');
    await sender.ends(0);
    const ticked = await page.ask<{ name: string; state: string; size: number | string }[]>(
      'Promise.all(ticked.map(async ({ name, state, looking }) => ({ name, state, size: await looking })))',
    );
    const early = ticked.filter(({ state }) => state === 'transferring');
    assert.ok(early.length > 2, `${early.length} ticked before the end`);
    for (const { name, size } of early) assert.equal(size, SIZE, name);
  });

  test('a page that is reloaded goes on there, with what is not whole yet', async (stage) => {
    const { page, sender, expected } = await underWay(stage);
    assert.ok((await page.stored()) < SIZE, 'a journal, and no bytes of files');
    assert.equal(await page.ask(PICKED), 1);
    await page.page.reload();
    await page.reaches('home');
    await page.says(/goes to the folder 'picked'/);
    await page.press('Go on');
    await page.reaches('completed');
    const { resumed } = event(await sender.ends(0), 'done');
    assert.ok(Number(resumed) > 0 && Number(resumed) < FILES * SIZE, `${resumed} bytes were there`);
    assertSame(await pickedFiles(page), expected);
    await leavesNothing(page);
  });

  test('what is stopped for now leaves only whole files, and goes on when it is wanted', async (stage) => {
    const { page, sender, expected } = await underWay(stage);
    await page.press('Stop for now');
    await page.reaches('failed');
    await page.says(/The files that are whole are in the folder 'picked'/);
    const left = await wholeFiles(page);
    for (const [path, bytes] of left) if (!path.endsWith('/')) assert.deepEqual(bytes, expected.get(path));
    assert.ok(left.size < expected.size);
    await goesOn(page);
    await page.reaches('completed');
    assert.ok(Number(event(await sender.ends(0), 'done').resumed) > 0);
    assertSame(await pickedFiles(page), expected);
  });

  test('a file that somebody took away meanwhile is fetched again, and one that was put there stays', async (stage) => {
    const { page, sender, expected } = await underWay(stage);
    await page.press('Stop for now');
    await page.reaches('failed');
    const there = [...(await wholeFiles(page)).keys()].filter((path) => path.endsWith('.bin'));
    const missing = [...expected.keys()].find((path) => path.endsWith('.bin') && !there.includes(path))!;
    await page.ask(`(async () => {
      const folder = await (await showDirectoryPicker()).getDirectoryHandle('many');
      await folder.removeEntry(${JSON.stringify(there[0]!.slice('many/'.length))});
      const file = await folder.getFileHandle(${JSON.stringify(missing.slice('many/'.length))}, { create: true });
      const target = await file.createWritable();
      await target.write('mine');
      await target.close();
    })()`);
    await goesOn(page);
    await page.reaches('completed');
    await sender.ends(0);
    const other = missing.replace('.bin', ' (2).bin');
    const all = new Map([...expected, [other, expected.get(missing)!], [missing, Buffer.from('mine')]]);
    assertSame(await pickedFiles(page), all);
  });

  test('a folder that is removed meanwhile is told of, and chosen again', async (stage) => {
    const { page, sender, expected } = await underWay(stage);
    await page.press('Pause');
    await page.reaches('paused');
    // What is still being written holds it.
    await page.when(
      () =>
        page.ask(`navigator.storage.getDirectory()
          .then((top) => top.removeEntry('picked', { recursive: true })).then(() => true, () => false)`),
      () => 'removal of the folder',
    );
    // What was under way may have found it gone already: then there is nothing to press.
    await page.press('Resume').catch(() => {});
    await page.reaches('failed');
    await page.says(/^The folder is no longer there$/, 'h1');
    await page.says(/The folder 'picked' is no longer there\. Choose it again\./);
    await page.press('Try again');
    await page.reaches('offer');
    await page.press('Save to a folder…');
    await page.reaches('completed');
    await sender.ends(0);
    assertSame(await pickedFiles(page), expected);
    await leavesNothing(page);
  });

  test('who declines to choose a folder is still asked', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    const { sender, code } = await stage.sends([work.path('mixed')]);
    const page = await stage.page({
      prepare:
        "globalThis.showDirectoryPicker = async () => { throw new DOMException('No.', 'AbortError'); }",
    });
    await page.asks(code);
    await page.press('Save to a folder…');
    assert.equal(await page.state(), 'offer');
    await page.press('Receive');
    await page.reaches('completed');
    await sender.ends(0);
  });
});
