import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { BeelineError } from '../../src/base/errors.ts';
import { checkServer, createRendezvous, type ServerOptions, startServer } from '../../src/server/index.ts';
import { MAX_RENDEZVOUS_TEXT } from '../../src/wire/rendezvous.ts';
import { freePort } from '../ports.ts';

async function running(options: Partial<ServerOptions>, use: (url: string, port: number) => Promise<void>) {
  const server = await startServer({ port: 0, host: '127.0.0.1', ...options });
  try {
    await use(server.url, server.port);
  } finally {
    await server.close();
  }
}

const socketUrl = (url: string) => `${url.replace('http', 'ws')}/v1/rendezvous`;

/** The first message that a fresh connection gets for a text. */
async function ask(socket: WebSocket, text: string | Buffer): Promise<{ t: string; code?: string }> {
  if (socket.readyState === socket.CONNECTING) await once(socket, 'open');
  const answer = once(socket, 'message');
  socket.send(text);
  return JSON.parse(String((await answer)[0]));
}

async function refusedUpgrade(url: string): Promise<[number, string]> {
  const socket = new WebSocket(url);
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  let text = '';
  for await (const part of response) text += part;
  return [response.statusCode, text];
}

test('plain HTTP answers a line, health, and nothing else', () =>
  running({}, async (url) => {
    const get = async (path: string, method = 'GET') => {
      const response = await fetch(url + path, { method });
      return [response.status, await response.text()] as const;
    };
    assert.match((await get('/'))[1], /^This is a Beeline rendezvous server.*\n$/);
    assert.deepEqual(await get('/healthz'), [200, 'ok\n']);
    assert.equal((await get('/etc/passwd'))[0], 404);
    assert.equal((await get('/', 'POST'))[0], 405);
    assert.deepEqual(await refusedUpgrade(`${url.replace('http', 'ws')}/other`), [
      404,
      'The rendezvous is at /v1/rendezvous.\n',
    ]);
  }));

test('WebSockets meet; binary data and oversized messages end the connection', () =>
  running({}, async (url) => {
    const host = new WebSocket(socketUrl(url));
    assert.equal((await ask(host, '{"t":"host","v":2,"nameplate":"7"}')).t, 'hosted');
    const guest = new WebSocket(socketUrl(url));
    assert.equal((await ask(guest, '{"t":"join","v":2,"nameplate":"7"}')).t, 'joined');
    guest.send(' '.repeat(MAX_RENDEZVOUS_TEXT + 1));
    assert.equal((await once(guest, 'close'))[0], 1009);
    host.send(Buffer.from('{}'));
    assert.equal((await once(host, 'close'))[0], 1003);
  }));

/** What a connection is told that says something in its request, and the header of the answer. */
async function askAtOnce(url: string, first: string): Promise<[t: string, code: string, taken: unknown]> {
  const socket = new WebSocket(socketUrl(url), { headers: { 'beeline-first': first } });
  let taken: unknown;
  socket.once('upgrade', ({ headers }) => {
    taken = headers['beeline-first'];
  });
  const [text] = await once(socket, 'message');
  const { t, code = '' } = JSON.parse(String(text));
  return [t, code, taken];
}

test('what a client says first may stand in its request, and goes by the same rules', () =>
  running({}, async (url) => {
    assert.deepEqual(await askAtOnce(url, '{"t":"host","v":2,"nameplate":"7"}'), ['hosted', '', 'taken']);
    const join = '{"t":"join","v":2,"nameplate":"7"}';
    assert.deepEqual(await askAtOnce(url, join), ['joined', '', 'taken']);
    assert.deepEqual(await askAtOnce(url, join), ['refused', 'CROWDED', 'taken']);
    assert.deepEqual(await askAtOnce(url, '{"t":"leave"}'), ['refused', 'PROTOCOL', 'taken']);
    assert.deepEqual(await askAtOnce(url, 'no JSON'), ['refused', 'PROTOCOL', 'taken']);
    // One that is too long is not taken, and has to be said.
    const padded = `{"t":"host","v":2,${' '.repeat(500)}"nameplate":"8"}`;
    const long = new WebSocket(socketUrl(url), { headers: { 'beeline-first': padded } });
    const [{ headers }] = await once(long, 'upgrade');
    assert.equal(headers['beeline-first'], undefined);
    assert.equal((await ask(long, padded)).t, 'hosted');
  }));

