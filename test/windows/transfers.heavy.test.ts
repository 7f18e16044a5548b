/**
 * The built command on Windows' own Node, under Wine, with the command on Linux as its other side. Node then decides everything as
 * on Windows, and files are opened, shared, renamed and locked by Windows' calls. Consoles, links and modes of a real Windows are not here.
 */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import type { Command } from '../integration/command.ts';
import { event, Workspace } from '../integration/workspace.ts';
import { Windows, whyNoWindows } from './wine.ts';

const missing = whyNoWindows();
const skip = missing !== undefined && !process.env.CI ? missing : false;
const CODE = '4711-velvet-canyon';
const SIZE = 24_000_000;

/** Names of a tree, and what each is there. */
const NAMES = {
  'a:b.txt': 'a_b.txt',
  'con.txt': 'con_.txt',
  'trail.': 'trail_',
  'back\\slash': 'back_slash',
  plain: 'plain',
  ünïcode: 'ünïcode',
};

describe('windows: transfers', { skip }, () => {
  let windows: Windows;
  let work: Workspace;
  let meet: string[];

  before(async () => {
    assert.equal(missing, undefined);
    windows = new Windows();
    work = new Workspace();
    const { url } = await work
      .start(['server', '--host', '127.0.0.1', '--port', '0', '--no-stun'])
      .until((line) => typeof line.url === 'string');
    meet = ['--server', String(url), '--no-lan'];
  });
  after(async () => {
    await work?.dispose();
    windows?.close();
  });

  const there = (...args: string[]): Command => work.start(args, windows.options);
  const here = (...args: string[]): Command => work.start(args);

  /** From Linux to Windows. */
  async function toWindows(path: string, to: string, ...more: string[]) {
    const sender = here('send', path, '--code', CODE, ...meet);
    await sender.until('code');
    const received = await there('receive', CODE, ...meet, '--yes', '--to', `C:\\${to}`, ...more).ends(0);
    const sent = await sender.ends(0);
    assert.equal(event(received, 'done').root, event(sent, 'done').root);
    return received;
  }

  /** Waits until some of what is received into a folder is certainly down. */
  async function kept(folder: string): Promise<void> {
    for (const end = Date.now() + 60_000; ; ) {
      const listed = await there('resume', folder).ends(0);
      if (listed.events.some(({ here: bytes }) => Number(bytes) > 0)) return;
      assert.ok(Date.now() < end, `Nothing was journaled: ${JSON.stringify(listed.events)}`);
    }
  }

  it('a tree arrives under names that it has there, what is unchanged is skipped, and what changed is replaced', async () => {
    const tree = work.folder('tree');
    mkdirSync(work.path('tree', 'empty'));
    for (const name of Object.keys(NAMES)) writeFileSync(work.path('tree', name), name);
    symlinkSync('plain', work.path('tree', 'link'));
    const received = await toWindows(tree, 'out');
    assert.deepEqual(
      readdirSync(windows.path('out', 'tree')).sort(),
      [...Object.values(NAMES), 'empty'].sort(),
      'Wine makes no links',
    );
    for (const [sent, name] of Object.entries(NAMES))
      assert.equal(readFileSync(windows.path('out', 'tree', name), 'utf8'), sent);
    assert.deepEqual(readdirSync(windows.path('out')), ['tree'], 'nothing is left beside it');
    assert.match(String(event(received, 'done').receipt), /^C:\\users\\.*\\receipts\\/);

    appendFileSync(work.path('tree', 'plain'), ', and more');
    const again = await toWindows(tree, 'out', '--update');
    assert.ok(Number(event(again, 'done').bytes) > 0);
    assert.equal(readFileSync(windows.path('out', 'tree', 'plain'), 'utf8'), 'plain, and more');
    assert.deepEqual(readdirSync(windows.path('out')), ['tree']);
  });

  it('sends what Linux receives', async () => {
    mkdirSync(windows.path('up', 'sub'), { recursive: true });
    makeFile(windows.path('up', 'sub', 'large.bin'), SIZE);
    writeFileSync(windows.path('up', 'ünïcode.txt'), 'x');
    const sender = there('send', 'C:\\up', '--code', CODE, ...meet);
    await sender.until('code');
    await here('receive', CODE, ...meet, '--yes', '--to', work.folder('down')).ends(0);
    await sender.ends(0);
    sameFile(windows.path('up', 'sub', 'large.bin'), work.path('down', 'up', 'sub', 'large.bin'));
    assert.equal(readFileSync(work.path('down', 'up', 'ünïcode.txt'), 'utf8'), 'x');
  });

  it('goes on after a receiver that was killed, and leaves nothing beside what arrived', async () => {
    const file = work.path('large.bin');
    makeFile(file, SIZE);
    const sending = ['send', file, '--code', CODE, ...meet];
    const sender = here(...sending, '--limit', '3M');
    await sender.until('code');
    const receiver = there('receive', CODE, ...meet, '--yes', '--to', 'C:\\killed');
    await receiver.until('progress');
    await kept('C:\\killed');
    await receiver.kill();
    await sender.kill();
    const received = await toWindows(file, 'killed');
    assert.ok(Number(event(received, 'done').resumed) > 0);
    sameFile(file, windows.path('killed', 'large.bin'));
    assert.deepEqual(readdirSync(windows.path('killed')), ['large.bin']);
  });

  it('of two that receive into one folder at once, each has its own, and no lock is left', async () => {
    const files = ['one.bin', 'two.bin'].map((name) => work.path(name));
    for (const file of files) makeFile(file, 3_000_000);
    const senders = files.map((file, at) => here('send', file, '--code', `${at + 1}-velvet-canyon`, ...meet));
    for (const sender of senders) await sender.until('code');
    const receivers = files.map((_, at) =>
      there('receive', `${at + 1}-velvet-canyon`, ...meet, '--yes', '--to', 'C:\\both'),
    );
    for (const one of [...receivers, ...senders]) await one.ends(0);
    assert.deepEqual(
      readdirSync(windows.path('both')).sort(),
      ['one.bin', 'two.bin'],
      readdirSync(windows.path('both'), { recursive: true }).join(' '),
    );
    for (const file of files) sameFile(file, windows.path('both', file.split('/').at(-1)!));
  });

  it('trusts devices from several processes at once, has an inbox, and an outbox that sends later', async () => {
    const key = async (command: Command) => String(event(await command.ends(0), 'own').key);
    const mine = await key(there('trust'));
    const its = await key(here('trust'));
    const names = ['linux', 'two', 'three', 'four', 'five'];
    const keys = [its];
    for (const name of names.slice(1))
      keys.push(await key(here('trust', '--config-dir', work.path(`config-${name}`))));
    const adding = names.map((name, at) => there('trust', 'add', name, keys[at]!));
    for (const one of adding) await one.ends(0);
    await here('trust', 'add', 'windows', mine).ends(0);
    const listed = await there('trust').ends(0);
    const trusted = listed.events.flatMap((line) => (typeof line.name === 'string' ? [line.name] : []));
    assert.deepEqual(trusted.sort(), [...names].sort(), 'no addition is lost');

    const inbox = there('listen', ...meet, '--to', 'C:\\inbox');
    await inbox.until('watching');
    const letter = work.path('letter.txt');
    for (const [at, text] of ['one', 'two'].entries()) {
      writeFileSync(letter, text);
      await here('send', letter, '--device', 'windows', ...meet).ends(0);
      await inbox.until(({ event, arrival }) => event === 'done' && arrival === at + 1);
    }
    assert.deepEqual(readdirSync(windows.path('inbox')).sort(), ['letter (1).txt', 'letter.txt']);
    assert.equal(readFileSync(windows.path('inbox', 'letter (1).txt'), 'utf8'), 'two');
    await inbox.kill();

    writeFileSync(windows.path('later.txt'), 'later');
    await there('send', 'C:\\later.txt', '--later', '--device', 'linux', ...meet).ends(0);
    const listening = here('listen', ...meet, '--to', work.folder('linux-inbox'));
    await listening.until('watching');
    await there('outbox', 'send').ends(0);
    assert.equal(readFileSync(work.path('linux-inbox', 'later.txt'), 'utf8'), 'later');
    await listening.kill();
  });

  it('serves a folder, a range of a file too, and no file beside it', async () => {
    mkdirSync(windows.path('served'));
    writeFileSync(windows.path('served', 'letters.txt'), 'abcdefghij');
    writeFileSync(windows.path('secret.txt'), 'secret');
    const serving = there('serve', 'C:\\served', '--host', '127.0.0.1', '--port', '0');
    const said = await serving.until((line) => /http:\/\/127\.0\.0\.1/.test(JSON.stringify(line)));
    const [link] = /http:\/\/127\.0\.0\.1[^"\\]*/.exec(JSON.stringify(said))!;
    const part = await fetch(`${link}letters.txt`, { headers: { Range: 'bytes=2-4' } });
    assert.equal(part.status, 206);
    assert.equal(await part.text(), 'cde');
    for (const path of [
      '..%5Csecret.txt',
      '..%2Fsecret.txt',
      'C:%5Csecret.txt',
      'letters.txt:stream',
      'LETTERS.TXT::$DATA',
    ])
      assert.notEqual((await fetch(`${link}${path}`)).status, 200, path);
    await serving.kill();
  });

  it('verifies what it has received by the receipt', async () => {
    writeFileSync(work.path('checked.txt'), 'as it was');
    const received = await toWindows(work.path('checked.txt'), 'checked');
    const receipt = String(event(received, 'done').receipt);
    await there('verify', receipt, 'C:\\checked').ends(0);
    writeFileSync(windows.path('checked', 'checked.txt'), 'as it is!');
    assert.notEqual((await there('verify', receipt, 'C:\\checked').exited).status, 0);
    rmSync(windows.path('checked'), { recursive: true });
  });
});
