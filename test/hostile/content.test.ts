/** Modes, names and contents that would do something by themselves: nothing of it is run, extracted or obeyed. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { file, folder } from '../node/files/helpers.ts';
import { badSender } from './bad-sender.ts';
import { runCommand } from './command.ts';
import { assertConfined, ending, LIMIT, meet, posix, tree, world } from './world.ts';

test('protects from: setuid, setgid, sticky and world-writable modes', posix, async (t) => {
  // More than permission bits is refused outright.
  for (const mode of [0o4755, 0o2755, 0o1777, 0o7777, 0o100644, 2 ** 40]) {
    for (const entry of [file('x', 3, mode), folder('x', mode)]) {
      const place = world(t);
      const { receiver } = await meet(t, { entries: [entry] }, { to: place.to });
      assert.equal(await ending(receiver), 'BAD_MANIFEST', mode.toString(8));
      assert.deepEqual(tree(place.to), {});
    }
  }
  const place = world(t);
  writeFileSync(join(place.to, 'old'), 'old', { mode: 0o600 });
  const modes = [0o777, 0o666, 0o002, 0o773, 0o755, 0o644];
  const entries = [
    ...modes.map((mode) => folder(`d${mode.toString(8)}`, mode | 0o700)),
    ...modes.map((mode) => file(`f${mode.toString(8)}`, 3, mode)),
    file('old', 3, 0o777),
  ];
  const { receiver } = await meet(t, { entries }, { to: place.to, overwrite: 'replace' });
  assert.equal(await ending(receiver), '');
  for (const { path, mode } of entries)
    assert.equal(statSync(join(place.to, path)).mode & 0o7777, mode & 0o775, path);
});

test('protects from: names and content that something might run, extract or interpret', posix, async (t) => {
  const place = world(t);
  const names = [
    ';rm -rf outside',
    '$(touch pwned)',
    '`touch pwned`',
    '| touch pwned',
    '&& touch pwned',
    '-rf',
    '--to=outside',
    '~',
    '~root',
    '%s%n',
    '*',
    "'; DROP TABLE",
    '<script>alert(1)',
    'autorun.inf',
    'setup.sh',
    'desktop.ini',
    'archive.tar',
    'archive.zip',
  ];
  // An archive that would leave the destination if anything unpacked it, and a script that would run.
  const tar = Buffer.alloc(1024);
  tar.write('../outside/pwned');
  tar.write('0000644\0', 100);
  tar.write('ustar', 257);
  const script = '#!/bin/sh\ntouch ../outside/pwned\n';
  const contents = names.map((name) => (name === 'archive.tar' ? tar : Buffer.from(script)));
  const entries = names.map((name, i) => file(name, contents[i]!.length, 0o755));
  const { receiver } = await meet(t, { entries, data: () => Buffer.concat(contents) }, { to: place.to });
  assert.equal(await ending(receiver), '');
  assertConfined(place);
  assert.deepEqual(readdirSync(place.to).sort(), [...names].sort());
  for (const [i, name] of names.entries()) {
    assert.deepEqual(readFileSync(join(place.to, name)), contents[i]);
    assert.equal(statSync(join(place.to, name)).mode & 0o7777, 0o755);
  }
});

test('protects from: dotfiles that come unasked', posix, async (t) => {
  // A name with a dot is a name like others: taken where nothing stands, named in the offer, and never put over one.
  const entries = [
    file('.bashrc', 3),
    folder('.git'),
    folder('.git/hooks'),
    file('.git/hooks/post-checkout', 3),
  ];
  const place = world(t);
  let asked: string[] = [];
  const accept = ({ names }: { names: string[] }) => {
    asked = names;
    return true;
  };
  const first = await meet(t, { entries }, { to: place.to, accept });
  assert.equal(await ending(first.receiver), '');
  assert.deepEqual(asked, ['.bashrc', '.git/']);
  writeFileSync(join(place.to, '.bashrc'), 'mine');
  const second = await meet(t, { entries }, { to: place.to });
  assert.equal(await ending(second.receiver), 'EXISTS');
  assert.equal(readFileSync(join(place.to, '.bashrc'), 'utf8'), 'mine');
  assertConfined(place);
  // What a receiver's own unfinished data is called nobody may send.
  rmSync(place.to, { recursive: true });
  mkdirSync(place.to);
  const third = await meet(t, { entries: [folder('.beeline-0123456789abcdef')] }, { to: place.to });
  assert.equal(await ending(third.receiver), 'UNSAFE_NAME');
});

test('protects from: a text that steers the terminal', LIMIT, async (t) => {
  const place = world(t);
  const text = Buffer.from('hello\n\x1b]0;pwned\x07\x1b[2J\u202e\u200bworld\r\x9b2J');
  const script = { entries: [file('text', text.length)], offer: { kind: 'text' as const }, data: () => text };
  for (const terminal of [true, false]) {
    const sender = await badSender(t, script);
    const argv = ['receive', '7-velvet-canyon', '--at', sender.at, '--no-lan', '--to', place.to, '--yes'];
    const { status, stdout, stderr } = await runCommand(argv, { terminal });
    assert.equal(status, 0, stderr);
    if (terminal) assert.match(stdout, /^hello\n[\x20-\x7e]*world[\x20-\x7e]*\n$/);
    else assert.equal(stdout, text.toString());
    assert.deepEqual(tree(place.to), {});
  }
});
