/** What others may have put where unfinished data is looked for: it is neither believed nor touched. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { takeLock } from '../../src/identity/lock.ts';
import { journalAt } from '../../src/node/files/journal-file.ts';
import { StagingSink } from '../../src/node/files/staging-sink.ts';
import { discard } from '../../src/node/files/unfinished.ts';
import { encodePages } from '../../src/offer/manifest.ts';
import { Journal } from '../../src/sync/store/journal.ts';
import { file, folder, opened } from '../node/files/helpers.ts';
import { stagedName } from '../node/files/resuming.ts';
import { CHUNK, type Script, sendBlocks } from './bad-sender.ts';
import { each, ending, meet, posix, tree, type World, world } from './world.ts';

const entries = [folder('d'), file('d/f', CHUNK)];
const NAME = '.beeline-0123456789abcdef';

/** A staging in `at` that says that all is here, with other bytes than the sender's. */
async function forge(at: string): Promise<string> {
  const path = join(at, NAME);
  mkdirSync(path, { mode: 0o700 });
  const bytes = Buffer.alloc(CHUNK, 'forged');
  writeFileSync(join(path, stagedName('d/f')), bytes, { mode: 0o600 });
  const pages = encodePages(entries);
  const journal = await Journal.replace(journalAt(join(path, 'journal')), [
    {
      type: 'begin',
      created: Date.now(),
      chunkSize: CHUNK,
      pages: pages.length,
      stream: false,
      hash: 'sha256',
    },
    ...pages.map((page, i) => ({ type: 'page' as const, page: i, bytes: page })),
    { type: 'chunks', chunks: [{ index: 0, hash: createHash('sha256').update(bytes).digest() }] },
  ]);
  await journal.close();
  return path;
}

/** Receives beside what was planted, which must come through unchanged and unused. */
async function receiveBeside(t: Parameters<typeof meet>[0], place: World, planted: string): Promise<void> {
  const before = readdirSync(planted).map((name) => [name, readFileSync(join(planted, name), 'latin1')]);
  const { receiver } = await meet(t, { entries }, { to: place.to });
  const resumed: number[] = [];
  receiver.subscribe((event) => event.event === 'resumed' && resumed.push(event.bytes));
  assert.equal(await ending(receiver), '');
  assert.deepEqual(resumed, []);
  assert.ok(!readFileSync(join(place.to, 'd', 'f'), 'latin1').includes('forged'));
  const after = readdirSync(planted).map((name) => [name, readFileSync(join(planted, name), 'latin1')]);
  assert.deepEqual(after, before);
}

test('protects from: a planted staging folder', posix, async (t) => {
  const plants: Record<string, (place: World) => Promise<string>> = {
    'a link to one': async ({ to, outside }) => {
      const path = await forge(outside);
      symlinkSync(path, join(to, NAME));
      return path;
    },
    'one that others may write to': async ({ to }) => {
      const path = await forge(to);
      chmodSync(path, 0o707);
      return path;
    },
  };
  // Only root can make what belongs to somebody else.
  if (process.getuid?.() === 0)
    plants['one of another user'] = async ({ to }) => {
      const path = await forge(to);
      chownSync(path, 65534, 65534);
      return path;
    };
  await each(Object.entries(plants), async ([, plant]) => {
    const place = world(t);
    await receiveBeside(t, place, await plant(place));
  });
});

test('protects from: a planted journal that is a link', posix, async (t) => {
  await each([symlinkSync, linkSync], async (plant) => {
    const place = world(t);
    const real = await forge(place.outside);
    const planted = join(place.to, NAME);
    mkdirSync(planted, { mode: 0o700 });
    plant(join(real, 'journal'), join(planted, 'journal'));
    writeFileSync(join(planted, stagedName('d/f')), 'forged', { mode: 0o600 });
    await receiveBeside(t, place, planted);
  });
});

test('protects from: a lock of somebody else', posix, async (t) => {
  const place = world(t);
  const path = await forge(place.to);
  const lock = await takeLock(path);
  const before = readFileSync(join(path, 'lock'), 'utf8');
  const { receiver } = await meet(t, { entries }, { to: place.to });
  assert.equal(await ending(receiver), 'LOCKED');
  assert.equal(readFileSync(join(path, 'lock'), 'utf8'), before);
  assert.deepEqual(
    Object.keys(tree(place.to)).filter((name) => !name.startsWith(NAME)),
    [],
  );
  lock.release();
});

