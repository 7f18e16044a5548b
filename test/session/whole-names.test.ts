import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../src/offer/manifest.ts';
import { Progress, type Ticks } from '../../src/session/progress.ts';
import { MOST_TOLD, WholeNames } from '../../src/session/whole-names.ts';
import { entryOf } from '../entries.ts';
import { VirtualClock } from '../virtual-clock.ts';

const entriesOf = (...paths: string[]) => paths.map((path) => entryOf(path));

test('a file is told of when it is whole, and a folder when all in it is', () => {
  const names = new WholeNames(entriesOf('a', 'b/', 'b/c', 'b/d/', 'b/d/e', 'b2', 'f/'));
  assert.deepEqual(names.take(), [], 'and what is empty is not');
  names.done(2);
  assert.deepEqual(names.take(), []);
  names.done(5);
  names.done(0);
  names.done(4);
  assert.deepEqual(names.take(), ['b2', 'a', 'b/']);
  assert.deepEqual(names.take(), []);
  // What is no file says nothing, whoever says it.
  for (const other of [1, 3, 6, 7]) names.done(other);
  assert.deepEqual(names.take(), []);
});

test('a folder is whole when all in it is, wherever a sender puts that in its list', () => {
  const names = new WholeNames(entriesOf('a/', 'a/1', 'b', 'a/2'));
  names.done(1);
  names.done(2);
  assert.deepEqual(names.take(), ['b']);
  names.done(3);
  assert.deepEqual(names.take(), ['a/']);
});

test('of names past the first few hundred nobody is told', () => {
  const names = new WholeNames(
    Array.from({ length: 3 * MOST_TOLD }, (_, n) => entryOf(n % 3 === 0 ? `${n}/` : `${n - (n % 3)}/${n}`)),
  );
  for (let n = 0; n < 3 * MOST_TOLD; n++) names.done(n);
  assert.equal(names.take().length, MOST_TOLD);
  const many = new WholeNames(Array.from({ length: 200_000 }, (_, n) => entryOf(String(n))));
  for (let n = 199_999; n >= 0; n--) many.done(n);
  assert.deepEqual(
    many.take(),
    Array.from({ length: MOST_TOLD }, (_, n) => String(MOST_TOLD - 1 - n)),
  );
});

/** A transfer of these, and what it tells. */
function told(entries: readonly Entry[], ticks?: Ticks) {
  const clock = new VirtualClock();
  const events: { event: string; names?: string[] }[] = [];
  const session = {
    ...{ clock, state: 'transferring', lanes: [{ silence: 0 }], carried: new Map() },
    ...{
      watch: () => {},
      cleanup: { push: () => {} },
      emit: (event: { event: string }) => events.push(event),
    },
  };
  const progress = new Progress(session as never, entries, () => 1_000_000, ticks);
  const whole = () => events.splice(0).flatMap(({ names }) => (names ? [names.join()] : []));
  let bytes = 0;
  const move = (entry: number, length = 1) => {
    bytes += length;
    progress.moved(bytes, [{ entry, offset: 0, length, at: 0 }] as never);
  };
  return { clock, events, progress, whole, move };
}

test('many that become whole at once are one event, and none comes more often than the progress', async () => {
  const { clock, events, whole, move } = told(
    Array.from({ length: 200_000 }, (_, n) => entryOf(String(n))),
    'moved',
  );
  for (let n = 0; n < 200_000; n++) {
    move(n);
    if (n % 100 === 0) await clock.pass(50);
  }
  await clock.pass(200);
  const progresses = events.filter(({ event }) => event === 'progress').length;
  const all = whole();
  assert.ok(all.length <= progresses && all.length <= 5, `${all.length} of ${progresses}`);
  assert.equal(all.join().split(',').length, MOST_TOLD);
});

test('what was counted is counted anew after a failure, and an empty file is whole from the beginning', async () => {
  const { clock, progress, whole, move } = told([entryOf('a', 2), entryOf('none', 0), entryOf('b')], 'moved');
  move(0);
  assert.deepEqual(whole(), ['none']);
  progress.start(0);
  move(0, 2);
  await clock.pass(200);
  assert.deepEqual(whole(), ['none,a']);
});

test('a store that knows what is in its place is believed, whatever has moved', async () => {
  const placed: number[] = [];
  const { clock, progress, whole, move } = told(entriesOf('a', 'b'), () => placed.splice(0));
  move(0);
  move(1);
  await clock.pass(200);
  assert.deepEqual(whole(), []);
  placed.push(1);
  // Nothing moves any more, and it is told all the same.
  await clock.pass(1_000);
  assert.deepEqual(whole(), ['b']);
  progress.start(0);
  placed.push(0);
  await clock.pass(1_000);
  assert.deepEqual(whole(), ['a']);
});

test('where nobody ticks anything off, nothing is told', async () => {
  const { clock, whole, move } = told(entriesOf('a', 'b'));
  move(0);
  move(1);
  await clock.pass(2_000);
  assert.deepEqual(whole(), []);
});
