/** A later run whose manifest is not quite the same: what is equal counts, what may be right is compared. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fromMicros } from '../../../src/node/files/io.ts';
import { CHUNK, failure, folder, link, scratch } from './helpers.ts';
import {
  assertTree,
  complete,
  Files,
  interrupted,
  linux,
  move,
  noise,
  open,
  range,
  receive,
  sample,
  stagedName,
  stagingOf,
} from './resuming.ts';

/** Other bytes in the middle of a chunk. */
function altered(chunk: number) {
  return (bytes: Buffer) => {
    bytes[chunk * CHUNK + 1000]! ^= 1;
    return bytes;
  };
}

describe('a large file that changed', linux, () => {
  const large = new Files()
    .other(folder('top', 0o750))
    .add('top/big', noise(4 * CHUNK + 500, 'big'))
    .add('top/other', noise(2 * CHUNK, 'other'));

  test('in one chunk: only its own chunks are compared, and only that one moves', async (t) => {
    const to = scratch(t);
    await interrupted(to, large, (chunk) => chunk < 4 || chunk === 5);
    const now = large.with('top/big', altered(2));
    const second = await open(to, now);
    assert.deepEqual(second.log.held, [5]);
    await complete(second);
    assert.deepEqual(second.log.guessed, [0, 1, 2, 3], 'chunk 4 never came');
    assert.deepEqual(second.log.kept, [0, 1, 3]);
    assert.deepEqual(second.log.written, [2, 4, 6]);
    assertTree(to, now);
  });

  test('after it was placed: it is whole until the new one is', async (t) => {
    const to = scratch(t);
    await interrupted(to, large, (chunk) => chunk < 6);
    const now = large.with('top/big', altered(2));
    const second = await open(to, now);
    await move(second);
    const old = large.all[1]!.bytes;
    assert.ok(readFileSync(join(to, 'top/big')).equals(old) || second.log.written.includes(6));
    await second.sink.finish();
    await second.sink.close('done');
    assert.deepEqual(second.log, { held: [5], guessed: range(0, 5), kept: [0, 1, 3, 4], written: [2, 6] });
    assertTree(to, now);
  });

  for (const [how, change, kept] of [
    ['grown at its end', (b: Buffer) => Buffer.concat([b, noise(2 * CHUNK, 'more')]), [0, 1, 2, 3]],
    ['grown inside its last chunk', (b: Buffer) => Buffer.concat([b, noise(100, 'more')]), [0, 1, 2, 3]],
    ['shrunk', (b: Buffer) => b.subarray(0, 2 * CHUNK + 900), [0, 1, 2]],
    ['shrunk to a small one', (b: Buffer) => b.subarray(0, 900), [0]],
    ['emptied', (b: Buffer) => b.subarray(0, 0), []],
    ['zeroed inside', (b: Buffer) => b.fill(0, CHUNK, 3 * CHUNK), [0, 3, 4]],
  ] as const) {
    for (const placed of [false, true]) {
      test(`${how}, ${placed ? 'in place' : 'staged'} before`, async (t) => {
        const to = scratch(t);
        // Staged before with all but its first chunk missing, or whole.
        const skipped = placed ? -1 : 4;
        await interrupted(to, large, (chunk) => chunk !== skipped && chunk < 5);
        assert.equal(existsSync(join(to, 'top/big')), placed);
        const now = large.with('top/big', change);
        const second = await receive(to, now);
        assert.deepEqual(second.held, []);
        assert.deepEqual(
          second.kept,
          kept.filter((chunk) => chunk !== skipped),
        );
        assertTree(to, now);
      });
    }
  }

  test('and again before it was complete', async (t) => {
    const to = scratch(t);
    await interrupted(to, large, (chunk) => chunk < 4);
    const now = large.with('top/big', altered(1));
    await interrupted(to, now, (chunk) => chunk < 2);
    const later = now.with('top/big', altered(0));
    const third = await receive(to, later);
    assert.deepEqual(third.held, []);
    assert.deepEqual(third.kept, [1]);
    assertTree(to, later);
  });

  test('placed, changed, interrupted: what stands there is still compared', async (t) => {
    const to = scratch(t);
    await interrupted(to, large, (chunk) => chunk < 5);
    const now = large.with('top/big', altered(2));
    const second = await interrupted(to, now, (chunk) => chunk < 2);
    assert.deepEqual(second.kept, [0, 1]);
    const third = await receive(to, now);
    // Its last 500 bytes are too few to be compared with what may be the person's own by now.
    assert.deepEqual(third, { held: [0, 1], guessed: [2, 3], kept: [3], written: [2, 4, 5, 6] });
    assertTree(to, now);
  });

  test('and the person changed it as well: a conflict', async (t) => {
    const to = scratch(t);
    await interrupted(to, large, (chunk) => chunk < 5);
    writeFileSync(join(to, 'top/big'), 'mine');
    const now = large.with('top/big', altered(2));
    await assert.rejects(open(to, now), failure('EXISTS', "'top/big'"));
    assert.equal(readFileSync(join(to, 'top/big'), 'utf8'), 'mine');
    const asked: string[] = [];
    const onConflict = async (path: string) => {
      asked.push(path);
      return 'replace' as const;
    };
    const third = await receive(to, now, { onConflict });
    assert.deepEqual(asked, ['top/big']);
    assert.deepEqual(third.written, range(0, 7));
    assertTree(to, now);
  });
});

