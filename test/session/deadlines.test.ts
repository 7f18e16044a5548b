/** How long is waited, in what words, and what the register of states keeps of a process that is gone. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { BeelineError } from '../../src/base/errors.ts';
import { HANDSHAKE_DEADLINE, RECEIVER_WAIT, SENDER_WAIT } from '../../src/base/limits.ts';
import { inWords, LaneDeadline } from '../../src/session/deadlines.ts';
import { StatusRegister } from '../../src/session/status.ts';
import type { Status } from '../../src/wire/messages.ts';
import { VirtualClock } from '../virtual-clock.ts';

test('a time is said in the largest unit that divides it', () => {
  const words = [0, 1, 90, 60, 600, 3600, 7200, 5400, 86_400, 172_800].map(inWords);
  assert.deepEqual(words, [
    ...['0 seconds', '1 second', '90 seconds', '1 minute', '10 minutes'],
    ...['1 hour', '2 hours', '90 minutes', '1 day', '2 days'],
  ]);
});

test('one who is away is waited for while others bring what is missing, and for a day while they fetch from here', async () => {
  const clock = new VirtualClock();
  const ended: string[] = [];
  const side = new LaneDeadline(
    ...([clock, { role: 'receiver', wait: 10 } as const] as const),
    (error: BeelineError) => ended.push(error.code),
    () => '',
  );
  // Not connected yet, or connected: nothing is waited for so.
  side.goesOn();
  side.connected();
  side.goesOn();
  assert.equal(clock.waiting, 0);
  const asLongAs = async (goes: () => void, seconds: number) => {
    for (let at = 0; at < seconds && ended.length === 0; at += 9) {
      await clock.pass(9_000);
      goes();
    }
  };
  side.lost();
  await asLongAs(() => side.goesOn(), 2 * SENDER_WAIT);
  assert.deepEqual(ended, []);
  side.connected();
  side.lost();
  await asLongAs(() => side.gives(), SENDER_WAIT - 20);
  assert.deepEqual(ended, []);
  await asLongAs(() => side.gives(), 60);
  assert.deepEqual(ended, ['NO_PATH']);
});

test('a lane that never was is given up soon, one that was lost only after the wait', async () => {
  const clock = new VirtualClock();
  const ended: string[] = [];
  const reach = (role: 'sender' | 'receiver', wait?: number) =>
    new LaneDeadline(
      clock,
      { role, wait },
      (error: BeelineError) => ended.push(`${error.code} ${error.message}`),
      () => ' More.',
    );
  const first = reach('receiver');
  first.proven();
  // Only a sender may be found by somebody else.
  first.left();
  await clock.pass(HANDSHAKE_DEADLINE);
  assert.match(ended.pop()!, /^NO_PATH The other side is there/);

  const left = reach('sender');
  left.proven();
  left.left();
  for (const [side, seconds] of [
    [reach('sender'), SENDER_WAIT],
    [reach('receiver'), RECEIVER_WAIT],
    [reach('receiver', 90), 90],
  ] as const) {
    side.proven();
    side.connected();
    side.lost();
    // Somebody comes and goes at the rendezvous meanwhile: the wait goes on.
    side.proven();
    side.left();
    await clock.pass(seconds * 1000 - 1);
    assert.deepEqual(ended, []);
    await clock.pass(1);
    assert.equal(
      ended.pop(),
      `NO_PATH The connection was lost, and the other side did not come back within ${inWords(seconds)}. More.`,
    );
  }
  const back = reach('sender', 5);
  back.lost();
  back.connected();
  await clock.pass(10_000);
  assert.deepEqual(ended, []);
});

const word = (seq: number, state: Status['state']): Status => ({ seq, state, code: '', text: '' });

test('a register takes the first word of a new process, however much was said before', () => {
  const register = new StatusRegister('sender');
  for (let i = 0; i < 10; i++) register.set(i % 2 ? 'running' : 'paused');
  assert.ok(!register.take(word(1, 'paused')), 'an old word counts');
  register.restart();
  assert.ok(!register.spoken);
  assert.ok(register.take(word(1, 'paused')));
  assert.equal(register.by, 'peer');
});

test('a register that is begun anew keeps its own pause and forgets that of the other side', () => {
  const own = new StatusRegister('sender');
  own.set('paused');
  own.restart();
  assert.deepEqual([own.state, own.by, own.spoken], ['paused', 'self', true]);
  const others = new StatusRegister('sender');
  others.take(word(7, 'paused'));
  others.restart();
  assert.deepEqual([others.state, others.spoken], ['running', false]);
});
