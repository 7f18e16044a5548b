/** What a person is told of changes of state, and how long is waited for what an honest side says at once. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ANSWER_DEADLINE } from '../../src/base/limits.ts';
import type { TransferEvent } from '../../src/session/api.ts';
import { AnswerDeadline } from '../../src/session/deadlines.ts';
import { StateNews } from '../../src/session/news.ts';
import { Progress } from '../../src/session/progress.ts';
import type { State } from '../../src/sync/machine.ts';
import { VirtualClock } from '../virtual-clock.ts';

function told() {
  const events: (TransferEvent & { event: 'state' })[] = [];
  const clock = new VirtualClock();
  const news = new StateNews(clock, (event) => event.event === 'state' && events.push(event));
  return { clock, events, news };
}

it('a proven peer that pauses and resumes without end is told of once a second, and its end at once', async () => {
  const { clock, events, news } = told();
  for (let i = 0; i < 10_001; i++) news.changed(i % 2 ? 'paused' : 'transferring', { by: 'peer' });
  assert.equal(events.length, 16);
  news.changed('paused', { by: 'peer' });
  // It is so already: nothing to tell.
  await clock.pass(1000);
  assert.equal(events.length, 16);
  // A second has earned one more, and the next one waits for the next second.
  news.changed('transferring', { by: 'peer' });
  assert.deepEqual([events.length, events.at(-1)?.from, events.at(-1)?.to], [17, 'paused', 'transferring']);
  news.changed('paused', { by: 'peer' });
  await clock.pass(999);
  assert.equal(events.length, 17);
  await clock.pass(1);
  assert.deepEqual([events.length, events.at(-1)?.to], [18, 'paused']);
  news.changed('transferring', { by: 'peer' });
  news.changed('cancelled', { by: 'peer' });
  assert.deepEqual([events.length, events.at(-1)?.from, events.at(-1)?.to], [19, 'paused', 'cancelled']);
  await clock.pass(5000);
  assert.equal(events.length, 19);
});

it("a person's own pause is told at once, whatever the other side does", async () => {
  const { clock, events, news } = told();
  for (let i = 0; i < 101; i++) news.changed(i % 2 ? 'paused' : 'transferring', { by: 'peer' });
  news.changed('paused', { by: 'self' });
  news.changed('transferring', { by: 'self' });
  assert.deepEqual(events.at(-1), { event: 'state', from: 'paused', to: 'transferring', by: 'self' });
  await clock.pass(5000);
  assert.equal(events.at(-1)?.to, 'transferring');
});

it('a peer that does not answer is given up after its deadline, which begins anew with each thing that it owes', async () => {
  const clock = new VirtualClock();
  const late: string[] = [];
  const answer = new AnswerDeadline(clock, (what) => late.push(`${what} at ${clock.now()}`));
  await clock.pass(500);
  answer.awaits('its offer', true);
  await clock.pass(ANSWER_DEADLINE - 1);
  // The same, said again, is no news.
  answer.awaits('its offer', true);
  assert.deepEqual(late, []);
  answer.awaits('page 0', true);
  await clock.pass(ANSWER_DEADLINE - 1);
  answer.awaits(undefined, true);
  await clock.pass(2 * ANSWER_DEADLINE);
  assert.deepEqual(late, []);
  answer.awaits('its last word', true);
  const from = clock.now();
  await clock.pass(2 * ANSWER_DEADLINE);
  assert.deepEqual(late, [`its last word at ${from + ANSWER_DEADLINE}`]);
});

it('a pause stops the time for an answer and does not begin it anew', async () => {
  const clock = new VirtualClock();
  const late: number[] = [];
  const answer = new AnswerDeadline(clock, () => late.push(clock.now()));
  for (let i = 0; i < 10; i++) {
    answer.awaits('its offer', true);
    await clock.pass(ANSWER_DEADLINE / 10 - 1);
    answer.awaits('its offer', false);
    await clock.pass(ANSWER_DEADLINE);
  }
  assert.deepEqual(late, []);
  answer.awaits('its offer', true);
  await clock.pass(10);
  assert.deepEqual(late, [clock.now()]);
});

/** A session that says what it is told to, and the progress events of one transfer in it. */
function progressOf(state: string, lanes: { silence: number }[] = [{ silence: 100 }]) {
  const events: (TransferEvent & { event: 'progress' })[] = [];
  const watchers: ((from: State, to: State) => void)[] = [];
  const clock = new VirtualClock();
  const session = {
    state,
    clock,
    ...{ lanes, carried: new Map([['tcp', 0]]) },
    watch: (watcher: (from: State, to: State) => void) => watchers.push(watcher),
    cleanup: { push: () => {} },
    emit: (event: TransferEvent) => event.event === 'progress' && events.push(event),
    becomes(to: 'transferring' | 'paused' | 'connecting') {
      session.state = to;
      for (const watcher of watchers) watcher('idle', to);
    },
  };
  return { clock, session, events, progress: new Progress(session as never, [], () => 1_000_000) };
}

for (const state of ['paused', 'connecting'] as const)
  it(`what arrives after it is ${state} is counted, without a rate or a time left`, async () => {
    const { clock, session, events, progress } = progressOf('transferring');
    const move = (bytes: number) => {
      session.carried.set('tcp', bytes);
      progress.moved(bytes, []);
    };
    for (let bytes = 1000; bytes < 10_000; bytes += 1000) {
      move(bytes);
      await clock.pass(100);
    }
    assert.ok(events.at(-1)!.rate > 0 && events.at(-1)!.eta !== null && events.at(-1)!.by.tcp);
    // The timer of what came before runs, and more comes that was under way.
    move(10_000);
    session.becomes(state);
    await clock.pass(100);
    const { bytes, rate, eta, by } = events.at(-1)!;
    assert.deepEqual({ bytes, rate, eta, by }, { bytes: 10_000, rate: 0, eta: null, by: {} });
    progress.stop();
  });

it('a stopped peer is said to be silent while nothing moves, and its rate falls', async () => {
  const lanes = [{ silence: 100 }, { silence: 200 }];
  const { clock, events, progress } = progressOf('transferring', lanes);
  for (let bytes = 1000; bytes < 10_000; bytes += 1000) {
    progress.moved(bytes, []);
    await clock.pass(200);
  }
  assert.ok(events.at(-1)!.rate > 0);
  assert.equal(events.at(-1)!.silent, undefined);
  for (const lane of lanes) lane.silence = 7500;
  await clock.pass(6000);
  assert.deepEqual([events.at(-1)!.silent, events.at(-1)!.rate], [7, 0]);
  lanes[1]!.silence = 10;
  await clock.pass(1000);
  assert.equal(events.at(-1)!.silent, undefined);
  progress.stop();
});
