/** One port for HTTP, WebSockets and STUN, told apart by their first byte. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { decodeStun, encodeStun, METHOD, newTransaction } from '../../src/nat/stun/message.ts';
import { createFront } from '../../src/server/front.ts';
import { startServer } from '../../src/server/index.ts';
import { freePort } from '../ports.ts';

const request = () =>
  encodeStun({ class: 'request', method: METHOD.binding, transaction: newTransaction(), attributes: [] });

async function answerTo(socket: Socket, bytes: Uint8Array | string): Promise<Buffer> {
  await once(socket, 'connect');
  socket.write(bytes);
  return (await once(socket, 'data'))[0];
}

test('STUN over TCP and UDP, HTTP and WebSockets share a port', async () => {
  const server = await startServer({ port: 0, host: '127.0.0.1' });
  try {
    const { port, stunPorts } = server;
    assert.equal(stunPorts.length, 2);
    assert.equal(stunPorts[0], port);
    for (const each of stunPorts) {
      const tcp = connect(each, '127.0.0.1');
      const answer = decodeStun(await answerTo(tcp, request()));
      assert.equal(answer?.class, 'success', `TCP ${each}`);
      tcp.destroy();
      const udp = createSocket('udp4');
      udp.send(request(), each, '127.0.0.1');
      assert.equal(decodeStun((await once(udp, 'message'))[0])?.class, 'success', `UDP ${each}`);
      udp.close();
    }
    assert.equal(await (await fetch(`${server.url}/healthz`)).text(), 'ok\n');
    const { WebSocket } = await import('ws');
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/rendezvous`);
    await once(socket, 'open');
    socket.send('{"t":"host","v":2}');
    const { services } = JSON.parse(String((await once(socket, 'message'))[0]));
    assert.deepEqual(services, { relay: true, stun: stunPorts });
    socket.terminate();
  } finally {
    await server.close();
  }
});

test('without STUN such a connection is closed, and HTTP goes on', async () => {
  const server = await startServer({ port: 0, host: '127.0.0.1', stun: false });
  try {
    assert.deepEqual(server.stunPorts, []);
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(request());
    socket.on('error', () => {});
    await once(socket, 'close');
    assert.equal((await fetch(server.url)).status, 200);
  } finally {
    await server.close();
  }
});

test('a port that another program has is named, for TCP and for STUN', async () => {
  const first = await startServer({ port: await freePort(), host: '127.0.0.1' });
  const taken = (error: unknown) => error instanceof BeelineError && error.code === 'SERVER';
  await assert.rejects(startServer({ port: first.port, host: '127.0.0.1' }), taken);
  const [, second] = first.stunPorts;
  await assert.rejects(
    startServer({ port: 0, host: '127.0.0.1', stunPort: second }),
    (error) => taken(error) && (error as Error).message.includes(String(second)),
  );
  await first.close();
  await assert.rejects(
    startServer({ port: first.port, host: '127.0.0.1', stunPort: first.port }),
    (error) => error instanceof BeelineError && error.code === 'USAGE' && /two ports/.test(error.message),
  );
  const again = await startServer({ port: first.port, host: '127.0.0.1', stunPort: second });
  assert.deepEqual(again.stunPorts, [first.port, second]);
  await again.close();
  await assert.rejects(
    startServer({ port: 0, host: '127.0.0.1', turn: { urls: ['nonsense'], secret: 'x' } }),
    (error) => error instanceof BeelineError && error.code === 'USAGE',
  );
});

test('a silent connection ends by itself, one that is kept alive is served again', async () => {
  const http = createServer((_request, response) => response.end('hello'));
  http.keepAliveTimeout = 0;
  const deadline = 10_000;
  const front = createFront({
    http,
    stun: () => undefined,
    maxConnections: 10,
    deadline,
    strangers: { inAll: 10 },
  });
  front.server.listen(0, '127.0.0.1');
  await once(front.server, 'listening');
  const { port } = front.server.address() as { port: number };
  const silent = connect(port, '127.0.0.1');
  silent.on('error', () => {});
  const ended = once(silent.resume(), 'close');

  const talking = connect(port, '127.0.0.1');
  talking.on('error', () => {});
  const get = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
  assert.match(String(await answerTo(talking, get)), /hello/);
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0.4 * deadline));
    talking.write(get);
    assert.match(String((await once(talking, 'data'))[0]), /hello/);
  }
  await ended;
  const over = once(talking, 'close');
  await front.close();
  await over;
});

const connected = (socket: Socket) => once(socket.on('error', () => {}).resume(), 'connect');

/** So many connections of one address of this machine that say nothing. */
async function silentOf(port: number, localAddress: string, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ port, host: '127.0.0.1', localAddress }));
  await Promise.all(sockets.map(connected));
  return sockets;
}

/** Resolves once so many of them have ended. */
async function ended(sockets: Socket[], count: number): Promise<void> {
  while (sockets.filter(({ closed }) => closed).length < count)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(sockets.filter(({ closed }) => closed).length, count, 'not all, as when their time is over');
}