describe('small files that share a chunk', linux, () => {
  const small = new Files()
    .other(folder('top'))
    .add('top/a', noise(1000, 'a'))
    .add('top/b', noise(2000, 'b'))
    .add('top/c', noise(3000, 'c'));

  test('one changed: the chunk comes, the others stay', async (t) => {
    const to = scratch(t);
    await interrupted(to, small);
    const now = small.with('top/b', () => noise(2000, 'other'));
    const second = await receive(to, now);
    assert.deepEqual(second, { held: [], guessed: [0], kept: [], written: [0] });
    assertTree(to, now);
  });

  test('touched only: compared, and taken from here', async (t) => {
    const to = scratch(t);
    await interrupted(to, small);
    const now = small.with('top/b', (bytes) => bytes);
    // The same bytes get the same version from this helper, but not from a sender that looks at times.
    now.all[2]!.entry = { ...now.all[2]!.entry, version: 'ffffffffffffffff' };
    const second = await receive(to, now);
    assert.deepEqual(second, { held: [], guessed: [0], kept: [0], written: [] });
    assertTree(to, now);
  });

  test('another mode or time only: taken from here, and right', async (t) => {
    const to = scratch(t);
    await interrupted(to, small);
    const now = new Files();
    for (const { entry, bytes } of small.all)
      now.all.push({ entry: { ...entry, mode: 0o700, mtime: entry.mtime + 1 }, bytes });
    const second = await receive(to, now);
    assert.deepEqual(second, { held: [], guessed: [0], kept: [0], written: [] });
    assertTree(to, now);
  });

  test('one added in front, which moves all others: compared, not sent again', async (t) => {
    const to = scratch(t);
    const many = new Files().other(folder('top'));
    for (const i of range(0, 30)) many.add(`top/f${i + 10}`, noise(100_000, `${i}`));
    await interrupted(to, many);
    const now = new Files().other(folder('top')).add('top/a', noise(100_000, 'new'));
    now.all.push(...many.all.slice(1));
    const second = await receive(to, now);
    assert.deepEqual(second, { held: [], guessed: [1, 2, 3], kept: [1, 2, 3], written: [0] });
    assertTree(to, now);
  });
});

