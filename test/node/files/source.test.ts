import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { BeelineError } from '../../../src/base/errors.ts';
import { FileSource } from '../../../src/node/files/source.ts';
import { walk } from '../../../src/node/files/walk.ts';
import { CHUNK, failure, scratch, spaceOf } from './helpers.ts';

const MIXED = { large: 2 * CHUNK + 777, medium: 300_000, small: 1234, empty: 0 };

/** A folder of files of these sizes, and a Source on it. */
async function given(t: TestContext, sizes: Record<string, number>) {
  const dir = scratch(t);
  mkdirSync(join(dir, 'd'));
  const content = new Map<string, Buffer>();
  for (const [name, size] of Object.entries(sizes)) {
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + size) % 251));
    content.set(`d/${name}`, bytes);
    writeFileSync(join(dir, 'd', name), bytes);
  }
  const source = new FileSource(await walk([join(dir, 'd')], { onUnreadable: 'fail' }));
  t.after(() => source.close());
  const space = spaceOf(source.entries);
  const read = async (chunk: number) => {
    const into = new Uint8Array(CHUNK);
    return into.subarray(0, await source.read(chunk, space.extents(chunk), into));
  };
  return { dir, content, source, space, read, at: (name: string) => join(dir, 'd', name) };
}

test('chunks are the bytes of their extents, read at once and in any order', async (t) => {
  const { content, source, space, read } = await given(t, MIXED);
  assert.equal(
    source.length,
    Object.values(MIXED).reduce((sum, size) => sum + size),
  );
  const chunks = Array.from({ length: space.chunks }, (_, i) => i).reverse();
  const all = await Promise.all(
    [...chunks, ...chunks].map(async (chunk) => [chunk, await read(chunk)] as const),
  );
  for (const [chunk, bytes] of all) {
    const expected = space
      .extents(chunk)
      .map(({ entry, offset, length }) =>
        content.get(source.entries[entry]!.path)!.subarray(offset, offset + length),
      );
    assert.ok(Buffer.concat(expected).equals(bytes), `chunk ${chunk}`);
  }
  assert.deepEqual(await source.changed(), []);
});

test('digests are what sha256sum says', async (t) => {
  const { content, source } = await given(t, MIXED);
  const digests = await source.digests();
  assert.equal(digests.size, 4);
  for (const [entry, hex] of digests)
    assert.equal(hex, createHash('sha256').update(content.get(source.entries[entry]!.path)!).digest('hex'));
});

test('more large files than may be open at once', {
  skip: process.platform !== 'linux' && 'counts in /proc',
}, async (t) => {
  const sizes = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, CHUNK + 1]));
  const { space, read, source, at } = await given(t, sizes);
  // Only the source's own files: the process opens and closes others as it likes.
  const folder = dirname(at('f0'));
  const open = () => readdirSync('/proc/self/fd').filter((fd) => pointsInto(fd, folder)).length;
  for (let chunk = 0; chunk < space.chunks; chunk++) await read(chunk);
  assert.ok(open() > 0 && open() <= 16, String(open()));
  await source.close();
  assert.equal(open(), 0);
});

function pointsInto(fd: string, folder: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
  } catch {
    return false; // closed while we were looking
  }
}

describe('a file that is not what was walked is named', () => {
  const changes: Record<string, [change: (path: string) => void, word: string]> = {
    grew: [(path) => appendFileSync(path, 'x'), 'grew'],
    shrank: [(path) => truncateSync(path, 1), 'shrank'],
    vanished: [(path) => rmSync(path), 'vanished'],
    touched: [(path) => utimesSync(path, 1, 1), 'changed'],
    'became a link': [
      (path) => {
        renameSync(path, `${path}.old`);
        symlinkSync(`${path}.old`, path);
      },
      'link',
    ],
    'was replaced': [
      (path) => {
        writeFileSync(`${path}.new`, 'other');
        renameSync(`${path}.new`, path);
      },
      'replaced',
    ],
  };
  for (const [what, [change, word]] of Object.entries(changes)) {
    for (const [name, size] of Object.entries({ small: 5000, medium: 300_000, large: CHUNK * 2 })) {
      test(`${name} ${what}`, async (t) => {
        const { source, read, at } = await given(t, { [name]: size });
        change(at(name));
        await assert.rejects(read(0), (error: BeelineError) => {
          assert.deepEqual(error.paths, [`d/${name}`]);
          return failure('SOURCE_CHANGED', word, name)(error);
        });
        assert.deepEqual(await source.changed(), [`d/${name}`]);
        await assert.rejects(source.digests(), failure('SOURCE_CHANGED', name));
      });
    }
  }

  test('while it is open', async (t) => {
    const { read, at } = await given(t, { large: CHUNK * 3 });
    await read(0);
    truncateSync(at('large'), CHUNK * 2);
    await assert.rejects(read(1), failure('SOURCE_CHANGED', 'shrank'));
  });

  test('all of one chunk together', async (t) => {
    const { read, at } = await given(t, { a: 10, b: 10, c: 10, d: 10 });
    rmSync(at('b'));
    appendFileSync(at('d'), 'x');
    await assert.rejects(read(0), (error: BeelineError) => {
      assert.deepEqual(error.paths, ['d/b', 'd/d']);
      return failure('SOURCE_CHANGED', "'d/b' vanished", '1 more')(error);
    });
  });
});
