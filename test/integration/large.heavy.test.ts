/** Sizes past 32 bits, holes, and memory that stays flat. LONG=1 adds the 100 GiB file. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { sameFile } from '../../bench/files.mjs';
import { event, workspace } from './workspace.ts';

const GiB = 2 ** 30;
/** Bytes resident that either side may reach, for any size. */
const MEMORY = 200 * 2 ** 20;

/** A file of holes with a few blocks of data: at the start, across each 4 GiB border, and at the end. */
function makeSparse(path: string, size: number): number[] {
  const places = [0, 4 * GiB - 5000, Math.floor(size / 2) + 12_345, size - 10_000];
  const file = openSync(path, 'wx');
  ftruncateSync(file, size);
  for (const place of places) writeSync(file, randomBytes(10_000), 0, 10_000, place);
  closeSync(file);
  return places;
}

function sameAt(a: string, b: string, places: readonly number[]): void {
  const read = (path: string, place: number): Buffer => {
    const file = openSync(path, 'r');
    const block = Buffer.alloc(30_000);
    const length = readSync(file, block, 0, block.length, Math.max(0, place - 10_000));
    closeSync(file);
    return block.subarray(0, length);
  };
  for (const place of places) assert.deepEqual(read(b, place), read(a, place), `bytes around ${place}`);
}

describe('integration: large files', () => {
  const sizes = process.env.LONG === '1' ? [5 * GiB, 100 * GiB] : [5 * GiB];
  for (const size of sizes) {
    it(`a sparse file of ${size / GiB} GiB arrives, sparse, in flat memory`, {
      timeout: 3_600_000,
    }, async (t) => {
      const work = workspace(t);
      const places = makeSparse(work.path('sparse.img'), size);
      const options = { measure: work.dir, deadline: size > 5 * GiB ? 3_500_000 : 240_000 };
      const { sender, receiver, received } = await work.deliver([work.path('sparse.img')], {
        sender: options,
        receiver: options,
      });
      const copy = work.path('out', 'sparse.img');
      assert.equal(statSync(copy).size, size);
      assert.equal(event(received, 'done').bytes, size);
      sameAt(work.path('sparse.img'), copy, places);
      if (size <= 5 * GiB) sameFile(work.path('sparse.img'), copy);
      assert.ok(statSync(copy).blocks * 512 < 256 * 2 ** 20, 'the copy has holes too');
      for (const side of [sender, receiver])
        assert.ok(side.usage().rss <= MEMORY, `${side.usage().rss} bytes`);
    });
  }

  it('2 GiB without holes, over 32 lanes, stay within 200 MB on both sides', {
    timeout: 280_000,
  }, async (t) => {
    const work = workspace(t);
    const path = work.path('solid.bin');
    const block = randomBytes(4 << 20);
    const file = openSync(path, 'wx');
    for (let i = 0; i < (2 * GiB) / block.length; i++) {
      block.writeUInt32LE(i);
      writeSync(file, block);
    }
    closeSync(file);
    const options = { measure: work.dir, deadline: 240_000 };
    const { sender, receiver } = await work.deliver([path], {
      sender: options,
      receiver: options,
      receive: ['--lanes', '32'],
    });
    sameFile(path, work.path('out', 'solid.bin'));
    for (const side of [sender, receiver]) assert.ok(side.usage().rss <= MEMORY, `${side.usage().rss} bytes`);
  });
});