describe('entries that come, go and change their kind', linux, () => {
  const files = sample();

  test('added at the end: everything else counts', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk < 7);
    const now = new Files();
    now.all.push(...files.all);
    now.add('top/zzz', noise(50, 'z')).other(folder('top/zzzz', 0o700)).other(link('top/zzzzz', 'a'));
    const second = await receive(to, now);
    assert.deepEqual(second, { held: range(0, 7), guessed: [], kept: [], written: [7, 8, 9] });
    assertTree(to, now);
  });

  test('removed: what was placed stays, what was staged goes', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk < 3 || chunk === 5 || chunk === 6);
    assert.ok(readdirSync(stagingOf(to)).includes(stagedName('top/big')));
    const now = files.without('top/big', 'top/sub/deep', 'top/link');
    const second = await receive(to, now);
    assert.deepEqual(second.held, [0]);
    assertTree(to, now.without('top/sub'), ['top/sub', 'top/sub/deep']);
  });

  test('renamed: comes under its new name, and nothing of it is left staged', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk < 3);
    const now = new Files();
    for (const { entry, bytes } of files.all)
      now.all.push({ entry: { ...entry, path: entry.path.replace('big', 'bug') }, bytes });
    const second = await receive(to, now);
    assert.deepEqual(second.held, [0]);
    assertTree(to, now);
  });

  test('a staged file that is a link or a folder now, and the other way round', async (t) => {
    const one = new Files()
      .other(folder('top'))
      .add('top/x', noise(2 * CHUNK, 'x'))
      .other(link('top/y', 'x'));
    const two = new Files()
      .other(folder('top'))
      .other(link('top/x', 'y'))
      .add('top/y', noise(2 * CHUNK, 'y'));
    const three = new Files()
      .other(folder('top'))
      .other(folder('top/x'))
      .add('top/y', noise(2 * CHUNK, 'y'));
    for (const [before, now] of [
      [one, two],
      [two, one],
      [one, three],
      [three, one],
    ] as const) {
      const to = scratch(t);
      await interrupted(to, before, (chunk) => chunk === 0);
      const second = await receive(to, now);
      assert.deepEqual(second.held.length, before === two && now === three ? 1 : 0);
      assertTree(to, now);
    }
  });

  test('other names at the top are another transfer', async (t) => {
    const to = scratch(t);
    await interrupted(to, files, (chunk) => chunk === 0);
    const other = new Files().add('else', noise(10, 'else'));
    const before = stagingOf(to);
    assert.deepEqual((await receive(to, other)).held, []);
    assert.equal(stagingOf(to), before);
    assert.deepEqual((await receive(to, files)).held, [0]);
  });
});

describe('what cannot be trusted to be equal', linux, () => {
  test('another chunk size: everything is compared, nothing counts', async (t) => {
    const to = scratch(t);
    const files = sample();
    await interrupted(to, files, (chunk) => chunk < 4 || chunk === 7 || chunk === 8);
    const second = await receive(to, files, {}, 2 * CHUNK);
    assert.deepEqual(second.held, []);
    const kept = [...files.chunksOf('top/a', 2 * CHUNK), files.chunksOf('top/big', 2 * CHUNK)[0]!];
    assert.deepEqual(second.kept, [...kept, ...files.chunksOf('top/zeros', 2 * CHUNK)]);
    assertTree(to, files);
  });

  test('unknown versions: equal only as long as the whole manifest is', async (t) => {
    const to = scratch(t);
    const files = sample().unknown();
    await interrupted(to, files, (chunk) => chunk < 4);
    const same = await open(to, files);
    assert.deepEqual(same.log.held, [0, 1, 2, 3]);
    await same.sink.close('keep');
    const now = new Files();
    now.all.push(...files.all);
    now.other(folder('top/zzz'));
    // It may be anybody's: what stands there is a conflict.
    await assert.rejects(open(to, now), failure('EXISTS', "'top/a'"));
    const second = await receive(to, now, { overwrite: 'update' });
    assert.deepEqual(second.held, []);
    // Those that stand are not looked into, being of the same size and time.
    assert.deepEqual(second.kept, [1, 2, 3]);
    assertTree(to, now);
  });

  test('a placed file that cannot be read any more, or holds something else behind its old time', async (t) => {
    const to = scratch(t);
    const files = sample();
    await interrupted(to, files, (chunk) => chunk < 5);
    writeFileSync(join(to, 'top/big'), noise(3 * CHUNK + 77, 'forged'));
    utimesSync(join(to, 'top/big'), 1, fromMicros(1_234_567_890_000_001));
    chmodSync(join(to, 'top/b'), 0);
    const now = files.with('top/big', altered(1));
    const second = await open(to, now);
    // The journal's word is checked against what is really there before it is taken.
    await assert.rejects(move(second), failure('WRITE_FAILED', 'changed while'));
    await second.sink.reopen();
    const third = await open(to, now).catch((error) => error.code);
    assert.equal(third, 'LOCKED');
    await second.sink.close('keep');
    await receive(to, now);
    chmodSync(join(to, 'top/b'), 0o755);
    assertTree(to, now);
  });
});
