import assert from 'node:assert/strict';
import test from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { fittedPaths } from '../../src/browser/files/fitted.ts';
import { FolderFiles, namesAtTop } from '../../src/browser/files/folder-files.ts';
import { FolderSink } from '../../src/browser/files/folder-sink.ts';
import type { Entry } from '../../src/offer/manifest.ts';
import { ByteSpace } from '../../src/offer/space.ts';
import { entryOf } from '../entries.ts';
import { FolderDouble } from './folder-double.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** As a sink begins with them. */
async function filesIn(folder: FolderDouble, paths: readonly (string | Entry)[], earlier = false) {
  const entries = paths.map((path) => (typeof path === 'string' ? entryOf(path) : path));
  const fitted = await fittedPaths(entries);
  const names = await namesAtTop(folder.handle, entries, fitted);
  const refused: string[] = [];
  const claimed: string[] = [];
  const files = new FolderFiles({
    ...{ top: folder.handle, entries, fitted, names, earlier },
    claim: async (_, path) => void claimed.push(path),
    refused: (index, as) => refused.push(`${entries[index]!.path}${as === undefined ? '' : ` as ${as}`}`),
  });
  return { files, entries, refused, claimed };
}

/** All of them, each with its own path in it. */
async function put(folder: FolderDouble, paths: readonly string[]): Promise<string[]> {
  const { files, entries, refused } = await filesIn(folder, paths);
  for (const [index, { kind, path }] of entries.entries())
    if (kind === 'folder') files.makeFolder(path);
    else files.whole(index, bytes(path));
  await files.settle(entries.keys());
  return refused;
}

test('what leads out of the folder is refused before anything is touched', async () => {
  for (const path of ['../evil', '/evil', 'a/../../evil', '..', 'a\0b', 'a//b', './x']) {
    const folder = new FolderDouble();
    const sink = new FolderSink(folder.handle);
    await assert.rejects(
      sink.open([entryOf(path)], new ByteSpace([1], 2 ** 20)),
      { code: 'UNSAFE_NAME' },
      path,
    );
    assert.deepEqual(folder.list(), []);
  }
});

test('nothing that is there is touched, however the disk compares names', async () => {
  const folder = new FolderDouble();
  await put(folder, ['A/', 'A/x', 'b']);
  await put(folder, ['a/', 'a/x', 'B', 'b (2)']);
  assert.deepEqual(folder.list().sort(), [
    'A/',
    'A/x=A/x',
    'B (3)=B',
    'a (2)/',
    'a (2)/x=a/x',
    'b (2)=b (2)',
    'b=b',
  ]);
});

test('names that no system holds become others, and what the browser refuses does, too', async () => {
  const folder = new FolderDouble();
  const refused = await put(folder, [
    ...['a:b', 'con', 'x.lnk', 'x.lnk_', 'y.lnk/', 'y.lnk/in', 'y.lnk/in.lnk', 'z'],
  ]);
  assert.deepEqual(folder.list().sort(), [
    ...['a_b=a:b', 'con_=con', 'x (2).lnk_=x.lnk', 'x.lnk_=x.lnk_'],
    ...['y.lnk_/', 'y.lnk_/in.lnk_=y.lnk/in.lnk', 'y.lnk_/in=y.lnk/in', 'z=z'],
  ]);
  assert.deepEqual(refused.sort(), [
    ...['x.lnk as x (2).lnk_', 'y.lnk as y.lnk_', 'y.lnk/in.lnk as in.lnk_'],
  ]);
});

test('what the browser refuses under another name as well is left out and said, and so is what lies in it', async () => {
  const folder = new FolderDouble();
  const long = `${'n'.repeat(251)}.lnk`;
  const refused = await put(folder, [long, 'lnk.refused/', 'lnk.refused/in', 'z']);
  const shorter = `${'n'.repeat(250)}.lnk_`;
  assert.deepEqual(folder.list().sort(), [`${shorter}=${long}`, 'z=z']);
  assert.deepEqual([...new Set(refused)].sort(), [
    ...['lnk.refused', 'lnk.refused/in', `${long} as ${shorter}`],
  ]);
});

