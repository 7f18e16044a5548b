/** A page and a command, both ways, and two pages: what is sent is what arrives, byte by byte. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { event } from '../integration/workspace.ts';
import { PICKER, pickedFiles } from './harness/picker.ts';
import { inBrowser } from './harness/suite.ts';
import { assertSame, makeMixedFolder, readFolder, within } from './harness/tree.ts';
import { readZip } from './harness/zip.ts';

const SIZE = 12_345_678;
/** However long WebRTC takes to connect: nothing goes another way. */
const DIRECT = ['--relay', 'never'];
const TEXT = 'Grüße,\n\t"zwei" <b>Zeilen</b> & 日本語 \u{1f41d}\n';

inBrowser('chromium', 'transfers', ({ test }) => {
  test('browser to command: a file, over WebRTC, with one root on both sides', async (stage) => {
    const { work } = stage;
    const page = await stage.page();
    makeFile(work.path('one.bin'), SIZE);
    await page.choose(work.path('one.bin'));
    const code = await page.code();
    assert.equal(
      await page.ask("document.querySelector('#link').href"),
      `${page.origin}/#${code}`,
      'the link brings the code in its fragment',
    );
    assert.equal(await page.ask("document.querySelector('#qr title').textContent"), 'QR code of the link');
    await page.press('Copy link');
    await page.shows("/Copied/.test(document.querySelector('main').innerText)");
    assert.equal(await page.state(), 'waiting');
    const received = await (await stage.receives(code, work.folder('out'), DIRECT)).ends(0);
    await page.reaches('completed');
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    assert.equal(await page.root(), event(received, 'done').root);
    const kinds = received.events.filter(({ event }) => event === 'lane').map(({ kind }) => kind);
    assert.deepEqual([...new Set(kinds)], ['webrtc']);
    await page.again();
    await page.reaches('home');
  });

  test('command to browser: kept, then saved as a download', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), SIZE);
    const { sender, code } = await stage.sends([work.path('one.bin'), ...DIRECT]);
    const page = await stage.page();
    await page.asks(code);
    await page.says(/one\.bin/, '#offer-names');
    await page.says(/1 file.*12\.3 MB/);
    await page.press('Receive');
    await page.reaches('completed');
    const sent = await sender.ends(0);
    assert.equal(await page.root(), event(sent, 'done').root);
    const kinds = sent.events.filter(({ event }) => event === 'lane').map(({ kind }) => kind);
    assert.deepEqual([...new Set(kinds)], ['webrtc']);
    const [saved] = await stage.saved(work.path('one.bin'));
    assert.equal(basename(saved!), 'one.bin');
    sameFile(work.path('one.bin'), saved!);
  });

  test('command to browser: a folder with names in any script, saved to a folder', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    mkdirSync(work.path('mixed', 'empty folder'));
    const { sender, code } = await stage.sends([work.path('mixed')]);
    const page = await stage.page({ prepare: PICKER });
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    const expected = within('mixed', readFolder(work.path('mixed')));
    await page.press('Save to a folder');
    await page.shows("document.querySelector('main').innerText.includes(\"It is in the folder 'picked'\")");
    assertSame(await pickedFiles(page), expected);
  });

  test('command to browser: several files are saved as one ZIP', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    const { sender, code } = await stage.sends([work.path('mixed')]);
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    const [saved] = await stage.downloads(() => page.press('Save'));
    assert.match(basename(saved!), /^mixed.*\.zip$/);
    const files = [...readZip(readFileSync(saved!))].filter(([path]) => !path.endsWith('/'));
    const expected = [...within('mixed', readFolder(work.path('mixed')))].filter(
      ([path]) => !path.endsWith('/'),
    );
    assertSame(new Map(files), new Map(expected));
  });

  test('browser to command: a chosen folder', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    const page = await stage.page();
    await page.chooseFolder(work.path('mixed'));
    await (await stage.receives(await page.code(), work.folder('out'))).ends(0);
    await page.reaches('completed');
    assertSame(readFolder(work.path('out', 'mixed')), readFolder(work.path('mixed')));
  });

  test('browser to command: a file and a folder that are dropped, with an empty folder', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    mkdirSync(work.path('mixed', 'empty', 'folder'), { recursive: true });
    writeFileSync(work.path('beside.txt'), 'beside');
    const page = await stage.page();
    await page.drop(work.path('mixed'), work.path('beside.txt'));
    await (await stage.receives(await page.code(), work.folder('out'))).ends(0);
    await page.reaches('completed');
    assertSame(readFolder(work.path('out', 'mixed')), readFolder(work.path('mixed')));
    assert.equal(readFileSync(work.path('out', 'beside.txt'), 'utf8'), 'beside');
  });

  test('browser to browser: a folder, sent from one tab and saved by another', async (stage) => {
    const { work } = stage;
    makeMixedFolder(work.path('mixed'));
    const from = await stage.page();
    await from.chooseFolder(work.path('mixed'));
    const code = await from.code();
    const to = await stage.page({ prepare: PICKER, code });
    assert.ok((await to.text('#link-code')).includes(code), 'a link brings its code');
    assert.equal(await from.state(), 'waiting', 'an opened link does not use up the code');
    await to.look();
    await to.reaches('offer');
    await to.press('Receive');
    await to.reaches('completed');
    await from.reaches('completed');
    assert.equal(await to.root(), await from.root());
    await to.press('Save to a folder');
    await to.shows("document.querySelector('main').innerText.includes(\"It is in the folder 'picked'\")");
    assertSame(await pickedFiles(to), within('mixed', readFolder(work.path('mixed'))));
  });

  test('a text from a command is shown as it is, and one from a page arrives as it is', async (stage) => {
    const { sender, code } = await stage.sends(['--text', TEXT]);
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    assert.equal(await page.ask("document.querySelector('pre#text, #text pre').textContent"), TEXT);
    assert.equal(await page.ask("document.querySelectorAll('#text b').length"), 0);
    await page.again();

    await page.sendText(TEXT);
    const receiver = await stage.receives(await page.code(), stage.work.folder('out'));
    const received = await receiver.ends(0);
    assert.equal(event(received, 'text').text, TEXT);
    await page.reaches('completed');
  });

  test('several files at once, an empty one among them', async (stage) => {
    const { work } = stage;
    const names = ['a.txt', 'b.bin', 'empty'];
    [5, 2_500_000, 0].forEach((size, i) => {
      makeFile(work.path(names[i]!), size);
    });
    const page = await stage.page();
    await page.choose(...names.map((name) => work.path(name)));
    await (await stage.receives(await page.code(), work.folder('out'))).ends(0);
    await page.reaches('completed');
    for (const name of names) sameFile(work.path(name), work.path('out', name));
  });

  test('an offer that is declined ends both sides, and says so', async (stage) => {
    const { work } = stage;
    makeFile(work.path('one.bin'), 1_000);
    const { sender, code } = await stage.sends([work.path('one.bin')]);
    const page = await stage.page();
    await page.asks(code);
    await page.press('Decline');
    const sent = await sender.ends(7);
    assert.equal(event(sent, 'error').code, 'REFUSED');
    await page.reaches('failed');
    await page.says(/declined/i);
    await page.press('Back');
    await page.reaches('home');
    assert.equal(await page.has('Delete'), false, 'nothing is kept');
  });
});
