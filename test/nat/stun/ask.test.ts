import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { BeelineError } from '../../../src/base/errors.ts';
import { answerBinding } from '../../../src/nat/stun/answer.ts';
import { askTcp, StunAsker } from '../../../src/nat/stun/ask.ts';
import { errorCode } from '../../../src/nat/stun/attributes.ts';
import { StunFrames } from '../../../src/nat/stun/frames.ts';
import { ATTRIBUTE, decodeStun, encodeStun, METHOD, newTransaction } from '../../../src/nat/stun/message.ts';
import type { Address } from '../../../src/wire/candidate.ts';

const SERVER: Address = { host: '192.0.2.1', port: 3478 };
const MAPPED: Address = { host: '198.51.100.7', port: 4321 };
const isError = (code: string) => (error: unknown) => error instanceof BeelineError && error.code === code;
const answer = (request: Uint8Array, other?: Address) =>
  answerBinding(request, { from: MAPPED, other, canChange: true })!;
const binding = (kind: 'request' | 'success') =>
  encodeStun({ class: kind, method: METHOD.binding, transaction: newTransaction(), attributes: [] });

test('a question is answered, and only by an answer to it', async () => {
  const sent: [Uint8Array, Address][] = [];
  const asker = new StunAsker((bytes, to) => sent.push([bytes, to]));
  assert.ok(!asker.receive(binding('success'), SERVER), 'nothing was asked');
  const asked = asker.ask(SERVER);
  const [request, to] = sent[0]!;
  assert.deepEqual(to, SERVER);
  assert.ok(!asker.receive(request, SERVER), 'a request is no answer');
  assert.ok(!asker.receive(binding('success'), SERVER), 'another transaction');
  assert.ok(!asker.receive(Uint8Array.of(1, 2, 3), SERVER));
  assert.ok(!asker.receive(answer(request).bytes.subarray(1), SERVER));
  assert.ok(asker.receive(answer(request, { host: '0.0.0.0', port: 99 }).bytes, SERVER));
  const { mapped, other, from, roundTrip } = await asked;
  assert.deepEqual({ mapped, other, from }, { mapped: MAPPED, other: { ...SERVER, port: 99 }, from: SERVER });
  assert.ok(roundTrip >= 0);
  assert.ok(!asker.receive(answer(request).bytes, SERVER), 'once');
});

test('it is repeated until answered, each time after twice as long, always the same', async () => {
  const sent: { at: number; bytes: Uint8Array }[] = [];
  const asker = new StunAsker((bytes) => sent.push({ at: performance.now(), bytes }));
  const error = await asker.ask(SERVER, { deadline: 1_000 }).catch((thrown) => thrown);
  assert.ok(isError('TIMEOUT')(error));
  // At 0, 250 and 750 ms; timers may be late, never early.
  assert.ok(sent.length >= 2 && sent.length <= 3, `${sent.length}`);
  assert.ok(sent[1]!.at - sent[0]!.at >= 249);
  if (sent[2]) assert.ok(sent[2].at - sent[1]!.at >= 499);
  for (const { bytes } of sent) assert.deepEqual(bytes, sent[0]!.bytes);
});

