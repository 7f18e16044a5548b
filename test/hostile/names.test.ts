/** Names that a hostile sender chooses: where they would lead, what they would do to a terminal, what they collide with. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Overwrite, ReceiveOptions } from '../../src/node/api.ts';
import { StagingSink } from '../../src/node/files/staging-sink.ts';
import { receive } from '../../src/node/receive.ts';
import type { OfferHeader } from '../../src/offer/manifest.ts';
import { checkEntries, foldKey } from '../../src/offer/names.ts';
import { encodeReceipt } from '../../src/offer/receipt.ts';
import { Sink as Output } from '../cli/fakes.ts';
import { failure as fails, file, folder, link, opened, spaceOf } from '../node/files/helpers.ts';
import { badSender, CODE } from './bad-sender.ts';
import { runCommand } from './command.ts';
import { assertConfined, each, ending, LIMIT, meet, posix, tree, world } from './world.ts';

const POLICIES: readonly Overwrite[] = ['ask', 'skip', 'rename', 'replace'];
/** Each would be written elsewhere than under the destination, or means something else than it says. */
const TRAVERSALS = [
  ['..', '../x', '../outside/precious', 'a/../../x', './../x', '..//x', '/etc/x', '//host/x', '.', './x', ''],
  ['a//b', 'a/', 'a/./b', 'a\0b', 'x\0/../../y', '.beeline-0123456789abcdef', `${'../'.repeat(60)}tmp/x`],
].flat();

test('protects from: traversal by name in every output mode', posix, async (t) => {
  interface Mode {
    what: string;
    options: Partial<ReceiveOptions>;
    offer?: Partial<OfferHeader>;
  }
  const modes: Mode[] = [
    ...POLICIES.map((overwrite) => ({ what: overwrite, options: { overwrite } })),
    { what: 'stdout', options: { to: '-', stdout: new Output() } },
    { what: 'text', options: {}, offer: { kind: 'text' } },
    { what: 'stream', options: {}, offer: { kind: 'stream', bytes: undefined } },
  ];
  // Every mode through the whole receiver with the worst names, and every name through every policy's sink below.
  const worst = ['../outside/precious', '/tmp/beeline-hostile-x', 'a\0b'];
  const cases = modes.flatMap((mode) => worst.map((name) => ({ ...mode, name })));
  await each(cases, async ({ what, options, offer, name }) => {
    const place = world(t);
    const entries = [file(name, offer?.kind === 'stream' ? 0 : 3)];
    const { receiver } = await meet(t, { entries, offer }, { to: place.to, ...options });
    assert.equal(await ending(receiver), 'UNSAFE_NAME', `${what} ${JSON.stringify(name)}`);
    assertConfined(place);
    assert.deepEqual(readdirSync(place.to), []);
  });
  const place = world(t);
  for (const overwrite of POLICIES)
    for (const name of TRAVERSALS)
      for (const entry of [file(name, 3), folder(name), link(name, 'x')]) {
        const sink = new StagingSink({ to: place.to, overwrite });
        const entries = [entry];
        await assert.rejects(
          sink.open(entries, spaceOf(entries), 'sha256'),
          fails('UNSAFE_NAME'),
          JSON.stringify(name),
        );
      }
  assertConfined(place);
});

test('protects from: drive letters and backslashes', LIMIT, async (t) => {
  const names = [
    'C:\\x',
    'C:x',
    '\\\\host\\share\\x',
    '..\\..\\x',
    'a\\..\\b',
    'file:stream',
    'NUL',
    'aux.txt',
  ];
  for (const name of names)
    assert.throws(() => checkEntries([file(name)], { platform: 'windows' }), fails('UNSAFE_NAME'), name);
  if (process.platform === 'win32') return;
  // Elsewhere they are letters like others, and make one file each, in the destination.
  const place = world(t);
  const { receiver } = await meet(t, { entries: names.map((name) => file(name, 1)) }, { to: place.to });
  assert.equal(await ending(receiver), '');
  assertConfined(place);
  assert.deepEqual(readdirSync(place.to).sort(), [...names].sort());
});

