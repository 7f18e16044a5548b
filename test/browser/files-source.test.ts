import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BeelineError, type ErrorCode } from '../../src/base/errors.ts';
import { layOut } from '../../src/browser/files/layout.ts';
import { FileListSource } from '../../src/browser/files/source.ts';
import { checkEntries } from '../../src/offer/names.ts';

const file = (text = '', lastModified = 1000): File => new File([text], 'x', { lastModified });

function refused(code: ErrorCode, path: string, ...items: Parameters<typeof layOut>): void {
  assert.throws(
    () => layOut(...items),
    (error) => error instanceof BeelineError && error.code === code && error.paths[0] === path,
  );
}

test('folders come before what is in them, names in the order of their bytes', () => {
  const { entries, files } = layOut([
    { path: 'b/𝒳', file: file('1') },
    { path: 'b/\uff5a', file: file('2') },
    { path: 'b/z/deep', file: file('3', 7000) },
    { path: 'a', file: file('4', 9000) },
    { path: 'b/nothing' },
    { path: 'b/nothing' },
  ]);
  assert.deepEqual(
    entries.map(({ path, kind, size, mode, mtime }) => [path, kind[1], size, mode.toString(8), mtime]),
    [
      ['a', 'i', 1, '644', 9_000_000],
      ['b', 'o', 0, '755', 7_000_000],
      ['b/nothing', 'o', 0, '755', 9_000_000],
      ['b/z', 'o', 0, '755', 7_000_000],
      ['b/z/deep', 'i', 1, '644', 7_000_000],
      // Code points, not UTF-16 units.
      ['b/\uff5a', 'i', 1, '644', 1_000_000],
      ['b/𝒳', 'i', 1, '644', 1_000_000],
    ],
  );
  assert.deepEqual(
    files.map((one) => one?.size),
    [1, undefined, undefined, undefined, 1, 1, 1],
  );
});

test('the order of choosing does not matter, and every receiver takes the manifest', () => {
  const name = fc.constantFrom('a', 'B', 'ü', '𝒳', '￿', 'x y', '..x', 'con');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 20 }), (paths) => {
      const inner = new Set(
        paths.flatMap((path) => paths.filter((other) => other.startsWith(`${path}/`)).map(() => path)),
      );
      const items = paths.map((path) => ({ path, ...(inner.has(path) ? {} : { file: file(path) }) }));
      const { entries } = layOut(items);
      checkEntries(entries);
      assert.deepEqual(layOut([...items].reverse()).entries, entries);
    }),
  );
});

test('what cannot be sent is named', () => {
  refused('USAGE', undefined as unknown as string, []);
  for (const path of [
    '',
    '..',
    'a/../b',
    '/a',
    'a//b',
    'a\nb',
    `${'d/'.repeat(1000)}x`,
    'n'.repeat(256),
    '\ud800',
  ])
    refused('UNSAFE_NAME', path, [{ path, file: file() }]);
  refused('UNSAFE_NAME', 'a/.beeline-12/data', [{ path: 'a/.beeline-12/data', file: file() }]);
  refused('USAGE', 'a/b', [
    { path: 'a/b', file: file() },
    { path: 'a/b', file: file() },
  ]);
  refused('USAGE', 'a', [
    { path: 'a/b', file: file() },
    { path: 'a', file: file() },
  ]);
  refused('USAGE', 'a/b', [
    { path: 'a', file: file() },
    { path: 'a/b', file: file() },
  ]);
  refused('USAGE', 'a', [{ path: 'a', file: file() }, { path: 'a' }]);
});

test('a source is read in pieces, and names what fails', async () => {
  const bad = (name: string): File =>
    Object.assign(file('bad'), {
      slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('No.', name)) }),
    });
  const source = new FileListSource([
    { path: '1', file: file('hello world') },
    { path: '2', file: bad('NotFoundError') },
    { path: '3', file: bad('NotReadableError') },
  ]);
  assert.equal(source.length, 17);
  const into = new Uint8Array(20);
  assert.equal(await source.read(0, [{ entry: 0, offset: 6, length: 5, at: 3 }], into), 5);
  assert.equal(Buffer.from(into.subarray(3, 8)).toString(), 'world');
  const part = (entry: number) => ({ entry, offset: 0, length: 3, at: 3 * entry });
  const failing = async (code: ErrorCode, paths: string[], ...entries: number[]) =>
    assert.rejects(source.read(0, entries.map(part), into), (error: BeelineError) => {
      assert.deepEqual([error.code, [...error.paths].sort()], [code, paths]);
      return true;
    });
  await failing('SOURCE_CHANGED', ['2'], 1);
  await failing('UNREADABLE', ['3'], 2);
  await failing('SOURCE_CHANGED', ['2', '3'], 0, 1, 2);
  assert.deepEqual((await source.changed()).sort(), ['2', '3']);
  // Not wanted: nothing is read.
  assert.equal((await source.digests()).size, 0);
});

test('digests are plain SHA-256, if they are wanted', async () => {
  const items = [
    { path: 'empty', file: file() },
    { path: 'full', file: file('abc') },
  ];
  const digests = await new FileListSource(items, { sha256: true }).digests();
  assert.deepEqual(
    [...digests.values()],
    [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    ],
  );
});
