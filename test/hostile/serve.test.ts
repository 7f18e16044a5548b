/** What a stranger, another site, or a name on the disk may try with what is served over HTTP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Outlet, OutletClosed } from '../../src/http/serving/outlet.ts';
import { FolderTree } from '../../src/node/serving/folder-tree.ts';
import { folder, served } from '../http/serving/served.ts';

const SECRET = 'nobody may read this';

/** A folder that is served, and beside it a file that is not. */
function besideSecret(t: TestContext): string {
  const outer = folder(t);
  const root = join(outer, 'served');
  mkdirSync(join(root, 'sub'), { recursive: true });
  writeFileSync(join(root, 'a.txt'), 'a');
  writeFileSync(join(outer, 'secret.txt'), SECRET);
  return root;
}

/** Bytes as they are, and all that comes back. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.on('error', () => {});
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return Buffer.concat(parts).toString('latin1');
}

test('protects from: paths that lead out of what is served, however they are written', async (t) => {
  const root = besideSecret(t);
  const { serving, get } = await served(t, [root]);
  const ways = [
    ...[
      '/../secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e/secret.txt',
      '/%2e%2e%2fsecret.txt',
      '/sub/../../secret.txt',
    ],
    ...[
      '/%252e%252e/secret.txt',
      '/..%5csecret.txt',
      '/..\\secret.txt',
      '/sub%2f..%2f..%2fsecret.txt',
      '/.%2e/secret.txt',
    ],
    ...[
      '/%c0%ae%c0%ae/secret.txt',
      '/%uff0e%uff0e/secret.txt',
      '/..;/secret.txt',
      '//../secret.txt',
      '/./../secret.txt',
    ],
    ...[
      '/a.txt%00.html',
      '/%00',
      '/..%00/secret.txt',
      '/a.txt/../../secret.txt',
      '/%2fetc%2fpasswd',
      '//etc/passwd',
    ],
    ...[
      '/sub/%2e%2e',
      '/.',
      '/..',
      '/%',
      '/%zz',
      '/%e0%a4%a',
      '/a.txt%2f',
      `/${'a/'.repeat(3000)}`,
      `/${'a'.repeat(3000)}`,
    ],
  ];
  for (const path of ways) {
    const answer = await get(path);
    assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
    assert.ok(!answer.text.includes(SECRET), path);
  }
  // A proxy's form of a request, and no path at all.
  for (const target of [
    'http://127.0.0.1/../secret.txt',
    'http://evil.example/%2e%2e/secret.txt',
    '*',
    'secret.txt',
    '../secret.txt',
  ]) {
    const text = await raw(
      serving.port,
      `GET ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`,
    );
    assert.match(text, /^HTTP\/1\.1 40[04] /, target);
    assert.ok(!text.includes(SECRET), target);
  }
  assert.equal((await get('/a.txt')).body.toString(), 'a');
});

test('protects from: links that lead out of what is served, in pages, answers and archives', async (t) => {
  const root = besideSecret(t);
  symlinkSync('../secret.txt', join(root, 'link.txt'));
  symlinkSync('..', join(root, 'up'));
  symlinkSync('/etc', join(root, 'sub', 'etc'));
  const { get } = await served(t, [root]);
  for (const path of [
    '/link.txt',
    '/up/',
    '/up/secret.txt',
    '/sub/etc/',
    '/sub/etc/passwd',
    '/up/served/a.txt',
  ])
    assert.equal((await get(path)).status, 404, path);
  for (const path of ['/', '/sub/', '/?zip', '/?tar', '/sub/?tar']) {
    const { status, text } = await get(path);
    assert.equal(status, 200);
    assert.ok(!text.includes(SECRET) && !/link\.txt|href="\.\/(?:up|etc)/.test(text), path);
  }
});

test('protects from: a folder that becomes a link between a look and what follows it', async (t) => {
  const root = besideSecret(t);
  const tree = new FolderTree([root], { hidden: false, versionKey: new Uint8Array(32) });
  const sub = join(root, 'sub');
  const outside = mkdtempSync(join(tmpdir(), 'beeline-serve-'));
  t.after(() => rmSync(outside, { recursive: true, force: true }));
  writeFileSync(join(sub, 'x'), 'mine');
  writeFileSync(join(outside, 'x'), SECRET);
  const [node, inside] = [await tree.look(['sub', 'x']), await tree.look(['sub'])];
  renameSync(sub, join(root, 'moved'));
  symlinkSync(outside, sub);
  await assert.rejects(tree.open(node!));
  await assert.rejects(tree.list(inside!, 10));
  await assert.rejects(async () => {
    for await (const _ of tree.walk(inside!)) assert.fail('nothing is below it');
  });
  assert.equal(await tree.look(['sub', 'x']), undefined);
});

test('protects from: hidden files and unfinished data, asked for or in an archive', async (t) => {
  const root = besideSecret(t);
  mkdirSync(join(root, '.git'));
  writeFileSync(join(root, '.git', 'config'), SECRET);
  writeFileSync(join(root, '.env'), SECRET);
  mkdirSync(join(root, '.beeline-0123'));
  writeFileSync(join(root, '.beeline-0123', 'data'), SECRET);
  const { get } = await served(t, [root]);
  for (const path of [
    '/.git/',
    '/.git/config',
    '/%2egit/config',
    '/.env',
    '/.beeline-0123/data',
    '/sub/.env',
  ])
    assert.equal((await get(path)).status, 404, path);
  for (const path of ['/', '/?zip', '/?tar']) assert.ok(!(await get(path)).text.includes(SECRET), path);
  const all = await served(t, [root], { hidden: true });
  assert.equal((await all.get('/.env')).body.toString(), SECRET);
  assert.equal((await all.get('/.beeline-0123/data')).status, 404, 'unfinished data is never served');
});

test('protects from: names on the disk that would end a header and begin another', async (t) => {
  const root = folder(t);
  const name = 'a\r\nset-cookie: x=1\r\n\r\n<script>alert(1)</script>';
  writeFileSync(join(root, `${name.replaceAll('/', '')}.txt`), 'text');
  mkdirSync(join(root, 'b\r\nlocation: http:x'));
  writeFileSync(join(root, 'quote".txt; filename=evil.exe'), 'q');
  const { get } = await served(t, [root]);
  const encoded = [
    `${name.replaceAll('/', '')}.txt`,
    'b\r\nlocation: http:x',
    'quote".txt; filename=evil.exe',
  ].map(encodeURIComponent);
  for (const path of [
    `/${encoded[0]}`,
    `/${encoded[1]}`,
    `/${encoded[1]}/?zip`,
    `/${encoded[2]}`,
    `/${encoded[1]}?x=%0d%0aset-cookie:y`,
  ]) {
    const { status, headers } = await get(path);
    assert.ok([200, 308].includes(status), `${path}: ${status}`);
    assert.equal(headers['set-cookie'], undefined, path);
    assert.ok(headers.location === undefined || headers.location.startsWith('/b%0D%0A'), headers.location);
  }
  const { headers } = await get(`/${encoded[2]}`);
  assert.equal(headers['content-disposition'], `attachment; filename="quote\\".txt; filename=evil.exe"`);
});

test('protects from: huge, many and overlapping ranges, which would multiply a file', async (t) => {
  const root = folder(t);
  writeFileSync(join(root, 'f'), Buffer.alloc(100_000, 'x'));
  const { get } = await served(t, [root]);
  // As in CVE-2011-3192: as many ranges as a head holds.
  const many = `bytes=${Array.from({ length: 1_100 }, (_, i) => `${i}-`).join()}`;
  const crowd = `bytes=${Array.from({ length: 600 }, (_, i) => `${3 * i}-${3 * i}`).join()}`;
  for (const [header, status] of [
    [many, 206],
    [crowd, 200],
    [`bytes=${'0-,'.repeat(2_000)}`, 206],
    [`bytes=0-${'9'.repeat(4_000)}`, 206],
    [`bytes=-${'9'.repeat(4_000)}`, 206],
    [`bytes=${','.repeat(6_000)}`, 200],
  ] as const) {
    const answer = await get('/f', { range: header });
    assert.equal(answer.status, status, header.slice(0, 40));
    assert.ok(answer.body.length <= 100_000, `${answer.body.length} bytes`);
  }
});

test('protects from: a reader that takes nothing', async (t) => {
  const http = createServer();
  const ended = new Promise<Error>((resolve) => {
    http.on('request', (_request, response) => {
      const outlet = new Outlet(response, response.socket!, { stallMs: 300 });
      const write = async () => {
        for (;;) await outlet.write(Buffer.alloc(1024 * 1024));
      };
      write().catch(resolve);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const socket = connect((http.address() as { port: number }).port, '127.0.0.1');
  t.after(() => {
    socket.destroy();
    http.close();
  });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  assert.ok((await ended) instanceof OutletClosed);
});

test('protects from: so many slow readers of one address that nobody else is served', async (t) => {
  const root = folder(t);
  writeFileSync(join(root, 'big'), '');
  truncateSync(join(root, 'big'), 1e9);
  const { serving } = await served(t, [root]);
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let refused = 0;
  const ask = async () => {
    const socket = connect(serving.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write('GET /big HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    // One that is cut off without a word is a fault, not something to wait for.
    const [head] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    socket.pause();
    assert.ok(Buffer.isBuffer(head), 'each is answered');
    if (String(head).startsWith('HTTP/1.1 503')) refused++;
  };
  // Of those that have not asked yet the oldest is cut off where they are too many: not all at once.
  for (let batch = 0; batch < 7; batch++) await Promise.all(Array.from({ length: 20 }, ask));
  assert.equal(refused, 12, 'so many of one address, and the rest is told to come again');
  assert.equal(serving.counts().open, 128);
});

test('protects from: requests that two parsers would read in two ways', async (t) => {
  const root = besideSecret(t);
  const { serving } = await served(t, [root]);
  const inner = 'GET /a.txt HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n';
  const start = 'GET /a.txt HTTP/1.1\r\nhost: 127.0.0.1\r\n';
  const ways: [name: string, bytes: string][] = [
    [
      'a length and chunks',
      `${start}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    ],
    ['two lengths', `${start}content-length: 0\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`],
    ['a length with a sign', `${start}content-length: +0\r\n\r\n${inner}`],
    ['a length in hex', `${start}content-length: 0x10\r\n\r\n${inner}`],
    ['a list of lengths', `${start}content-length: 0, 0\r\n\r\n${inner}`],
    ['an unknown coding', `${start}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${inner}`],
    ['chunks that are not last', `${start}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${inner}`],
    ['a space before the colon', `${start}content-length : 5\r\n\r\n${inner}`],
    ['a folded header', `${start}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n${inner}`],
    [
      'a line that ends in LF alone',
      `GET /a.txt HTTP/1.1\nhost: 127.0.0.1\ncontent-length: 3\n\nabc${inner}`,
    ],
    ['a NUL in a header', `${start}x: a\0b\r\n\r\n${inner}`],
    ['two hosts', `${start}host: evil.example\r\n\r\n${inner}`],
    ['a chunk size with more behind it', `${start}transfer-encoding: chunked\r\n\r\n0;\n\r\n${inner}`],
    ['a body where there is none', `${start}content-length: ${inner.length}\r\n\r\n${inner}`],
  ];
  for (const [name, bytes] of ways) {
    const text = await raw(serving.port, bytes);
    const answers = text.match(/HTTP\/1\.1 \d{3}/g) ?? [];
    assert.deepEqual(answers, ['HTTP/1.1 400'], `${name}: ${text.slice(0, 200)}`);
  }
});

test('protects from: scripts in names and in files', async (t) => {
  const root = folder(t);
  const names = [
    '<script>alert(1)<!--',
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    'javascript:alert(1)',
    '&lt;b&gt;',
    '\u202eexe.txt',
  ];
  for (const name of names) writeFileSync(join(root, name), 'x');
  mkdirSync(join(root, '<b>'));
  for (const name of ['page.html', 'drawing.svg', 'feed.xml', 'page.xhtml', 'app.js', 'noext'])
    writeFileSync(join(root, name), '<script>alert(1)</script>');
  const { get } = await served(t, [root]);
  for (const path of ['/', '/%3Cb%3E/', '/?sort=%22%3E%3Cscript%3E&page=%3Cb%3E']) {
    const { body, headers } = await get(path);
    const text = body.toString();
    assert.ok(!/<(?:script|img|b)\b/i.test(text), path);
    assert.ok(!/href="(?!\.\/|\?|\.\.\/")/.test(text), path);
    assert.ok(!text.includes('\u202e'), path);
    const policy = headers['content-security-policy']!;
    assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'; /);
    assert.ok(!/script|unsafe/.test(policy));
  }
  for (const name of ['page.html', 'drawing.svg', 'feed.xml', 'page.xhtml', 'app.js', 'noext']) {
    const { headers } = await get(`/${name}`);
    assert.match(headers['content-disposition']!, /^attachment;/, name);
    assert.match(headers['content-security-policy']!, /^sandbox; default-src 'none'/, name);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
});

test('protects from: another site that loads from here, or has a browser change something', async (t) => {
  const root = besideSecret(t);
  const { serving, get } = await served(t, [root], { downloads: 1 });
  const from = (site: string, mode: string) => ({
    'sec-fetch-site': site,
    'sec-fetch-mode': mode,
    origin: 'https://evil.example',
  });
  for (const mode of ['no-cors', 'cors', 'websocket'])
    assert.equal((await get('/a.txt', from('cross-site', mode))).status, 403, mode);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
    assert.equal((await get('/a.txt', { 'content-length': '0' }, { method })).status, 405, method);
  assert.equal(serving.counts().downloads, 0, 'an image on another page used up nothing');
  const page = await get('/', from('cross-site', 'navigate'));
  assert.equal(page.status, 200, 'a link on another page leads here');
  for (const name of Object.keys(page.headers)) assert.ok(!/^access-control|^set-cookie/.test(name), name);
  assert.equal(page.headers['cross-origin-resource-policy'], 'same-origin');
  assert.match(page.headers['content-security-policy']!, /frame-ancestors 'none'; ?|frame-ancestors 'none'$/);
});

test('protects from: a name that leads here for a moment (DNS rebinding)', async (t) => {
  const root = besideSecret(t);
  const { serving, get } = await served(t, [root], { hostNames: ['Files.Example.org'] });
  for (const host of [
    'evil.example',
    `evil.example:${serving.port}`,
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'evil.example.',
  ])
    assert.equal((await get('/a.txt', { host })).status, 421, host);
  for (const host of [
    '127.0.0.1',
    `localhost:${serving.port}`,
    '[::1]:80',
    'files.example.org',
    '192.168.1.7:8080',
  ])
    assert.equal((await get('/a.txt', { host })).status, 200, host);
  // Behind a link such a page would have to know the secret, and may use any name of this machine.
  const link = await served(t, [root], { access: 'link' });
  assert.equal((await link.get('/a.txt', { host: 'any.example' })).status, 200);
  assert.equal((await link.get('', { host: 'any.example' }, { path: '/a.txt' })).status, 404);
});

test('protects from: secrets in logs, and in what a browser tells the next site', async (t) => {
  const root = besideSecret(t);
  const lines: string[] = [];
  const line = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
  const log = { debug: line, info: line, warn: line };
  const link = await served(t, [root], { access: 'link', log });
  const secret = link.serving.secret!;
  for (const path of ['/', '/a.txt', '/sub', '', '/none', '/?zip']) {
    const { headers, body } = await link.get(path);
    assert.equal(headers['referrer-policy'], 'no-referrer', path);
    assert.ok(!body.toString().includes(secret), path);
  }
  const password = await served(t, [root], { access: { password: 'open sesame' }, log });
  for (const given of ['open sesame', 'nearly sesame']) {
    const authorization = `Basic ${Buffer.from(`me:${given}`).toString('base64')}`;
    const { headers } = await password.get('/a.txt', { authorization });
    assert.equal(headers['referrer-policy'], 'no-referrer');
  }
  await Promise.all([link.serving.close(), password.serving.close()]);
  const text = lines.join('\n');
  assert.match(text, /"path":"\/…\/a\.txt","status":200/);
  assert.match(text, /"audit":true/);
  for (const word of [secret, 'sesame', Buffer.from('me:open sesame').toString('base64')])
    assert.ok(!text.includes(word), word);
});
