/** Other versions of the protocol, offered or written in on the way. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { PROTOCOL_VERSION } from '../../src/base/limits.ts';
import { KeyedChannel } from '../../src/identity/channel.ts';
import { deriveScalar, Spake2 } from '../../src/identity/spake2.ts';
import { RENDEZVOUS_VERSION } from '../../src/wire/rendezvous.ts';
import { decodeSignal, encodeHello, encodeSignal } from '../../src/wire/signal.ts';
import { helloOf } from '../hello.ts';
import { file } from '../node/files/helpers.ts';
import { party, server } from './meetings.ts';
import { ending, LIMIT, meet, tree, world } from './world.ts';

test('protects from: a downgrade of the protocol version in a handshake', LIMIT, () => {
  for (const v of [0, PROTOCOL_VERSION + 1, 1e6]) {
    const [sender, receiver] = [party('sender', 'right-words', 's'), party('receiver', 'right-words', 'r')];
    sender.handshake.peerAppeared();
    const share = JSON.parse(sender.out[0]!);
    receiver.handshake.receive(JSON.stringify({ ...share, v }));
    assert.equal(receiver.errors[0]?.code, 'VERSION');
    assert.equal(decodeSignal(receiver.out[0]!, PROTOCOL_VERSION).k, 'refuse');
    // The other side is told, and does not go on with less.
    sender.handshake.receive(receiver.out[0]!);
    assert.equal(sender.errors[0]?.code, 'VERSION');
    assert.deepEqual([sender.met, receiver.met], [[], []]);
  }
  for (const v of ['1', null, undefined, 1.5, -1, true]) {
    const receiver = party('receiver', 'right-words', 'r');
    receiver.handshake.receive(JSON.stringify({ k: 'share', v, share: '04'.repeat(65) }));
    assert.equal(receiver.errors[0]?.code, 'PROTOCOL');
    assert.equal(receiver.out.length, 0);
  }
  // A sender of another version whose number is rewritten on the way has another key: the version is in it.
  const receiver = party('receiver', 'right-words', 'r');
  const context = `beeline/${PROTOCOL_VERSION + 1}/7`;
  const newer = new Spake2({
    role: 'A',
    w: deriveScalar(new TextEncoder().encode('right-words'), context),
    idA: 'beeline sender',
    idB: 'beeline receiver',
    aad: new TextEncoder().encode(context),
  });
  receiver.handshake.receive(encodeSignal({ k: 'share', v: PROTOCOL_VERSION, share: newer.share }));
  const answer = decodeSignal(receiver.out[0]!, PROTOCOL_VERSION);
  assert.ok(answer.k === 'answer');
  const { key, confirmation, verify } = newer.finish(answer.share);
  assert.ok(!verify(answer.confirmation));
  const hello = helloOf();
  const sealed = new KeyedChannel(key, 'sender', context).seal(encodeHello(hello));
  receiver.handshake.receive(encodeSignal({ k: 'accept', confirmation, sealed }));
  assert.deepEqual(receiver.met, []);
  assert.equal(receiver.errors[0]?.code, 'WRONG_CODE');
});

test('protects from: a downgrade of the protocol version in an offer', LIMIT, async (t) => {
  for (const version of [0, PROTOCOL_VERSION + 1, Number.MAX_SAFE_INTEGER]) {
    const place = world(t);
    const { receiver } = await meet(t, { entries: [file('a', 3)], offer: { version } }, { to: place.to });
    assert.equal(await ending(receiver), 'VERSION');
    assert.deepEqual(tree(place.to), {});
  }
});

test('protects from: a downgrade of the version of the rendezvous', LIMIT, async (t) => {
  const { url } = await server(t);
  const { WebSocket } = await import('ws');
  for (const v of [0, RENDEZVOUS_VERSION - 1, RENDEZVOUS_VERSION + 1, '1', null, undefined]) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/rendezvous`);
    const answer = await new Promise<string>((resolve, reject) => {
      socket.on('open', () => socket.send(JSON.stringify({ t: 'host', v, nameplate: '7' })));
      socket.on('message', (data) => resolve(String(data))).on('error', reject);
    });
    assert.equal(JSON.parse(answer).t, 'refused');
    assert.equal(JSON.parse(answer).code, typeof v === 'number' ? 'VERSION' : 'PROTOCOL');
    socket.terminate();
  }
});
