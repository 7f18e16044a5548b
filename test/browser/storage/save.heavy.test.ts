import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readZip } from '../harness/zip.ts';
import { fill } from './content.ts';
import { downloaded } from './downloads.ts';
import { rejects, type StoragePage } from './driver.ts';
import type { Offer } from './page.ts';
import { storageSuite } from './suite.ts';

const MiB = 2 ** 20;
const OFFER: Offer = {
  files: [
    ['docs/', 0],
    ['docs/deep/', 0],
    ['docs/deep/nothing/', 0],
    ['docs/empty', 0],
    ['docs/large', 37 * MiB + 5],
    ['docs/small', 1000],
    ['top.tar.gz', 90_000],
  ],
};
const TREE = OFFER.files.map(([path, size]): [string, number, boolean] => [path, size, true]);

async function keep(page: StoragePage, offer: Offer): Promise<string> {
  await page.do('openKept', 'x', offer);
  await page.do('write', 'x');
  await page.do('end', 'x', 'finish');
  await page.do('end', 'x', 'done');
  const [kept] = await page.do('kept');
  return kept!.id;
}

function bytesOf(entry: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  fill(entry, 0, bytes);
  return bytes;
}

storageSuite('saved', (test) => {
  test('a folder gets everything, and nothing that is there is touched', async ({ origin }) => {
    const page = await origin.page();
    const id = await keep(page, OFFER);
    const progress = await page.do('save', id, 'picked');
    assert.deepEqual(await page.do('tree', 'picked', OFFER), TREE);
    assert.equal(progress.at(-1), 37 * MiB + 5 + 91_000);
    assert.deepEqual(
      progress,
      progress.toSorted((a, b) => a - b),
    );
    await page.do('put', 'picked', 'top (2).tar.gz', 'mine');
    await page.do('save', id, 'picked');
    const twice = (await page.do('tree', 'picked', OFFER)).filter(([path]) => !path.includes('/', 10));
    assert.ok(twice.every(([path, , right]) => right || path === 'top (2).tar.gz'));
    const names = (await page.do('tree', 'picked')).map(([path]) => path).filter((path) => !/\/./.test(path));
    assert.deepEqual(names, ['docs (2)/', 'docs/', 'top (2).tar.gz', 'top.tar (2).gz', 'top.tar.gz']);
    // Saving does not remove.
    assert.equal((await page.do('kept')).length, 1);
  });

  test('saving that is stopped leaves no part of a file', async ({ origin }) => {
    const page = await origin.page();
    const id = await keep(page, OFFER);
    await rejects(page.do('save', id, 'picked', 20 * MiB), 'CANCELLED');
    const tree = await page.do('tree', 'picked', OFFER);
    assert.ok(!tree.some(([path]) => path === 'docs/large'));
    assert.ok(tree.every(([, , right]) => right));
  });

  test('saving that finds no room says so, and leaves no part of a file', async ({ origin }) => {
    const page = await origin.page();
    const id = await keep(page, OFFER);
    const cdp = await page.page.createCDPSession();
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url, quotaSize: 55 * MiB });
    await rejects(page.do('save', id, 'picked'), 'DISK_FULL');
    const tree = await page.do('tree', 'picked', OFFER);
    assert.ok(!tree.some(([path]) => path === 'docs/large'));
  });

  test('names that the browser refuses are saved as others', async ({ origin }) => {
    const page = await origin.page();
    const odd: Offer = {
      files: [
        ['a\\b', 3],
        ['fine', 4],
        ['why?: <1>', 6],
        ['x\\y/', 0],
        ['x\\y/inside', 5],
        ['‮cod.exe', 7],
      ],
    };
    const id = await keep(page, odd);
    await page.do('save', id, 'picked');
    const tree = (await page.do('tree', 'picked')).map(([path, size]) => `${path} ${size}`);
    assert.deepEqual(
      new Set(tree),
      new Set(['a_b 3', 'fine 4', 'why__ _1_ 6', 'x_y/ 0', 'x_y/inside 5', '‮cod.exe 7']),
    );
  });

  test('what is not complete is not saved', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x', { count: 5 });
    await page.do('end', 'x', 'keep');
    const [kept] = await page.do('kept');
    await rejects(page.do('save', kept!.id, 'picked'), 'USAGE');
    await rejects(page.do('download', kept!.id), 'USAGE');
  });

  test('one file is one download', async ({ origin, downloads }) => {
    const page = await origin.page();
    const id = await keep(page, { files: [['ü "quoted" 100%.bin', 5 * MiB + 1]] });
    await page.do('download', id);
    const path = await downloaded(downloads, 'ü _quoted_ 100%.bin', 5 * MiB + 1);
    assert.ok(readFileSync(path).equals(bytesOf(0, 5 * MiB + 1)));
  });

  test('several are one ZIP', async ({ origin, downloads }) => {
    const page = await origin.page();
    const files = [...OFFER.files, ['docs\\sly', 77]] as Offer['files'];
    const id = await keep(page, { files });
    await page.do('download', id);
    const zip = readZip(readFileSync(await downloaded(downloads, 'beeline.zip')));
    assert.deepEqual([...zip.keys()].sort(), files.map(([path]) => path.replace('\\', '_')).sort());
    for (const [entry, [path, size]] of files.entries())
      assert.ok(zip.get(path.replace('\\', '_'))!.equals(bytesOf(entry, size)), path);
  });
});
