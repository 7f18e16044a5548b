/** An inbox over HTTP: what comes by PUT, by a form and by tus, whole, cut off, gone on with, and what must not come. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { Upload } from 'tus-js-client';
import { realClock } from '../../../src/base/clock.ts';
import { uploadRoutes } from '../../../src/http/uploads/routes.ts';
import { UNFINISHED_KEPT, Uploads, type UploadsOptions } from '../../../src/http/uploads/uploads.ts';
import { FolderDeposits } from '../../../src/node/files/deposits.ts';

const MOUNT = '/secret';
const MiB = 2 ** 20;

let dir: string;
let inbox: Inbox;

/** One process's inbox: a second one on the same folder is the same after a restart. */
class Inbox {
  readonly arrived: { name: string; bytes: number; from: string }[] = [];
  readonly failed: { path: string; status: number }[] = [];
  readonly uploads: Uploads;
  readonly server: Server;
  url = '';

  constructor(rules: Partial<UploadsOptions> = {}) {
    this.uploads = new Uploads({
      deposits: new FolderDeposits({ to: dir, overwrite: 'rename' }),
      clock: realClock,
      on: {
        arrived: (upload) => this.arrived.push(upload),
        failed: ({ path, refusal }) => this.failed.push({ path, status: refusal.status }),
      },
      ...rules,
    });
    const app = uploadRoutes({
      uploads: this.uploads,
      mount: MOUNT,
      text: { name: '<b>laptop</b>' },
      clientOf: ({ socket }) => socket.remoteAddress ?? '',
    });
    this.server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.port}${MOUNT}`;
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await this.uploads.close();
  }
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'beeline-test-'));
  inbox = await new Inbox().listen();
});
afterEach(async () => {
  await inbox.close();
  rmSync(dir, { recursive: true, force: true });
});

const sha = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
const file = (name: string) => readFileSync(join(dir, name));
/** What is in the folder but for what is unfinished. */
const finished = () => readdirSync(dir).filter((name) => !name.startsWith('.beeline-'));
const unfinished = () => readdirSync(dir).filter((name) => name.startsWith('.beeline-'));

async function put(path: string, body: BodyInit, headers: Record<string, string> = {}) {
  const answer = await fetch(`${inbox.url}/${path}`, { method: 'PUT', body, headers });
  return { status: answer.status, text: await answer.text() };
}

/** A request whose path and headers are sent as they stand here. */
function raw(method: string, path: string, headers: Record<string, string>, body: Uint8Array | string = '') {
  return new Promise<{ status: number; text: string; location?: string; offset?: string }>(
    (resolve, reject) => {
      const asked = request(
        { host: '127.0.0.1', port: inbox.port, method, path, headers, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part) => {
            text += part;
          });
          answer.on('end', () => {
            const { location } = answer.headers;
            const offset = answer.headers['upload-offset'] as string | undefined;
            resolve({
              status: answer.statusCode ?? 0,
              text,
              ...(location && { location }),
              ...(offset && { offset }),
            });
          });
        },
      );
      asked.on('error', reject);
      asked.end(body);
    },
  );
}

const metadata = (pairs: Record<string, string>) =>
  Object.entries(pairs)
    .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
    .join(',');

const TUS = { 'tus-resumable': '1.0.0' };
const create = (size: number | string, pairs: Record<string, string>) =>
  raw('POST', `${MOUNT}/tus`, { ...TUS, 'upload-length': String(size), 'upload-metadata': metadata(pairs) });
const patch = (location: string, offset: number, data: Uint8Array) =>
  raw(
    'PATCH',
    location,
    {
      ...TUS,
      'upload-offset': String(offset),
      'content-type': 'application/offset+octet-stream',
      'content-length': String(data.length),
    },
    data,
  );

describe('PUT', () => {
  it('puts a file where it says, folders too, and never over another', async () => {
    const data = randomBytes(5 * MiB + 17);
    assert.deepEqual(await put('video.mp4', data), { status: 201, text: 'Saved as video.mp4\n' });
    assert.equal(sha(file('video.mp4')), sha(data));
    assert.deepEqual(await put('video.mp4', 'other'), { status: 201, text: 'Saved as video (1).mp4\n' });
    assert.equal((await put('a/b%20c/%C3%BC.txt', 'deep')).status, 201);
    assert.equal(String(file('a/b c/ü.txt')), 'deep');
    assert.equal((await put('empty', '')).status, 201);
    assert.equal(file('empty').length, 0);
    assert.deepEqual(unfinished(), []);
    assert.deepEqual(inbox.arrived[0], { name: 'video.mp4', bytes: data.length, from: '127.0.0.1' });
  });

  it('takes a stream of which nobody knows the length', async () => {
    const pieces = Array.from({ length: 40 }, () => randomBytes(100_001));
    const body = new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        controller.close();
      },
    });
    const answer = await fetch(`${inbox.url}/stdin`, { method: 'PUT', body, duplex: 'half' } as RequestInit);
    assert.equal(answer.status, 201);
    assert.equal(sha(file('stdin')), sha(Buffer.concat(pieces)));
  });

  it('that is cut off leaves nothing', async () => {
    for (const length of ['content-length: 10000000', 'transfer-encoding: chunked']) {
      const socket = connect(inbox.port, '127.0.0.1');
      socket.write(`PUT ${MOUNT}/cut HTTP/1.1\r\nhost: x\r\n${length}\r\n\r\n4\r\nabcd\r\n`);
      while (unfinished().length === 0) await delay(5);
      assert.deepEqual(finished(), []);
      socket.destroy();
      while (unfinished().length > 0) await delay(5);
      assert.deepEqual(finished(), []);
    }
  });

  it('of a part of a file is refused', async () => {
    const { status } = await put('part', 'xx', { 'content-range': 'bytes 0-1/4' });
    assert.equal(status, 400);
    assert.deepEqual(readdirSync(dir), []);
  });
});

describe('a form', () => {
  const form = (...files: [name: string, data: string][]) => {
    const body = new FormData();
    for (const [name, data] of files) body.append('file', new Blob([data]), name);
    return body;
  };

  it('brings several files, and says what became of each', async () => {
    const body = form(['one.txt', '1'], ['two.txt', '2'], ['.bashrc', 'evil'], ['three.txt', '']);
    const answer = await fetch(`${inbox.url}/`, { method: 'POST', body });
    assert.equal(answer.status, 400);
    assert.equal(
      await answer.text(),
      'Saved as one.txt\nSaved as two.txt\nRefused .bashrc: A name that begins with a dot is not taken here.\nSaved as three.txt\n',
    );
    assert.deepEqual(finished(), ['one.txt', 'three.txt', 'two.txt']);
  });

  it('answers a browser with a page in which no name is markup', async () => {
    const body = form(['<img src=x onerror=alert(1)>.txt', 'x']);
    const answer = await fetch(`${inbox.url}/`, { method: 'POST', body, headers: { accept: 'text/html' } });
    const text = await answer.text();
    assert.equal(answer.status, 201);
    assert.ok(text.includes('&lt;img src=x onerror=alert(1)&gt;.txt'), text);
    assert.ok(!text.includes('<img') && !text.includes('<b>'));
    assert.match(answer.headers.get('content-security-policy')!, /default-src 'none'.*form-action 'self'/);
  });

  it('that is cut off anywhere leaves what was whole and nothing else, and the inbox goes on', async () => {
    const part = (name: string, size: number) =>
      `--B\r\ncontent-disposition: form-data; name=f; filename=${name}\r\n\r\n${'x'.repeat(size)}\r\n`;
    const whole = [
      part('a', 5) + part('b', 300_000),
      part('.a', 300_000) + part('b', 300_000),
      part('a', 5) + part('.b', 300_000),
      part('a', 5) + part('b', 5),
    ];
    for (const body of whole)
      for (const cut of [0, 2, 4, 100, 1000])
        for (const way of ['destroy', 'end'] as const) {
          const socket = connect(inbox.port, '127.0.0.1');
          const closed = new Promise((resolve) => socket.once('close', resolve));
          socket.on('error', () => {}).resume();
          socket.write(
            `POST ${MOUNT}/ HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=B\r\n` +
              `content-length: 10000000\r\n\r\n${body.slice(0, body.length - cut)}`,
            () => void delay(cut % 3).then(() => socket[way]()),
          );
          await closed;
          assert.equal((await fetch(`${inbox.url}/`)).status, 200);
        }
    while (unfinished().length > 0) await delay(5);
    assert.ok(finished().every((name) => /^[ab]( \(\d+\))?$/.test(name)));
    for (const name of finished()) assert.ok([5, 300_000].includes(file(name).length), name);
  });

  it('that is none is refused', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    assert.equal((await raw('POST', `${MOUNT}/`, headers, 'a=b')).status, 415);
    const cut = { 'content-type': 'multipart/form-data; boundary=x' };
    assert.equal((await raw('POST', `${MOUNT}/`, cut, '--x\r\ncontent-disposition: form-data')).status, 400);
    assert.equal((await fetch(`${inbox.url}/`, { method: 'POST', body: new FormData() })).status, 400);
    assert.deepEqual(readdirSync(dir), []);
  });
});

describe('tus', () => {
  it('goes on where it was, in the same process and after a restart', async () => {
    const data = randomBytes(5 * MiB + 5);
    const made = await create(data.length, { filename: 'trip/film.mkv', mtime: '1700000000123' });
    assert.equal(made.status, 201);
    const location = made.location!;
    assert.match(location, /^\/secret\/tus\/[0-9a-f]{32}$/);
    // In the middle of a chunk.
    assert.equal((await patch(location, 0, data.subarray(0, 3 * MiB + 7))).offset, String(3 * MiB + 7));
    assert.deepEqual(finished(), []);
    assert.equal((await patch(location, 5, data.subarray(5, 9))).status, 409);
    assert.equal((await patch(location, 3 * MiB + 7, data.subarray(3 * MiB + 7, 4 * MiB + 9))).status, 204);
    const { port } = inbox;
    await inbox.close();
    assert.equal(unfinished().length, 1);
    inbox = await new Inbox().listen(port);
    const head = await raw('HEAD', location, TUS);
    // Whole chunks are certain; what was of the next one comes again.
    assert.deepEqual([head.status, head.offset], [200, String(4 * MiB)]);
    const done = await patch(location, 4 * MiB, data.subarray(4 * MiB));
    assert.deepEqual([done.status, done.offset], [204, String(data.length)]);
    assert.equal(sha(file('trip/film.mkv')), sha(data));
    assert.deepEqual(unfinished(), []);
    // Who did not hear the last answer asks again.
    assert.equal((await raw('HEAD', location, TUS)).offset, String(data.length));
    assert.deepEqual(inbox.arrived, [{ name: 'trip/film.mkv', bytes: data.length, from: '127.0.0.1' }]);
  });

  it('by tus-js-client ends identical though connections die', async () => {
    const data = randomBytes(9 * MiB + 1);
    let deaths = 0;
    await new Promise<void>((resolve, reject) => {
      const upload = new Upload(data, {
        endpoint: `${inbox.url}/tus`,
        metadata: { filename: 'from-client' },
        chunkSize: 4 * MiB,
        retryDelays: [0, 0, 10, 10, 10],
        onProgress: (sent) => {
          if (deaths < 2 && sent > (deaths + 1) * 2 * MiB) {
            deaths++;
            inbox.server.closeAllConnections();
          }
        },
        onSuccess: () => resolve(),
        onError: reject,
      });
      upload.start();
    });
    assert.equal(deaths, 2);
    assert.equal(sha(file('from-client')), sha(data));
  });

  it('takes an empty file, and gives one up with all that is here of it', async () => {
    assert.equal((await create(0, { name: 'nothing' })).status, 201);
    assert.equal(file('nothing').length, 0);
    const { location } = await create(2 * MiB, { filename: 'given-up' });
    await patch(location!, 0, randomBytes(MiB));
    assert.equal(unfinished().length, 1);
    assert.equal((await raw('DELETE', location!, TUS)).status, 204);
    assert.deepEqual(unfinished(), []);
    assert.equal((await raw('HEAD', location!, TUS)).status, 404);
    assert.equal((await patch(location!, MiB, randomBytes(MiB))).status, 404);
  });

  it('of two files with one name brings both', async () => {
    const [one, two] = [randomBytes(MiB + 1), randomBytes(MiB + 2)];
    const first = (await create(one.length, { filename: 'photo.jpg' })).location!;
    const second = (await create(two.length, { filename: 'photo.jpg' })).location!;
    await patch(second, 0, two);
    await patch(first, 0, one);
    assert.equal(sha(file('photo.jpg')), sha(two));
    assert.equal(sha(file('photo (1).jpg')), sha(one));
  });

  it('takes no more than was announced, and no length out of range', async () => {
    const { location } = await create(10, { filename: 'ten' });
    assert.equal((await patch(location!, 0, randomBytes(11))).status, 413);
    assert.deepEqual(finished(), []);
    for (const length of ['9007199254740992', '1e3', '-1', 'x', String(2 ** 52)]) {
      const { status } = await create(length, { filename: 'absurd' });
      assert.ok(status === 400 || status === 507, `${length}: ${status}`);
    }
    assert.equal((await raw('POST', `${MOUNT}/tus`, { ...TUS, 'upload-defer-length': '1' })).status, 501);
    assert.equal((await create(1, {})).status, 400);
  });

  it('has unfinished ones removed after a week', async () => {
    const { location } = await create(2 * MiB, { filename: 'old' });
    await patch(location!, 0, randomBytes(MiB));
    await inbox.close();
    const [staging] = unfinished();
    const journal = join(dir, staging!, 'journal');
    const deposits = new FolderDeposits({ to: dir, overwrite: 'rename' });
    assert.equal(await deposits.sweep(UNFINISHED_KEPT), 0);
    const before = new Date(Date.now() - UNFINISHED_KEPT - 60_000);
    utimesSync(journal, before, before);
    assert.equal(await deposits.sweep(UNFINISHED_KEPT), 1);
    assert.deepEqual(readdirSync(dir), []);
  });
});

describe('an inbox refuses', () => {
  const NAMES = [
    '../beeline-escaped',
    'a/../../beeline-escaped',
    '/etc/cron.d/x',
    '.ssh/authorized_keys',
    'site/.htaccess',
    '..',
    '.',
    'a//b',
    'a/',
    'line\nbreak',
    'nul\0',
    'x'.repeat(256),
    `${'d/'.repeat(1001)}x`,
  ];

  it('names that lead out, hide, or are none: path traversal and hidden files', async () => {
    for (const name of NAMES) {
      const { status } = await create(1, { filename: name });
      // A slash at the beginning is no root here.
      assert.equal(status, name === '/etc/cron.d/x' ? 201 : 400, JSON.stringify(name.slice(0, 40)));
    }
    for (const path of [
      '..%2fup',
      '%2e%2e/up',
      'a/%2e%2e/%2e%2e/beeline-escaped',
      '%00',
      'a%5c..%2f',
      '.x',
      '%',
      'a//b',
      '',
    ])
      assert.equal((await raw('PUT', `${MOUNT}/${path}`, {}, 'x')).status, 400, path);
    assert.deepEqual(finished(), []);
    assert.ok(!existsSync(join(dir, '..', 'beeline-escaped')));
  });

  it('folders that are links out', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'beeline-test-'));
    symlinkSync(outside, join(dir, 'link'));
    try {
      const { status } = await put('link/x', 'evil');
      assert.equal(status, 400);
      assert.deepEqual(readdirSync(outside), []);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it('what a page of another site makes a browser send: CSRF', async () => {
    const host = `127.0.0.1:${inbox.port}`;
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `https://${host}.evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ] as Record<string, string>[]) {
      for (const [method, path] of [
        ['PUT', '/x'],
        ['POST', '/'],
        ['POST', '/tus'],
      ] as const)
        assert.equal(
          (await raw(method, MOUNT + path, { ...headers, ...TUS, 'upload-length': '1' }, 'x')).status,
          403,
        );
    }
    assert.equal((await raw('PUT', `${MOUNT}/own`, { origin: `http://${host}` }, 'x')).status, 201);
    assert.equal((await raw('PUT', `${MOUNT}/own`, { 'sec-fetch-site': 'same-origin' }, 'x')).status, 201);
    const preflight = await fetch(`${inbox.url}/tus`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.headers.get('access-control-allow-origin'), null);
  });

  it('files that are too large, whatever way they come', async () => {
    await inbox.close();
    inbox = await new Inbox({ maxSize: MiB }).listen();
    const large = randomBytes(MiB + 1);
    assert.equal((await put('large', large)).status, 413);
    assert.equal((await create(large.length, { filename: 'large' })).status, 413);
    const body = new FormData();
    body.append('file', new Blob([large]), 'large');
    body.append('file', new Blob(['x']), 'small');
    assert.equal((await fetch(`${inbox.url}/`, { method: 'POST', body })).status, 413);
    assert.equal((await put('fits', large.subarray(1))).status, 201);
    assert.deepEqual(finished(), ['fits', 'small']);
    assert.deepEqual(unfinished(), []);
  });

  it('more than its folder may hold, and takes it once there is room', async () => {
    await inbox.close();
    let now = 0;
    const clock = { ...realClock, now: () => now, after: () => () => {} };
    inbox = await new Inbox({ quota: 3 * MiB, clock }).listen();
    mkdirSync(join(dir, 'before'));
    writeFileSync(join(dir, 'before', 'x'), randomBytes(MiB));
    assert.equal((await put('one', randomBytes(MiB))).status, 201);
    // What is announced counts before it comes.
    const { location } = await create(MiB, { filename: 'two' });
    assert.equal((await put('three', randomBytes(10))).status, 507);
    assert.equal((await patch(location!, 0, randomBytes(MiB))).status, 204);
    rmSync(join(dir, 'before'), { recursive: true });
    now += 60_000;
    assert.equal((await put('three', randomBytes(10))).status, 201);
  });

  it('a second one who sends the same upload at the same time, and keeps what the first sent', async () => {
    const data = randomBytes(3 * MiB);
    const { location } = await create(data.length, { filename: 'both' });
    const socket = connect(inbox.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `PATCH ${location} HTTP/1.1\r\nhost: x\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\n` +
        `content-type: application/offset+octet-stream\r\ncontent-length: ${data.length}\r\n\r\n`,
    );
    socket.write(data.subarray(0, MiB));
    const [staging] = unfinished();
    while (readdirSync(join(dir, staging!)).length < 3) await delay(5);
    // Who asks how far it is has the first one stopped: that may be a connection that is dead.
    const { offset } = await raw('HEAD', location!, TUS);
    const from = Number(offset);
    assert.ok(from <= MiB);
    assert.equal((await patch(location!, from, data.subarray(from))).status, 204);
    socket.destroy();
    assert.equal(sha(file('both')), sha(data));
  });
});
