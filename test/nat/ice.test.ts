/** Connectivity checks: who is believed, how much is kept and sent, and which way is taken. Sockets are fakes, or loopback. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { after, afterEach, before, describe, it } from 'node:test';
import { TokenBucket } from '../../src/base/bucket.ts';
import { isNear, usable } from '../../src/nat/ice/address.ts';
import { type CheckAnswer, Checks, streamAttribute, streamIds } from '../../src/nat/ice/checks.ts';
import { Pairs } from '../../src/nat/ice/pairs.ts';
import { readErrorCode } from '../../src/nat/stun/attributes.ts';
import {
  decodeStun,
  encodeStun,
  hasIntegrity,
  METHOD,
  newTransaction,
  type StunAttribute,
  type StunMessage,
  shortTermKey,
} from '../../src/nat/stun/message.ts';
import type { UdpSocket } from '../../src/transports/udx/socket.ts';
import type { Address } from '../../src/wire/candidate.ts';
import { closeAll, connected, lane, Side, until } from '../transports/udx-ends.ts';

const PEER: Address = { host: '203.0.113.7', port: 4000 };

function fakeSocket(port = 1000): UdpSocket & { sent: [Uint8Array, Address][] } {
  const sent: [Uint8Array, Address][] = [];
  const fake = { port, sent, send: (bytes: Uint8Array, to: Address) => void sent.push([bytes, to]) };
  return fake as unknown as UdpSocket & { sent: [Uint8Array, Address][] };
}

function request(password: string, attributes: StunAttribute[] = []): Uint8Array {
  const message = { class: 'request' as const, method: METHOD.binding, transaction: newTransaction() };
  return encodeStun({ ...message, attributes }, { key: shortTermKey(password), fingerprint: true });
}

describe('checks', () => {
  const [ours, theirs] = ['a'.repeat(32), 'b'.repeat(32)];
  const make = (answer: CheckAnswer = { class: 'success', attributes: [] }) => {
    const asked: StunMessage[] = [];
    const told: StunMessage[] = [];
    const checks = new Checks(ours, {
      request: (message) => {
        asked.push(message);
        return answer;
      },
      indication: (message) => void told.push(message),
    });
    checks.peer(theirs);
    return { checks, asked, told, socket: fakeSocket() };
  };

  it('answers only what is keyed with our password, once each', () => {
    const { checks, asked, socket } = make();
    checks.receive(request(theirs), PEER, socket);
    checks.receive(encodeStun({ ...decodeStun(request(ours))!, attributes: [] }), PEER, socket);
    const altered = request(ours, [streamAttribute(1, 2)]);
    altered[30]! ^= 1;
    checks.receive(altered, PEER, socket);
    assert.deepEqual([asked.length, socket.sent.length], [0, 0]);
    checks.receive(request(ours, [streamAttribute(5, 6)]), PEER, socket);
    assert.deepEqual([asked.length, socket.sent.length], [1, 1]);
    assert.deepEqual(streamIds(asked[0]!), [5, 6]);
    assert.deepEqual(socket.sent[0]![1], PEER);
    assert.ok(hasIntegrity(socket.sent[0]![0], shortTermKey(ours)));
  });

  it('believes an answer only with its transaction, from where it was asked, over that socket, and keyed', () => {
    const { checks, socket } = make();
    let answers = 0;
    checks.ask(socket, PEER, [], () => answers++);
    const { transaction } = decodeStun(socket.sent[0]![0])!;
    const message = { class: 'success' as const, method: METHOD.binding, attributes: [] };
    const reply = (password: string, id = transaction) =>
      encodeStun({ ...message, transaction: id }, { key: shortTermKey(password), fingerprint: true });
    checks.receive(reply(ours), PEER, socket);
    checks.receive(reply(theirs, newTransaction()), PEER, socket);
    checks.receive(reply(theirs), { ...PEER, port: 4001 }, socket);
    checks.receive(reply(theirs), PEER, fakeSocket());
    assert.equal(answers, 0);
    checks.receive(reply(theirs), PEER, socket);
    checks.receive(reply(theirs), PEER, socket);
    assert.equal(answers, 1);
    checks.ask(socket, PEER, [], () => answers++);
    const second = decodeStun(socket.sent[1]![0])!.transaction;
    checks.peer('c'.repeat(32));
    checks.receive(reply(theirs, second), PEER, socket);
    assert.equal(answers, 1, 'what an earlier peer was asked is forgotten');
  });

  it('says nothing to a peer whose password is unknown', () => {
    const socket = fakeSocket();
    const checks = new Checks(ours, { request: () => undefined, indication: () => {} });
    checks.ask(socket, PEER, [], () => {});
    checks.tell(socket, PEER, []);
    assert.equal(socket.sent.length, 0);
  });

  it('takes indications from the peer alone', () => {
    const { checks, told, socket } = make();
    const message = { class: 'indication' as const, method: METHOD.binding, transaction: newTransaction() };
    for (const password of [theirs, ours])
      checks.receive(
        encodeStun({ ...message, attributes: [] }, { key: shortTermKey(password) }),
        PEER,
        socket,
      );
    assert.deepEqual([told.length, socket.sent.length], [1, 0]);
  });
});

describe('pairs', () => {
  it('keep at most the named ones, and a few that showed themselves', () => {
    const pairs = new Pairs();
    const socket = fakeSocket();
    const many = Array.from({ length: 300 }, (_, i) => ({ host: `198.51.100.${i % 250}`, port: 1 + i }));
    pairs.name(socket, many);
    assert.equal([...pairs].length, 40);
    for (let port = 1; port < 2000; port++) pairs.learn(socket, { host: '192.0.2.1', port });
    assert.equal([...pairs].length, 40 + 16);
    pairs.name(socket, []);
    assert.equal([...pairs].length, 0);
  });

  it('stay when they work, whatever is named later; others make room', () => {
    const pairs = new Pairs();
    const socket = fakeSocket();
    const shown = pairs.learn(socket, PEER)!;
    shown.working = true;
    for (let port = 1; port < 100; port++) pairs.learn(socket, { host: '192.0.2.1', port });
    pairs.name(socket, []);
    assert.deepEqual([...pairs], [shown]);
    assert.equal(pairs.learn(socket, PEER), shown);
  });

  it('a near one is best, then the quicker; a change must be worth it', () => {
    const pairs = new Pairs();
    const add = (host: string, roundTrip: number) =>
      Object.assign(pairs.learn(fakeSocket(), { host, port: 9 })!, { working: true, roundTrip });
    assert.equal(pairs.best(undefined), undefined);
    const far = add('203.0.113.1', 50);
    assert.equal(pairs.best(undefined), far);
    const alike = add('203.0.113.2', 40);
    assert.equal(pairs.best(undefined), alike);
    assert.equal(pairs.best(far), far, 'a fifth quicker is not worth a change');
    const quick = add('203.0.113.3', 5);
    assert.equal(pairs.best(far), quick);
    const near = add('192.168.1.4', 80);
    assert.equal(pairs.best(quick), near);
    near.working = false;
    assert.equal(pairs.best(near), quick);
  });

  it('name only what one host can be reached at', () => {
    const port = 5;
    for (const host of [
      '224.0.0.1',
      '255.255.255.255',
      '0.0.0.0',
      '::',
      'ff02::1',
      'fe80::1',
      'fe80::1%eth0',
      'a.b',
      '1.2.3',
    ])
      assert.equal(usable({ host, port }), undefined, host);
    assert.equal(usable({ host: '192.0.2.1', port: 0 }), undefined);
    assert.deepEqual(usable({ host: '2001:DB8:0::1', port }), { host: '2001:db8::1', port });
    assert.deepEqual(usable({ host: '::ffff:192.0.2.1', port }), { host: '192.0.2.1', port });
    assert.deepEqual(
      ['10.1.1.1', '172.16.0.1', '192.168.0.1', '127.0.0.1', 'fd00::1', '::1'].filter(
        (host) => !isNear(host),
      ),
      [],
    );
    assert.deepEqual(['100.64.0.1', '172.32.0.1', '203.0.113.1', '2001:db8::1'].filter(isNear), []);
  });

  it('an allowance ends', () => {
    const allowance = new TokenBucket(0, 5);
    assert.equal(Array.from({ length: 20 }, () => allowance.take()).filter(Boolean).length, 5);
  });
});

describe('a way in reserve', () => {
  afterEach(closeAll);

  it('is not lost at the moment that it is taken into use, for it was asked seldom until then', async () => {
    const { sender, receiver } = await connected();
    // The sender asks every 5 s while it has no lane; a way in use that is silent for 2.5 s is lost.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    const ends = await lane(sender, receiver);
    let closed = 0;
    for (const end of ends)
      end.start(
        () => {},
        () => closed++,
      );
    // It is looked at every quarter of a second.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(closed, 0);
  });
});

describe('an agent among strangers', () => {
  let stranger: Socket;
  const heard: Buffer[] = [];
  before(async () => {
    stranger = createSocket('udp4');
    stranger.on('message', (bytes) => heard.push(bytes));
    await new Promise<void>((resolve) => stranger.bind(0, '127.0.0.1', resolve));
  });
  after(() => stranger.close());
  afterEach(closeAll);
  const send = (bytes: Uint8Array, to: Side) => stranger.send(bytes, to.agent.port, '127.0.0.1');
  const calm = () => new Promise((resolve) => setTimeout(resolve, 200));

  it('with a wrong password there is no path, and no answer', async () => {
    const [sender, receiver] = await Promise.all([Side.open('sender'), Side.open('receiver')]);
    sender.knows(receiver, ['127.0.0.1'], '0'.repeat(32));
    receiver.knows(sender, ['127.0.0.1'], '0'.repeat(32));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.deepEqual(receiver.paths, []);
    // The right one heals it.
    sender.knows(receiver);
    receiver.knows(sender);
    await until('a path', () => receiver.path !== undefined);
  });

  it('what strangers send is not answered and does no harm', async () => {
    const { sender, receiver } = await connected();
    const seed = randomBytes(4).readUInt32BE();
    console.log(`seed ${seed}`);
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    heard.length = 0;
    for (let i = 0; i < 2_000; i++) {
      const bytes = Uint8Array.from({ length: random(120) }, () => random(256));
      // Like UDX, like STUN, or a good request with one byte changed.
      if (i % 4 === 1) bytes.set([0xff, 1].slice(0, bytes.length));
      if (i % 4 === 2) bytes.set([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42].slice(0, bytes.length));
      const good = request(sender.password, [streamAttribute(1 + random(99), 1 + random(99))]);
      // Not in the FINGERPRINT, which nothing but a checksum is.
      good[random(good.length - 8)]! ^= 1 + random(255);
      send(i % 4 === 3 ? good : bytes, i % 2 ? sender : receiver);
      // Often: to the agents, which run in this process, time in which they do nothing is silence of each other.
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await calm();
    assert.equal(heard.length, 0);
    assert.deepEqual([receiver.paths.length, sender.pipes.length], [1, 0]);
    await lane(sender, receiver);
  });

  it('a stream asked for from an address that does not answer is not opened', async () => {
    const { sender, receiver } = await connected();
    heard.length = 0;
    const replayed = request(sender.password, [streamAttribute(11, 12)]);
    for (let i = 0; i < 20; i++) send(replayed, sender);
    await until('a check of the address', () => heard.length > 0);
    await calm();
    const kinds = heard.map((bytes) => decodeStun(bytes)?.class);
    assert.ok(kinds.every((kind) => kind === 'request') && kinds.length < 20, kinds.join());
    await lane(sender, receiver);
  });

  it('streams that prove nothing are few, and one asked for twice is one', async () => {
    const sender = await Side.open('sender');
    const password = 'd'.repeat(32);
    const port = stranger.address().port;
    sender.agent.peer({ candidates: [{ host: '127.0.0.1', port }], password, symmetric: false });
    // The stranger is a peer this time: it answers checks.
    const answer = (bytes: Buffer) => {
      const message = decodeStun(bytes);
      if (message?.class !== 'request') return;
      const reply = { ...message, class: 'success' as const, attributes: [] };
      send(encodeStun(reply, { key: shortTermKey(password), fingerprint: true }), sender);
    };
    stranger.on('message', answer);
    heard.length = 0;
    await until('a check', () => heard.length > 0);
    await calm();
    heard.length = 0;
    for (let i = 1; i <= 40; i++)
      for (let twice = 0; twice < 2; twice++)
        send(request(sender.password, [streamAttribute(i, 1000 + i)]), sender);
    const answers = () => heard.map((bytes) => decodeStun(bytes)).filter((each) => each?.class !== 'request');
    await until('all answered', () => answers().length === 80);
    const taken = answers().filter((each) => each?.class === 'success');
    assert.equal(taken.length, 2 * 16);
    assert.ok(answers().every((each) => each?.class === 'success' || readErrorCode(each!)?.code === 486));
    stranger.off('message', answer);
    await sender.agent.close();
    assert.equal(sender.pipes.length, 0);
  });
});
