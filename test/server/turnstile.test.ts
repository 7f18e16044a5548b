/** HTTP requests come in one at a time, however many stand one behind the other. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, createServer as listen, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createTurnstile } from '../../src/server/turnstile.ts';

const LIMIT = { timeout: 60_000 };
const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
const TICK_MS = 10;
const PER_TICK = 10;

/** Resolves with its port. @param keyOf whose a connection is */
async function served(
  t: TestContext,
  http: Server,
  keyOf: (socket: Socket) => string = () => 'one',
): Promise<number> {
  const turnstile = createTurnstile(http);
  const server = listen((socket) => {
    socket.on('error', () => {});
    turnstile.enter(socket, keyOf(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

function client(t: TestContext, port: number, localAddress = '127.0.0.1'): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** All that comes until `done` says that it is enough. */
async function heard(socket: Socket, done: (text: string) => boolean): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (done(text)) return text;
  }
  return text;
}

const count = (text: string, part: string) => text.split(part).length - 1;

/** Answers when it is told to. */
function slowly(): { answer: RequestListener; waiting: (() => void)[] } {
  const waiting: (() => void)[] = [];
  return { waiting, answer: (_request, response) => waiting.push(() => response.end('hello')) };
}

test('a request comes in when the one before it is answered, and not before', LIMIT, async (t) => {
  const { answer, waiting } = slowly();
  const http = createServer(answer);
  const port = await served(t, http);
  const socket = client(t, port);
  socket.write(GET.repeat(5));
  const all = heard(socket, (text) => count(text, 'hello') === 5);
  for (let i = 0; i < 5; i++) {
    await once(http, 'request');
    assert.equal(waiting.length, 1);
    waiting.pop()!();
  }
  assert.equal(count(await all, '200 OK'), 5);
});

test('heads end where any parser sees an end, wherever they are cut', LIMIT, async (t) => {
  const port = await served(
    t,
    createServer(({ url }, response) => response.end(`<${url}>`)),
  );
  const text = ['\r\n\r\n', GET, 'GET /two HTTP/1.1\r\nhost: x\r\na: b\r\n\r\n', '\n', GET].join('');
  for (const size of [1, 2, 3, 7, text.length]) {
    const socket = client(t, port);
    socket.setNoDelay(true);
    for (let at = 0; at < text.length; at += size) {
      socket.write(text.slice(at, at + size));
      if (size < 4) await new Promise((resolve) => setImmediate(resolve));
    }
    const answers = await heard(socket, (text) => count(text, '>') === 3);
    assert.deepEqual(answers.match(/<[^>]*>/g), ['</>', '</two>', '</>']);
    socket.destroy();
  }
});

test('a body is no request, and what was answered to it is the last', LIMIT, async (t) => {
  let requests = 0;
  const http = createServer((_request, response) => {
    requests++;
    response.writeHead(405, { connection: 'close' }).end();
  });
  const socket = client(t, await served(t, http));
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${GET.repeat(100)}`);
  const answers = await heard(socket, () => false);
  assert.equal(count(answers, '405'), 1);
  assert.equal(requests, 1);
});

test('an upgrade goes both ways, with what came right behind it', LIMIT, async (t) => {
  const http = createServer();
  http.on('upgrade', (_request, socket, head) => {
    assert.equal(head.length, 0);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    socket.pipe(socket);
  });
  const socket = client(t, await served(t, http));
  const body = `${'\r\n\r\n'.repeat(50_000)}end`;
  socket.write(`GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n${body}`);
  const answer = await heard(socket, (text) => text.endsWith('end'));
  assert.equal(answer.slice(-body.length), body);
});

test('protects from: requests without end of many addresses; a newcomer is answered', {
  ...LIMIT,
  skip: process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8',
}, async (t) => {
  let requests = 0;
  const begun = performance.now();
  const http = createServer((_request, response) => {
    requests++;
    response.end('hello');
  });
  const port = await served(t, http, (socket) => socket.remoteAddress!);
  for (let i = 0; i < 100; i++) {
    const socket = client(t, port, `127.77.1.${i + 1}`);
    const more = () => {
      while (!socket.destroyed && socket.write(GET.repeat(2400)));
    };
    socket.resume().on('drain', more).on('connect', more);
  }
  while (requests < 1000) await new Promise((resolve) => setTimeout(resolve, 20));
  const before = requests;
  const socket = client(t, port);
  socket.write(GET);
  await heard(socket, (text) => text.includes('hello'));
  // Each of the others had about one turn: 100, not thousands, and some while this process did other things.
  assert.ok(requests - before < 600, `${requests - before} requests before the newcomer's`);
  const ticks = (performance.now() - begun) / TICK_MS + 2;
  assert.ok(requests <= ticks * PER_TICK, `${requests} requests in ${ticks} ticks`);
});

test('one address has its share, and another one its own', LIMIT, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const hosts: string[] = [];
  const http = createServer((request, response) => {
    hosts.push(request.headers.host!);
    response.end('hello');
  });
  const keys = ['many', 'few'];
  const port = await served(t, http, () => keys.shift()!);
  const get = (host: string) => `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  const many = client(t, port);
  await once(many, 'connect');
  many.resume().write(get('many').repeat(1000));
  const turns = async (enough: () => boolean) => {
    while (!enough()) {
      await new Promise((resolve) => setImmediate(resolve));
      t.mock.timers.tick(TICK_MS);
    }
  };
  const of = (host: string) => hosts.filter((each) => each === host).length;
  await turns(() => of('many') === 256);
  const few = client(t, port);
  await once(few, 'connect');
  few.resume().write(get('few'));
  await turns(() => of('few') === 1);
  assert.equal(of('many'), 256, 'what may come at once');
  now += 1000;
  await turns(() => of('many') === 256 + 32);
  let more = 50;
  await turns(() => --more < 0);
  assert.equal(of('many'), 256 + 32);
});
