/** Flow control over UDX, and streams that one side no longer knows. The other side is a fake that keeps to no rule. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import type { UdxRawStream } from 'udx-native';
import { CREDIT_WINDOW } from '../../src/base/credit.ts';
import { streamAttribute, streamIds } from '../../src/nat/ice/checks.ts';
import {
  decodeStun,
  encodeStun,
  METHOD,
  newTransaction,
  type StunMessage,
  shortTermKey,
} from '../../src/nat/stun/message.ts';
import { UdxStream, unknownStream } from '../../src/transports/udx/stream.ts';
import { closeAll, Side, until } from './udx-ends.ts';

describe('a UDX stream', () => {
  it('of a writer that heeds no credit is ended', () => {
    const raw = Object.assign(new EventEmitter(), {
      destroyed: 0,
      destroying: false,
      destroy: () => void raw.destroyed++,
      trySend: () => {},
    });
    const stream = new UdxStream(raw as unknown as UdxRawStream);
    for (let sent = 0; sent <= 2 * CREDIT_WINDOW && !stream.destroyed; sent += 65_536)
      raw.emit('data', Buffer.alloc(65_536));
    assert.ok(stream.destroyed);
    assert.ok(raw.destroyed > 0);
  });

  it("is told from other datagrams by UDX's header", () => {
    const packet = new Uint8Array(20);
    packet.set([0xff, 1, 0, 0, 1, 2, 0, 0]);
    assert.equal(unknownStream(packet), 513);
    assert.equal(unknownStream(packet.subarray(0, 19)), undefined);
    assert.equal(unknownStream(new Uint8Array(30)), undefined);
  });
});

describe('streams that one side no longer knows', () => {
  afterEach(closeAll);
  const theirs = shortTermKey('e'.repeat(32));

  /** A sender of our own making, which answers every request, with one agent that believes in it. */
  async function puppet(role: 'sender' | 'receiver') {
    const socket = createSocket('udp4');
    const heard: StunMessage[] = [];
    const side = await Side.open(role);
    const send = (bytes: Uint8Array) => socket.send(bytes, side.agent.port, '127.0.0.1');
    socket.on('message', (bytes) => {
      const message = decodeStun(bytes);
      if (!message) return;
      heard.push(message);
      if (message.class === 'request')
        send(
          encodeStun({ ...message, class: 'success', attributes: [] }, { key: theirs, fingerprint: true }),
        );
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const candidates = [{ host: '127.0.0.1', port: socket.address().port }];
    side.agent.peer({ candidates, password: 'e'.repeat(32), symmetric: false });
    return { side, heard, send, close: () => socket.close() };
  }

  it('end when the other side says so', async () => {
    const { side, heard, send, close } = await puppet('receiver');
    await until('a path', () => side.path !== undefined);
    const opening = assert.rejects(side.path!.open(new AbortController().signal), { code: 'NO_PATH' });
    const asked = () => heard.map(streamIds).find((ids) => ids !== undefined);
    await until('a stream', () => asked() !== undefined);
    const [, id] = asked()!;
    const gone = {
      class: 'indication' as const,
      method: METHOD.binding,
      attributes: [streamAttribute(id, id)],
    };
    const say = (key: Uint8Array) =>
      send(encodeStun({ ...gone, transaction: newTransaction() }, { key, fingerprint: true }));
    // Only the peer may.
    say(theirs);
    const open = await Promise.race([opening, new Promise((r) => setTimeout(r, 300, 'open'))]);
    assert.equal(open, 'open');
    say(shortTermKey(side.password));
    await opening;
    close();
  });

  it('are spoken of to the peer alone, and not for each packet', async () => {
    const { side, heard, send, close } = await puppet('sender');
    await until('a check', () => heard.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const packet = new Uint8Array(20);
    packet.set([0xff, 1, 0, 0, 9, 0, 0, 0]);
    for (let i = 0; i < 500; i++) send(packet);
    const told = () => heard.filter((message) => message.class === 'indication');
    await until('a word', () => told().length > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.ok(told().length <= 100, `${told().length} words`);
    assert.deepEqual(streamIds(told()[0]!), [9, 9]);
    const stranger = createSocket('udp4');
    let answers = 0;
    stranger.on('message', () => answers++);
    stranger.send(packet, side.agent.port, '127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(answers, 0);
    stranger.close();
    close();
  });
});
