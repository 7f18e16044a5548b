import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { seed } from '../../seed.ts';
import { readZip } from '../harness/zip.ts';
import { fill } from './content.ts';
import { downloaded } from './downloads.ts';
import { rejects } from './driver.ts';
import type { Offer } from './page.ts';
import { storageSuite } from './suite.ts';

const MiB = 2 ** 20;

function bytesOf(entry: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  fill(entry, 0, bytes);
  return bytes;
}

storageSuite('streamed', (test) => {
  test('one file is a download while it is received', async ({ origin, downloads }) => {
    const page = await origin.page();
    const offer: Offer = { files: [["it's (one)*.bin", 20 * MiB + 3]] };
    await page.do('openStream', 'x', offer, true);
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    assert.deepEqual(await page.do('digests', 'x'), [[0, await page.do('sha256Of', 0, 20 * MiB + 3)]]);
    await page.do('end', 'x', 'discard');
    const path = await downloaded(downloads, "it's (one)_.bin", 20 * MiB + 3);
    assert.ok(readFileSync(path).equals(bytesOf(0, 20 * MiB + 3)));
  });

  test('a stream of unknown length is one too', async ({ origin, downloads }) => {
    const page = await origin.page();
    await page.do('openStream', 'x', { files: [['dump', 3 * MiB + 1]], stream: true, chunkSize: MiB });
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    const path = await downloaded(downloads, 'dump', 3 * MiB + 1);
    assert.ok(readFileSync(path).equals(bytesOf(0, 3 * MiB + 1)));
  });

  test('several are a ZIP, without those that never came', async ({ origin, downloads }) => {
    const page = await origin.page();
    const offer: Offer = {
      files: [
        ['all/', 0],
        ['all/empty', 0],
        ['all/gone', 5 * MiB],
        ['all/large', 9 * MiB + 1],
        ['all/link@', 0],
        ...Array.from({ length: 300 }, (_, i): [string, number] => [`all/small ${i}`, 1 + 31 * i]),
        ['all/trouble', 2 * MiB],
      ],
    };
    await page.do('openStream', 'x', offer, true);
    await page.do('drop', 'x', 2);
    await page.do('write', 'x', { zeros: [2], count: 15 });
    // In the middle of the small ones that came with one chunk, and the large one is out already.
    await page.do('drop', 'x', 3);
    await page.do('drop', 'x', 305);
    await page.do('write', 'x', { from: 15, zeros: [2, 305] });
    await page.do('end', 'x', 'finish');
    const digests = new Map(await page.do('digests', 'x'));
    assert.equal(digests.get(3), await page.do('sha256Of', 3, 9 * MiB + 1));
    assert.deepEqual(await page.do('warnings', 'x'), ['all/link@']);
    const zip = readZip(readFileSync(await downloaded(downloads, 'all.zip')));
    const expected = offer.files.filter(([path]) => !/gone|trouble|@/.test(path)).map(([path]) => path);
    assert.deepEqual([...zip.keys()], expected);
    for (const [entry, [path, size]] of offer.files.entries())
      if (expected.includes(path)) assert.ok(zip.get(path)!.equals(bytesOf(entry, size)), path);
  });

  test('what is out in part and then gone is no file', async ({ origin, downloads }) => {
    const page = await origin.page();
    await page.do('openStream', 'x', { files: [['partly', 9 * MiB]] });
    await page.do('write', 'x', { count: 3 });
    await rejects(page.do('drop', 'x', 0), 'SOURCE_CHANGED');
    await rejects(page.do('write', 'x'), 'SOURCE_CHANGED');
    await rejects(page.do('end', 'x', 'finish'), 'SOURCE_CHANGED');
    assert.ok(!readdirSync(downloads).includes('partly'));
  });

  test('giving up ends the download', async ({ origin, downloads }) => {
    const page = await origin.page();
    await page.do('openStream', 'x', { files: [['given up', 9 * MiB]] });
    await page.do('write', 'x', { count: 3 });
    await page.do('end', 'x', 'discard');
    await page.do('end', 'x', 'discard');
    await rejects(page.do('write', 'x'), 'CANCELLED');
    assert.ok(!readdirSync(downloads).includes('given up'));
  });

  test('a download that the person cancels is an error with words', async ({
    origin,
    browser,
    downloads,
  }) => {
    const page = await origin.page();
    const cdp = await browser.target().createCDPSession();
    const begun = new Promise<string>((resolve) =>
      cdp.once('Browser.downloadWillBegin', ({ guid }: { guid: string }) => resolve(guid)),
    );
    await cdp.send('Browser.setDownloadBehavior', {
      ...{ behavior: 'allow', downloadPath: downloads, eventsEnabled: true },
    });
    await page.do('openStream', 'x', { files: [['unwanted', 20_000 * MiB]] });
    const writing = page.do('write', 'x', { unhashed: true });
    writing.catch(() => {});
    await cdp.send('Browser.cancelDownload', { guid: await begun });
    const error = await rejects(writing, 'WRITE_FAILED');
    // The session stays: with its end, the browser would forget where downloads go.
    assert.match(error.message, /cancelled there/);
  });

  test('chunks that come too early for the window are no honest engine', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openStream', 'x', { files: [['early', 30 * MiB]] });
    await rejects(page.do('write', 'x', { from: 9, count: 1, disordered: true }), 'INTERNAL');
    await page.do('end', 'x', 'discard');
  });

  test('the worker answers for nothing but what it was handed, and that once', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openStream', 'x', { files: [['once', 2 * MiB]] });
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    for (const path of ['/download/0123456789abcdef', '/download/', '/download/x?y']) {
      const other = await origin.page();
      const answer = await other.page.goto(origin.url + path);
      assert.equal(answer!.status(), 410);
      assert.equal(answer!.fromServiceWorker(), true);
    }
    const plain = await origin.page();
    const answer = await plain.page.goto(`${origin.url}/other`);
    assert.equal(answer!.fromServiceWorker(), false);
  });

  test(`early chunks wait for their turn (seed ${seed})`, async ({ origin, downloads }) => {
    const page = await origin.page();
    await page.do('openStream', 'x', { files: [['shuffled', 8 * MiB]] });
    await page.do('write', 'x', { seed, atOnce: 8 });
    await page.do('end', 'x', 'finish');
    const path = await downloaded(downloads, 'shuffled', 8 * MiB);
    assert.ok(readFileSync(path).equals(bytesOf(0, 8 * MiB)));
  });
});
