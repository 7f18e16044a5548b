/** What is built on the clock port: repetition, an alarm, sleep, and work with a deadline. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { it } from 'node:test';
import {
  Alarm,
  atMost,
  doubling,
  every,
  onAbort,
  realClock,
  sleep,
  withDeadline,
} from '../../src/base/clock.ts';
import { VirtualClock } from '../virtual-clock.ts';

const late = () => new Error('late');

it('something repeats until it is ended, also by itself', async () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  const stop = every(clock, 10, () => {
    at.push(clock.now());
    if (at.length === 3) stop();
  });
  await clock.pass(100);
  assert.deepEqual(at, [10, 20, 30]);
  assert.equal(clock.waiting, 0);
});

it('an alarm that is set again rings once, and one that is cleared never', async () => {
  const clock = new VirtualClock();
  const alarm = new Alarm(clock);
  const rung: string[] = [];
  alarm.set(10, () => rung.push('first'));
  await clock.pass(5);
  alarm.set(10, () => rung.push('second'));
  await clock.pass(9);
  assert.deepEqual([rung, alarm.waits], [[], true]);
  await clock.pass(1);
  assert.deepEqual([rung, alarm.waits], [['second'], false]);
  alarm.set(10, () => rung.push('third'));
  alarm.clear();
  await clock.pass(100);
  assert.deepEqual([rung, alarm.waits], [['second'], false]);
});

it('a sleep ends at its time, or at once when its signal does, and leaves nothing behind', async () => {
  const clock = new VirtualClock();
  const control = new AbortController();
  const woken: string[] = [];
  sleep(clock, 10, control.signal).then(() => woken.push('slept'));
  sleep(clock, 20, control.signal).catch((reason) => woken.push(reason));
  await clock.pass(15);
  assert.deepEqual(woken, ['slept']);
  control.abort('enough');
  await clock.pass(0);
  assert.deepEqual(woken, ['slept', 'enough']);
  assert.equal(clock.waiting, 0);
  assert.equal(getEventListeners(control.signal, 'abort').length, 0);
  await assert.rejects(sleep(clock, 1, control.signal), (reason) => reason === 'enough');
});

it('work within its deadline gives its result or error, and leaves nothing behind', async () => {
  const clock = new VirtualClock();
  const { signal } = new AbortController();
  assert.equal(await withDeadline(clock, signal, 10, late, async () => 7), 7);
  await assert.rejects(
    withDeadline(clock, signal, 10, late, async () => {
      throw new Error('broken');
    }),
    /broken/,
  );
  await clock.pass(0);
  assert.equal(clock.waiting, 0);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

it('work that is late is told so, and is not waited for if it does not listen', async () => {
  const clock = new VirtualClock();
  let told: AbortSignal | undefined;
  const deaf = withDeadline(clock, undefined, 10, late, (signal) => {
    told = signal;
    return new Promise<never>(() => {});
  });
  const outcome = deaf.catch((error) => error.message);
  await clock.pass(9);
  assert.equal(told?.aborted, false);
  await clock.pass(1);
  assert.equal(told?.aborted, true);
  assert.equal(await outcome, 'late');
});

it('work ends when the outer signal does, with its reason; under one that has ended it does not begin', async () => {
  const clock = new VirtualClock();
  const control = new AbortController();
  const cut = withDeadline(clock, control.signal, 10, late, (signal) => sleep(clock, 5, signal));
  control.abort(new Error('interrupted'));
  await assert.rejects(cut, /interrupted/);
  await clock.pass(0);
  assert.equal(clock.waiting, 0);
  let begun = false;
  const never = withDeadline(clock, control.signal, 10, late, async () => {
    begun = true;
  });
  await assert.rejects(never, /interrupted/);
  assert.equal(begun, false);
});

it('the real clock waits, and takes a wait back', async () => {
  const before = realClock.now();
  realClock.after(5, () => assert.fail('it was taken back'))();
  await sleep(realClock, 20);
  assert.ok(realClock.now() - before >= 15);
  assert.ok(Math.abs(realClock.date() - Date.now()) < 60_000);
});

it('work that is late leaves no listener behind, even if it never ends', async () => {
  const clock = new VirtualClock();
  const { signal } = new AbortController();
  const never = () => new Promise<never>(() => {});
  await Promise.all([assert.rejects(withDeadline(clock, signal, 10, late, never), /late/), clock.pass(10)]);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

it('work without a deadline ends with its signal, and says why in the words of whoever bounds it', async () => {
  const clock = new VirtualClock();
  const control = new AbortController();
  const other = () => new Error('in other words');
  const never = () => new Promise<never>(() => {});
  const cut = withDeadline(clock, control.signal, Infinity, late, never, other);
  assert.equal(clock.waiting, 0);
  control.abort(new Error('interrupted'));
  await assert.rejects(cut, /in other words/);
});

it('what is told of an end is told once, at once if it is over, and not if it is taken back', () => {
  const control = new AbortController();
  const told: string[] = [];
  onAbort(control.signal, () => told.push('first'));
  onAbort(control.signal, () => told.push('taken back'))();
  onAbort(undefined, () => told.push('of nothing'))();
  control.abort();
  onAbort(control.signal, () => told.push('later'));
  assert.deepEqual(told, ['first', 'later']);
});

it('what comes within its time is had; what is late or fails is not', async () => {
  const clock = new VirtualClock();
  const all = [
    atMost(clock, 10, Promise.resolve(7)),
    atMost(clock, 10, Promise.reject(new Error('broken'))),
    atMost(clock, 10, sleep(clock, 20)),
    atMost(
      clock,
      10,
      sleep(clock, 5).then(() => 'slow'),
    ),
  ];
  await clock.pass(30);
  assert.deepEqual(await Promise.all(all), [7, undefined, undefined, 'slow']);
  assert.equal(clock.waiting, 0);
});

it('what is repeated comes at once and after waits that double up to a bound, until it is ended', async () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  const stop = doubling(clock, 10, 30, () => at.push(clock.now()));
  await clock.pass(100);
  stop();
  await clock.pass(100);
  assert.deepEqual(at, [0, 10, 30, 60, 90]);
  assert.equal(clock.waiting, 0);
});
