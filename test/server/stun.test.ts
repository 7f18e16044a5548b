import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { CONNECTION_LIMITS } from '../../src/nat/stun/answer.ts';
import { askTcp, bindingRequest, StunAsker } from '../../src/nat/stun/ask.ts';
import { StunFrames } from '../../src/nat/stun/frames.ts';
import {
  decodeStun,
  encodeStun,
  METHOD,
  newTransaction,
  type StunClass,
} from '../../src/nat/stun/message.ts';
import { type StunOptions, startStun } from '../../src/server/stun.ts';

const HOST = '127.0.0.1';
const request = () => bindingRequest(newTransaction());
const isError = (code: string) => (error: unknown) => error instanceof BeelineError && error.code === code;

async function server(t: TestContext, options: Partial<StunOptions> = {}) {
  const stun = await startStun({ ports: [0, 0], host: HOST, ...options });
  t.after(() => stun.close());
  return { stun, at: stun.ports.map((port) => ({ host: HOST, port })) };
}

/** A client socket: its asker, its port, and everything that comes. */
async function client(t: TestContext, type: 'udp4' | 'udp6' = 'udp4') {
  const socket = createSocket(type);
  const asker = new StunAsker((bytes, to) => socket.send(bytes, to.port, to.host));
  const got: { bytes: Uint8Array; port: number }[] = [];
  socket.on('message', (bytes, from) => {
    got.push({ bytes, port: from.port });
    asker.receive(bytes, { host: from.address, port: from.port });
  });
  await new Promise<void>((done) => socket.bind(0, type === 'udp4' ? HOST : '::1', done));
  t.after(() => {
    asker.close();
    socket.close();
  });
  return { socket, asker, got, port: socket.address().port };
}

async function dial(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ host: HOST, port, noDelay: true });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Until the other side has closed it, also by a reset. */
async function ended(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

/** Reads so many answers. */
async function answers(socket: Socket, count: number): Promise<void> {
  const frames = new StunFrames();
  for (let read = 0; read < count; ) {
    const [bytes] = await once(socket, 'data', { signal: AbortSignal.timeout(10_000) });
    frames.push(bytes);
    for (let next = frames.next(); next; next = frames.next(), read++)
      assert.equal(decodeStun(next)?.class, 'success');
  }
}

test('both UDP ports answer, and from the other one if asked to', async (t) => {
  const { at } = await server(t);
  const { asker, port } = await client(t);
  for (const [i, to] of at.entries()) {
    const other = at[1 - i]!;
    const same = await asker.ask(to);
    assert.deepEqual(same.mapped, { host: HOST, port });
    assert.deepEqual(same.other, other);
    assert.deepEqual(same.from, to);
    const changed = await asker.ask(to, { changePort: true });
    assert.deepEqual(changed.mapped, { host: HOST, port });
    assert.deepEqual(changed.from, other);
  }
});

test('on every address IPv4 and IPv6 are answered, and shown as what they are', async (t) => {
  const { stun } = await server(t, { host: undefined });
  const [first, second] = stun.ports;
  const { asker, port } = await client(t);
  const answer = await asker.ask({ host: HOST, port: first });
  assert.deepEqual(answer.mapped, { host: HOST, port });
  assert.deepEqual(answer.other, { host: HOST, port: second });
  const tcp = await askTcp({ host: HOST, port: second });
  tcp.socket.destroy();
  assert.deepEqual(tcp.mapped, tcp.local);
  assert.deepEqual(tcp.other, { host: HOST, port: first });
  const six = await client(t, 'udp6').catch(() => undefined);
  if (!six) return t.diagnostic('no IPv6 here');
  const answered = await six.asker.ask({ host: '::1', port: first }, { changePort: true });
  assert.deepEqual(answered.mapped, { host: '::1', port: six.port });
  assert.equal(answered.from.port, second);
});

test('garbage and all but Binding requests are ignored', async (t) => {
  const { at } = await server(t);
  const { asker, socket, got } = await client(t);
  const to = at[0]!;
  const message = (kind: StunClass, method: number) =>
    encodeStun({ class: kind, method, transaction: newTransaction(), attributes: [] });
  const ignored = [
    new Uint8Array(0),
    new Uint8Array(20),
    new Uint8Array(4000).fill(1),
    request().subarray(0, 24),
    Uint8Array.of(...request(), 0),
    ...(['success', 'error', 'indication'] as const).map((kind) => message(kind, METHOD.binding)),
    message('request', METHOD.allocate),
  ];
  for (const bytes of ignored) socket.send(bytes, to.port, to.host);
  // Datagrams of one socket to another stay in order on loopback: all of them were seen before this one.
  await asker.ask(to);
  assert.equal(got.length, 1);
});

test('a flood from one address is answered at its rate only', async (t) => {
  const { at } = await server(t, { perSecond: 5 });
  const { got, socket } = await client(t);
  const [to] = at;
  const began = performance.now();
  for (let i = 0; i < 200; i++)
    await new Promise<void>((done) => socket.send(request(), to!.port, to!.host, () => done()));
  await new Promise((done) => setTimeout(done, 300));
  const most = 5 + Math.ceil(((performance.now() - began) / 1000) * 5);
  t.diagnostic(`${got.length} answers to 200 requests, ${most} at most`);
  assert.ok(got.length >= 1 && got.length <= most);
});

test('over TCP: several requests, in pieces and at once, on both ports', async (t) => {
  const { stun } = await server(t);
  // As the lead's listener does: it looks at the first byte, puts it back and hands the connection over.
  const main = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once('readable', () => {
      const head = socket.read();
      if (head) socket.unshift(head);
      stun.accept(socket);
    });
  });
  await new Promise<void>((done) => main.listen(0, HOST, done));
  t.after(() => main.close());
  for (const port of [(main.address() as AddressInfo).port, stun.ports[1]]) {
    const socket = await dial(t, port);
    for (const byte of request()) socket.write(Uint8Array.of(byte));
    await answers(socket, 1);
    socket.write(Buffer.concat([request(), request(), request()]));
    await answers(socket, 3);
    socket.end();
    await ended(socket);
  }
});