test('a first message in the request is the only one', () =>
  running({}, async (url) => {
    const first = '{"t":"host","v":2,"nameplate":"7"}';
    const socket = new WebSocket(socketUrl(url), { headers: { 'beeline-first': first } });
    await once(socket, 'message');
    const answer = await ask(socket, '{"t":"host","v":2,"nameplate":"8"}');
    assert.deepEqual([answer.t, answer.code], ['refused', 'PROTOCOL']);
  }));

test('too many connections are refused before the upgrade, in words', () =>
  running({ limits: { connectionsPerAddress: 1 } }, async (url) => {
    const first = new WebSocket(socketUrl(url));
    await ask(first, '{"t":"host","v":2}');
    const [status, text] = await refusedUpgrade(socketUrl(url));
    assert.equal(status, 429);
    assert.match(text, /Too many connections from your address \(1 is the limit\)/);
    first.close();
    await once(first, 'close');
  }));

test('a connection that answers no ping is cut off', () =>
  running({ limits: { pongDeadline: 100 }, tick: 20 }, async (url) => {
    const deaf = new WebSocket(socketUrl(url), { autoPong: false });
    const lively = new WebSocket(socketUrl(url));
    await ask(lively, '{"t":"host","v":2,"nameplate":"7"}');
    const pings: number[] = [];
    lively.on('ping', () => pings.push(1));
    assert.equal((await once(deaf, 'close'))[0], 1006);
    while (pings.length < 5) await once(lively, 'ping');
    assert.equal(lively.readyState, lively.OPEN);
  }));

test('closing the server refuses everyone and frees the port', async () => {
  const server = await startServer({ port: await freePort(), host: '127.0.0.1' });
  const socket = new WebSocket(socketUrl(server.url));
  await ask(socket, '{"t":"host","v":2}');
  const texts: string[] = [];
  socket.on('message', (data) => texts.push(String(data)));
  // A client that only opens TCP must not hold the server up.
  const idle = connect(server.port, '127.0.0.1');
  idle.on('error', () => {});
  await once(idle, 'connect');
  await Promise.all([server.close(), once(socket, 'close')]);
  assert.match(texts.join(), /shutting down/);
  const again = await startServer({ port: server.port, host: '127.0.0.1' });
  await assert.rejects(
    startServer({ port: again.port, host: '127.0.0.1' }),
    (error) =>
      error instanceof BeelineError && error.code === 'SERVER' && /another program/.test(error.message),
  );
  await again.close();
});

test('logs have neither bodies nor nameplates', async () => {
  const lines: string[] = [];
  const line = (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message);
  await running({ log: { debug: line, info: line, warn: line } }, async (url) => {
    const host = new WebSocket(socketUrl(url));
    await ask(host, '{"t":"host","v":2,"nameplate":"zzsecretzz"}');
    const guest = new WebSocket(socketUrl(url));
    await ask(guest, '{"t":"join","v":2,"nameplate":"zzsecretzz"}');
    const passed = once(host, 'message');
    guest.send('{"t":"send","body":"zzsecretzz"}');
    await passed;
    host.terminate();
    guest.terminate();
  });
  assert.ok(lines.length >= 3);
  assert.ok(!lines.join().includes('zzsecretzz'));
});

test('a closed rendezvous takes nobody in', async () => {
  const rendezvous = createRendezvous();
  await rendezvous.close();
  await rendezvous.close();
  assert.throws(
    () =>
      rendezvous.local(
        () => {},
        () => {},
      ),
    { code: 'SERVER', reason: 'RENDEZVOUS_CLOSED' },
  );
});

test('an instance that relays needs a public URL, and a Redis URL is one of Redis', async () => {
  const wrong: Partial<ServerOptions>[] = [
    { redis: 'redis://h' },
    { redis: 'redis://h', publicUrl: 'https://u:p@a.example' },
    { redis: 'redis://h', publicUrl: 'ftp://a.example' },
    { redis: 'http://h', publicUrl: 'https://a.example' },
    { redis: 'redis://:secret@h/db', relay: false },
  ];
  for (const options of wrong)
    for (const run of [startServer, checkServer])
      await assert.rejects(run({ port: 0, stun: false, ...options }), (error) => {
        assert.ok(error instanceof BeelineError && error.reason === 'REDIS_UNUSABLE', String(error));
        return !error.message.includes('secret');
      });
  await checkServer({
    port: 0,
    stun: false,
    redis: 'rediss://n:p@h:1/2',
    publicUrl: 'https://a.example/i/1',
  });
});
