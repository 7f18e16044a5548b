/**
 * The tools that people have, against the real command: cut off by a SIGKILL of the server in the middle, gone on with once it
 * runs again, and identical to the byte. Beside them a browser, and Debian's nginx in front.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  closeBrowser,
  downloadsOf,
  type Kind,
  launch,
  whyNoBrowser,
} from '../../browser/harness/browsers.ts';
import { startNginx } from '../../nginx.ts';
import { freePort } from '../../ports.ts';
import { folder } from './served.ts';

const COMMAND = 'dist/cli/main.js';
const SIZE = 64_000_000;
/** Bytes a second: a few seconds for the file, after the first second at once. */
const LIMIT = '16M';
const MIDDLE = 20_000_000;
const LIMIT_MS = { timeout: 120_000 };

function whyNo(program: string): string | undefined {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `${program} is missing`;
  }
}

/** A server that can be killed and started again at the same port, with the same tags. */
class Killable {
  readonly port: number;
  readonly root: string;
  readonly #flags: string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, root: string, flags: string[]) {
    this.port = port;
    this.root = root;
    this.#flags = flags;
  }

  static async start(t: TestContext, flags: string[] = []): Promise<Killable> {
    const root = folder(t);
    const config = folder(t);
    const content = Buffer.allocUnsafe(SIZE);
    randomFillSync(content);
    writeFileSync(join(root, 'large.bin'), content);
    const port = await freePort();
    const own = [
      'serve',
      root,
      '--port',
      String(port),
      '--host',
      '127.0.0.1',
      '--public',
      '--config-dir',
      config,
    ];
    const server = new Killable(port, root, [...own, ...flags]);
    t.after(() => server.kill());
    await server.again();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/large.bin`;
  }

  async again(): Promise<void> {
    this.#child = spawn(process.execPath, [COMMAND, ...this.#flags], { stdio: 'ignore' });
    await listening(this.port);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  same(copy: string): void {
    execFileSync('cmp', [join(this.root, 'large.bin'), copy]);
  }
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

/** Bytes that the server has written, by its own count; a client may preallocate. */
async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Runs a client that goes on by itself, and kills the server when it is in the middle. */
async function interrupted(
  server: Killable,
  command: string,
  args: string[],
  reached: () => boolean,
): Promise<void> {
  const client = spawn(command, args, { stdio: 'ignore' });
  const ended = once(client, 'exit');
  await until(() => reached() || client.exitCode !== null);
  assert.equal(client.exitCode, null, 'it is cut off in the middle');
  await server.kill();
  await server.again();
  const [code] = await ended;
  assert.equal(code, 0, command);
}

test('curl goes on with -C - after the server was killed, and keeps the name with -OJ', {
  skip: whyNo('curl'),
  ...LIMIT_MS,
}, async (t) => {
  const server = await Killable.start(t, ['--limit', LIMIT]);
  const copy = join(folder(t), 'copy');
  const client = spawn('curl', ['-sf', '-o', copy, server.url]);
  const ended = once(client, 'exit');
  await until(() => sizeOf(copy) > MIDDLE);
  await server.kill();
  assert.notEqual((await ended)[0], 0);
  assert.ok(sizeOf(copy) < SIZE);
  await server.again();
  execFileSync('curl', ['-sf', '-C', '-', '-o', copy, server.url]);
  server.same(copy);
  const to = folder(t);
  execFileSync('curl', ['-sfOJ', '--output-dir', to, server.url]);
  server.same(join(to, 'large.bin'));
  const part = execFileSync('curl', ['-sf', '-r', '1000000-1000999', server.url], { encoding: 'buffer' });
  assert.deepEqual(part, readFileSync(join(server.root, 'large.bin')).subarray(1_000_000, 1_001_000));
});

test('wget goes on by itself', { skip: whyNo('wget'), ...LIMIT_MS }, async (t) => {
  const server = await Killable.start(t, ['--limit', LIMIT]);
  const copy = join(folder(t), 'copy');
  const flags = ['-q', '-c', '--tries=50', '--retry-connrefused', '--waitretry=1', '-O', copy, server.url];
  await interrupted(server, 'wget', flags, () => sizeOf(copy) > MIDDLE);
  server.same(copy);
});

test('aria2 goes on with eight connections', { skip: whyNo('aria2c'), ...LIMIT_MS }, async (t) => {
  const server = await Killable.start(t, ['--limit', LIMIT]);
  const to = folder(t);
  const flags = [
    '-q',
    '-x8',
    '-s8',
    '-k1M',
    '--max-tries=0',
    '--retry-wait=1',
    '--file-allocation=none',
    '-d',
    to,
    '-o',
    'copy',
    server.url,
  ];
  const copy = join(to, 'copy');
  await interrupted(server, 'aria2c', flags, () => sizeOf(copy) > MIDDLE);
  server.same(copy);
});

const PYTHON = `
import http.client, sys, time
host, port, path, to = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
tag, at, size = None, 0, None
with open(to, 'wb') as out:
    while size is None or at < size:
        try:
            connection = http.client.HTTPConnection(host, port, timeout=20)
            headers = {} if tag is None else {'Range': 'bytes=%d-' % at, 'If-Range': tag}
            connection.request('GET', path, headers=headers)
            answer = connection.getresponse()
            assert answer.status == (200 if tag is None else 206), answer.status
            tag = answer.headers['ETag']
            if size is None: size = int(answer.headers['Content-Length'])
            while True:
                part = answer.read1(65536)
                if not part: break
                out.write(part); out.flush(); at += len(part)
        except (ConnectionError, http.client.HTTPException, TimeoutError):
            time.sleep(0.2)
`;

test("Python's http.client goes on by If-Range", { skip: whyNo('python3'), ...LIMIT_MS }, async (t) => {
  const server = await Killable.start(t, ['--limit', LIMIT]);
  const copy = join(folder(t), 'copy');
  const args = ['-c', PYTHON, '127.0.0.1', String(server.port), '/large.bin', copy];
  await interrupted(server, 'python3', args, () => sizeOf(copy) > MIDDLE);
  server.same(copy);
});

/** A browser with a folder of its own, which goes once the browser has: until then it writes there. */
async function launched(t: TestContext, kind: Kind) {
  const own = mkdtempSync(join(tmpdir(), 'beeline-browser-'));
  const browser = await launch(kind, { folder: own });
  t.after(async () => {
    await closeBrowser(browser);
    rmSync(own, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  return { own, browser };
}

for (const kind of ['chromium', 'firefox'] as const satisfies Kind[])
  test(`${kind} shows the page without an error, and downloads`, {
    skip: whyNoBrowser(kind),
    ...LIMIT_MS,
  }, async (t) => {
    const server = await Killable.start(t);
    mkdirSync(join(server.root, 'sub'));
    writeFileSync(join(server.root, 'page.html'), '<script>document.title = "run"</script>');
    const { own, browser } = await launched(t, kind);
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${server.port}/`);
    assert.deepEqual(
      await page.$$eval('tbody td:first-child a', (links) => links.map((link) => link.textContent)),
      ['sub/', 'large.bin', 'page.html'],
    );
    await page.click('a[href="./large.bin?download"]');
    const copy = join(downloadsOf(own), 'large.bin');
    await until(
      () =>
        sizeOf(copy) === SIZE &&
        readdirSync(downloadsOf(own)).every((name) => !/\.(?:crdownload|part)$/.test(name)),
    );
    server.same(copy);
    assert.deepEqual(
      errors.filter((text) => !/favicon/.test(text)),
      [],
    );
  });

