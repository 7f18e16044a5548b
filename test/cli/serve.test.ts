/** `beeline serve` as a command: what it takes, what it shows, and how it ends. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serveCommand } from '../../src/cli/commands/serve.ts';
import { serveArgs } from '../../src/cli/options.ts';
import { serve } from '../../src/node/serve.ts';
import { ask } from '../server/raw-http.ts';
import { fakeHost, Keyboard, Sink } from './fakes.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'beeline-serve-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The command until somebody has had what it serves once. */
async function run(
  t: TestContext,
  flags: string[],
  options: { env?: Record<string, string>; typed?: string } = {},
) {
  const root = folder(t);
  writeFileSync(join(root, 'file.txt'), 'hello');
  const [stdout, stderr] = [new Sink(), new Sink(options.typed !== undefined)];
  const stdin = new Keyboard();
  const host = {
    ...fakeHost({ env: { TERM: 'dumb', ...options.env }, stdin, stdout, stderr }),
    serve: async () => serve,
  };
  if (options.typed !== undefined) stdin.write(options.typed);
  const argv = [join(root, 'file.txt'), ...flags, ...['--port', '0', '--host', '127.0.0.1']];
  const ended = serveCommand([...argv, '--config-dir', root], host);
  await new Promise<void>((resolve, reject) => {
    ended.catch(reject);
    const look = () =>
      /listening|Ctrl-C stops/.test(stdout.text + stderr.text) ? resolve() : setImmediate(look);
    look();
  });
  return { ended, stdout, stderr };
}

const PATHS: [name: string, argv: string[], text: RegExp][] = [
  ['no path', [], /What shall be served\?.*beeline server/],
  ['an empty path', [''], /shell variable/],
  ['everybody and a password', ['x', '--public', '--password'], /contradict/],
  ['two passwords', ['x', '--password', '--password-file', 'f'], /one password/],
  ['a certificate without its key', ['x', '--tls-cert', 'c'], /needs both/],
  ['two certificates', ['x', '--tls', '--tls-cert', 'c', '--tls-key', 'k'], /two certificates/],
  ['no downloads', ['x', '--downloads', '0'], /from 1/],
];

test('wrong arguments are refused before anything is opened', () => {
  for (const [name, argv, message] of PATHS)
    assert.throws(() => serveArgs(argv), { code: 'USAGE', message }, name);
});

test('a link is the default; a password of the environment is one, unless everybody may come', () => {
  assert.equal(serveArgs(['x']).access, 'link');
  const env = { BEELINE_SERVE_PASSWORD: 'p' };
  assert.deepEqual(serveArgs(['x'], env).access, { password: 'p' });
  assert.equal(serveArgs(['x', '--public'], env).access, 'public');
  assert.deepEqual(serveArgs(['x', '--password']).access, { password: undefined });
});

test('it shows the link and ends by itself once the one download was had', async (t) => {
  const { ended, stderr } = await run(t, ['--downloads', '1']);
  const [, port, path] = /http:\/\/127\.0\.0\.1:(\d+)(\/[\w-]{22}\/file\.txt)/.exec(stderr.text)!;
  assert.equal((await ask(Number(port), { path: path! })).body.toString(), 'hello');
  assert.equal(await ended, 0);
  assert.match(stderr.text, /127\.0\.0\.1 has file\.txt \(5 B\)/);
  assert.match(stderr.text, /All that was allowed is used up\. Served 1 download, 5 B\./);
});

test('with --json programs get events, and the log has no secret', async (t) => {
  const { ended, stdout, stderr } = await run(t, ['--downloads', '1', '--json', '--log-level', 'debug']);
  const events = () =>
    stdout.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const [{ links, port }] = events();
  const { pathname } = new URL(links[0]);
  await ask(port, { path: pathname });
  assert.equal(await ended, 0);
  assert.deepEqual(
    events().map(({ event, status, bytes, why }) => [event, status ?? why, bytes]),
    [
      ['listening', undefined, undefined],
      ['download', 'begun', 5],
      ['download', 'done', 5],
      ['done', 'used-up', 5],
    ],
  );
  assert.match(stderr.text, /"path":"\/…\/file\.txt","status":200/);
  assert.ok(!stderr.text.includes(pathname.split('/')[1]!));
});

test('a typed password is not shown, and opens', async (t) => {
  const { ended, stderr } = await run(t, ['--password', '--downloads', '1', '--log-level', 'debug'], {
    typed: ' open sesame\r',
  });
  const port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(stderr.text)![1]);
  assert.equal((await ask(port, { path: '/file.txt' })).status, 401);
  const authorization = `Basic ${Buffer.from('x: open sesame').toString('base64')}`;
  assert.equal((await ask(port, { path: '/file.txt', headers: { authorization } })).body.toString(), 'hello');
  assert.equal(await ended, 0);
  assert.ok(!stderr.text.includes('sesame'));
});
