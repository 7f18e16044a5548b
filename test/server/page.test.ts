/** The page over HTTP: what is served, in which form, with which headers, and what never is. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { type ServerOptions, startServer } from '../../src/server/index.ts';
import { chooseEncoding, type Encoding, hasTag } from '../../src/server/negotiate.ts';
import { loadPage } from '../../src/server/page-files.ts';
import { type Answer, type Ask, ask } from './raw-http.ts';

const HTML = `<!doctype html><head><title>Beeline</title></head>${'<p>words</p>'.repeat(200)}`;
const SCRIPT = `export const text = '${'many words '.repeat(500)}';`;
const folder = mkdtempSync(join(tmpdir(), 'beeline-page-'));
mkdirSync(join(folder, 'assets'));
mkdirSync(join(folder, '.vite'));
writeFileSync(join(folder, 'index.html'), HTML);
writeFileSync(join(folder, 'assets/index-AbC_12-x.js'), SCRIPT);
writeFileSync(join(folder, 'assets/plain.css'), 'p{}');
writeFileSync(join(folder, 'download.worker.js'), SCRIPT);
writeFileSync(join(folder, 'icon.svg'), '<svg/>');
writeFileSync(join(folder, '.vite/manifest.json'), '{}');
writeFileSync(join(folder, 'a name.txt'), 'x');
const secret = join(tmpdir(), `beeline-secret-${process.pid}`);
writeFileSync(secret, 'secret of the disk');
symlinkSync(secret, join(folder, 'link.txt'));
after(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(secret);
});

async function running(
  use: (get: (ask: Ask | string) => Promise<Answer>) => Promise<void>,
  page?: ServerOptions['page'],
) {
  const server = await startServer({ port: 0, host: '127.0.0.1', stun: false, page: page ?? folder });
  try {
    await use((what) => ask(server.port, typeof what === 'string' ? { path: what } : what));
  } finally {
    await server.close();
  }
}

const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'worker-src': "'self'",
  'frame-src': "'self'",
  'manifest-src': "'self'",
  'form-action': "'none'",
  'base-uri': "'none'",
  'frame-ancestors': "'none'",
  'require-trusted-types-for': "'script'",
  'trusted-types': 'beeline',
};

function assertSafe({ headers }: Answer): void {
  const directives = headers['content-security-policy']!.split('; ').map((each) => {
    const [name, ...values] = each.split(' ');
    return [name, values.join(' ')];
  });
  assert.deepEqual(Object.fromEntries(directives), POLICY);
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
  assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  const features = headers['permissions-policy']!.split(', ');
  for (const off of ['microphone', 'geolocation', 'usb', 'serial', 'clipboard-read'])
    assert.ok(features.includes(`${off}=()`), off);
  assert.deepEqual(
    features.filter((each) => !each.endsWith('=()')),
    ['camera=(self)', 'clipboard-write=(self)', 'screen-wake-lock=(self)'],
  );
  for (const name of ['access-control-allow-origin', 'strict-transport-security', 'set-cookie', 'server'])
    assert.equal(headers[name], undefined, name);
}

describe('server: the page', () => {
  it('is served whole, with its types and times to keep', () =>
    running(async (get) => {
      const expected: [string, string, string, string][] = [
        ['/', HTML, 'text/html; charset=utf-8', 'no-cache'],
        [
          '/assets/index-AbC_12-x.js',
          SCRIPT,
          'text/javascript; charset=utf-8',
          'public, max-age=31536000, immutable',
        ],
        ['/assets/plain.css', 'p{}', 'text/css; charset=utf-8', 'no-cache'],
        ['/download.worker.js', SCRIPT, 'text/javascript; charset=utf-8', 'no-cache'],
        ['/icon.svg', '<svg/>', 'image/svg+xml', 'no-cache'],
      ];
      for (const [path, body, type, cache] of expected) {
        const answer = await get(path);
        assert.equal(answer.status, 200, path);
        assert.equal(answer.body.toString(), body, path);
        assert.equal(answer.headers['content-type'], type);
        assert.equal(answer.headers['cache-control'], cache);
        assert.equal(answer.headers['content-length'], String(Buffer.byteLength(body)));
        assert.equal(answer.headers['content-encoding'], undefined);
        assertSafe(answer);
      }
    }));

  it('comes compressed to who takes it so, with a tag for each form', () =>
    running(async (get) => {
      const forms: [string | undefined, string | undefined, (body: Buffer) => Buffer][] = [
        ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
        ['gzip', 'gzip', gunzipSync],
        ['br;q=0.1, gzip;q=0.9', 'gzip', gunzipSync],
        ['br;q=0, gzip;q=0', undefined, (body) => body],
        ['zstd', undefined, (body) => body],
        [undefined, undefined, (body) => body],
      ];
      const tags = new Set<string>();
      for (const [accepted, encoding, open] of forms) {
        const headers: Record<string, string> = accepted === undefined ? {} : { 'accept-encoding': accepted };
        const answer = await get({ headers });
        assert.equal(answer.headers['content-encoding'], encoding, accepted);
        assert.equal(answer.headers.vary, 'accept-encoding');
        assert.equal(answer.headers['content-length'], String(answer.body.length));
        assert.equal(open(answer.body).toString(), HTML);
        tags.add(answer.headers.etag!);
        const again = await get({
          headers: { ...headers, 'if-none-match': `"other", W/${answer.headers.etag}` },
        });
        assert.equal(again.status, 304);
        assert.equal(again.body.length, 0);
        assert.equal(again.headers.etag, answer.headers.etag);
        assertSafe(again);
        const other = await get({ headers: { ...headers, 'if-none-match': '"other"' } });
        assert.equal(other.status, 200);
      }
      assert.equal(tags.size, 3);
      const small = await get({ path: '/icon.svg', headers: { 'accept-encoding': 'br' } });
      assert.equal(
        small.headers['content-encoding'],
        undefined,
        'what compressing makes longer stays as it is',
      );
    }));

  it('answers HEAD with the same headers, and other methods with 405', () =>
    running(async (get) => {
      for (const path of ['/', '/healthz', '/download.worker.js']) {
        const head = await get({ method: 'HEAD', path });
        const whole = await get(path);
        assert.equal(head.status, 200);
        assert.equal(head.body.length, 0);
        assert.deepEqual({ ...head.headers, date: '' }, { ...whole.headers, date: '' });
        for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
          const refused = await get({ method, path });
          assert.equal(refused.status, 405, `${method} ${path}`);
          assert.equal(refused.headers.allow, 'GET, HEAD');
          assertSafe(refused);
        }
      }
      assert.equal((await get({ method: 'HEAD', path: '/none' })).status, 404);
      assert.equal((await get({ method: 'POST', path: '/none' })).status, 404);
    }));

  it('gives no file of the disk to any path', () =>
    running(async (get) => {
      const paths = [
        ...[
          '//',
          '/..',
          '/../',
          '/..%2f',
          '/%2e%2e/',
          '/%00',
          '/\\..\\',
          '/./',
          '/assets',
          '/assets/',
          '/index.html%00',
        ],
        ...[
          '/..%2f..%2f..%2fetc/passwd',
          '/../../../../../../etc/passwd',
          '//etc/passwd',
          '/assets/../index.html',
        ],
        ...[
          '/.vite/manifest.json',
          '/link.txt',
          '/a%20name.txt',
          '/%69ndex.html',
          '/index.html',
          '/icon.svg/',
        ],
        ...['/__proto__', '/constructor', '/toString', '/#', 'http://127.0.0.1/', '*'],
      ];
      for (const path of paths) {
        const { status, text } = await get(path);
        assert.equal(status, 404, path);
        assert.doesNotMatch(text, /root:|secret of the disk|manifest\.json|words/, path);
      }
      const invalid = await get('/a\0b');
      assert.equal(invalid.status, 400);
    }));

  it('says what a download is that reaches it', () =>
    running(async (get) => {
      const answer = await get('/download/7f3a/holiday.zip');
      assert.equal(answer.status, 404);
      assert.match(answer.body.toString(), /made inside the browser/);
      assert.doesNotMatch(answer.text, /holiday/);
      assertSafe(answer);
    }));

  it('repeats nothing of a request', () =>
    running(async (get) => {
      for (const path of ['/', '/healthz', '/none', '/download/x', '/assets/plain.css', '/v1/relay', '//'])
        for (const method of ['GET', 'HEAD', 'POST'])
          for (const end of ['?code=7-zzz-yyy', '#7-zzz-yyy', '?a#7-zzz-yyy']) {
            const { text, headers } = await get({
              method,
              path: path + end,
              headers: { referer: 'http://x/zzz' },
            });
            assert.doesNotMatch(text, /zzz/, path + end);
            assert.equal(headers.location, undefined);
          }
      const page = await get('/?code=7-zzz-yyy');
      assert.equal(page.status, 200, 'a query is not looked at');
    }));

  it('is not there where there is none, and a folder without one is an error', async () => {
    await running(async (get) => {
      const answer = await get('/');
      assert.match(answer.body.toString(), /^This is a Beeline rendezvous server/);
      assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
      assertSafe(answer);
      assert.equal((await get('/healthz')).body.toString(), 'ok\n');
      assert.equal((await get('/download.worker.js')).status, 404);
    }, false);
    await assert.rejects(
      startServer({ port: 0, host: '127.0.0.1', page: tmpdir() }),
      (error) =>
        error instanceof BeelineError && error.code === 'USAGE' && /no index\.html/.test(error.message),
    );
  });

  it('tells the page where only this process may send', async () => {
    const told = async (use: 'all' | 'receive') =>
      (await loadPage(folder, use)).get('/')!.bodies.get('identity')!.toString();
    assert.match(await told('receive'), /<head>.*<meta name="beeline-use" content="receive">/s);
    assert.doesNotMatch(await told('all'), /beeline-use/);
  });

  it('keeps no folder in memory that is larger than a page', async () => {
    const large = mkdtempSync(join(tmpdir(), 'beeline-page-'));
    try {
      writeFileSync(join(large, 'index.html'), 'x');
      writeFileSync(join(large, 'film.js'), Buffer.alloc(17 * 2 ** 20));
      await assert.rejects(
        loadPage(large),
        (error) => error instanceof BeelineError && error.code === 'USAGE',
      );
    } finally {
      rmSync(large, { recursive: true });
    }
  });
});

describe('server: the form of an answer', () => {
  const all = () => true;

  it('takes the best that is acceptable', () => {
    const cases: [string | undefined, Encoding][] = [
      [undefined, 'identity'],
      ['', 'identity'],
      ['*', 'br'],
      ['*;q=0', 'identity'],
      ['*;q=0.5, br;q=0', 'gzip'],
      ['identity, gzip;q=0.5', 'identity'],
      ['identity;q=0', 'identity'],
      ['GZIP ; Q=0.3', 'gzip'],
      ['br;q=x, gzip', 'gzip'],
    ];
    for (const [header, expected] of cases) assert.equal(chooseEncoding(header, all), expected, header);
    assert.equal(
      chooseEncoding('br, gzip', (name) => name === 'identity'),
      'identity',
    );
  });

  it('chooses something that there is, whatever is asked for', () => {
    fc.assert(
      fc.property(fc.string(), fc.subarray<Encoding>(['br', 'gzip']), (header, there) => {
        const chosen = chooseEncoding(header, (name) => name === 'identity' || there.includes(name));
        assert.ok(chosen === 'identity' || there.includes(chosen));
      }),
    );
  });

  it('knows a tag among several', () => {
    for (const header of ['"a"', 'W/"a"', '"b", "a"', '*']) assert.ok(hasTag(header, '"a"'), header);
    for (const header of [undefined, '', 'a', '"A"', '"ab"']) assert.ok(!hasTag(header, '"a"'), header);
  });
});
