import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { it } from 'node:test';
import { realClock } from '../../src/base/clock.ts';
import { Session } from '../../src/session/session.ts';
import { untilEnd } from '../../src/session/until-end.ts';

const session = () => {
  const made = new Session({ clock: realClock, role: 'receiver' });
  made.dispatch('start');
  return made;
};

it('a signal ends with its session, and leaves nothing at the other one', async () => {
  const one = session();
  const { signal: persons } = new AbortController();
  const ends = untilEnd(one, persons);
  assert.equal(ends.aborted, false);
  one.cancel();
  await assert.rejects(one.done, { code: 'CANCELLED' });
  assert.equal(ends.aborted, true);
  assert.equal(getEventListeners(persons, 'abort').length, 0);
});

it('a signal ends when the person’s does, or has', () => {
  const person = new AbortController();
  const reason = new Error('enough');
  const ends = untilEnd(session(), person.signal);
  person.abort(reason);
  assert.equal(ends.reason, reason);
  assert.equal(untilEnd(session(), person.signal).reason, reason);
});

it('a session that is over has no more time to give', async () => {
  const one = session();
  one.cancel();
  await one.done.catch(() => {});
  assert.equal(untilEnd(one, undefined).aborted, true);
});
