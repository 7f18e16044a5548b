/** Real sockets, killed at random under a running transfer: some, and now and then all of them at once. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { receive, send, type TransferEvent } from '../../src/index.ts';
import type { Running } from '../../src/session/transfer.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { cutLanes, laneSockets, meeting } from './meeting.ts';

const SIZE = 48 * 1024 * 1024;

test('lanes killed at random, sometimes all at once, never change a byte, and the session goes on', async (t) => {
  const random = randomFrom(seed);
  const folder = mkdtempSync(join(tmpdir(), 'beeline-reconnect-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const content = randomBytes(random, SIZE);
  writeFileSync(join(folder, 'data.bin'), content);

  const states: string[] = [];
  const sender = send([join(folder, 'data.bin')], { lan: false, limit: 12e6 });
  const { code, port } = await meeting(sender);
  const receiver = receive({
    accept: 'all',
    code,
    at: `127.0.0.1:${port}`,
    to: join(folder, 'out'),
    lan: false,
    lanes: 3,
  });
  let opened = 0;
  receiver.subscribe((event: TransferEvent) => {
    if (event.event === 'state') states.push(event.to);
    if (event.event === 'lane' && event.status === 'open') opened++;
  });

  // A bounded number of kills, so that the transfer ends however fast or slow this machine is, and of lanes that carry it.
  let kills = 0;
  const timer = setInterval(() => {
    const sockets = laneSockets();
    if (sockets.length === 0 || kills >= 24 || !states.includes('transferring')) return;
    kills++;
    // On a slow machine a lane over UDP may be there too, which is none of the sockets.
    if (kills % 8 === 0) cutLanes(sender as Running, receiver as Running);
    else for (const socket of sockets) if (random() < 0.2) socket.destroy();
  }, 60);
  try {
    const [sent, received] = await Promise.all([sender.done, receiver.done]);
    assert.equal(sent.root, received.root);
  } finally {
    clearInterval(timer);
  }
  assert.ok(content.equals(readFileSync(join(folder, 'out', 'data.bin'))));
  assert.ok(kills >= 8 && opened > 3, `${kills} kills, ${opened} lanes`);
  assert.ok(states.filter((state) => state === 'connecting').length >= 2, states.join(' '));
});

test('the sender may ask for a number of lanes; the receiver decides when it has a wish of its own', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-lanes-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'data.bin'), Buffer.alloc(3_000_000, 7));
  for (const [wish, own, expected] of [
    [2, undefined, 2],
    [6, 1, 1],
  ] as const) {
    const sender = send([join(folder, 'data.bin')], { lan: false, lanes: wish, limit: 1e6 });
    const { code, port } = await meeting(sender);
    const options = { code, at: `127.0.0.1:${port}`, to: join(folder, `out-${wish}`), lan: false };
    const receiver = receive({ ...options, accept: 'all', ...(own !== undefined && { lanes: own }) });
    // Most of the time: on a busy machine one may fall silent or be lost, and another comes beside it.
    const open = new Set<number>();
    const counts: number[] = [];
    receiver.subscribe((event) => {
      if (event.event === 'progress') counts.push(open.size);
      if (event.event !== 'lane') return;
      if (event.status === 'open') open.add(event.id);
      else open.delete(event.id);
    });
    await Promise.all([sender.done, receiver.done]);
    assert.equal(counts.sort((a, b) => a - b)[counts.length >> 1], expected, counts.join(' '));
  }
});
