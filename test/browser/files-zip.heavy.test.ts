import assert from 'node:assert/strict';
import test from 'node:test';
import { archiveName, type ZipMember, zipLength, zipStream } from '../../src/archive/zip.ts';
import { fittedPaths, type Named } from '../../src/browser/files/fitted.ts';
import { numbered } from '../../src/offer/names.ts';
import { readZip } from './harness/zip.ts';

async function zipOf(members: readonly ZipMember[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of zipStream(each(members))) parts.push(part);
  return Buffer.concat(parts);
}

async function* each(members: readonly ZipMember[]): AsyncGenerator<ZipMember> {
  yield* members;
}

const fileOf = (path: string, text: string, mtime = 1_700_000_000_000): ZipMember => ({
  ...{ path, size: text.length, mtime },
  content: new Blob([text]).stream() as ReadableStream<Uint8Array>,
});
const folderOf = (path: string): ZipMember => ({ path, size: 0, mtime: 0 });
const bare = (members: readonly ZipMember[]): [ZipMember[], string[]] => [
  members.filter(({ content }) => content),
  members.filter(({ content }) => !content).map(({ path }) => path),
];

test('files and folders are in the archive, and its length is known before', async () => {
  const members = [
    folderOf('ü'),
    fileOf('ü/one', 'first'),
    fileOf('ü/empty', ''),
    fileOf('𝒳', 'x'.repeat(99_999)),
  ];
  const length = zipLength(...bare(members));
  const zip = await zipOf(members);
  assert.equal(zip.length, length);
  const found = readZip(zip);
  assert.deepEqual([...found.keys()], ['ü/', 'ü/one', 'ü/empty', '𝒳']);
  assert.equal(found.get('ü/one')!.toString(), 'first');
  assert.equal(found.get('𝒳')!.length, 99_999);
});

test('no name leads an unpacker elsewhere, and none is lost for it', async () => {
  const paths = ['a_b', 'a\\b', 'a:b', 'C:', 'C:/..\\..\\x', 'c.tar.gz'];
  const entries = paths.map((path): Named => ({ path, kind: path === 'C:' ? 'folder' : 'file' }));
  const fitted = await fittedPaths(entries);
  const members = fitted.map((path, i) => (paths[i] === 'C:' ? folderOf(path) : fileOf(path, paths[i]!)));
  const length = zipLength(...bare(members));
  const zip = await zipOf(members);
  assert.equal(zip.length, length);
  const found = readZip(zip);
  assert.deepEqual([...found.keys()], ['a_b', 'a_b (1)', 'a_b (2)', 'C_/', 'C_/.._.._x', 'c.tar.gz']);
  assert.equal(found.get('a_b (2)')!.toString(), 'a:b');
});

test('times that ZIP cannot say are the nearest that it can', async () => {
  for (const mtime of [-1e13, 0, 1e15, Number.MAX_SAFE_INTEGER]) {
    const zip = await zipOf([fileOf('x', 'x', mtime)]);
    const year = 1980 + (zip.readUInt16LE(12) >> 9);
    assert.equal(year, mtime > 1e12 ? 2107 : 1980);
  }
});

test('more members than the plain end record counts', async () => {
  for (const count of [65_534, 65_535]) {
    const members = Array.from({ length: count }, (_, i) => folderOf(`${i}`));
    const length = zipLength(...bare(members));
    const zip = await zipOf(members);
    assert.equal(zip.length, length);
    const end = zip.length - 22;
    assert.equal(zip.readUInt32LE(end), 0x06054b50);
    assert.equal(zip.readUInt16LE(end + 10), Math.min(count, 65_535));
    const locator = end - 20;
    assert.equal(zip.readUInt32LE(locator) === 0x07064b50, count >= 65_535);
    if (count < 65_535) continue;
    const end64 = Number(zip.readBigUInt64LE(locator + 8));
    assert.equal(zip.readUInt32LE(end64), 0x06064b50);
    assert.equal(zip.readBigUInt64LE(end64 + 32), BigInt(count));
    const [size, offset] = [zip.readBigUInt64LE(end64 + 40), zip.readBigUInt64LE(end64 + 48)];
    assert.equal(Number(offset + size), end64);
    assert.equal(zip.readUInt32LE(Number(offset)), 0x02014b50);
  }
});

test('an archive is named for what is in it', () => {
  assert.equal(archiveName(['a', 'a/b']), 'a.zip');
  assert.equal(archiveName(['a', 'ab/b']), 'beeline.zip');
});

test('another name keeps the extension and fits a file system', () => {
  assert.equal(numbered('x/y.tar/a.b.txt', 2), 'x/y.tar/a.b (2).txt');
  assert.equal(numbered('.profile', 12), '.profile (12)');
  const long = numbered(`${'ü'.repeat(125)}.txt`, 3);
  assert.ok(Buffer.byteLength(long) <= 255 && long.endsWith('ü (3).txt'));
});