/** A port before the server's, which cuts the first two connections that have carried MIDDLE bytes. Tells what was asked for. */
async function cutting(t: TestContext, to: number): Promise<{ port: number; ranges: string[] }> {
  const ranges: string[] = [];
  let cuts = 0;
  const between = createServer((client) => {
    const server = connect(to, '127.0.0.1');
    let carried = 0;
    client.on('data', (part) => {
      ranges.push(...(part.toString('latin1').match(/^range: .*$/gim) ?? []));
      server.write(part);
    });
    server.on('data', (part) => {
      // What was under way when it was cut.
      if (client.destroyed) return;
      carried += part.length;
      client.write(part);
      if (cuts === 2 || carried < MIDDLE) return;
      cuts++;
      client.destroy();
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  t.after(() => between.close());
  return { port: (between.address() as AddressInfo).port, ranges };
}

// Firefox keeps what came and waits for a person who tries again, so there is nothing to drive.
test('a download in Chromium that is cut off twice goes on by itself', {
  skip: whyNoBrowser('chromium'),
  ...LIMIT_MS,
}, async (t) => {
  const server = await Killable.start(t, ['--limit', LIMIT]);
  const { port, ranges } = await cutting(t, server.port);
  const { own, browser } = await launched(t, 'chromium');
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.click('a[href="./large.bin?download"]');
  const copy = join(downloadsOf(own), 'large.bin');
  await until(() => sizeOf(copy) === SIZE);
  server.same(copy);
  assert.equal(ranges.length, 2, ranges.join());
});

test('behind nginx: the same bytes, going on after a kill, and nothing is smuggled', {
  skip: whyNo('nginx'),
  ...LIMIT_MS,
}, async (t) => {
  const server = await Killable.start(t, ['--limit', LIMIT, '--trust-proxy']);
  const home = folder(t);
  const port = await freePort();
  const site = `server { listen 127.0.0.1:${port}; location / {
proxy_pass http://127.0.0.1:${server.port}; proxy_buffering off; proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $remote_addr; } }`;
  t.after(await startNginx(home, site, port));
  const url = `http://127.0.0.1:${port}/large.bin`;
  const copy = join(folder(t), 'copy');
  const client = spawn('curl', ['-sf', '-o', copy, url]);
  const ended = once(client, 'exit');
  await until(() => sizeOf(copy) > MIDDLE);
  await server.kill();
  assert.notEqual((await ended)[0], 0, 'nginx passes on that it was cut off');
  await server.again();
  execFileSync('curl', ['-sf', '-C', '-', '-o', copy, url]);
  server.same(copy);
  for (const inner of [
    'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'transfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'content-length: 2\r\n\r\nab',
  ]) {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `GET /none HTTP/1.1\r\nhost: 127.0.0.1\r\n${inner}GET /none2 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`,
    );
    let text = '';
    socket.on('data', (part) => {
      text += part;
    });
    await once(socket, 'close');
    const statuses = (text.match(/HTTP\/1\.1 \d{3}/g) ?? []).map((line) => line.slice(9));
    // Each request that nginx saw has one answer, and none has that of another.
    assert.ok(statuses.length <= 2 && statuses.every((status) => ['400', '404'].includes(status)), text);
    assert.ok(!text.includes('HTTP/1.1 200'), text);
  }
});