test('a refusal, an answer without an address, a failing socket, an abort and a close end it', async () => {
  let last = new Uint8Array();
  const asker = new StunAsker((bytes) => {
    last = new Uint8Array(bytes);
  });
  const reply = (kind: 'error' | 'success', attributes: { type: number; value: Uint8Array }[]) => {
    const { transaction } = decodeStun(last)!;
    assert.ok(
      asker.receive(encodeStun({ class: kind, method: METHOD.binding, transaction, attributes }), SERVER),
    );
  };
  const refused = asker.ask(SERVER);
  reply('error', [{ type: ATTRIBUTE.errorCode, value: errorCode(420, 'Unknown Attribute') }]);
  await assert.rejects(refused, isError('SERVER'));
  await assert.rejects(refused, /Unknown Attribute \(420\)/);
  const empty = asker.ask(SERVER);
  reply('success', []);
  await assert.rejects(empty, isError('SERVER'));

  const failing = new StunAsker(() => {
    throw new Error('ENETUNREACH');
  });
  await assert.rejects(failing.ask(SERVER), isError('NO_PATH'));
  const controller = new AbortController();
  const aborted = asker.ask(SERVER, { signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, isError('CANCELLED'));
  await assert.rejects(asker.ask(SERVER, { signal: controller.signal }), isError('CANCELLED'));
  const open = [asker.ask(SERVER), asker.ask(SERVER)];
  asker.close();
  for (const each of open) await assert.rejects(each, isError('CANCELLED'));
  await assert.rejects(asker.ask(SERVER), isError('CANCELLED'));
});

/** A TCP server on loopback that does this with each connection. */
async function serve(each: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    each(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { at: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, sockets, close };
}

test('over TCP: an answer in pieces, the local port kept, and shared with a second server', async () => {
  const slowly = (socket: Socket) =>
    socket.once('data', async (request: Uint8Array) => {
      for (const byte of answer(request).bytes) socket.write(Uint8Array.of(byte));
    });
  const [a, b] = await Promise.all([serve(slowly), serve(slowly)]);
  try {
    const first = await askTcp(a.at);
    assert.deepEqual(first.mapped, MAPPED);
    assert.equal(first.local.port, a.sockets[0]!.remotePort);
    const second = await askTcp(b.at, { localPort: first.local.port, localHost: first.local.host });
    assert.deepEqual(second.local, first.local);
    assert.equal(b.sockets[0]!.remotePort, first.local.port);
    assert.ok(!first.socket.destroyed);
    for (const { socket } of [first, second]) {
      socket.destroy();
      await once(socket, 'close');
    }
  } finally {
    a.close();
    b.close();
  }
});

test('over TCP: silence, garbage, another answer, a closed connection and a closed port are errors', async () => {
  const cases: [string, (socket: Socket) => void][] = [
    ['TIMEOUT', () => {}],
    ['PROTOCOL', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['PROTOCOL', (socket) => socket.write(Uint8Array.of(1, 1, 0xff, 0xfc))],
    ['PROTOCOL', (socket) => socket.write(binding('success'))],
    ['NO_PATH', (socket) => socket.end()],
  ];
  for (const [code, each] of cases) {
    const server = await serve(each);
    await assert.rejects(askTcp(server.at, { deadline: code === 'TIMEOUT' ? 100 : 5_000 }), isError(code));
    server.close();
  }
  const gone = await serve(() => {});
  gone.close();
  await assert.rejects(askTcp(gone.at), isError('NO_PATH'));

  const controller = new AbortController();
  const silent = await serve(() => controller.abort());
  await assert.rejects(askTcp(silent.at, { signal: controller.signal }), isError('CANCELLED'));
  await assert.rejects(askTcp(silent.at, { signal: controller.signal }), isError('CANCELLED'));
  silent.close();
});

test('frames: messages in any pieces, what follows them, and no room for a large one', () => {
  const [a, b] = [binding('request'), binding('success')];
  for (let cut = 1; cut < 45; cut++) {
    const frames = new StunFrames();
    const all = Uint8Array.of(...a, ...b, 9, 9, 9, 9, 9);
    const got: Uint8Array[] = [];
    for (let at = 0; at < 40; at += cut) {
      frames.push(all.subarray(at, Math.min(at + cut, 40)));
      for (let next = frames.next(); next; next = frames.next()) got.push(next);
    }
    assert.deepEqual(got, [a, b]);
    frames.push(all.subarray(40));
    assert.deepEqual(frames.rest(), Uint8Array.of(9, 9, 9, 9, 9));
    assert.equal(frames.partial, 0);
  }
  for (const bad of [[0x40], [0, 1, 0, 2], [0, 1, 0x07, 0xf0]]) {
    const frames = new StunFrames();
    frames.push(Uint8Array.from(bad));
    assert.throws(() => frames.next(), isError('PROTOCOL'));
  }
});
