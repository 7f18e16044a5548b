/** Files and folders from command to command: what arrives is what was sent, name, content, mode, time and link. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile, makeTree, sameFile } from '../../bench/files.mjs';
import { snapshot } from './tree.ts';
import { event, workspace } from './workspace.ts';

/** Names in many scripts, and ones that a shell, a URL or a format string would trip over. */
const NAMES = [
  ...['κόσμος.txt', 'мир.txt', '世界.txt', 'こんにちは.txt', 'नमस्ते.txt', 'שלום.txt', 'مرحبا.txt', 'สวัสดี.txt'],
  ...['한국어.txt', 'ᏣᎳᎩ.txt', '🐝🐝.txt', '𝔊𝔬𝔱𝔥.txt', 'cafe\u0301.txt', 'İstanbul.txt', 'straße.txt'],
  ...[
    'two  spaces.txt',
    ' leading space',
    '-dash',
    '--json',
    "quote's",
    'semi;colon',
    '$HOME',
    '#hash',
    '%41%00',
  ],
  ...[
    'a&b',
    'comma,',
    '(round) [square] {curly}',
    '.hidden',
    'dots...in.name',
    '~',
    '@at',
    '=equals',
    '!bang',
    '^',
  ],
  ...['x'.repeat(255), 'ü'.repeat(127)],
];