/** Sets the title, clears the screen, C1 control, overrides direction, hides, and ends the line. */
const ESCAPES = ['\x1b]0;pwned\x07', '\x1b[2Jx', '\x9b2J', '\x7f', 'a\rb', 'a\nb', '\u2028', '\x08\x08'];
const INVISIBLE = ['gnp\u202egpj.exe', 'a\u2066b', 'zero\u200bwidth', 'tag\u{e0041}', 'bom\ufeff'];
// Whatever may not reach a person's screen but by the screen's own hand.
const STEERING =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;
/** What `Screen` writes itself: redrawing in place, and the colour of the bar. */
const OWN = /\r(?:\x1b\[\d+A)?\x1b\[J|\x1b\[32m|\x1b\[39m/g;

function assertHarmless(text: string, where: string): void {
  const found = STEERING.exec(text.replaceAll(OWN, ''));
  assert.equal(found, null, `${where}: ${JSON.stringify(text.slice(Math.max(0, (found?.index ?? 0) - 60)))}`);
}

test('protects from: control, ANSI and bidi characters in names on the terminal', posix, async (t) => {
  const shows = async (names: readonly string[], flags: readonly string[], expected: number) => {
    const place = world(t);
    const script = {
      entries: names.map((name) => file(name, 3)),
      agent: 'evil\x1b[2J\u202e/1.0',
      answer: (lane: import('../../src/lanes/lane.ts').Lane, message: { type: string }) => {
        if (message.type !== 'get') return true;
        void lane.send({ type: 'gone', entry: 0, code: 'X\x1b[2J', text: 'gone \x1b[2J\u202e' });
        return true;
      },
    };
    const sender = await badSender(t, script);
    const argv = [
      'receive',
      CODE,
      '--at',
      sender.at,
      '--no-lan',
      '--to',
      place.to,
      '--yes',
      '--sha256',
      ...flags,
    ];
    const { status, stdout, stderr } = await runCommand(argv, { terminal: !flags.includes('--json') });
    assert.equal(status, expected, stderr);
    assertHarmless(stdout, 'stdout');
    assertHarmless(stderr, 'stderr');
    return stdout + stderr;
  };
  for (const flags of [[], ['--json'], ['--log-level', 'debug']]) {
    await each(ESCAPES, async (name) => void (await shows([`a${name}`], flags, 1)));
    // One of them is gone (exit 1), and all are named by their digests.
    const text = await shows(['first', ...INVISIBLE], flags, 1);
    assert.match(text, /u\{?202e/i);
    assert.match(text, /changed on the sender's side during the transfer/);
  }
});

test('protects from: control, ANSI and bidi characters in names in a question', posix, async (t) => {
  for (const [name, kind] of [
    ['gnp\u202egpj.exe', 'files'],
    ['t\u202ext', 'text'],
  ] as const) {
    const place = world(t);
    const sender = await badSender(t, { entries: [file(name, 3)], offer: { kind } });
    const argv = ['receive', CODE, '--at', sender.at, '--no-lan', '--to', place.to];
    const { status, stderr } = await runCommand(argv, { terminal: true, typed: 'n\n' });
    assert.equal(status, 7);
    assert.match(stderr, kind === 'files' ? /gnp\\u\{202e\}gpj\.exe/ : /offers a text/);
    assert.ok(!stderr.includes('\u202e'));
    assert.deepEqual(tree(place.to), {});
  }
});

test('protects from: control characters in a refusal and in an error of the other side', LIMIT, async (t) => {
  for (const code of ['\x1b[2J', 'DISK_FULL\x1b[2J', 'REFUSED', 'INTERNAL'] as const) {
    const place = world(t);
    const sender = await badSender(t, {
      lane: (lane) =>
        void lane.send({ type: 'status', seq: 1, state: 'failed', code, text: 'pwned \x1b]0;x\x07\u202e' }),
    });
    for (const flags of [[], ['--json'], ['--log-level', 'debug']]) {
      const argv = ['receive', CODE, '--at', sender.at, '--no-lan', '--to', place.to, '--yes', ...flags];
      const { status, stdout, stderr } = await runCommand(argv, { terminal: flags.length === 0 });
      assert.ok(status === 1 || status === 7, stderr);
      assertHarmless(stdout + stderr, flags.join(' '));
      assert.doesNotMatch(stdout + stderr, /pwned/);
    }
  }
});

test('protects from: control, ANSI and bidi characters in names in receipts', () => {
  const names = [...ESCAPES, ...INVISIBLE, 'a"\\b', '{"path":"x"}', '</script>'];
  const entries = [...names.map((name) => file(name, 1)), link('\u202el', '\x1b[2J')];
  const lines = [
    ...encodeReceipt({
      root: '00'.repeat(32),
      kind: 'files',
      hash: 'sha256',
      chunkSize: 1 << 20,
      bytes: names.length,
      files: names.length,
      folders: 0,
      links: 1,
      sender: 'ab'.repeat(32),
      receivers: [{ fingerprint: '\x1b[2J', root: '00'.repeat(32), started: 0, ended: 1 }],
      entries,
      chunks: [new Uint8Array(32)],
    }),
  ];
  for (const line of lines) {
    assertHarmless(line, 'receipt');
    assert.ok(!/[\r\n]/.test(line), 'an entry is one line');
  }
  // To a program they are the names that they are.
  const read = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'file' || kind === 'link');
  assert.deepEqual(
    read.map(({ path }) => path),
    entries.map(({ path }) => path),
  );
});

test('protects from: duplicate and colliding names', posix, async (t) => {
  const duplicates = [
    [file('a', 1), file('a', 2)],
    [folder('a'), file('a', 1)],
    [file('a', 1), folder('a')],
    [folder('a'), folder('a')],
    [link('a', 'b'), file('a', 1)],
    [file('a', 1), file('a/b', 1)],
    [file('d/a', 1), folder('d')],
  ];
  await each(duplicates, async (entries) => {
    const place = world(t);
    const { receiver } = await meet(t, { entries }, { to: place.to, overwrite: 'replace' });
    assert.equal(await ending(receiver), 'UNSAFE_NAME', JSON.stringify(entries.map(({ path }) => path)));
    assert.deepEqual(tree(place.to), {});
    assertConfined(place);
  });
  // One file where the disk folds; the destination here need not, so that it is told to.
  const folded = [
    ['a', 'A'],
    ['\u00e9', 'e\u0301'],
    ['stra\u00dfe', 'STRASSE'],
    ['\u212a', 'k'],
    ['x\u200b', 'x'],
  ] as const;
  for (const [one, other] of folded) {
    const place = world(t);
    for (const foldsCase of [true, false]) {
      for (const entries of [
        [file(one, 1), file(other, 1)],
        [folder(one), file(other, 1)],
        [folder(one), folder(other), file(`${other}/x`, 1)],
      ]) {
        const sink = new StagingSink({ to: place.to, overwrite: 'replace', foldsCase });
        const { write } = await opened(sink, entries);
        await write(0, 1);
        await sink.finish();
        await sink.close('done');
        const names = readdirSync(place.to);
        assert.equal(names.length, 2, `${one} ${other}`);
        if (foldsCase) assert.equal(new Set(names.map(foldKey)).size, 2, names.join());
        for (const name of names) rmSync(join(place.to, name), { recursive: true });
      }
    }
    assert.deepEqual(tree(place.to), {});
  }
  // A copy's new name must not hit another entry either.
  const place = world(t);
  writeFileSync(join(place.to, 'a.txt'), 'mine');
  const entries = [file('a.txt', 1), file('a (1).txt', 2)];
  const sending = await badSender(t, { entries });
  const receiver = receive({
    accept: 'all',
    lan: false,
    code: CODE,
    at: sending.at,
    to: place.to,
    overwrite: 'rename',
  });
  assert.equal(await ending(receiver), '');
  assert.deepEqual(tree(place.to), { 'a.txt': 'mine', 'a (1).txt': 'aa', 'a (2).txt': 'a' });
});