const HEALTH = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';

test('one address that says nothing leaves room for the others, and for its own', {
  timeout: 60_000,
}, async () => {
  const limits = { connections: 8, connectionsPerAddress: 4, relayConnections: 8 };
  const server = await startServer({ port: 0, host: '127.0.0.1', limits });
  const { WebSocket } = await import('ws');
  try {
    const meeting = new WebSocket(`ws://127.0.0.1:${server.port}/v1/rendezvous`);
    await once(meeting, 'open');
    const silent = await silentOf(server.port, '127.0.0.1', 60);
    await ended(silent, 56);
    const [other] = await silentOf(server.port, '127.0.0.2', 1);
    other!.write(HEALTH);
    assert.match(String((await once(other!, 'data'))[0]), /200 OK/);
    // Its own newcomer takes the place of its oldest.
    const [again] = await silentOf(server.port, '127.0.0.1', 1);
    again!.write(HEALTH);
    assert.match(String((await once(again!, 'data'))[0]), /200 OK/);
    await ended(silent, 57);
    // One that is told counts no more.
    const told = silent.find(({ closed }) => !closed)!;
    told.write(request());
    await once(told, 'data');
    await silentOf(server.port, '127.0.0.1', 1);
    await ended(silent, 57);
    assert.equal(meeting.readyState, WebSocket.OPEN);
    meeting.terminate();
  } finally {
    await server.close();
  }
});

test('a request that trickles in is cut off as a silent one is, whatever it says', {
  timeout: 60_000,
}, async () => {
  const front = createFront({
    http: createServer((_, response) => response.end()),
    stun: () => undefined,
    maxConnections: 10,
    strangers: { inAll: 10 },
    deadline: 300,
  });
  await once(front.server.listen(0, '127.0.0.1'), 'listening');
  const { port } = front.server.address() as AddressInfo;
  const slow = connect(port, '127.0.0.1', () =>
    slow.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n'),
  );
  // If a byte moved the deadline, this would go on for ever.
  const trickle = setInterval(() => slow.write('x-a: b\r\n'), 20);
  slow.on('error', () => {});
  // It may be reset, which `once` would take for a failure.
  await new Promise((resolve) => slow.on('close', resolve));
  clearInterval(trickle);
  await front.close();
});

test('12,800 silent connections of 100 addresses, to scale: a newcomer of another one is served, and stays', {
  timeout: 60_000,
}, async () => {
  const limits = { connectionsPerAddress: 8, strangers: 60 };
  const server = await startServer({ port: 0, host: '127.0.0.1', limits });
  try {
    const flood = async () => {
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, i) => silentOf(server.port, `127.0.1.${i + 1}`, 8)),
      );
      return all.flat();
    };
    const first = await flood();
    await ended(first, 100);
    const [honest] = await silentOf(server.port, '127.0.0.1', 1);
    await flood();
    honest!.write(HEALTH);
    assert.match(String((await once(honest!, 'data'))[0]), /200 OK/);
    assert.equal(honest!.closed, false);
  } finally {
    await server.close();
  }
});

test('an upgrade that is refused counts until it is gone', { timeout: 60_000 }, async () => {
  const limits = { connectionsPerAddress: 4 };
  const server = await startServer({ port: 0, host: '127.0.0.1', limits });
  try {
    const refused = await silentOf(server.port, '127.0.0.1', 20);
    for (const socket of refused)
      socket.write('GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await ended(refused, 20);
    assert.equal(server.counts().connections, 0);
  } finally {
    await server.close();
  }
});

test('a held connection outlives the deadline, one that was given back does not, and no room is none', async () => {
  const http = createServer();
  const front = createFront({
    http,
    stun: () => undefined,
    strangers: { inAll: 8, ofAddress: 8 },
    held: { inAll: 1 },
    maxConnections: 8,
    deadline: 2_000,
  });
  let crowded = 0;
  http.on('request', (request, response) => {
    const release = front.hold(request.socket);
    if (!release) {
      crowded++;
      return void response.writeHead(503).end();
    }
    response.writeHead(200, { 'content-length': 2 }).write('a');
    setTimeout(() => {
      response.end('b');
      release();
    }, 4_000);
  });
  front.server.listen(0, '127.0.0.1');
  await once(front.server, 'listening');
  const { port } = front.server.address() as { port: number };
  try {
    const ask = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
    const socket = connect(port, '127.0.0.1');
    const first = String(await answerTo(socket, ask));
    assert.match(first, /^HTTP\/1\.1 200 /);
    const other = connect(port, '127.0.0.1');
    assert.match(String(await answerTo(other, ask)), /^HTTP\/1\.1 503 /);
    assert.equal(crowded, 1);
    other.destroy();
    let text = first;
    socket.on('data', (part) => {
      text += part;
    });
    // It ends only because nothing more is asked on it.
    await once(socket, 'close');
    assert.match(text, /ab$/);
  } finally {
    await front.close();
  }
});
