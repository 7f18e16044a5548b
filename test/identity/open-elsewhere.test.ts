import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whenClosed } from '../../src/identity/open-elsewhere.ts';
import { on } from '../platform.ts';

const refusal = (code: string) => Object.assign(new Error(code), { code });

/** Is refused so often, then done. */
function refused(times: number, code: string) {
  const tries = { count: 0 };
  const work = async () => {
    if (tries.count++ < times) throw refusal(code);
    return 'done';
  };
  return { tries, work };
}

test('on Windows, what somebody has open for a moment is tried again', async () => {
  for (const code of ['EPERM', 'EACCES', 'EBUSY', 'ENOTEMPTY']) {
    const { tries, work } = refused(3, code);
    assert.equal(await on('win32', () => whenClosed(work)), 'done');
    assert.equal(tries.count, 4);
  }
});

test('not for ever, and not for another reason', async () => {
  const { work } = refused(Number.POSITIVE_INFINITY, 'EBUSY');
  await assert.rejects(
    on('win32', () => whenClosed(work)),
    refusal('EBUSY'),
  );
  const full = refused(1, 'ENOSPC');
  await assert.rejects(
    on('win32', () => whenClosed(full.work)),
    refusal('ENOSPC'),
  );
  assert.equal(full.tries.count, 1);
});

test('elsewhere a refusal is one', async () => {
  const { tries, work } = refused(1, 'EPERM');
  await assert.rejects(
    on('linux', () => whenClosed(work)),
    refusal('EPERM'),
  );
  assert.equal(tries.count, 1);
});
