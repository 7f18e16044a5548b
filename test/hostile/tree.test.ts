/** What stands at the destination, or is put there meanwhile: links, hard links, dangerous modes, things that run. */
import assert from 'node:assert/strict';
import { linkSync, lstatSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Writer } from '../../src/base/bytes.ts';
import type { Overwrite } from '../../src/node/api.ts';
import type { BlockRange } from '../../src/wire/messages.ts';
import { file, folder, link } from '../node/files/helpers.ts';
import { CHUNK, sendBlocks } from './bad-sender.ts';
import { assertConfined, each, ending, meet, posix, tree, world } from './world.ts';

const POLICIES: readonly Overwrite[] = ['ask', 'skip', 'rename', 'replace'];
const turn = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until something is there, for as long as the test lives. */
async function appears(path: string): Promise<void> {
  while (!lstatSync(path, { throwIfNoEntry: false })) await turn(5);
}

test('protects from: a link that stands where a folder is needed', posix, async (t) => {
  await each(POLICIES, async (overwrite) => {
    const place = world(t);
    symlinkSync(place.outside, join(place.to, 'd'));
    const entries = [folder('d'), file('d/precious', 3)];
    const { receiver } = await meet(t, { entries }, { to: place.to, overwrite });
    assert.equal(await ending(receiver), 'UNSAFE_NAME');
    assertConfined(place);
  });
});

test(
  'protects from: a parent folder that becomes a link between the manifest and the first write',
  posix,
  async (t) => {
    const place = world(t);
    const entries = [folder('d'), file('d/precious', 3)];
    const { receiver } = await meet(
      t,
      {
        entries,
        answer: (_lane, message) => {
          if (message.type === 'get') symlinkSync(place.outside, join(place.to, 'd'));
          return true;
        },
      },
      { to: place.to, overwrite: 'replace' },
    );
    assert.equal(await ending(receiver), 'UNSAFE_NAME');
    assertConfined(place, true);
  },
);

test('protects from: a parent folder that is replaced by a link between two writes', posix, async (t) => {
  for (const found of [false, true]) {
    const place = world(t);
    // Made by the receiver, or there before.
    if (found) mkdirSync(join(place.to, 'd'));
    const entries = [folder('d'), file('d/first', CHUNK), file('d/precious', CHUNK)];
    const waiting: BlockRange[] = [];
    let swapped = false;
    const { receiver } = await meet(
      t,
      {
        entries,
        answer: (lane, message) => {
          if (message.type !== 'get') return true;
          const data = new Uint8Array(CHUNK).fill(1);
          for (const range of message.ranges) {
            if (range.index === 0 || swapped) sendBlocks(lane, range, data);
            else {
              waiting.push(range);
              if (waiting.length > 1) continue;
              void appears(join(place.to, 'd', 'first')).then(() => {
                renameSync(join(place.to, 'd'), join(place.to, 'moved'));
                symlinkSync(place.outside, join(place.to, 'd'));
                swapped = true;
                for (const held of waiting) sendBlocks(lane, held, data);
              });
            }
          }
          return false;
        },
      },
      { to: place.to, overwrite: 'replace', lanes: 1 },
    );
    const code = await ending(receiver);
    assertConfined(place, true);
    assert.notEqual(code, '', 'a transfer whose folder went away did not arrive as it was sent');
  }
});

test('protects from: a link that stands at the final name', posix, async (t) => {
  const expected: Partial<Record<Overwrite, string>> = { ask: 'EXISTS', skip: '', rename: '', replace: '' };
  await each(POLICIES, async (overwrite) => {
    for (const target of ['../outside/precious', '../outside', 'nowhere', 'f']) {
      const place = world(t);
      symlinkSync(target, join(place.to, 'f'));
      const { receiver } = await meet(t, { entries: [file('f', 3)] }, { to: place.to, overwrite });
      assert.equal(await ending(receiver), expected[overwrite], `${overwrite} ${target}`);
      assertConfined(place);
      const there = tree(place.to);
      if (overwrite === 'replace') assert.deepEqual(there, { f: 'aaa' });
      else if (overwrite === 'rename') assert.deepEqual(there, { f: `-> ${target}`, 'f (1)': 'aaa' });
      else assert.deepEqual(there, { f: `-> ${target}` });
    }
  });
});