describe('integration: files and folders', () => {
  it('a file arrives under its name, and both sides show one root', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 5_000_001);
    const { received, sent } = await work.deliver([work.path('one.bin')]);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    assert.equal(event(received, 'done').bytes, 5_000_001);
    assert.equal(event(received, 'done').files, 1);
    assert.equal(event(received, 'manifest').bytes, 5_000_001);
    assert.equal(event(sent, 'done').files, 1);
  });

  it('several paths arrive side by side', async (t) => {
    const work = workspace(t);
    for (const name of ['one', 'two', 'three']) makeFile(work.path(name), 1000);
    makeTree(work.path('tree'), 5, 10);
    await work.deliver(['one', 'two', 'three', 'tree'].map((name) => work.path(name)));
    const { out: _, ...expected } = snapshot(work.dir);
    const arrived = snapshot(work.path('out'));
    for (const [name, line] of Object.entries(arrived)) assert.equal(line, expected[name], name);
    assert.equal(Object.keys(arrived).length, 3 + 1 + 1 + 5);
  });

  it('a tree keeps empty files and folders, modes, times and links', async (t) => {
    const work = workspace(t);
    const tree = work.folder('tree');
    mkdirSync(work.path('tree', 'deep', 'deeper', 'deepest'), { recursive: true });
    mkdirSync(work.path('tree', 'empty folder'));
    writeFileSync(work.path('tree', 'empty file'), '');
    writeFileSync(work.path('tree', 'deep', 'secret'), 'for me only', { mode: 0o600 });
    writeFileSync(work.path('tree', 'deep', 'script'), '#!/bin/sh\n');
    chmodSync(work.path('tree', 'deep', 'script'), 0o755);
    writeFileSync(work.path('tree', 'read only'), 'still arrives');
    chmodSync(work.path('tree', 'read only'), 0o444);
    makeFile(work.path('tree', 'deep', 'deeper', 'deepest', 'data'), 3 << 20);
    symlinkSync('../read only', work.path('tree', 'deep', 'link'));
    symlinkSync('deep', work.path('tree', 'link to folder'));
    symlinkSync('nothing there', work.path('tree', 'dangling'));
    lutimesSync(work.path('tree', 'dangling'), 1_000_000_000, 1_000_000_000);
    utimesSync(work.path('tree', 'empty file'), 0, 0);
    utimesSync(work.path('tree', 'deep', 'secret'), 1_234_567_890.5, 1_234_567_890.5);
    chmodSync(work.path('tree', 'empty folder'), 0o700);
    utimesSync(work.path('tree', 'empty folder'), 1_500_000_000, 1_500_000_000);
    utimesSync(work.path('tree', 'deep'), 946_684_800, 946_684_800);
    const before = snapshot(tree);
    await work.deliver([tree]);
    assert.deepEqual(snapshot(work.path('out', 'tree')), before);
  });

  it('small files that several lanes race for at the end are written once', async (t) => {
    const work = workspace(t);
    makeTree(work.path('tree'), 300, 4096);
    await work.deliver([work.path('tree')]);
    assert.deepEqual(snapshot(work.path('out', 'tree')), snapshot(work.path('tree')));
  });

  it('names in many scripts, and awkward ones, arrive as they are', async (t) => {
    const work = workspace(t);
    for (const [i, name] of NAMES.entries()) {
      work.folder('names', name);
      writeFileSync(work.path('names', name, name), `${i}`);
    }
    await work.deliver([work.path('names')]);
    assert.deepEqual(snapshot(work.path('out', 'names')), snapshot(work.path('names')));
  });

  it('an empty file and an empty folder alone are whole transfers', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('nothing'), '');
    await work.deliver([work.path('nothing')]);
    assert.equal(snapshot(work.path('out')).nothing, snapshot(work.dir).nothing);
    work.folder('hollow');
    await work.deliver([work.path('hollow')], { receive: ['--to', work.folder('out2')] });
    assert.equal(snapshot(work.path('out2')).hollow, snapshot(work.dir).hollow);
  });

  it('a link that leads out of the sent tree is not followed, and not planted at the receiver', async (t) => {
    const work = workspace(t);
    const tree = work.folder('tree');
    writeFileSync(work.path('secret'), 'never sent');
    writeFileSync(work.path('tree', 'fine'), 'sent');
    symlinkSync('../../secret', work.path('tree', 'out'));
    symlinkSync(work.path('secret'), work.path('tree', 'absolute'));
    const { received, sent } = await work.deliver([tree]);
    assert.deepEqual(Object.keys(snapshot(work.path('out'))), ['tree', 'tree/fine']);
    // Both people are told which.
    for (const { events } of [received, sent])
      assert.deepEqual(
        events.flatMap((line) => (line.event === 'warning' ? [line.path] : [])),
        ['tree/absolute', 'tree/out'],
      );

    await work.deliver([tree], { receive: ['--to', work.folder('all'), '--links', 'all'] });
    assert.equal(readlinkSync(work.path('all', 'tree', 'out')), '../../secret');
    await work.deliver([tree], { send: ['--links', 'follow'], receive: ['--to', work.folder('followed')] });
    assert.equal(readFileSync(work.path('followed', 'tree', 'absolute'), 'utf8'), 'never sent');
    await work.deliver([tree], { receive: ['--to', work.folder('none'), '--links', 'skip'] });
    assert.deepEqual(Object.keys(snapshot(work.path('none'))), ['tree', 'tree/fine']);
  });

  it('folders 300 deep arrive', async (t) => {
    const work = workspace(t);
    const deep = Array.from({ length: 300 }, (_, i) => `d${i}`);
    work.folder('tree', ...deep);
    writeFileSync(work.path('tree', ...deep, 'leaf'), 'here');
    await work.deliver([work.path('tree')]);
    assert.equal(readFileSync(work.path('out', 'tree', ...deep, 'leaf'), 'utf8'), 'here');
  });

  for (const lanes of ['1', '16']) {
    it(`${lanes} lanes carry the same bytes, over IPv6 too`, async (t) => {
      const work = workspace(t);
      makeFile(work.path('one.bin'), 30_000_000);
      const { received } = await work.deliver([work.path('one.bin')], {
        receive: ['--lanes', lanes],
        host: '::1',
      });
      sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
      assert.ok(received.events.some((line) => line.event === 'lane' && line.status === 'open'));
    });
  }

  it('--sha256 shows what sha256sum would', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 2_500_000);
    const { received, sent } = await work.deliver([work.path('one.bin')], { send: ['--sha256'] });
    const expected = snapshot(work.dir)['one.bin']?.split(' ').at(-1);
    assert.equal(event(received, 'digest').sha256, expected);
    assert.equal(event(sent, 'digest').sha256, expected);
  });
});
