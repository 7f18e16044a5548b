import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'node:test';
import fc from 'fast-check';
import { decodeDhtReply, encodeDhtPing } from '../../src/nat/dht-ping.ts';
import { testDht } from '../dht-net.ts';

test('a real node answers with the address that it sees', async (t) => {
  const { dht } = await testDht(t, 1);
  const port = Number(dht.bootstrap[0]!.split(':')[1]);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  for (const transaction of [0, 258, 65_535]) {
    socket.send(encodeDhtPing(transaction, { host: '127.0.0.1', port })!, port, '127.0.0.1');
    const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    assert.deepEqual(decodeDhtReply(reply), {
      transaction,
      mapped: { host: '127.0.0.1', port: socket.address().port },
    });
  }
});

test('nothing is asked of an address of another family', () => {
  assert.equal(encodeDhtPing(1, { host: '::1', port: 1 }), undefined);
  assert.equal(encodeDhtPing(1, { host: 'a.example', port: 1 }), undefined);
});

test('of any bytes nothing but a reply is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const reply = decodeDhtReply(bytes);
      assert.equal(reply !== undefined, bytes.length >= 10 && bytes[0] === 0x13);
    }),
  );
  assert.equal(decodeDhtReply(new Uint8Array(2000).fill(0x13)), undefined);
});
