/** What the disk side holds for each file of a large tree while it arrives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { file, folder, hashOf, scratch, spaceOf } from './helpers.ts';

const FILES = 30_000;
/** Bytes of heap for each file, after a collection: 315 were measured, a path of the staging among them. */
const MOST = 1000;

test('a file on its way in holds less than a kilobyte', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  const entries = [folder('d')];
  for (let i = 0; i < FILES; i++) entries.push(file(`d/file-${i}`, 7));
  const space = spaceOf(entries);
  const sink = new StagingSink({ to: scratch(t), overwrite: 'ask' });
  await sink.open(entries, space, 'sha256');
  for (let chunk = 0; chunk < space.chunks; chunk++) {
    const data = new Uint8Array(space.length(chunk)).fill(7);
    await sink.write(chunk, space.extents(chunk), data, hashOf(data));
  }
  const each = (heap() - before) / FILES;
  assert.ok(each > 0 && each < MOST, `${each} bytes of heap for each file`);
  await sink.finish();
  await sink.close('done');
  const settled = (heap() - before) / FILES;
  assert.ok(settled < MOST / 2, `${settled} bytes of heap for each file at the end`);
});
