/** What is waited for outside of a session ends with it, by the transfer's signal. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { it } from 'node:test';
import { platform } from '../../src/node/platform.ts';
import { Running } from '../../src/session/transfer.ts';

const transfer = (signal?: AbortSignal) => {
  const made = new Running('receiver', platform, { signal });
  made.begin();
  return made;
};

it('the signal ends with the transfer, and leaves nothing at the person’s', async () => {
  const { signal: persons } = new AbortController();
  const one = transfer(persons);
  assert.equal(one.signal.aborted, false);
  one.cancel();
  await assert.rejects(one.done, { code: 'CANCELLED' });
  assert.equal(one.signal.aborted, true);
  assert.equal(getEventListeners(persons, 'abort').length, 0);
});

it('the signal ends at once when the person’s does', async () => {
  const person = new AbortController();
  const reason = new Error('enough');
  const one = transfer(person.signal);
  person.abort(reason);
  assert.equal(one.signal.reason, reason);
  await assert.rejects(one.done, { code: 'INTERRUPTED' });
});

it('the other side hears of it before the signal closes what bears the word', async () => {
  const person = new AbortController();
  const one = transfer(person.signal);
  let open: boolean | undefined;
  one.session.watch(() => {
    open = !one.signal.aborted;
  });
  person.abort();
  assert.equal(open, true);
  await assert.rejects(one.done, { code: 'INTERRUPTED' });
});

it('a transfer whose person’s signal was aborted before opens nothing', async () => {
  const person = new AbortController();
  person.abort();
  const one = new Running('receiver', platform, { signal: person.signal });
  assert.equal(one.begin(), false);
  await assert.rejects(one.done, { code: 'INTERRUPTED' });
  assert.equal(one.signal.aborted, true);
});