test('no other name is one of the same offer, though the folder around the two got another name', async () => {
  const folder = new FolderDouble();
  await put(folder, ['d/']);
  await put(folder, ['d/', 'd/x.lnk', 'd/x.lnk_']);
  assert.deepEqual(folder.list().sort(), [
    ...['d (2)/', 'd (2)/x (2).lnk_=d/x.lnk', 'd (2)/x.lnk_=d/x.lnk_', 'd/'],
  ]);
});

test('a later run finds what has such another name', async () => {
  const folder = new FolderDouble();
  await put(folder, ['d/', 'd/x.lnk']);
  const { entries } = await filesIn(new FolderDouble(), ['d/', entryOf('d/x.lnk', 7)]);
  const files = new FolderFiles({
    ...{ top: folder.handle, entries, fitted: entries.map(({ path }) => path), earlier: true },
    names: new Map([
      [0, 'd'],
      [1, 'd/x.lnk_'],
    ]),
    claim: async () => assert.fail('it has its name'),
    refused: () => assert.fail('nothing is refused'),
  });
  assert.deepEqual(await files.standing([1]), new Set([1]));
});

test('pieces in any order make a file, which is empty until it is whole', async () => {
  const folder = new FolderDouble();
  const { files } = await filesIn(folder, [entryOf('x', 6)]);
  assert.equal(await files.piece(0, 2, 2, bytes('cd')), undefined);
  assert.equal(await files.piece(0, 0, 2, bytes('ab')), undefined);
  assert.deepEqual(folder.list(), ['x=']);
  assert.equal(await files.piece(0, 4, 2, undefined), 'x');
  await files.settle([0]);
  assert.deepEqual(folder.list(), ['x=abcd00']);
});

test('of what is forgotten, or not whole at the end, nothing is left', async () => {
  const folder = new FolderDouble();
  const { files } = await filesIn(folder, [entryOf('x', 6), entryOf('y', 6), entryOf('z')]);
  await files.piece(0, 0, 2, bytes('ab'));
  await files.piece(1, 0, 2, bytes('ab'));
  files.whole(2, bytes('z'));
  await files.settle([2]);
  await files.forget(0);
  assert.equal(await files.piece(1, 2, 2, bytes('cd')), undefined);
  await files.close();
  assert.deepEqual(folder.list(), ['z=z']);
});

test('a later run takes what an earlier one began, and nothing else', async () => {
  const folder = new FolderDouble();
  await put(folder, ['d/', 'd/x', 'd/y']);
  const dir = folder.entries.get('d')!.item as FolderDouble;
  await dir.getFileHandle('empty', { create: true });
  const paths = ['d/', entryOf('d/x', 3), entryOf('d/y', 99), entryOf('d/empty', 5)];
  const { entries } = await filesIn(new FolderDouble(), paths);
  const claimed: string[] = [];
  const files = new FolderFiles({
    ...{ top: folder.handle, entries, fitted: entries.map(({ path }) => path), earlier: true },
    names: new Map([[0, 'd']]),
    claim: async (_, path) => void claimed.push(path),
    refused: () => assert.fail('nothing is refused'),
  });
  assert.deepEqual(await files.standing([1, 2, 3]), new Set([1]));
  files.whole(2, bytes('new'));
  files.whole(3, bytes('new'));
  await files.settle([2, 3]);
  assert.deepEqual(claimed, ['d/y (2)']);
  assert.deepEqual(folder.list().sort(), ['d/', 'd/empty=new', 'd/x=d/x', 'd/y (2)=new', 'd/y=d/y']);
});

test('a full disk is said with the name, and leaves nothing half', async () => {
  const folder = new FolderDouble();
  folder.failing = new DOMException('No room.', 'QuotaExceededError');
  const { files } = await filesIn(folder, ['x']);
  files.whole(0, bytes('x'));
  await assert.rejects(
    files.settle([0]),
    (error) => error instanceof BeelineError && error.code === 'DISK_FULL' && error.paths[0] === 'x',
  );
  assert.deepEqual(folder.list(), []);
  await assert.rejects(files.tryWriting(5));
  folder.failing = undefined;
  await files.tryWriting(5);
  assert.deepEqual(folder.list(), []);
});
