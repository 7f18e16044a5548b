/** A receiver that ends and is started again, with the same code, while the sender waits. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { BeelineError, type ErrorCode } from '../../src/base/errors.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { failure, folder, start, until } from './meeting.ts';

const LIMIT = { timeout: 90_000 };
const random = randomFrom(seed);

/** A file that takes two seconds at its limit, so that there is a middle to end in, on a busy machine too. */
async function slowSender(t: TestContext) {
  const dir = folder(t);
  const content = randomBytes(random, 8_000_000);
  writeFileSync(join(dir, 'data.bin'), content);
  const { sender, join: receiver } = await start(join(dir, 'data.bin'), { limit: 4e6 });
  // A sender that nobody came back to waits for an hour.
  t.after(() => sender.cancel());
  const arrived = (to: string) => content.equals(readFileSync(join(dir, to, 'data.bin')));
  return { dir, sender, receiver, arrived };
}

test(
  'a receiver that is interrupted is waited for, and a new one with the same code completes',
  LIMIT,
  async (t) => {
    const { dir, sender, receiver, arrived } = await slowSender(t);
    for (const round of [1, 2]) {
      const stop = new AbortController();
      const first = receiver({ to: join(dir, `gone-${round}`), signal: stop.signal });
      await until(first, 'progress');
      const waiting: Promise<unknown> = new Promise((resolve) => {
        let past = true;
        sender.subscribe((event) => {
          if (!past && event.event === 'state' && event.to === 'connecting') resolve(event);
        });
        past = false;
      });
      stop.abort();
      assert.equal((await failure(first)).code, 'INTERRUPTED');
      assert.deepEqual(await waiting, {
        event: 'state',
        peer: 1,
        from: 'transferring',
        to: 'connecting',
        by: 'peer',
        code: 'INTERRUPTED',
        reason: 'The other side was interrupted. Waiting for it to come back with the same code.',
      });
    }
    const second = receiver({ to: join(dir, 'out') });
    const [sent, received] = await Promise.all([sender.done, second.done]);
    assert.equal(sent.root, received.root);
    assert.equal(sent.peer, sender.session.peer.fingerprint);
    assert.ok(arrived('out'));
  },
);

test('a failure that its person can cure makes the sender wait, any other ends it', LIMIT, async (t) => {
  const outcomes: [ErrorCode, string][] = [
    ['DISK_FULL', 'has no room left on its disk'],
    ['WRITE_FAILED', 'cannot write at its destination'],
    ['LOCKED', 'another receive'],
    ['EXISTS', 'has files of these names'],
    ['UNSAFE_NAME', 'refuses a name'],
    ['REFUSED', ''],
  ];
  for (const [code, words] of outcomes) {
    const { dir, sender, receiver, arrived } = await slowSender(t);
    const first = receiver({ to: join(dir, 'gone') });
    await until(first, 'progress');
    first.fail(new BeelineError(code, 'for this test'));
    assert.equal((await failure(first)).code, code);
    if (words === '') {
      assert.equal((await failure(sender)).code, code === 'REFUSED' ? code : 'PEER_FAILED');
      continue;
    }
    const { reason } = await until(
      sender,
      'state',
      (event) => event.to === 'connecting' && event.by === 'peer',
    );
    assert.ok(reason?.includes(words), reason);
    await Promise.all([receiver({ to: join(dir, 'out') }).done, sender.done]);
    assert.ok(arrived('out'));
  }
});

test('a receiver that takes its time to end is not let in again meanwhile', LIMIT, async (t) => {
  const { dir, sender, receiver, arrived } = await slowSender(t);
  const first = receiver({ to: join(dir, 'gone'), lanes: 1 });
  await until(first, 'progress');
  // Long enough for its lanes to be dialled again, were it not for the end.
  const stop = first.session.engine!.stop.bind(first.session.engine);
  first.session.engine!.stop = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await stop();
  };
  const states: string[] = [];
  first.fail(new BeelineError('INTERRUPTED', 'for this test'));
  await until(sender, 'state', (event) => event.to === 'connecting' && event.by === 'peer');
  let past = true;
  sender.subscribe((event) => void (!past && event.event === 'state' && states.push(event.to)));
  past = false;
  await failure(first);
  assert.deepEqual(states, []);
  await Promise.all([receiver({ to: join(dir, 'out') }).done, sender.done]);
  assert.ok(arrived('out'));
});

test('a pause of the sender outlives its receiver, and one of the receiver does not', LIMIT, async (t) => {
  for (const who of ['sender', 'receiver'] as const) {
    const { dir, sender, receiver, arrived } = await slowSender(t);
    const first = receiver({ to: join(dir, 'gone') });
    await until(first, 'progress');
    (who === 'sender' ? sender : first).pause();
    await until(who === 'sender' ? first : sender, 'state', (event) => event.to === 'paused');
    first.fail(new BeelineError('INTERRUPTED', 'for this test'));
    await failure(first);
    const second = receiver({ to: join(dir, 'out') });
    if (who === 'sender') {
      const { by } = await until(second, 'state', (event) => event.to === 'paused');
      assert.equal(by, 'peer');
      sender.resume();
    }
    await Promise.all([second.done, sender.done]);
    assert.ok(arrived('out'));
  }
});

test('a receiver that leaves before a lane is up does not end the sender', LIMIT, async (t) => {
  const { dir, sender, receiver, arrived } = await slowSender(t);
  const first = receiver({ to: join(dir, 'gone') });
  // Every lane of the first one is turned away, so that it stays without.
  const admit = sender.offerPipe;
  sender.offerPipe = (pipe) => pipe.destroy();
  await until(first, 'peer');
  first.fail(new BeelineError('INTERRUPTED', 'for this test'));
  await failure(first);
  sender.offerPipe = admit;
  await Promise.all([receiver({ to: join(dir, 'out') }).done, sender.done]);
  assert.ok(arrived('out'));
});

test('a stream that has begun cannot be sent again: its sender ends with the receiver', LIMIT, async (t) => {
  const dir = folder(t);
  async function* endless() {
    for (;;) {
      yield new Uint8Array(1 << 20);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const { sender, join: receiver } = await start('-', { stdin: endless() });
  const first = receiver({ to: join(dir, 'out') });
  await until(first, 'progress');
  first.fail(new BeelineError('INTERRUPTED', 'for this test'));
  await failure(first);
  assert.equal((await failure(sender)).code, 'PEER_FAILED');
});

test('a sender that is interrupted ends the receiver, which is told what to do', LIMIT, async (t) => {
  const { dir, sender, receiver } = await slowSender(t);
  const first = receiver({ to: join(dir, 'out') });
  await until(first, 'progress');
  sender.fail(new BeelineError('INTERRUPTED', 'for this test'));
  await failure(sender);
  const { code, message } = await failure(first);
  assert.equal(code, 'PEER_FAILED');
  assert.match(message, /^The sender was interrupted\. .*receive again with its new code/);
});
