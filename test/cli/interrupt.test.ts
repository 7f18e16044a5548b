/** Ctrl-C: an orderly end has its time, and a word is said even where it takes longer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interrupt } from '../../src/cli/interrupt.ts';

test('an end that takes too long is overdue first, so that it can be said, and the process ends then', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const exits: number[] = [];
  const interrupt = new Interrupt([], (code) => exits.push(code));
  interrupt.now();
  assert.ok(interrupt.signal.aborted);
  t.mock.timers.tick(9_999);
  assert.equal(interrupt.overdue.aborted, false);
  t.mock.timers.tick(1);
  assert.equal(interrupt.overdue.reason.code, 'INTERRUPTED');
  assert.deepEqual(exits, []);
  t.mock.timers.tick(1_000);
  assert.deepEqual(exits, [130]);
});

test('a second Ctrl-C ends the process at once, and nothing does that is over', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const exits: number[] = [];
  const interrupt = new Interrupt([], (code) => exits.push(code));
  interrupt.now();
  interrupt.now();
  assert.deepEqual(exits, [130]);
  interrupt.close();
  t.mock.timers.tick(20_000);
  assert.deepEqual(exits, [130]);
});
