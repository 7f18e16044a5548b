import assert from 'node:assert/strict';
import test from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { folderError } from '../../src/browser/files/folder-errors.ts';
import { savingError } from '../../src/browser/files/free-names.ts';
import type { Kept } from '../../src/browser/files/kept.ts';
import { saveToFolder } from '../../src/browser/files/save.ts';
import { FolderDouble } from './folder-double.ts';

function kept(paths: readonly string[]): Kept {
  const files = paths.filter((path) => !path.endsWith('/'));
  return {
    ...{ id: 'x', name: 'x', bytes: 0, complete: true, have: 0, at: 0, remove: async () => {} },
    files: files.map((path) => ({ path, size: 1, mtime: 0, mode: 0, blob: async () => new Blob([path]) })),
    folders: paths.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1)),
  };
}

const save = (paths: readonly string[], folder: FolderDouble) =>
  saveToFolder(kept(paths), folder.handle, () => {});

test('two names that are one on that disk become two files', async () => {
  const folder = new FolderDouble();
  await save(['d/', 'd/A.txt', 'd/a.txt', 'E/', 'E/x', 'e/', 'e/x'], folder);
  assert.deepEqual(folder.list().sort(), [
    'E/',
    'E/x=E/x',
    'd/',
    'd/A.txt=d/A.txt',
    'd/a (2).txt=d/a.txt',
    'e (2)/',
    'e (2)/x=e/x',
  ]);
});

test('a folder stands beside a file of its name, and the other way round', async () => {
  const folder = new FolderDouble();
  await save(['a/', 'a/x', 'b'], folder);
  await save(['a', 'b/', 'b/y'], folder);
  assert.deepEqual(folder.list().sort(), ['a (2)=a', 'a/', 'a/x=a/x', 'b (2)/', 'b (2)/y=b/y', 'b=b']);
});

test('refused names, and what is in a refused folder, are all named, behind everything else', async () => {
  const folder = new FolderDouble();
  await assert.rejects(save(['c:/', 'c:/in', 'fine', 'x.lnk'], folder), (error: BeelineError) => {
    assert.equal(error.code, 'UNSAFE_NAME');
    assert.deepEqual(error.paths, ['c:', 'c:/in', 'x.lnk']);
    assert.match(error.message, /'c:' and 2 more in that folder/);
    return true;
  });
  assert.deepEqual(folder.list(), ['fine=fine']);
});

test('a file that fails is removed, and said by name', async () => {
  const folder = new FolderDouble();
  folder.failing = new DOMException('No room.', 'QuotaExceededError');
  await assert.rejects(
    save(['x'], folder),
    (error) => error instanceof BeelineError && error.code === 'DISK_FULL' && error.paths[0] === 'x',
  );
  assert.deepEqual(folder.list(), []);
});

test('a folder that was moved, or that the page may not write into any more, is told as that', async () => {
  const gone = new FolderDouble();
  gone.gone = true;
  await assert.rejects(save(['d/', 'd/x'], gone), {
    ...{ code: 'WRITE_FAILED', reason: 'PICKED_FOLDER_GONE' },
    message: "The folder 'picked' is no longer there. Choose it again.",
  });
  const forbidden = new FolderDouble();
  forbidden.permission = 'prompt';
  await assert.rejects(save(['x'], forbidden), { code: 'WRITE_FAILED', reason: 'PICKED_FOLDER_FORBIDDEN' });
});

test('only what the folder itself has become is told instead of what a browser says', async () => {
  const folder = new FolderDouble();
  const missing = new DOMException('Not there.', 'NotFoundError');
  const reason = async (thrown: unknown) => (await folderError(folder.handle, thrown)).reason;
  assert.equal(await reason(missing), 'STORAGE_CLEARED', 'something else is not there');
  const full = new DOMException('No room.', 'QuotaExceededError');
  const given = savingError('x', full);
  folder.gone = true;
  assert.equal(await reason(missing), 'PICKED_FOLDER_GONE');
  assert.equal(await reason(savingError('x', missing)), 'PICKED_FOLDER_GONE');
  // A disk that is full is waited for.
  assert.equal(await folderError(folder.handle, given), given);
  const left = new BeelineError('CANCELLED', 'Left.');
  assert.equal(await folderError(folder.handle, left), left);
  // A browser that cannot be asked for its permission.
  const old = { name: 'old', keys: () => new FolderDouble().keys() } as unknown as FileSystemDirectoryHandle;
  assert.equal((await folderError(old, missing)).reason, 'STORAGE_CLEARED');
});
