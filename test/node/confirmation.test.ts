/** The very end: everything has arrived, and lanes die before both sides know that both know. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { Handshake } from '../../src/session/handshake.ts';
import { cutLanes, failure, folder, intercept, start } from './meeting.ts';

const LIMIT = { timeout: 90_000 };

async function pair(t: TestContext, wait?: number) {
  const dir = folder(t);
  writeFileSync(join(dir, 'data.bin'), 'all of it');
  const { sender, join: receiver } = await start(join(dir, 'data.bin'));
  const receiving = receiver({ to: join(dir, 'out'), wait });
  const arrived = () => readFileSync(join(dir, 'out', 'data.bin'), 'utf8') === 'all of it';
  return { dir, sender, receiver, receiving, arrived };
}

test('every lane cut before the last word is heard: the receiver comes back for it', LIMIT, async (t) => {
  const { sender, receiving, arrived } = await pair(t);
  let lanes = 0;
  receiving.subscribe((event) => void (event.event === 'lane' && event.status === 'open' && lanes++));
  let before = Infinity;
  intercept(receiving, 'finished', () => {
    before = lanes;
    cutLanes(sender, receiving);
  });
  const [sent, received] = await Promise.all([sender.done, receiving.done]);
  assert.equal(sent.root, received.root);
  assert.ok(lanes > before, `${before} lanes, then ${lanes}: it did not come back`);
  assert.ok(arrived());
});

test(
  'every lane cut before the confirmation is heard: the sender succeeds after its patience',
  LIMIT,
  async (t) => {
    const { sender, receiving, arrived } = await pair(t);
    sender.session.confirmation.ms = 300;
    intercept(receiving, 'finished', (deliver) => {
      cutLanes(sender, receiving);
      deliver();
    });
    const [sent, received] = await Promise.all([sender.done, receiving.done]);
    assert.equal(sent.root, received.root);
    assert.ok(arrived());
  },
);

test('a receiver that has everything and never comes back: the sender succeeds', LIMIT, async (t) => {
  const { sender, receiving, arrived } = await pair(t);
  sender.session.confirmation.ms = 300;
  intercept(receiving, 'finished', () => {
    cutLanes(sender, receiving);
    receiving.fail(new BeelineError('INTERRUPTED', 'for this test'));
  });
  await failure(receiving);
  assert.equal((await sender.done).files, 1);
  assert.ok(arrived());
});

test('a new receiver in place of one that had everything is served from the start', LIMIT, async (t) => {
  const { dir, sender, receiver, receiving } = await pair(t);
  intercept(receiving, 'finished', () => {
    cutLanes(sender, receiving);
    receiving.fail(new BeelineError('INTERRUPTED', 'for this test'));
  });
  await failure(receiving);
  const second = receiver({ to: join(dir, 'second') });
  const [sent, received] = await Promise.all([sender.done, second.done]);
  assert.equal(sent.root, received.root);
  assert.equal(readFileSync(join(dir, 'second', 'data.bin'), 'utf8'), 'all of it');
});

test('a sender gone before its last word: the receiver says that only this is missing', LIMIT, async (t) => {
  const { sender, receiving, arrived } = await pair(t, 0.2);
  intercept(receiving, 'finished', () => {
    // Nothing of it is heard any more, as of a process that was killed.
    t.mock.method(Handshake.prototype, 'say', () => {});
    cutLanes(sender, receiving);
    sender.fail(new BeelineError('INTERNAL', 'for this test'));
  });
  const { code, message } = await failure(receiving);
  assert.equal(code, 'NO_PATH');
  assert.match(message, /within 0\.2 seconds\. Everything arrived .*last word is missing/);
  assert.ok(arrived());
  await failure(sender);
});
