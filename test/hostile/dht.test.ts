/** Strangers in a DHT who know a nameplate: they announce it themselves, or come to whoever does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DhtStream } from 'hyperdht';
import { Attempts } from '../../src/meeting/dht/announce.ts';
import { DhtSearch } from '../../src/meeting/dht/find.ts';
import { encodeText } from '../../src/meeting/dht/frames.ts';
import { topicOf } from '../../src/meeting/dht/keys.ts';
import { DhtNode } from '../../src/meeting/dht/node.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import { encodeRendezvous } from '../../src/wire/rendezvous.ts';
import { type TestDht, testDht } from '../dht-net.ts';
import { ending, LIMIT, world } from './world.ts';

const NAMEPLATE = '7654321';
const CODE = `${NAMEPLATE}-velvet-canyon`;

const options = ({ dht }: TestDht, configDir: string) => ({ dht, lan: false, portMap: false, configDir });

/** Announces the nameplate with a key of its own, and does something to whoever comes. */
async function announcer(node: DhtNode, meets: (stream: DhtStream) => void): Promise<void> {
  const keyPair = node.keyPair();
  const server = node.engine.createServer({ shareLocalAddress: false, firewall: () => false }, (stream) => {
    stream.on('error', () => {});
    meets(stream);
  });
  await server.listen(keyPair);
  await node.engine.announce(topicOf(NAMEPLATE), keyPair, server.relayAddresses).finished();
}

/** All keys under the nameplate. */
async function keys(node: DhtNode): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for await (const { peers } of node.engine.lookup(topicOf(NAMEPLATE)))
    for (const { publicKey } of peers) found.set(publicKey.toString('hex'), publicKey);
  return found;
}

async function sender(t: TestContext, net: TestDht, configDir: string) {
  const sender = send({ text: 'the true one' }, { ...options(net, configDir), code: CODE });
  t.after(() => sender.cancel());
  const node = await net.node();
  for (const end = Date.now() + 20_000; (await keys(node)).size === 0; ) assert.ok(Date.now() < end);
  return { sender, node };
}

async function received(net: TestDht, configDir: string): Promise<string> {
  let text = '';
  const receiver = receive({ ...options(net, configDir), code: CODE, accept: 'all' });
  receiver.subscribe((event) => {
    if (event.event === 'text') text = event.text;
  });
  assert.equal(await ending(receiver), '');
  return text;
}

test('protects from: announcers of a nameplate that send garbage, too much, or nothing', LIMIT, async (t) => {
  const { to } = world(t);
  const net = await testDht(t);
  const node = await net.node();
  await announcer(node, (stream) => stream.write(randomBytes(1000)));
  await announcer(node, (stream) => stream.write(Buffer.alloc(200_000, 1)));
  await announcer(node, (stream) => stream.write(Buffer.of(0xff, 0xff, 0xff, 0xff)));
  await announcer(node, () => {});
  await announcer(node, (stream) => stream.destroy());
  await sender(t, net, to);
  assert.equal(await received(net, to), 'the true one');
});

test('protects from: an announcer that plays the sender without knowing the code', LIMIT, async (t) => {
  const { to } = world(t);
  const net = await testDht(t);
  const { sender: right } = await sender(t, net, to);
  const false_ = ['wrong-words', 'other-words', 'more-words'].map((words) =>
    send({ text: 'a false one' }, { ...options(net, to), code: `${NAMEPLATE}-${words}` }),
  );
  t.after(() => {
    for (const each of false_) each.cancel();
  });
  const node = await net.node();
  for (const end = Date.now() + 20_000; (await keys(node)).size < 4; ) assert.ok(Date.now() < end);
  assert.equal(await received(net, to), 'the true one');
  assert.equal(await ending(right), '');
});

test('protects from: hundreds of keys under one nameplate that nobody answers for', LIMIT, async (t) => {
  const { to } = world(t);
  const net = await testDht(t);
  const node = await net.node();
  const topic = topicOf(NAMEPLATE);
  for (let i = 0; i < 200; i += 20)
    await Promise.all(
      Array.from({ length: 20 }, () => node.engine.announce(topic, node.keyPair(), []).finished()),
    );
  const true_ = send({ text: 'the true one' }, { ...options(net, to), code: CODE });
  t.after(() => true_.cancel());
  const receiver = receive({ ...options(net, to), code: CODE, accept: 'all', wait: 50 });
  assert.equal(await ending(receiver), '');
});

