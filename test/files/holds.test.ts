/** The disk side with many entries: no step of it keeps the event loop from lanes, keys and signals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FreeNames, settle } from '../../src/files/conflicts.ts';
import { DestinationLinks } from '../../src/files/links.ts';
import { StagingSink } from '../../src/files/staging-sink.ts';
import { longestHold } from '../holds.ts';
import { file, folder, hashOf, link, scratch, spaceOf } from './helpers.ts';

/** Milliseconds of processor time. One step is 20; the rest is garbage, and a file system that is busy. */
const LONGEST = 250;

test('5,000 files of a byte, received and updated, are worked through in slices', async (t) => {
  const to = scratch(t);
  const entries = [folder('d')];
  for (let i = 0; i < 5_000; i++) entries.push(file(`d/${i}`, 1));
  const space = spaceOf(entries);
  const data = new Uint8Array(5_000).fill(7);
  for (const mtime of [1, 2]) {
    const now = entries.map((entry) => ({ ...entry, mtime: entry.mtime + mtime * 1_000_000 }));
    const sink = new StagingSink({ to, overwrite: 'update' });
    const { held } = await longestHold(async () => {
      await sink.open(now, space);
      assert.equal(await sink.guess(0, space.extents(0)), undefined, 'too small to be compared');
      await sink.write(0, space.extents(0), data, hashOf(data));
      await sink.finish();
      await sink.settle();
    });
    assert.ok(held < LONGEST, `${held} ms in one piece`);
  }
});

test('protects from: links with long targets, once accepted', async (t) => {
  // 3.5 MB of them took 14 s, in one piece: each part of each target was looked up on the disk.
  const to = scratch(t);
  const entries = [folder('a')];
  for (let i = 0; i < 900; i++) entries.push(link(`l${i}`, `${'a/../'.repeat(815)}a`));
  const { value, held } = await longestHold(() => settle(to, entries, 'ask', undefined));
  assert.equal(value.skipped.size, 0);
  assert.ok(held < LONGEST, `${held} ms in one piece`);
});

test('each name of the destination is looked up once, however often links pass it', async (t) => {
  const to = scratch(t);
  const links = new DestinationLinks(to);
  const { user } = process.cpuUsage();
  for (let i = 0; i < 1000; i++) assert.ok(links.contains('', `${'none/../'.repeat(400)}x`));
  assert.ok(process.cpuUsage().user - user < 3_000_000);
  assert.ok(!links.contains('', `${'none/../'.repeat(400)}..`));
});

test('names that are taken in a row are passed once', (t) => {
  const entries = [file('f')];
  for (let i = 1; i <= 3000; i++) entries.push(file(`f (${i})`));
  const names = new FreeNames(scratch(t), entries);
  assert.equal(names.free('f'), 'f (3001)');
  assert.equal(names.free('f (5)'), 'f (5) (1)');
});
