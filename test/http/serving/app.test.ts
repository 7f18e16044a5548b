import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ON_THE_WAY } from '../../../src/http/serving/sendfile.ts';
import { folder, served } from './served.ts';

test('a folder is a page, a file is its bytes, and nothing else is there', async (t) => {
  const root = folder(t);
  mkdirSync(join(root, 'sub'));
  writeFileSync(join(root, 'a.txt'), 'hello');
  writeFileSync(join(root, 'sub', 'ü b.bin'), 'x');
  writeFileSync(join(root, '.hidden'), 'h');
  symlinkSync('/etc', join(root, 'out'));
  const { get } = await served(t, [root]);
  const page = await get('/');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type']!, /^text\/html/);
  const names = [...page.body.toString().matchAll(/<tr><td><a href="([^"]+)"/g)].map(([, href]) => href);
  assert.deepEqual(names, ['./sub/', './a.txt']);
  const file = await get('/a.txt');
  assert.deepEqual([file.status, file.body.toString()], [200, 'hello']);
  assert.equal((await get('/sub/%C3%BC%20b.bin')).body.toString(), 'x');
  assert.deepEqual([(await get('/sub')).status, (await get('/sub')).headers.location], [308, '/sub/']);
  for (const path of ['/.hidden', '/out', '/out/passwd', '/none', '/a.txt/', '/a.txt/b', '//a.txt', '/sub//'])
    assert.equal((await get(path)).status, 404, path);
  const hidden = await served(t, [root], { hidden: true });
  assert.equal((await hidden.get('/.hidden')).body.toString(), 'h');
});

test('several paths are several names at the top; a single file is what the link leads to', async (t) => {
  const root = folder(t);
  mkdirSync(join(root, 'one'));
  writeFileSync(join(root, 'one', 'x'), '1');
  writeFileSync(join(root, 'two'), '2');
  const both = await served(t, [join(root, 'one'), join(root, 'two')]);
  assert.equal((await both.get('/one/x')).body.toString(), '1');
  assert.equal((await both.get('/two')).body.toString(), '2');
  assert.equal((await both.get('/')).status, 200);
  const single = await served(t, [join(root, 'two')], { access: 'link' });
  assert.match(single.serving.urls[0]!, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/two$/);
  const answer = await single.get('/two');
  assert.equal(answer.body.toString(), '2');
  assert.equal((await single.get('', {}, { path: '/two' })).status, 404);
});

test('a file that changes while it is sent ends as broken', async (t) => {
  const root = folder(t);
  const path = join(root, 'big');
  writeFileSync(path, '');
  truncateSync(path, 300_000_000);
  const { get } = await served(t, [path], { limit: 20_000_000 });
  const asked = get('/big');
  // Again and again: the first time may be before it is opened.
  let changes = 0;
  const changing = setInterval(() => utimesSync(path, ++changes, changes), 300);
  // A reader gets an error, or, as libuv sees it at times, an end before the length that was promised.
  const got = await asked.then(
    ({ body, headers }) => body.length < Number(headers['content-length']),
    (error) => error.code === 'ECONNRESET',
  );
  clearInterval(changing);
  assert.equal(got, true);
});

test('a file large enough for the direct way is its bytes, whole and in part', async (t) => {
  const root = folder(t);
  const path = join(root, 'large');
  const size = ON_THE_WAY + 40_000_000;
  const fd = openSync(path, 'w');
  const hashes = { whole: createHash('sha256'), rest: createHash('sha256') };
  const from = 1_234_567;
  for (let at = 0; at < size; at += 1_000_000) {
    const piece = Buffer.alloc(Math.min(1_000_000, size - at), `${at} `);
    writeSync(fd, piece);
    hashes.whole.update(piece);
    if (at + piece.length > from) hashes.rest.update(piece.subarray(Math.max(0, from - at)));
  }
  closeSync(fd);
  const { get, serving } = await served(t, [path]);
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  assert.equal(digest((await get('/large')).body), hashes.whole.digest('hex'));
  const rest = await get('/large', { range: `bytes=${from}-` });
  assert.equal(rest.headers['content-range'], `bytes ${from}-${size - 1}/${size}`);
  assert.equal(digest(rest.body), hashes.rest.digest('hex'));
  assert.equal(serving.counts().bytes, 2 * size - from);
});
