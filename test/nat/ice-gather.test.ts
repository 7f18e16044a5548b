/** What is learnt from STUN servers, and how chance is tried; servers on loopback, sockets as fakes. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { describe, it } from 'node:test';
import { Birthday } from '../../src/nat/ice/birthday.ts';
import { Checks } from '../../src/nat/ice/checks.ts';
import { Gatherer, type SeenMapping } from '../../src/nat/ice/gather.ts';
import { xorAddress } from '../../src/nat/stun/attributes.ts';
import { ATTRIBUTE, decodeStun, encodeStun } from '../../src/nat/stun/message.ts';
import { loadUdx, UdpSocket } from '../../src/transports/udx/socket.ts';
import type { Address } from '../../src/wire/candidate.ts';
import { until } from '../transports/udx-ends.ts';

/** A STUN server that says whatever `seen` makes of the sender's address. */
async function server(seen: (from: Address) => Address | undefined, drop = 0) {
  const socket = createSocket('udp4');
  let heard = 0;
  socket.on('message', (bytes, { address, port }) => {
    const message = decodeStun(bytes)!;
    const answer = seen({ host: address, port });
    if (heard++ < drop || !answer) return;
    const value = xorAddress(answer, message.transaction);
    const attributes = [{ type: ATTRIBUTE.xorMappedAddress, value }];
    socket.send(encodeStun({ ...message, class: 'success', attributes }), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { address: { host: '127.0.0.1', port: socket.address().port }, close: () => socket.close() };
}

async function gather(
  servers: Awaited<ReturnType<typeof server>>[],
  signal?: AbortSignal,
): Promise<{ mapping: SeenMapping; port: number }> {
  const checks = new Checks('a'.repeat(32), { request: () => undefined, indication: () => {} });
  const socket: UdpSocket = new UdpSocket(await loadUdx(), {
    onMessage: (bytes, from) => checks.receive(bytes, from, socket),
    onClose: () => {},
  });
  const gatherer = new Gatherer(checks, socket, () => {});
  try {
    const addresses = servers.map(({ address }) => address);
    return { mapping: await gatherer.run(addresses, signal), port: socket.port };
  } finally {
    gatherer.close();
    for (const each of servers) each.close();
    await socket.close();
  }
}

describe('gathering', () => {
  it('two servers that see the same address tell of a mapping that holds for all', async () => {
    const { mapping, port } = await gather([await server((from) => from), await server((from) => from, 2)]);
    assert.deepEqual(mapping, { reflexive: [{ host: '127.0.0.1', port }], symmetric: false });
  });

  it('a server that was silent at first is asked again', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    let reachable = false;
    const seen = { host: '203.0.113.9', port: 4 };
    const askServer: Checks['askServer'] = (_socket, _to, answered) => {
      const transaction = new Uint8Array(12);
      const attributes = [{ type: ATTRIBUTE.xorMappedAddress, value: xorAddress(seen, transaction) }];
      if (reachable) answered({ class: 'success', method: 1, transaction, attributes }, 1);
    };
    const told: SeenMapping[] = [];
    const gatherer = new Gatherer({ askServer } as Checks, {} as UdpSocket, (mapping) => told.push(mapping));
    const gathered = gatherer.run([{ host: '198.51.100.1', port: 3478 }]);
    t.mock.timers.tick(3_500);
    assert.deepEqual((await gathered).reflexive, []);
    reachable = true;
    t.mock.timers.tick(20_000);
    assert.deepEqual(told, [{ reflexive: [seen], symmetric: false }]);
    gatherer.close();
  });

  it('two that see different ones tell of a symmetric NAT', async () => {
    const seen = { host: '203.0.113.9', port: 4 };
    const { mapping } = await gather([await server(() => ({ ...seen, port: 5 })), await server(() => seen)]);
    assert.equal(mapping.symmetric, true);
    assert.deepEqual(mapping.reflexive.map(({ port }) => port).sort(), [4, 5]);
  });

  it('one answer is enough to go on with; none, and nonsense, are nothing', async () => {
    const one = await gather([await server((from) => from), await server(() => undefined)]);
    assert.deepEqual(one.mapping, { reflexive: [{ host: '127.0.0.1', port: one.port }], symmetric: false });
    const none = await gather([await server(() => ({ host: '0.0.0.0', port: 1 }))], AbortSignal.timeout(200));
    assert.deepEqual(none.mapping, { reflexive: [], symmetric: false });
    assert.deepEqual((await gather([])).mapping, { reflexive: [], symmetric: false });
  });
});

describe('the birthday method', () => {
  const make = () => {
    const asked: { socket: UdpSocket; to: Address }[] = [];
    const closed: number[] = [];
    const checks = { ask: (socket: UdpSocket, to: Address) => void asked.push({ socket, to }) };
    const fake = (port: number) => ({ port, close: () => void closed.push(port) }) as unknown as UdpSocket;
    const main = fake(0);
    let opened = 0;
    const birthday = new Birthday({
      checks: checks as unknown as Checks,
      main,
      open: () => fake(++opened),
      answered: () => {},
      kept: (socket) => socket.port === 3,
    });
    return { birthday, asked, closed, main, opened: () => opened };
  };
  const peer = [
    { host: '192.168.0.2', port: 7 },
    { host: '203.0.113.5', port: 8 },
    { host: '203.0.113.5', port: 9 },
  ];

  it('asks at random ports of public addresses alone, none twice', async () => {
    const { birthday, asked, main } = make();
    birthday.start('ports', peer);
    await until('fifty', () => asked.length >= 50);
    birthday.stop();
    assert.deepEqual([...new Set(asked.map(({ to }) => to.host))], ['203.0.113.5']);
    assert.equal(new Set(asked.map(({ to }) => to.port)).size, asked.length);
    assert.ok(asked.every(({ socket, to }) => socket === main && to.port >= 1024));
  });

  it('or from many sockets at what the peer names, and closes those that led nowhere', async () => {
    const { birthday, asked, closed, opened } = make();
    birthday.start('sockets', peer);
    await until('fifty', () => opened() >= 50);
    birthday.stop();
    assert.equal(asked.length, 2 * opened());
    assert.deepEqual([...new Set(asked.map(({ to }) => to.port))].sort(), [8, 9]);
    assert.equal(closed.length, opened() - 1);
    assert.ok(!closed.includes(3));
  });

  it('does nothing without a public address, and no more than so much with one', async () => {
    const { birthday, asked } = make();
    birthday.start('ports', peer.slice(0, 1));
    assert.equal(birthday.running, false);
    // Begun again and again, it does not become more.
    const begin = performance.now();
    for (let i = 0; i < 20; i++) {
      birthday.start('ports', peer);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    birthday.stop();
    assert.ok(asked.length <= (performance.now() - begin) / 4);
  });
});
