import assert from 'node:assert/strict';
import test from 'node:test';
import { Press } from '../../web/model/press.ts';

/** A press whose engine comes when the test says so. */
function held() {
  const waiting: { use: (engine: string) => void; fail: (thrown: unknown) => void }[] = [];
  const told: boolean[] = [];
  const done: string[] = [];
  const press = new Press<string>(
    (use, fail) => waiting.push({ use, fail }),
    (busy) => told.push(busy),
  );
  const begin = (what: string) =>
    press.begin(
      () => done.push(what),
      (thrown) => done.push(`${what}: ${thrown}`),
    );
  return { press, waiting, told, done, begin };
}

test('what is pressed twice before the engine came happens once', () => {
  const { waiting, told, done, begin } = held();
  begin('a');
  begin('a');
  assert.deepEqual([waiting.length, told, done], [1, [true], []]);
  waiting[0]!.use('engine');
  waiting[0]!.use('engine');
  assert.deepEqual([told, done], [[true, false], ['a']]);
  begin('b');
  waiting[1]!.use('engine');
  assert.deepEqual(done, ['a', 'b']);
});

test('what was changed or left meanwhile does not happen, and what is pressed then does', () => {
  const { press, waiting, told, done, begin } = held();
  begin('a');
  press.forget();
  begin('b');
  waiting[0]!.use('engine');
  waiting[0]!.fail('no');
  assert.deepEqual(done, []);
  waiting[1]!.use('engine');
  assert.deepEqual([told, done], [[true, false, true, false], ['b']]);
});

test('an engine that does not come is told once, and can be asked for again', () => {
  const { waiting, done, begin } = held();
  begin('a');
  waiting[0]!.fail('gone');
  begin('a');
  waiting[1]!.use('engine');
  assert.deepEqual(done, ['a: gone', 'a']);
});

test('with an engine that is there nothing waits', () => {
  const told: boolean[] = [];
  const done: string[] = [];
  const press = new Press<string>(
    (use) => use('engine'),
    (busy) => told.push(busy),
  );
  press.begin(
    (engine) => done.push(engine),
    () => done.push('failed'),
  );
  assert.deepEqual([told, done], [[false], ['engine']]);
});
