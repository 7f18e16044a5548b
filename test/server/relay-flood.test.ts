/** Messages and frames that cost the server far more than they cost who sends them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { relayWorld } from './relay-world.ts';

/** One frame as a client sends it, with a mask of zeros. */
const frame = (first: number, length: number) =>
  Buffer.concat([Buffer.of(first, 0x80 | length, 0, 0, 0, 0), Buffer.alloc(length)]);
const BINARY = 0x82;
const MORE = 0x00;
const PONG = 0x8a;

/** Below ws, which would send neither fragments nor frames by the thousand in one write. */
const raw = (socket: WebSocket) => (socket as unknown as { _socket: Socket })._socket;

for (const length of [0, 1])
  test(`a flood of messages of ${length} bytes is ended, not kept`, () =>
    relayWorld({}, async (world) => {
      const { host, guest } = await world.pair('7');
      guest.socket.pause();
      const flood = Buffer.concat(Array(50_000).fill(frame(BINARY, length)));
      raw(host.socket).write(flood);
      await host.closed;
      guest.socket.resume();
      const { code, reason } = await guest.closed;
      assert.equal(code, 1008);
      assert.match(reason, /Too many small messages/);
      assert.ok(guest.chunks.length < 4000, `${guest.chunks.length} messages had been queued`);
      assert.equal(world.counts().relayPairs, 0);
    }));

test('small messages that are taken pass, and each counts something', () =>
  relayWorld({ limits: { relayMailboxBytes: 64 * 100 } }, async (world) => {
    const { host, guest } = await world.pair('7');
    for (let i = 0; i < 100; i++) host.socket.send(Buffer.alloc(1));
    await guest.until(100);
    host.socket.send(Buffer.alloc(0));
    assert.match((await host.closed).reason, /at most 6400 bytes for one meeting/);
  }));

for (const path of ['/v1/rendezvous', '/v1/relay'])
  test(`a message in endless pieces is refused at ${path}`, () =>
    relayWorld({}, async (world) => {
      const socket = new WebSocket(`ws://127.0.0.1:${world.server.port}${path}`);
      await once(socket, 'open');
      const closed = once(socket, 'close');
      raw(socket).write(frame(0x01, 1));
      // Each piece comes in a read of its own, which it would keep alive.
      const filler = Buffer.concat(Array(400).fill(frame(PONG, 125)));
      for (let i = 0; i < 20 && socket.readyState === WebSocket.OPEN; i++) {
        raw(socket).write(Buffer.concat([frame(MORE, 1), filler]));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.equal((await closed)[0], 1008);
    }));
