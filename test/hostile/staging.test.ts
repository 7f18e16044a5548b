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
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Journal } from '../../src/files/journal.ts';
import { takeLock } from '../../src/files/lock.ts';
import { encodePages } from '../../src/protocol/manifest.ts';
import { file, folder } from '../files/helpers.ts';
import { stagedName } from '../files/resuming.ts';
import { CHUNK } from './bad-sender.ts';
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
  const journal = await Journal.replace(join(path, 'journal'), [
    { type: 'begin', created: Date.now(), chunkSize: CHUNK, pages: pages.length },
    ...pages.map((page, i) => ({ type: 'page' as const, page: i, bytes: page })),
    { type: 'chunks', chunks: [{ index: 0, sha256: createHash('sha256').update(bytes).digest() }] },
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
  const lock = takeLock(path);
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
      const one = await meet(
        t,
        { entries: offered(first, 1_700_000_000_000_000), data: short },
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
