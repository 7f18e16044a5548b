/** What a page does when the network or the device comes and goes: `watchNetwork`, with a clock and events of the test's own. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { watchNetwork } from '../../src/browser/roaming.ts';

interface Globals {
  document?: EventTarget & { visibilityState: string };
  addEventListener?: unknown;
  removeEventListener?: unknown;
}
const globals = globalThis as Globals;

describe('a page', () => {
  let changes = 0;
  let listeners: Map<string, () => void>;
  let stop = () => {};
  let now = 0;
  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval'] });
    mock.method(Date, 'now', () => now);
    listeners = new Map();
    globals.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    globals.addEventListener = (name: string, act: () => void) => listeners.set(name, act);
    globals.removeEventListener = (name: string) => listeners.delete(name);
    changes = 0;
    now = 1_000_000;
    stop = watchNetwork(() => changes++);
  });
  afterEach(() => {
    stop();
    mock.timers.reset();
    mock.restoreAll();
    delete globals.document;
    delete globals.addEventListener;
    delete globals.removeEventListener;
  });

  /** The wall clock goes on, and then the timer fires once. */
  const later = (milliseconds: number) => {
    now += milliseconds;
    mock.timers.tick(2_000);
  };
  const turn = (state: string) => {
    globals.document!.visibilityState = state;
    globals.document!.dispatchEvent(new Event('visibilitychange'));
  };

  it('that is seen notices that the device slept, and that the network came back', () => {
    for (let i = 0; i < 5; i++) later(2_000);
    later(8_000);
    assert.equal(changes, 0);
    later(60_000);
    assert.equal(changes, 1);
    listeners.get('online')!();
    assert.equal(changes, 2);
  });

  it('tells all its sessions of one change in one turn, until the last of them has ended', () => {
    const told: string[] = [];
    const [first, second] = ['first', 'second'].map((name) => watchNetwork(() => told.push(name)));
    later(60_000);
    assert.deepEqual(told.splice(0), ['first', 'second']);
    assert.equal(changes, 1);
    stop();
    first!();
    first!();
    listeners.get('online')!();
    assert.deepEqual([told.splice(0), changes], [['second'], 1]);
    second!();
    assert.equal(listeners.size, 0);
  });

  it('that is hidden takes a minute between timers for no sleep, but more', () => {
    turn('hidden');
    for (let i = 0; i < 5; i++) later(60_000);
    turn('visible');
    assert.equal(changes, 0);
    turn('hidden');
    later(600_000);
    assert.equal(changes, 1);
  });

  it('that was frozen in the background learns it when it is seen again, and once', () => {
    turn('hidden');
    now += 600_000;
    turn('visible');
    assert.equal(changes, 1);
    later(2_000);
    assert.equal(changes, 1);
  });

  it('leaves nothing behind', () => {
    stop();
    later(600_000);
    turn('hidden');
    assert.equal(changes, 0);
    assert.equal(listeners.size, 0);
  });
});
