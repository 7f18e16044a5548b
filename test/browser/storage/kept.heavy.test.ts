import assert from 'node:assert/strict';
import { seed } from '../../seed.ts';
import { journaled, rejects } from './driver.ts';
import type { Offer } from './page.ts';
import { storageSuite } from './suite.ts';

const MiB = 2 ** 20;
/** A large file, small ones that share a chunk, empty ones, folders, and one that ends within a chunk. */
const OFFER: Offer = {
  files: [
    ['a/', 0],
    ['a/empty', 0],
    ['a/large', 20 * MiB + 17],
    ['a/small one', 1000],
    ['a/small two', 70_000],
    ['b/', 0],
    ['c', 3 * MiB],
  ],
};
const CHUNKS = 24;

storageSuite('kept', (test) => {
  test('chunks in any order are files in the end, and stay until they are removed', async ({ origin }) => {
    const page = await origin.page();
    assert.deepEqual(await page.do('openKept', 'x', OFFER), []);
    const { bytes } = await page.do('write', 'x', { seed, atOnce: 8 });
    assert.equal(bytes, 23 * MiB + 71_017);
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    // The session's last cleaning up.
    await page.do('end', 'x', 'discard');
    await page.reload();
    const [kept, ...others] = await page.do('kept');
    assert.deepEqual(others, []);
    assert.ok(kept?.complete);
    assert.equal(kept.name, 'a');
    assert.equal(kept.bytes, bytes);
    assert.equal(kept.have, bytes);
    assert.deepEqual(kept.folders, ['a', 'b']);
    assert.deepEqual(
      kept.files.map(({ path, size }) => [path, size]),
      OFFER.files.filter(([path]) => !path.endsWith('/')),
    );
    assert.equal(kept.files[0]!.mtime, 1_700_000_000_000);
    assert.deepEqual(await page.do('wrong', OFFER), []);
    await page.do('remove', kept.id);
    assert.deepEqual(await page.do('kept'), []);
    assert.deepEqual(await page.do('sizes'), []);
  });

  test('what is down can be read again: at once, finished, and by another page', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x', { seed, count: 14 });
    assert.deepEqual(await page.do('readAgain', 'x'), []);
    await page.do('end', 'x', 'keep');
    await page.do('openKept', 'y', OFFER);
    await page.do('write', 'y', { seed });
    assert.deepEqual(await page.do('readAgain', 'y'), []);
    await page.do('end', 'y', 'finish');
    assert.deepEqual(await page.do('readAgain', 'y'), []);
    await page.do('end', 'y', 'done');
    assert.deepEqual(await page.do('readAgain', 'y'), []);
    await page.do('remove', (await page.do('kept'))[0]!.id);
    await rejects(page.do('readAgain', 'y'), 'UNREADABLE');
  });

  test('a page that dies in the middle is gone on with by another', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await journaled(page, (await page.do('write', 'x', { seed, count: 14 })).bytes);
    await page.kill();
    const again = await origin.page();
    const [kept] = await again.do('kept');
    assert.ok(kept && !kept.complete && kept.have > 0);
    const held = await again.do('openKept', 'x', OFFER);
    assert.equal(held.length, 14);
    const { bytes } = await again.do('write', 'x', { seed: seed + 1 });
    assert.ok(bytes < 12 * MiB);
    await again.do('end', 'x', 'finish');
    await again.do('end', 'x', 'done');
    assert.deepEqual(await again.do('wrong', OFFER), []);
  });

  test('a torn journal counts up to where it is torn', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    // Each in a record of its own.
    for (let from = 0, down = 0; from < 10; from++) {
      down += (await page.do('write', 'x', { from, count: 1 })).bytes;
      await journaled(page, down);
    }
    await page.do('end', 'x', 'keep');
    // In the fourth record from the end: it and those behind it do not count.
    await page.do('damage', 'flip', -150);
    assert.deepEqual(await page.do('openKept', 'x', OFFER), [0, 1, 2, 3, 4, 5]);
    await page.do('end', 'x', 'keep');
    await page.do('damage', 'noise', 5000);
    assert.deepEqual(await page.do('openKept', 'x', OFFER), [0, 1, 2, 3, 4, 5]);
    await page.do('write', 'x', { count: 1 });
    await page.do('end', 'x', 'keep');
    await page.do('damage', 'cut', -3);
    assert.deepEqual(await page.do('openKept', 'x', OFFER), [0, 1, 2, 3, 4, 5]);
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    assert.deepEqual(await page.do('wrong', OFFER), []);
  });

  test('without a whole beginning it is nothing, and begun anew', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x');
    await page.do('end', 'x', 'keep');
    await page.do('damage', 'flip', 20);
    assert.deepEqual(await page.do('kept'), []);
    assert.deepEqual(await page.do('openKept', 'x', OFFER), []);
    await page.do('end', 'x', 'discard');
    assert.deepEqual(await page.do('sizes'), []);
  });

  test('another manifest is another transfer', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x', { count: 5 });
    await page.do('end', 'x', 'keep');
    const longer: Offer = { files: [...OFFER.files.slice(0, -1), ['c', 3 * MiB + 1]] };
    for (const other of [longer, { ...OFFER, mtime: 5 }, { ...OFFER, chunkSize: 2 * MiB }]) {
      assert.deepEqual(await page.do('openKept', 'y', other), []);
      await page.do('end', 'y', 'keep');
    }
    // Nothing was written of the others: they leave nothing.
    assert.equal((await page.do('kept')).length, 1);
    assert.deepEqual(await page.do('openKept', 'x', OFFER), [0, 1, 2, 3, 4]);
  });

  test('two tabs cannot write the same transfer', async ({ origin }) => {
    const page = await origin.page();
    const other = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x', { count: 3 });
    await rejects(other.do('openKept', 'x', OFFER), 'LOCKED');
    const [{ id } = { id: '' }] = await other.do('kept');
    await rejects(other.do('remove', id), 'LOCKED');
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    assert.deepEqual(await page.do('wrong', OFFER), []);
    // A finished one is there for both.
    assert.equal((await other.do('openKept', 'x', OFFER)).length, CHUNKS);
  });

  test('a tab that has just closed is waited for', async ({ origin }) => {
    const page = await origin.page();
    const other = await origin.page();
    await page.do('openKept', 'x', OFFER);
    const { bytes } = await page.do('write', 'x', { count: 3 });
    await journaled(page, bytes);
    const opening = other.do('openKept', 'x', OFFER);
    await page.do('end', 'x', 'keep');
    assert.deepEqual(await opening, [0, 1, 2]);
  });

  test('a quota that is too small shows before anything moves', async ({ origin }) => {
    const page = await origin.page();
    const cdp = await page.page.createCDPSession();
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url, quotaSize: 10 * MiB });
    const error = await rejects(page.do('openKept', 'x', OFFER), 'DISK_FULL');
    assert.match(error.message, /^This browser has no room for the 25165824 bytes of this transfer\./);
    assert.deepEqual(await page.do('sizes'), []);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url });
    await page.do('openKept', 'x', OFFER);
  });

  test('a stream that meets the quota waits for room, and begins anew', async ({ origin }) => {
    const page = await origin.page();
    const stream: Offer = { files: [['dump', 12 * MiB + 5]], stream: true, chunkSize: MiB };
    const cdp = await page.page.createCDPSession();
    await page.do('openKept', 'x', stream);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url, quotaSize: 5 * MiB });
    await rejects(page.do('write', 'x', { atOnce: 1 }), 'DISK_FULL');
    // Everything is in doubt until it is opened again.
    await rejects(page.do('end', 'x', 'finish'), 'DISK_FULL');
    assert.equal(await page.do('ready', 'x'), false);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: origin.url });
    assert.equal(await page.do('ready', 'x'), true);
    assert.deepEqual(await page.do('end', 'x', 'reopen'), []);
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    assert.deepEqual(await page.do('wrong', stream), []);
    // Another stream of that name does not touch it, and leaves nothing when it ends early.
    await page.do('openKept', 'y', stream);
    await page.do('write', 'y', { count: 3 });
    await page.do('end', 'y', 'keep');
    const kept = await page.do('kept');
    assert.deepEqual(
      kept.map(({ complete, bytes }) => [complete, bytes]),
      [[true, 12 * MiB + 5]],
    );
  });

  test('a file that its sender could not deliver is not there, until it comes after all', async ({
    origin,
  }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x', { count: 6 });
    await page.do('drop', 'x', 2);
    await page.do('drop', 'x', 4);
    await page.do('write', 'x', { zeros: [2, 4] });
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'keep');
    const [kept] = await page.do('kept');
    assert.deepEqual(
      kept!.files.map(({ path }) => path),
      ['a/empty', 'a/small one', 'c'],
    );
    assert.ok(kept!.complete);
    assert.deepEqual(await page.do('wrong', OFFER), []);
    // Whatever has a part of them comes again; the rest stays.
    const held = await page.do('openKept', 'x', OFFER);
    assert.equal(held.length, 3);
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    assert.equal((await page.do('kept'))[0]!.files.length, 5);
    assert.deepEqual(await page.do('wrong', OFFER), []);
  });

  test('a file that is whole stays when its sender drops it', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x');
    await page.do('drop', 'x', 6);
    await page.do('end', 'x', 'finish');
    await page.do('drop', 'x', 2);
    await page.do('end', 'x', 'done');
    assert.equal((await page.do('kept'))[0]!.files.length, 5);
  });

  test('zeros are zeros where something else was written before', async ({ origin }) => {
    const page = await origin.page();
    const offer: Offer = { files: [['one', 4 * MiB]], chunkSize: MiB };
    await page.do('openKept', 'x', offer);
    await page.do('write', 'x');
    await page.do('end', 'x', 'keep');
    // What stands behind the manifest is forgotten, and what was written is not.
    await page.do('damage', 'cut', 110);
    const held = await page.do('openKept', 'x', offer);
    assert.ok(held.length < 4, String(held));
    await page.do('writeHoles', 'x');
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    // The first that is not what it was is the first that is not held.
    assert.deepEqual(await page.do('wrong', offer), [`one at ${held.length * MiB}`]);
  });

  test('links are told of, and hostile names never touch the disk', async ({ origin }) => {
    const page = await origin.page();
    const names = ['..', 'a/../../x', '/etc/passwd', 'a\u0000b', '.beeline-x/y', 'x/', ''];
    for (const name of names.filter((text) => !text.endsWith('/')))
      await rejects(page.do('openKept', 'x', { files: [[name, 5]] }), 'UNSAFE_NAME');
    const odd: Offer = {
      files: [
        ['con', 3],
        ['journal', 4],
        ['x:y\\..\\z', 5],
        ['<img src=x onerror=alert(1)>', 6],
        ['link@', 0],
        ['‮cod.exe', 7],
        [`${'ü'.repeat(120)}.txt`, 8],
      ],
    };
    await page.do('openKept', 'x', odd);
    const warnings = await page.do('warnings', 'x');
    assert.match(warnings[0]!, /cannot make links: 'link@'/);
    assert.equal(warnings.length, 4);
    assert.match(warnings[2]!, /'x:y.+' will be saved as 'x_y_\.\._z'/);
    await page.do('write', 'x');
    await page.do('end', 'x', 'finish');
    await page.do('end', 'x', 'done');
    assert.deepEqual(await page.do('wrong', odd), []);
    assert.deepEqual(
      (await page.do('kept'))[0]!.files.map(({ path }) => path),
      ['con_', 'journal', 'x_y_.._z', '_img src=x onerror=alert(1)_', '‮cod.exe', `${'ü'.repeat(120)}.txt`],
    );
  });

  test('digests are those of the files', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x', { seed });
    await page.do('end', 'x', 'finish');
    const digests = new Map(await page.do('digests', 'x'));
    await page.do('end', 'x', 'done');
    assert.deepEqual([...digests.keys()], [1, 2, 3, 4, 6]);
    for (const entry of [1, 2, 4])
      assert.equal(digests.get(entry), await page.do('sha256Of', entry, OFFER.files[entry]![1]));
  });

  test('ends may come at any time, and twice', async ({ origin }) => {
    const page = await origin.page();
    await page.do('openKept', 'x', OFFER);
    for (const how of ['keep', 'keep', 'discard', 'discard'] as const) await page.do('end', 'x', how);
    assert.deepEqual(await page.do('sizes'), []);
    await page.do('openKept', 'x', OFFER);
    await page.do('write', 'x', { count: 4 });
    for (const how of ['discard', 'keep', 'discard'] as const) await page.do('end', 'x', how);
    assert.deepEqual(await page.do('sizes'), []);
    await rejects(page.do('write', 'x'), 'CANCELLED');
  });

  test('what this browser can do is found out', async ({ origin }) => {
    const page = await origin.page();
    assert.deepEqual(await page.do('abilities'), {
      ...{ secure: true, opfs: true, folder: true, stream: true, webrtc: true },
    });
  });
});
