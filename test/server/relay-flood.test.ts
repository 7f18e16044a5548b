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
    assert.match((await host.closed).reason, /at most 6.40 kB for one meeting/);
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

test(
  'a message in dozens of fragments passes, as Chromium sends it: no honest browser is cut off',
  { timeout: 30_000 },
  () =>
    relayWorld({}, async (world) => {
      const { host, guest } = await world.pair('7');
      const size = 128 * 1024;
      // 4 KiB and less, uneven: whatever its pipe had room for.
      for (const piece of [4096, 1021, 512]) {
        const before = guest.received;
        const body = Buffer.alloc(size, piece % 251);
        for (let at = 0; at < size; at += piece)
          host.socket.send(body.subarray(at, at + piece), { binary: true, fin: at + piece >= size });
        const all = await guest.until(before + size);
        assert.ok(all.subarray(before).equals(body), `pieces of ${piece} bytes`);
      }
      assert.equal(host.socket.readyState, WebSocket.OPEN);
    }),
);

test('a message in thousands of fragments is refused', () =>
  relayWorld({}, async (world) => {
    const { host, guest } = await world.pair('7');
    raw(host.socket).write(Buffer.concat([frame(0x02, 1), ...Array(2_000).fill(frame(MORE, 1))]));
    assert.equal((await host.closed).code, 1008);
    assert.equal(guest.received, 0);
  }));

for (const [what, first] of [
  ['pings', 0x89],
  ['pongs', PONG],
] as const)
  test(`a flood of ${what} ends the connection, a few do not`, () =>
    relayWorld({}, async (world) => {
      const { host } = await world.pair('7');
      raw(host.socket).write(Buffer.concat(Array(16).fill(frame(first, 125))));
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(host.socket.readyState, WebSocket.OPEN);
      raw(host.socket).write(Buffer.concat(Array(400).fill(frame(first, 125))));
      assert.equal((await host.closed).code, 1008);
    }));