test('over TCP: too many requests at once, another protocol and other messages end the connection', async (t) => {
  const { stun } = await server(t);
  const indication = encodeStun({
    class: 'indication',
    method: METHOD.binding,
    transaction: newTransaction(),
    attributes: [],
  });
  const flood = Buffer.concat(Array.from({ length: CONNECTION_LIMITS.burst + 1 }, request));
  for (const bytes of [
    flood,
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    indication,
    Uint8Array.of(0, 1, 0xff, 0),
  ]) {
    const socket = await dial(t, stun.ports[1]);
    socket.write(bytes);
    await ended(socket);
  }
  const few = await server(t, { connection: { ...CONNECTION_LIMITS, requests: 2 } });
  const socket = await dial(t, few.stun.ports[1]);
  socket.write(Buffer.concat([request(), request()]));
  await answers(socket, 2);
  socket.write(request());
  await ended(socket);
});

test('over TCP: who says nothing, is too slow with a request or stays idle is cut off', async (t) => {
  const { stun } = await server(t, { connection: { ...CONNECTION_LIMITS, whole: 1_000, idle: 150 } });
  const dials = () => dial(t, stun.ports[1]);
  const trickles: number[][] = [];
  const [mute, slow, late, idle] = await Promise.all([dials(), dials(), dials(), dials()]);
  // A byte now and then must not move the deadline: it is over before all have gone.
  const trickle = (socket: Socket) => {
    const bytes = [...request()];
    trickles.push(bytes);
    const timer = setInterval(() => socket.write(Uint8Array.of(bytes.shift() ?? 0)), 100);
    socket.once('close', () => clearInterval(timer));
  };
  trickle(slow);
  late.write(request());
  await answers(late, 1);
  trickle(late);
  idle.write(request());
  await Promise.all([mute, slow, late, idle].map(ended));
  assert.ok(
    trickles.every((rest) => rest.length > 0),
    'before the whole request was there',
  );
});

test('over TCP: one address has a bounded number of connections', async (t) => {
  const { stun } = await server(t, { perSecond: 1_000 });
  const sockets = await Promise.all(Array.from({ length: 256 }, () => dial(t, stun.ports[1])));
  sockets[255]!.write(request());
  await answers(sockets[255]!, 1);
  // 255 say nothing: the second one more takes the place of the oldest.
  await dial(t, stun.ports[1]);
  await dial(t, stun.ports[1]);
  await ended(sockets[0]!);
  assert.equal(sockets[1]!.closed, false, 'not all, as when their time is over');
  // Its place is free as soon as the server has seen that it went.
  for (let tries = 0; ; tries++) {
    const again = await askTcp({ host: HOST, port: stun.ports[1] }).catch((error) => error as BeelineError);
    if (!(again instanceof BeelineError)) return void again.socket.destroy();
    assert.ok(tries < 50, again.message);
    await new Promise((done) => setTimeout(done, 20));
  }
});

test('a port in use is a clear error, and nothing stays open', async (t) => {
  const { stun } = await server(t);
  const [first, second] = stun.ports;
  for (const ports of [
    [0, second],
    [first, 0],
    [0, first],
  ] as [number, number][])
    await assert.rejects(startStun({ ports, host: HOST }), (error: unknown) => {
      assert.ok(isError('SERVER')(error));
      assert.match((error as Error).message, /another program uses it/);
      return true;
    });
  await assert.rejects(startStun({ ports: [0, 0], host: '192.0.2.1' }), isError('SERVER'));
  // Free again after `close`, whatever was connected.
  const socket = await dial(t, second);
  await stun.close();
  await ended(socket);
  const again = await startStun({ ports: [first, second], host: HOST });
  await again.close();
});