test(
  'protects from: a second sender that replaces what an unfinished transfer has placed',
  posix,
  async (t) => {
    const versions = { first: '0123456789abcdef', second: '' };
    const offered = (version: string, mtime: number) => [
      folder('d'),
      { ...file('d/f', CHUNK, 0o644, mtime), version },
      { ...file('d/g', CHUNK, 0o644, mtime), version },
    ];
    await each([versions, { first: '', second: '' }], async ({ first, second }) => {
      const place = world(t);
      // Chunk 0 comes, chunk 1 breaks the rules: the first transfer is left in the middle.
      const short = (chunk: number, length: number) => new Uint8Array(length - chunk).fill(0x61);
      // Over another lane chunk 1 may be here first: it is held back until the other one is down.
      const held: (() => void)[] = [];
      let down = false;
      const inOrder: Script['answer'] = (lane, message) => {
        if (message.type === 'arrived' && message.chunks.includes(0)) {
          down = true;
          for (const go of held.splice(0)) go();
        }
        if (message.type !== 'get') return true;
        for (const range of message.ranges) {
          const go = () => sendBlocks(lane, range, short(range.index, CHUNK));
          if (range.index === 0 || down) go();
          else held.push(go);
        }
        return false;
      };
      const one = await meet(
        t,
        { entries: offered(first, 1_700_000_000_000_000), answer: inOrder },
        { to: place.to },
      );
      assert.equal(await ending(one.receiver), 'PROTOCOL');
      assert.equal(tree(place.to)['d/f'], `${CHUNK} bytes`);
      const other = (_: number, length: number) => new Uint8Array(length).fill(0x62);
      const two = await meet(
        t,
        { entries: offered(second, 1_700_000_000_000_007), data: other },
        { to: place.to },
      );
      assert.equal(await ending(two.receiver), 'EXISTS');
      assert.ok(readFileSync(join(place.to, 'd', 'f')).every((byte) => byte === 0x61));
    });
  },
);

/** Puts a link to `outside`, which has everything that a staging could have, in the place of the staging in `to`. */
function swap({ to, outside }: World): { name: string; aside: string } {
  const name = readdirSync(to).find((found) => found.startsWith('.beeline-'))!;
  for (const bait of ['journal', 'journal.next', 'lock', 'probe', 'd', 'd/f', 'd/g', 'd/h'])
    if (!bait.startsWith('d')) writeFileSync(join(outside, bait), 'precious', { mode: 0o600 });
    else writeFileSync(join(outside, stagedName(bait)), 'precious', { mode: 0o600 });
  const aside = join(to, 'aside');
  renameSync(join(to, name), aside);
  symlinkSync(outside, join(to, name));
  return { name, aside };
}

const linux = {
  skip: process.platform !== 'linux' && 'only Linux reaches names through an open folder',
  timeout: 60_000,
};

test('protects from: a staging folder swapped for a link', linux, async (t) => {
  const many = [folder('d'), file('d/f', CHUNK), file('d/g', 2 * CHUNK), file('d/h', 10)];
  /** How the receive goes on behind the swap, and what of the tree must stand then. */
  const ways: Record<
    string,
    [(sink: StagingSink, write: (chunk: number) => Promise<void>) => Promise<void>, string[]]
  > = {
    finished: [
      async (sink, write) => {
        for (const chunk of [2, 3]) await write(chunk);
        await sink.finish();
        await sink.close('done');
      },
      ['d/f', 'd/g', 'd/h'],
    ],
    'left for later': [async (sink) => sink.close('keep'), ['d/f']],
    'given up': [async (sink) => sink.close('discard'), []],
    'begun anew after a failure': [
      async (sink, write) => {
        await sink.reopen();
        const held = [...sink.held()].map(({ index }) => index);
        for (const chunk of [0, 1, 2, 3]) if (!held.includes(chunk)) await write(chunk);
        await sink.finish();
        await sink.close('discard');
      },
      ['d/f', 'd/g', 'd/h'],
    ],
  };
  await each(Object.entries(ways), async ([way, [go, standing]]) => {
    const place = world(t);
    const warnings: string[] = [];
    const sink = new StagingSink({
      to: place.to,
      overwrite: 'ask',
      onWarning: ({ message }) => warnings.push(message),
    });
    const { write } = await opened(sink, many);
    await write(0, 0x61);
    await write(1, 0x61);
    const { name } = swap(place);
    const before = tree(place.outside);
    await go(sink, (chunk) => write(chunk, 0x61));
    assert.deepEqual(tree(place.outside), before, way);
    const stand = Object.keys(tree(place.to)).filter((path) => path.startsWith('d/'));
    assert.deepEqual(stand, standing, way);
    assert.equal(tree(place.to)[name], `-> ${place.outside}`);
    if (way === 'finished' || way === 'given up') assert.match(warnings.join(), /cannot be removed/);
  });
});

test('protects from: a staging folder swapped for a link before it is discarded', linux, async (t) => {
  const place = world(t);
  const path = await forge(place.to);
  swap(place);
  const before = tree(place.outside);
  await assert.rejects(discard({ path }), /not a folder of an unfinished receive/);
  assert.deepEqual(tree(place.outside), before);
});
