/** When an inbox receives: at once, again later, never two at a time from one sender, and never in a spin. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TurnOutcome, Turns } from '../../../src/node/inbox/turns.ts';
import { VirtualClock } from '../../virtual-clock.ts';

function world(most?: number) {
  const clock = new VirtualClock();
  const begun: string[] = [];
  const running = new Map<string, (outcome: TurnOutcome) => void>();
  const absent: string[] = [];
  const turns = new Turns({
    clock,
    ...(most !== undefined && { most }),
    absent: (slot) => absent.push(slot),
    receive: (slot, signal) => {
      assert.ok(!running.has(slot), `two receives of ${slot}`);
      begun.push(slot);
      return new Promise((resolve) => {
        const end = (outcome: TurnOutcome) => {
          running.delete(slot);
          resolve(outcome);
        };
        running.set(slot, end);
        signal.addEventListener('abort', () => end('failed'));
      });
    },
  });
  const end = async (slot: string, outcome: TurnOutcome) => {
    running.get(slot)!(outcome);
    await clock.pass(0);
  };
  return { clock, turns, running, absent, end, begun: () => begun.splice(0) };
}

test('who comes is received from at once, also several at a time', () => {
  const { turns, begun } = world();
  turns.came('a');
  turns.came('b');
  assert.deepEqual(begun(), ['a', 'b']);
  assert.equal(turns.running, 2);
});

test('no more than so many at a time, and the others in turn', async () => {
  const { turns, begun, end } = world(2);
  for (const slot of ['a', 'b', 'c', 'd']) turns.came(slot);
  assert.deepEqual(begun(), ['a', 'b']);
  turns.gone('c');
  await end('a', 'done');
  assert.deepEqual(begun(), ['d'], 'c has gone meanwhile');
});

test('what came while something was received from the same sender follows, and nothing else does', async () => {
  const { clock, turns, begun, end } = world();
  turns.came('a');
  turns.came('a');
  turns.came('a');
  assert.deepEqual(begun(), ['a']);
  await end('a', 'done');
  assert.deepEqual(begun(), ['a']);
  await end('a', 'done');
  await clock.pass(3_600_000);
  assert.deepEqual(begun(), [], 'a sender that lingers is no arrival');
  turns.came('a');
  turns.came('a');
  turns.gone('a');
  await end('a', 'done');
  assert.deepEqual(begun(), ['a'], 'it went before its turn');
});

test('a failure is tried again while the sender is there, later each time', async () => {
  const { clock, turns, begun, end } = world();
  turns.came('a');
  const times: number[] = [];
  for (let i = 0; i < 12; i++) {
    assert.deepEqual(begun(), ['a']);
    await end('a', 'failed');
    turns.came('a');
    assert.deepEqual(begun(), [], 'to come anew is no way to be tried sooner');
    const before = clock.now();
    while (turns.running === 0) await clock.pass(100);
    times.push(clock.now() - before);
  }
  assert.deepEqual(times.slice(0, 4), [1000, 2000, 4000, 8000]);
  assert.equal(Math.max(...times), 300_000);
  assert.deepEqual(begun(), ['a']);
  await end('a', 'failed');
  turns.gone('a');
  await clock.pass(3_600_000);
  assert.deepEqual(begun(), [], 'not while it is away');
  turns.came('a');
  assert.deepEqual(begun(), ['a']);
});

test('a failure makes no other wait', async () => {
  const { turns, begun, end } = world();
  turns.came('a');
  await end('a', 'failed');
  turns.came('b');
  assert.deepEqual(begun(), ['a', 'b']);
});

test('after a success the next failure waits shortly again', async () => {
  const { clock, turns, begun, end } = world();
  turns.came('a');
  for (let i = 0; i < 6; i++) {
    await end('a', 'failed');
    await clock.pass(300_000);
  }
  await end('a', 'done');
  begun();
  turns.came('a');
  await end('a', 'failed');
  begun();
  await clock.pass(1000);
  assert.deepEqual(begun(), ['a']);
});

test('what was declined is not offered again and again by itself, nor by a sender that comes again and again', async () => {
  const { clock, turns, begun, end } = world();
  turns.came('a');
  await end('a', 'declined');
  await clock.pass(3_600_000);
  assert.deepEqual(begun(), ['a']);
  turns.came('a');
  assert.deepEqual(begun(), ['a']);
  await end('a', 'declined');
  turns.came('a');
  assert.deepEqual(begun(), []);
  await clock.pass(2000);
  assert.deepEqual(begun(), ['a']);
});

test('one that was in the way of another is tried when that ends, or after a while', async () => {
  const { clock, turns, begun, end } = world();
  turns.came('a');
  turns.came('b');
  await end('b', 'busy');
  await clock.pass(20_000);
  assert.deepEqual(begun(), ['a', 'b']);
  await end('a', 'done');
  assert.deepEqual(begun(), ['b']);
  await end('b', 'busy');
  await clock.pass(30_000);
  assert.deepEqual(begun(), ['b']);
});

test('who is not met is told of, and met when it is there again', async () => {
  const { clock, turns, absent, begun, end } = world();
  turns.came('a');
  await end('a', 'nobody');
  assert.deepEqual(absent, ['a']);
  // The way says that it is still there: it is tried again.
  await clock.pass(1000);
  assert.deepEqual(begun(), ['a', 'a']);
  turns.gone('a');
  await end('a', 'nobody');
  await clock.pass(3_600_000);
  assert.deepEqual(begun(), []);
});

test('a device that is not trusted any more is stopped, and the end waits for all', async () => {
  const { clock, turns, running, begun } = world(1);
  turns.came('a');
  turns.came('b');
  turns.forget('a');
  await clock.pass(0);
  assert.deepEqual(begun(), ['a', 'b']);
  await turns.close();
  assert.equal(running.size, 0);
  turns.came('a');
  assert.equal(clock.waiting, 0);
  assert.deepEqual(begun(), []);
});
