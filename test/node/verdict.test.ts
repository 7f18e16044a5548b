import assert from 'node:assert/strict';
import test from 'node:test';
import { causeToWait, verdict } from '../../src/session/verdict.ts';

test("a peer's code is looked up, never shown as it came, whatever it spells", () => {
  for (const code of [
    'constructor',
    '__proto__',
    'toString',
    '\x1b[2J',
    'x'.repeat(64),
    '',
    'TOTALLY_UNKNOWN_BUT_LONG_CODE',
  ]) {
    const [event, { error, reason }] = verdict({ seq: 1, state: 'failed', code, text: 'rm -rf' }, 'receiver');
    assert.deepEqual(
      [event, error?.code, error?.message, reason],
      [...['fail', 'PEER_FAILED', 'The other side failed.'], undefined],
    );
    const paused = verdict({ seq: 1, state: 'paused', code, text: 'rm -rf' }, 'receiver');
    assert.deepEqual(paused, ['pause', { by: 'peer' }]);
    assert.equal(causeToWait(code), undefined);
  }
});

test('a receiver that could take it elsewhere, or with another flag, is waited for', () => {
  for (const code of ['EXISTS', 'UNSAFE_NAME', 'DISK_FULL', 'WRITE_FAILED', 'LOCKED'])
    assert.match(causeToWait(code)!.reason!, /Waiting for it to come back with the same code/, code);
  for (const code of ['REFUSED', 'VERIFICATION', 'PROTOCOL', 'CANCELLED'])
    assert.equal(causeToWait(code), undefined, code);
});

test('what the two wait for has a code', () => {
  assert.equal(causeToWait('DISK_FULL')?.code, 'DISK_FULL');
  const [, cause] = verdict({ seq: 1, state: 'paused', code: 'DISK_FULL', text: '' }, 'receiver');
  assert.equal(cause.code, 'DISK_FULL');
});

test('an interrupted sender says what to do, an interrupted receiver is waited for', () => {
  const [, { error }] = verdict({ seq: 1, state: 'failed', code: 'INTERRUPTED', text: '' }, 'sender');
  assert.match(error!.message, /^The sender was interrupted\. What has arrived is kept/);
  assert.match(causeToWait('INTERRUPTED')!.reason!, /Waiting for it to come back with the same code/);
});
