/** Whatever stops at whatever moment, the other side hears it at once; and an end in order is no loss. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { Transfer, TransferEvent } from '../../src/node/api.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import type { Running } from '../../src/session/transfer.ts';
import { cutLanes, failure, folder, intercept, meeting, start, until } from './meeting.ts';

/** Far below what a side waits that is told nothing. */
const LIMIT = { timeout: 25_000 };

function file(t: TestContext, bytes = 200_000): { dir: string; path: string } {
  const dir = folder(t);
  const path = join(dir, 'data.bin');
  writeFileSync(path, Buffer.alloc(bytes, 'x'));
  return { dir, path };
}

/** All that a transfer tells, from the beginning. */
function events(transfer: Transfer): TransferEvent[] {
  const seen: TransferEvent[] = [];
  transfer.subscribe((event) => void seen.push(event));
  return seen;
}

/** Calls back as soon as the other side is proven: no lane can be open yet. */
function whenProven(transfer: Transfer, act: () => void): void {
  transfer.subscribe((event) => void (event.event === 'peer' && act()));
}

test('a sender interrupted before the first lane: its receiver hears of it', LIMIT, async (t) => {
  const { dir, path } = file(t);
  const stop = new AbortController();
  const sender = send([path], { lan: false, at: '127.0.0.1:0', signal: stop.signal });
  const { code, port } = await meeting(sender);
  whenProven(sender, () => stop.abort());
  const receiver = receive({
    accept: 'all',
    lan: false,
    code,
    at: `127.0.0.1:${port}`,
    to: join(dir, 'out'),
  });
  const [sent, received] = await Promise.all([failure(sender), failure(receiver)]);
  assert.deepEqual([sent.code, received.code], ['INTERRUPTED', 'PEER_FAILED']);
  assert.match(received.message, /The sender was interrupted/);
});

test('a receiver cancelled before the first lane: its sender hears of it', LIMIT, async (t) => {
  const { dir, path } = file(t);
  const { sender, join: receiver } = await start(path);
  const receiving = receiver({ to: join(dir, 'out') });
  whenProven(receiving, () => receiving.cancel());
  const [sent, received] = await Promise.all([failure(sender), failure(receiving)]);
  assert.deepEqual([sent.code, received.code], ['CANCELLED', 'CANCELLED']);
});

test(
  'a receiver interrupted before the first lane: its sender waits, and serves the next',
  LIMIT,
  async (t) => {
    const { dir, path } = file(t);
    const { sender, join: receiver } = await start(path);
    const stop = new AbortController();
    const first = receiver({ to: join(dir, 'out'), signal: stop.signal });
    whenProven(first, () => stop.abort());
    assert.equal((await failure(first)).code, 'INTERRUPTED');
    const second = receiver({ to: join(dir, 'out') });
    const [sent, received] = await Promise.all([sender.done, second.done]);
    assert.equal(sent.root, received.root);
  },
);

test(
  'cancelled after every lane was lost: the other side hears of it by the rendezvous',
  LIMIT,
  async (t) => {
    const { dir, path } = file(t, 8_000_000);
    const { sender, join: receiver } = await start(path, { limit: 1_000_000 });
    const receiving = receiver({ to: join(dir, 'out') });
    await until(receiving, 'progress', ({ bytes }) => bytes > 0);
    // Both ends at once, and nothing dials again.
    for (const side of [sender, receiving]) side.session.paths([]);
    cutLanes(sender, receiving);
    sender.cancel();
    const [sent, received] = await Promise.all([failure(sender), failure(receiving)]);
    assert.deepEqual([sent.code, received.code], ['CANCELLED', 'CANCELLED']);
  },
);

test('the confirmation lost with its lanes: the sender is done at once all the same', LIMIT, async (t) => {
  const { dir, path } = file(t);
  const { sender, join: receiver } = await start(path);
  // More than this test has: only what crosses by the rendezvous can end it in time.
  sender.session.confirmation.ms = 120_000;
  const receiving = receiver({ to: join(dir, 'out') });
  intercept(receiving, 'finished', (deliver) => {
    cutLanes(sender, receiving);
    deliver();
  });
  const [sent, received] = await Promise.all([sender.done, receiving.done]);
  assert.equal(sent.root, received.root);
});

test('with a limit, both ends of a normal transfer are in order and carry no reason', LIMIT, async (t) => {
  for (let run = 0; run < 4; run++) {
    const { dir, path } = file(t, 3_000_000);
    const { sender, join: receiver } = await start(path, { limit: 4_000_000 });
    const receiving: Running = receiver({ to: join(dir, 'out') });
    const seen = [events(sender), events(receiving)];
    await Promise.all([sender.done, receiving.done]);
    for (const side of seen) {
      const carried = side.findIndex((event) => event.event === 'state' && event.to === 'transferring');
      const after = side.slice(carried + 1);
      const wrong = after.filter(
        (event) =>
          (event.event === 'state' && event.to === 'connecting') ||
          (event.event === 'lane' && event.status === 'closed' && event.reason !== undefined),
      );
      assert.deepEqual(wrong, []);
    }
  }
});
