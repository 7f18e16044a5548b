/** What strangers send, on its way into a server's log: in every form harmless to look at, and no disk full of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { escapingLog } from '../../src/base/log-fields.ts';
import { openLog } from '../../src/cli/log.ts';
import { startServer } from '../../src/server/index.ts';
import { Workspace } from '../integration/workspace.ts';

/** C1 controls, which HTTP lets pass in a header; others it refuses. */
const HOSTILE = 'http://evil\x9b31m\x85';
const UNSAFE = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const LIMIT = { timeout: 60_000 };

async function refusedOrigin(port: number, origin: string, localAddress?: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', ...(localAddress && { localAddress }) });
  socket.on('error', () => {}).resume();
  const closed = once(socket, 'close');
  const lines = ['GET /v1/rendezvous HTTP/1.1', 'host: x\x9b1m', 'connection: upgrade', 'upgrade: websocket'];
  socket.write(Buffer.from([...lines, `origin: ${origin}`, '', ''].join('\r\n'), 'latin1'));
  await closed;
}

for (const form of ['file', 'terminal'] as const)
  test(`a hostile origin reaches the ${form} escaped`, LIMIT, async () => {
    const work = new Workspace();
    try {
      const where = form === 'file' ? ['--log-file', work.path('log')] : [];
      const server = work.start(
        ['server', '--port', '0', '--host', '127.0.0.1', '--no-stun', '--log-level', 'debug', ...where],
        { deadline: 50_000 },
      );
      const { port } = await server.until('listening');
      // The last two are what UTF-8 of a right-to-left override and of a line separator looks like to HTTP.
      for (const origin of [HOSTILE, 'http://e\xe2\x80\xae/', 'http://e\xe2\x80\xa8/'])
        await refusedOrigin(Number(port), origin);
      server.signal('SIGTERM');
      const { stderr } = await server.ends(0);
      const text = form === 'file' ? readFileSync(work.path('log'), 'utf8') : stderr;
      assert.match(text, /origin refused/);
      assert.match(text, /evil.*9b.*31m/, 'it is told, in another form');
      assert.doesNotMatch(text, UNSAFE);
    } finally {
      await work.dispose();
    }
  });

test("a log of the library's user gets strings that are escaped and have an end", () => {
  const lines: [object, string][] = [];
  const line = (fields: object, message: string) => void lines.push([fields, message]);
  const error = new Error('stays');
  const log = escapingLog({ debug: line, info: line, warn: line, error: line });
  log.warn({ origin: HOSTILE, list: ['\u202e'], deep: { '\u2066k': '\x1b[2J' }, error, n: 1 }, 'said\n\x9b');
  log.info({ long: 'x'.repeat(100_000) }, '');
  const [[fields, message], [long]] = lines as [
    [Record<string, unknown>, string],
    [{ long: string }, string],
  ];
  assert.equal(fields.error, error);
  assert.equal(fields.n, 1);
  assert.doesNotMatch(JSON.stringify({ ...fields, error: 0 }) + message, UNSAFE);
  assert.ok(long.long.length < 1_000);
});

test("the command's own lines are safe whatever is in an error", LIMIT, async () => {
  let text = '';
  const log = await openLog({ logLevel: 'debug' } as never, (lines) => {
    text += lines;
  });
  log!.logger.warn({ err: new Error('quotes \x9b31m \u202e \u2028') }, 'failed\x85');
  assert.doesNotMatch(text, UNSAFE);
  assert.match(JSON.parse(text).err.message, /\x9b31m/, 'it says the same to a parser');
});

test('a flood of refusals is counted, not written down', LIMIT, async () => {
  const lines: { unlogged?: number; message: string }[] = [];
  const line = (fields: object, message: string) => void lines.push({ ...fields, message });
  const server = await startServer({
    ...{ port: 0, host: '127.0.0.1', stun: false },
    log: { debug() {}, info() {}, warn: line },
  });
  try {
    for (let i = 0; i < 20; i++)
      // Each round from another address: one has no more than 256 connections at once.
      await Promise.all(
        Array.from({ length: 20 }, () => refusedOrigin(server.port, HOSTILE, `127.0.0.${i + 2}`)),
      );
    const refused = lines.filter(({ message }) => message === 'origin refused');
    assert.ok(refused.length >= 50 && refused.length < 200, `${refused.length} lines`);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await refusedOrigin(server.port, HOSTILE);
    const counted = lines.reduce((sum, { unlogged = 0 }) => sum + unlogged, 0);
    assert.equal(counted + lines.length, 401);
  } finally {
    await server.close();
  }
});
