/** Memory stays flat whatever the size. LONG=1 takes 4 GiB and more, so that no 32-bit number hides anywhere. */
import assert from 'node:assert/strict';
import { createReadStream, rmSync } from 'node:fs';
import { fill } from './content.ts';
import { downloaded } from './downloads.ts';
import { growthDuring } from './memory.ts';
import type { Offer } from './page.ts';
import { storageSuite } from './suite.ts';

const MiB = 2 ** 20;
const LARGE = (process.env.LONG ? 4096 : 768) * MiB + 12_345;
/** Far less than the file; a heap that has not been cleaned up is no leak. */
const FLAT = 192 * MiB;

const offer = (name: string): Offer => ({ files: [[name, LARGE]] });

async function firstWrongByte(path: string, start: number): Promise<number> {
  const entry = start === 0 ? 0 : 1;
  const expected = new Uint8Array(4 * MiB);
  let at = 0;
  for await (const part of createReadStream(path, {
    start,
    end: start + LARGE - 1,
    highWaterMark: 4 * MiB,
  })) {
    fill(entry, at, expected.subarray(0, part.length));
    if (!part.equals(expected.subarray(0, part.length))) return at;
    at += part.length;
  }
  return at === LARGE ? -1 : at;
}

storageSuite(`of ${Math.round(LARGE / MiB)} MiB`, (test) => {
  test('written with flat memory', async ({ origin, browser }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', offer('written'));
    let rate = 0;
    const growth = await growthDuring(browser, async () => {
      const { bytes, seconds } = await page.do('write', 'x', { seed: 5, atOnce: 8, unhashed: true });
      await page.do('end', 'x', 'finish');
      rate = bytes / 1e6 / seconds;
    });
    console.log(`# ${Math.round(rate)} MB/s, ${Math.round(growth / MiB)} MiB more`);
    await page.do('end', 'x', 'done');
    assert.deepEqual(await page.do('wrong', offer('written')), []);
    assert.ok(growth < FLAT, `${growth}`);
  });

  test('saved to a folder and as a download with flat memory', async ({ origin, browser, downloads }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', offer('sparse'));
    await page.do('writeHoles', 'x');
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    const [kept] = await page.do('kept');
    const saving = await growthDuring(browser, async () => {
      await page.do('save', kept!.id, 'picked');
    });
    assert.deepEqual(
      (await page.do('tree', 'picked')).map(([path, size]) => [path, size]),
      [['sparse', LARGE]],
    );
    const downloading = await growthDuring(browser, async () => {
      await page.do('download', kept!.id);
      rmSync(await downloaded(downloads, 'sparse', LARGE));
    });
    console.log(`# ${Math.round(saving / MiB)} and ${Math.round(downloading / MiB)} MiB more`);
    assert.ok(saving < FLAT && downloading < FLAT, `${saving}, ${downloading}`);
    await page.do('remove', kept!.id);
  });

  test('streamed with flat memory, alone and in a ZIP', async ({ origin, browser, downloads }) => {
    const page = await origin.page();
    const offers = {
      alone: { name: 'streamed', files: [['streamed', LARGE]] },
      zipped: {
        name: 'folder.zip',
        files: [
          ['folder/', 0],
          ['folder/streamed', LARGE],
          ['folder/x', 5],
        ],
      },
    } satisfies Record<string, Offer & { name: string }>;
    for (const { name, files } of Object.values(offers)) {
      let rate = 0;
      let path = '';
      const growth = await growthDuring(browser, async () => {
        await page.do('openStream', name, { files: files as Offer['files'] });
        const { bytes, seconds } = await page.do('write', name, { atOnce: 6, unhashed: true });
        await page.do('end', name, 'finish');
        rate = bytes / 1e6 / seconds;
        path = await downloaded(downloads, name, name === 'streamed' ? LARGE : undefined);
      });
      console.log(`# ${name}: ${Math.round(rate)} MB/s, ${Math.round(growth / MiB)} MiB more`);
      assert.ok(growth < FLAT, `${growth}`);
      // In the ZIP behind two local headers (APPNOTE 4.3.7), a name each, and the folder's descriptor.
      const before = name === 'streamed' ? 0 : 30 + 'folder/'.length + 16 + 30 + 'folder/streamed'.length;
      assert.equal(await firstWrongByte(path, before), -1);
      rmSync(path);
    }
  });
});
