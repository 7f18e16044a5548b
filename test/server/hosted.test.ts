/** The rendezvous on somebody else's HTTP server: its own paths, and nothing else. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { BeelineError } from '../../src/base/errors.ts';
import { createRendezvous } from '../../src/server/index.ts';

const LIMIT = { timeout: 60_000 };

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Opens a WebSocket; the status of the answer if it is refused, or why it failed. */
async function opened(url: string): Promise<WebSocket | number | string> {
  const socket = new WebSocket(url);
  return new Promise((resolve) => {
    socket.on('open', () => resolve(socket));
    socket.on('unexpected-response', (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    socket.on('error', (error) => resolve(error.message));
  });
}

async function meets(url: string): Promise<void> {
  const socket = await opened(`${url.replace('http', 'ws')}/v1/rendezvous`);
  assert.ok(socket instanceof WebSocket, String(socket));
  socket.send('{"t":"host","v":2}');
  const { t, services } = JSON.parse(String((await once(socket, 'message'))[0]));
  assert.deepEqual([t, services.relay], ['hosted', true]);
  const relay = await opened(`${url.replace('http', 'ws')}/v1/relay`);
  assert.ok(relay instanceof WebSocket, String(relay));
  for (const each of [socket, relay]) each.terminate();
}

test("a host's requests and its other WebSockets are its own", LIMIT, async () => {
  const server = createServer((request, response) => response.end(`host: ${request.url}`));
  const { headersTimeout, requestTimeout, keepAliveTimeout, maxHeadersCount, maxRequestsPerSocket } = server;
  const rendezvous = createRendezvous({ relay: true, page: true });
  rendezvous.handle(server);
  const host = await listening(server);
  const others: string[] = [];
  server.on('upgrade', (request, socket) => {
    if (request.url === '/v1/rendezvous' || request.url === '/v1/relay') return;
    others.push(request.url!);
    socket.end('HTTP/1.1 418 Teapot\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });
  await meets(`http://${host}`);
  for (const path of ['/', '/healthz', '/v1/rendezvous', '/assets/x.js', '/download/x', '/nowhere'])
    assert.equal(await (await fetch(`http://${host}${path}`)).text(), `host: ${path}`);
  for (const path of ['/chat', '/v1/rendezvous/x', '/v1', '/'])
    assert.equal(await opened(`ws://${host}${path}`), 418, path);
  assert.deepEqual(others, ['/chat', '/v1/rendezvous/x', '/v1', '/']);
  assert.deepEqual(
    { headersTimeout, requestTimeout, keepAliveTimeout, maxHeadersCount, maxRequestsPerSocket },
    {
      headersTimeout: server.headersTimeout,
      requestTimeout: server.requestTimeout,
      keepAliveTimeout: server.keepAliveTimeout,
      maxHeadersCount: server.maxHeadersCount,
      maxRequestsPerSocket: server.maxRequestsPerSocket,
    },
    "the host's limits are the host's",
  );
  await rendezvous.close();
  assert.equal(server.listenerCount('upgrade'), 1, 'once closed it is gone from there');
  server.closeAllConnections();
  server.close();
});

test('where nobody else listens for upgrades, one at another path is told so', LIMIT, async () => {
  const server = createServer();
  const rendezvous = createRendezvous({ relay: true });
  rendezvous.handle(server, '/meet');
  const host = await listening(server);
  await meets(`http://${host}/meet`);
  for (const path of ['/v1/rendezvous', '/meet', '/meetv1/rendezvous', '/chat'])
    assert.equal(await opened(`ws://${host}${path}`), 404, path);
  await rendezvous.close();
  server.closeAllConnections();
  server.close();
  for (const prefix of ['meet', '/meet/', '/a b', '/?x'])
    assert.throws(
      () => createRendezvous().handle(server, prefix),
      (error) => error instanceof BeelineError && error.code === 'USAGE',
    );
});

for (const framework of ['express', 'fastify', 'hono'])
  test(`examples/with-${framework}.mjs runs, and keeps what is its own`, LIMIT, async (t) => {
    const child = spawn(process.execPath, [`examples/with-${framework}.mjs`], {
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    let output = '';
    while (!output.includes('\n')) output += (await once(child.stdout, 'data'))[0];
    const url = /http:\S+/.exec(output)![0];
    const { origin } = new URL(url);
    await meets(url);
    assert.equal(await (await fetch(origin)).text(), 'This is the application.');
    const missing = await fetch(`${origin}/healthz`);
    assert.equal(missing.status, 404);
    await missing.body?.cancel();
    const chat = await opened(`${origin.replace('http', 'ws')}/chat`);
    if (framework === 'express') {
      assert.ok(chat instanceof WebSocket, String(chat));
      chat.send('hello');
      assert.equal(String((await once(chat, 'message'))[0]), 'You said hello.');
      chat.terminate();
    } else assert.equal(chat, 404);
    child.kill('SIGTERM');
    assert.deepEqual(await closed, [0, null]);
  });