test(
  'protects from: streams that bring a sender no guest: garbage, oversize, half a text',
  LIMIT,
  async (t) => {
    const { to } = world(t);
    const net = await testDht(t);
    const { sender: right, node } = await sender(t, net, to);
    const [key] = (await keys(node)).values();
    const ended: Promise<unknown>[] = [];
    for (const bytes of [
      randomBytes(5000),
      Buffer.alloc(300_000, 1),
      Buffer.of(0, 0, 0, 0),
      encodeText('{"t":"host","v":2}'),
      encodeText(encodeRendezvous({ t: 'host', v: 2, nameplate: NAMEPLATE })),
      encodeText(encodeRendezvous({ t: 'join', v: 2, nameplate: '1' })),
    ]) {
      const connecting = { keyPair: node.keyPair(), relayAddresses: [], localConnection: false };
      const stream = node.engine.connect(key!, connecting);
      stream.on('error', () => {});
      // Whatever is said to it is read: otherwise it would not hear that it ends.
      stream.on('data', () => {});
      ended.push(new Promise((resolve) => stream.on('close', resolve)));
      assert.equal(await stream.opened, true);
      stream.write(bytes);
    }
    await Promise.race([
      Promise.all(ended),
      sleep(15_000).then(() => assert.fail('a stream that brings nobody stays open')),
    ]);
    const half = node.engine.connect(key!, {
      ...{ keyPair: node.keyPair(), relayAddresses: [], localConnection: false },
    });
    half.on('error', () => {});
    assert.equal(await half.opened, true);
    half.write(Buffer.of(0, 0, 1, 0, 65));
    assert.equal(await received(net, to), 'the true one');
    assert.equal(await ending(right), '');
    half.destroy();
  },
);

test('protects from: attempts to connect without end, of one address and of many', () => {
  let now = 0;
  const attempts = new Attempts(() => now);
  const one = Array.from({ length: 100 }, () => attempts.take('203.0.113.1')).filter(Boolean).length;
  assert.equal(one, 20);
  assert.equal(attempts.take('203.0.113.2'), true);
  const many = Array.from({ length: 1000 }, (_, i) => attempts.take(`198.51.100.${i}`)).filter(
    Boolean,
  ).length;
  assert.equal(one + 1 + many, 200);
  now = 60_000;
  assert.equal(attempts.take('203.0.113.1'), true);
});

test('protects from: an announcer that calls any address a node by which it is reached', LIMIT, async (t) => {
  const net = await testDht(t);
  const [node, own] = [await net.node(), await net.node()];
  // As in the public DHT, whose nodes are all on the internet.
  const elsewhere = await DhtNode.open(['198.51.100.1:49737']);
  t.after(() => elsewhere.close());
  for (const inner of [
    '127.0.0.1',
    '10.0.0.1',
    '192.168.1.1',
    '169.254.1.1',
    '100.64.0.1',
    '224.0.0.1',
    '0.0.0.0',
  ])
    assert.equal(elsewhere.mayAsk({ host: inner, port: 53 }), false, inner);
  assert.equal(elsewhere.mayAsk({ host: '203.0.113.9', port: 0 }), false);
  assert.equal(elsewhere.mayAsk({ host: '203.0.113.9', port: 49_737 }), true);
  // A private one leads to its own network, and to no other.
  assert.equal(own.mayAsk({ host: '10.0.0.1', port: 49_737 }), false);
  assert.equal(own.mayAsk({ host: '127.0.0.2', port: 49_737 }), true);

  const victim = createSocket('udp4');
  victim.bind(0, '127.0.0.1');
  await once(victim, 'listening');
  t.after(() => victim.close());
  let knocks = 0;
  victim.on('message', () => knocks++);
  const relays = [{ host: '127.0.0.1', port: victim.address().port }];
  const announced = () => node.engine.announce(topicOf(NAMEPLATE), node.keyPair(), relays).finished();
  const dialled = async (may: boolean) => {
    const search = new DhtSearch(
      Object.assign(Object.create(own), { engine: own.engine, mayAsk: () => may }),
      { nameplate: NAMEPLATE, onStream: () => {} },
    );
    const signal = AbortSignal.timeout(20_000);
    const dials: Promise<unknown>[] = [];
    const events = { onText: () => {}, onEnd: () => {} } as never;
    await search.look(({ dial }) => void dials.push(dial(events, signal, '').catch(() => {})), signal);
    assert.equal(dials.length, 1);
    await Promise.all(dials);
  };
  await announced();
  await dialled(false);
  assert.equal(knocks, 0);
  await dialled(true);
  assert.ok(knocks > 0);
});
