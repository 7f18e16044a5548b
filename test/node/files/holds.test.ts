/** The disk side with many entries: no step of it keeps the event loop from lanes, keys and signals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeNames, settle } from '../../../src/node/files/conflicts.ts';
import { DestinationLinks } from '../../../src/node/files/links.ts';
import { FileSlices } from '../../../src/node/files/slices.ts';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { longestHold } from '../../holds.ts';
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
      await sink.open(now, space, 'sha256');
      assert.equal(await sink.guess(0, space.extents(0)), undefined, 'too small to be compared');
      for (let chunk = 0; chunk < space.chunks; chunk++) {
        const part = data.subarray(0, space.length(chunk));
        await sink.write(chunk, space.extents(chunk), part, hashOf(part));
      }
      await sink.finish();
      await sink.close('done');
    });
    assert.ok(held < LONGEST, `${held} ms in one piece`);
  }
});

test('protects from: links with long targets, once accepted', async (t) => {
  // 3.5 MB of them took 14 s, in one piece: each part of each target was looked up on the disk.
  const to = scratch(t);
  const entries = [folder('a')];
  for (let i = 0; i < 900; i++) entries.push(link(`l${i}`, `${'a/../'.repeat(815)}a`));
  const { value, held } = await longestHold(() => settle(to, entries, { overwrite: 'ask' }));
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
  const free = freeNames(scratch(t), entries);
  assert.equal(free('f'), 'f (3001)');
  assert.equal(free('f (5)'), 'f (5) (1)');
});

test('many at work in slices hold the process no longer together than one', async () => {
  let turns = 0;
  let over = false;
  const turn = () => {
    turns++;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  let longest = 0;
  let inTurn = { turn: -1, ms: 0 };
  const work = async () => {
    const slices = new FileSlices();
    for (let i = 0; i < 40; i++) {
      if (slices.over()) await slices.next();
      const begun = process.cpuUsage();
      while (process.cpuUsage(begun).user < 5_000);
      if (inTurn.turn !== turns) inTurn = { turn: turns, ms: 0 };
      inTurn.ms += 5;
      longest = Math.max(longest, inTurn.ms);
    }
  };
  await Promise.all([work(), work(), work(), work(), work(), work(), work(), work()]);
  over = true;
  // Each has slices of 20 ms: that is 25 at most, and twice that where two meet in one turn.
  assert.ok(longest <= 50, `${longest} ms in one turn`);
});
