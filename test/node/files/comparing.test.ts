/** What an accepted sender can learn of files that are here by having them compared. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fromMicros } from '../../../src/node/files/io.ts';
import { CHUNK, folder, scratch } from './helpers.ts';
import { complete, Files, interrupted, linux, noise, open, range } from './resuming.ts';

/** 16 KiB: what is shorter is not compared. */
const LEAST = 16 * 1024;

/** Which chunks a sink would compare, of all that it does not hold. */
async function compared(to: string, files: Files, options = {}): Promise<number[]> {
  const { sink, space } = await open(to, files, options);
  const found: number[] = [];
  for (const chunk of range(0, space.chunks))
    if (sink.comparable(chunk) && (await sink.guess(chunk, space.extents(chunk)))) found.push(chunk);
  await sink.close('keep');
  return found;
}

describe('with --update a sender cannot search a file', linux, () => {
  const update = { overwrite: 'update' };
  const secret = noise(2 * CHUNK + LEAST + 100, 'secret');
  const offer = (bytes: Buffer) => new Files().add('secret', bytes);

  test('by a size of its choice: only what ends at a border or at the end that is there is compared', async (t) => {
    const to = scratch(t);
    writeFileSync(join(to, 'secret'), secret);
    const sizes: [number, number[]][] = [
      // The real size, and what lies before a border of the chunks.
      [secret.length, [0, 1, 2]],
      [2 * CHUNK, [0, 1]],
      [CHUNK, [0]],
      // Neither: only the chunks in front of it.
      [secret.length - 1, [0, 1]],
      [2 * CHUNK + LEAST, [0, 1]],
      [CHUNK + 500_000, [0]],
      [CHUNK - 1, []],
      [LEAST, []],
      [64, []],
      [4, []],
      [1, []],
    ];
    for (const [size, expected] of sizes)
      assert.deepEqual(
        await compared(to, offer(secret.subarray(0, size)), update),
        expected,
        `${size} bytes`,
      );
  });

  test('of less than 16 KiB, whole as it is', async (t) => {
    for (const [size, expected] of [
      [LEAST, [0]],
      [LEAST - 1, []],
      [12, []],
    ] as const) {
      const to = scratch(t);
      writeFileSync(join(to, 'secret'), secret.subarray(0, size));
      assert.deepEqual(
        await compared(to, offer(secret.subarray(0, size)), update),
        expected,
        `${size} bytes`,
      );
    }
  });

  test('by its last few bytes', async (t) => {
    const to = scratch(t);
    writeFileSync(join(to, 'secret'), secret.subarray(0, CHUNK + 8));
    assert.deepEqual(await compared(to, offer(secret.subarray(0, CHUNK + 8)), update), [0]);
  });

  test('beside small ones of its own in the same chunk', async (t) => {
    const to = scratch(t);
    mkdirSync(join(to, 'd'));
    const files = new Files().other(folder('d')).add('d/a', noise(30_000, 'a')).add('d/b', noise(12, 'b'));
    for (const { entry, bytes } of files.all)
      if (entry.kind === 'file') writeFileSync(join(to, entry.path), bytes);
    assert.deepEqual(await compared(to, files, update), []);
    assert.deepEqual(await compared(to, files.without('d/b'), update), [0]);
  });

  test('that grows while it is being looked at', async (t) => {
    const to = scratch(t);
    writeFileSync(join(to, 'secret'), secret.subarray(0, LEAST));
    const { sink, space } = await open(to, offer(secret.subarray(0, LEAST)), { overwrite: 'update' });
    appendFileSync(join(to, 'secret'), 'more');
    assert.equal(await sink.guess(0, space.extents(0)), undefined);
    await sink.close('discard');
  });
});

describe('what an unfinished transfer left', linux, () => {
  const files = new Files()
    .other(folder('d'))
    .add('d/pin', noise(4, 'pin'))
    .add('d/long', noise(3 * CHUNK + 400, 'long'))
    .add('d/mine', noise(20_000, 'mine'));
  // Chunk 0 has the pin, 1 to 3 the long one, 4 its end and the third file.
  const middle = (chunk: number) => chunk !== 4;

  /** The same names and sizes, from somebody whose versions say nothing. */
  const strangers = () => {
    const other = new Files();
    for (const { entry, bytes } of files.all)
      other.all.push({ entry: { ...entry, mtime: entry.mtime + 7, version: '' }, bytes });
    return other;
  };

  test('is not searched by another sender of the same names', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, middle);
    assert.deepEqual(await compared(to, strangers(), { overwrite: 'replace' }), [1, 2, 3]);
    const cut = new Files().other(folder('d'));
    cut.all.push(
      ...strangers()
        .with('d/long', (bytes) => bytes.subarray(0, CHUNK + 100_000))
        .all.slice(1),
    );
    const again = scratch(t);
    await interrupted(again, files, middle);
    assert.deepEqual(await compared(again, cut, { overwrite: 'replace' }), [1]);
  });

  test('is compared with its own sender, however small', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, middle);
    const now = files.with('d/pin', (bytes) => bytes);
    now.all[1]!.entry = { ...now.all[1]!.entry, version: 'ffffffffffffffff' };
    const session = await open(to, now);
    await complete(session);
    assert.deepEqual(session.log, { held: [1, 2, 3], guessed: [0], kept: [0], written: [4] });
  });

  test('is not compared, however small, once the person has changed it', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, middle);
    writeFileSync(join(to, 'd/pin'), 'mine');
    utimesSync(join(to, 'd/pin'), 1, fromMicros(1_600_000_000_000_000));
    const now = files.with('d/pin', () => noise(4, 'other'));
    assert.deepEqual(await compared(to, now, { overwrite: 'update' }), []);
  });
});