test('protects from: a link that appears at the final name meanwhile', posix, async (t) => {
  await each(POLICIES, async (overwrite) => {
    const place = world(t);
    const { receiver } = await meet(
      t,
      {
        entries: [file('f', 3)],
        answer: (_lane, message) => {
          if (message.type === 'get') symlinkSync('../outside/precious', join(place.to, 'f'));
          return true;
        },
      },
      { to: place.to, overwrite },
    );
    const code = await ending(receiver);
    assert.equal(code, overwrite === 'ask' || overwrite === 'skip' ? 'EXISTS' : '', overwrite);
    assertConfined(place, true);
  });
});

test('protects from: a sent link and then a file through it', posix, async (t) => {
  const manifests = [
    [link('l', '../outside'), file('l/precious', 3)],
    [link('l', '.'), file('l/x', 3)],
    [folder('d'), link('d/l', '..'), folder('d/l/x')],
    [link('l', 'd'), folder('l'), file('l/x', 3)],
  ];
  await each(manifests, async (entries) => {
    const place = world(t);
    const { receiver } = await meet(t, { entries }, { to: place.to, overwrite: 'replace' });
    assert.equal(
      await ending(receiver),
      'UNSAFE_NAME',
      JSON.stringify(entries.map((e) => [e.path, e.target])),
    );
    assert.deepEqual(tree(place.to), {});
    assertConfined(place);
  });
});

test('protects from: a sent link that leads out', posix, async (t) => {
  const links = [
    [link('l', '/etc/passwd')],
    [link('l', '../outside/precious')],
    [folder('d'), link('d/up', '..'), link('l', 'd/up/../outside')],
    [link('a', 'b'), link('b', 'a/../..')],
  ];
  await each(links, async (entries) => {
    const place = world(t);
    const { receiver } = await meet(t, { entries: [...entries, file('f', 3)] }, { to: place.to });
    assert.equal(await ending(receiver), '');
    const there = tree(place.to);
    assert.equal(there.f, 'aaa');
    // Left out, or inside; `all` is the person's own word.
    assert.equal('l' in there, false);
    assertConfined(place, true);
  });
});

test('protects from: a sent link that leaves through one of the destination', posix, async (t) => {
  const place = world(t);
  symlinkSync('../outside', join(place.to, 'own'));
  const { receiver } = await meet(t, { entries: [link('l', 'own/precious')] }, { to: place.to });
  assert.equal(await ending(receiver), '');
  assert.equal('l' in tree(place.to), false);
  assertConfined(place);
});

test('protects from: hard links, at the destination and in the manifest', posix, async (t) => {
  const expected: Partial<Record<Overwrite, string>> = { ask: 'EXISTS', skip: '', rename: '', replace: '' };
  await each(POLICIES, async (overwrite) => {
    const place = world(t);
    linkSync(join(place.outside, 'precious'), join(place.to, 'f'));
    const { receiver } = await meet(t, { entries: [file('f', 3)] }, { to: place.to, overwrite });
    assert.equal(await ending(receiver), expected[overwrite]);
    assertConfined(place);
    assert.equal(readFileSync(join(place.to, 'f'), 'utf8'), overwrite === 'replace' ? 'aaa' : 'precious');
  });
  // There is no kind of entry that would make one, nor a device, a pipe or a socket.
  for (const kind of [3, 4, 255]) {
    const place = world(t);
    const page = new Writer()
      .u8(kind)
      .text('f')
      .varint(0)
      .varint(0o644)
      .varint(0)
      .text('../outside/precious');
    const { receiver } = await meet(t, { entries: [file('f')], pages: [page.done()] }, { to: place.to });
    assert.equal(await ending(receiver), 'BAD_MANIFEST');
    assert.deepEqual(tree(place.to), {});
  }
});
