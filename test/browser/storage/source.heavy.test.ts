import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { randomBytes, randomFrom, seed } from '../../seed.ts';
import type { StoragePage } from './driver.ts';
import { storageSuite } from './suite.ts';

const MiB = 2 ** 20;
const random = randomFrom(seed);

class Tree {
  readonly root = mkdtempSync(join(tmpdir(), 'beeline-source-'));
  readonly digests = new Map<string, string>();

  file(path: string, size: number): void {
    const bytes = randomBytes(random, size);
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), bytes);
    this.digests.set(path, createHash('sha256').update(bytes).digest('hex'));
  }

  at(path: string): string {
    return join(this.root, path);
  }
}

function sample(): Tree {
  const tree = new Tree();
  tree.file('top/large.bin', 5 * MiB + 3);
  for (let i = 0; i < 150; i++) tree.file(`top/many/${i}`, i * 97);
  tree.file('top/ünï/code ✓.txt', 12);
  tree.file('top/empty', 0);
  return tree;
}

async function input(
  page: StoragePage,
  id: string,
  folder: boolean,
  paths: readonly string[],
): Promise<void> {
  await page.do('makeInput', id, folder);
  const element = await page.page.$(`#${id}`);
  await (element as unknown as { uploadFile(...paths: string[]): Promise<void> }).uploadFile(...paths);
  // A folder is listed by another process.
  await page.page.waitForFunction(`document.querySelector('#${id}').files.length > 0`);
}

async function drop(page: StoragePage, files: readonly string[]): Promise<void> {
  await page.do('awaitDrop');
  const cdp = await page.page.createCDPSession();
  const data = { items: [], files: [...files], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await cdp.send('Input.dispatchDragEvent', { type, x: 20, y: 20, data });
  await page.page.waitForFunction('globalThis.wasDropped');
}

const matches = (entries: { path: string }[], digests: [number, string][]): Map<string, string> =>
  new Map(digests.map(([entry, digest]) => [entries[entry]!.path, digest]));

storageSuite('sources', (test) => {
  test('a chosen folder is read as it is', async ({ origin }) => {
    const tree = sample();
    const page = await origin.page();
    await input(page, 'folder', true, [tree.at('top')]);
    const entries = await page.do('choose', '#folder');
    assert.deepEqual(
      entries.filter(({ kind }) => kind === 'folder').map(({ path, mode }) => [path, mode]),
      ['top', 'top/many', 'top/ünï'].map((path) => [path, 0o755]),
    );
    const { digests, changed, failures, rate } = await page.do('readAll');
    assert.deepEqual([changed, failures], [[], []]);
    assert.deepEqual(new Map([...matches(entries, digests)].sort()), new Map([...tree.digests].sort()));
    assert.ok(rate > 0);
    rmSync(tree.root, { recursive: true });
  });

  test('what is dropped comes with empty folders, and more than a hundred in one', async ({ origin }) => {
    const tree = sample();
    mkdirSync(tree.at('top/nothing/in here'), { recursive: true });
    tree.file('single', 99);
    const page = await origin.page();
    await drop(page, [tree.at('top'), tree.at('single')]);
    const entries = (await page.do('dropped'))!;
    const folders = entries.filter(({ kind }) => kind === 'folder').map(({ path }) => path);
    assert.deepEqual(folders, ['top', 'top/many', 'top/nothing', 'top/nothing/in here', 'top/ünï']);
    const { digests, failures } = await page.do('readAll');
    assert.deepEqual(failures, []);
    assert.deepEqual(new Map([...matches(entries, digests)].sort()), new Map([...tree.digests].sort()));
    rmSync(tree.root, { recursive: true });
  });

  test('files that change, shrink or vanish are named, and the others are read', async ({ origin }) => {
    const tree = new Tree();
    for (const name of ['fine', 'grown', 'shrunk', 'touched', 'vanished']) tree.file(name, 3000);
    const page = await origin.page();
    await input(
      page,
      'files',
      false,
      [...tree.digests.keys()].map((name) => tree.at(name)),
    );
    await page.do('choose', '#files');
    assert.deepEqual((await page.do('readAll')).failures, []);
    appendFileSync(tree.at('grown'), 'more');
    writeFileSync(tree.at('shrunk'), 'less');
    writeFileSync(tree.at('touched'), randomBytes(random, 3000));
    unlinkSync(tree.at('vanished'));
    const { failures, changed } = await page.do('readAll');
    const gone = ['grown', 'shrunk', 'touched', 'vanished'];
    assert.equal(failures.length, 1);
    assert.match(failures[0]!, /^SOURCE_CHANGED /);
    assert.deepEqual(failures[0]!.split(' ').slice(1).join(' ').split(', ').sort(), gone);
    assert.deepEqual(changed.sort(), gone);
    rmSync(tree.root, { recursive: true });
  });

  test('one that was changed before anything was read cannot be read', async ({ origin }) => {
    const tree = new Tree();
    tree.file('early', 3000);
    const page = await origin.page();
    await input(page, 'files', false, [tree.at('early')]);
    await page.do('choose', '#files');
    writeFileSync(tree.at('early'), 'x');
    chmodSync(tree.at('early'), 0);
    const { failures } = await page.do('readAll');
    assert.deepEqual(failures, ['UNREADABLE early']);
    rmSync(tree.root, { recursive: true });
  });
});
