import assert from 'node:assert/strict';
import { fstatSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { FdCache } from '../../../src/node/files/fd-cache.ts';

/** A cache over this very file, and every descriptor it ever opened. */
function given() {
  const opened: number[] = [];
  const cache = new FdCache(() => {
    const fd = openSync(import.meta.filename, 'r');
    opened.push(fd);
    return fd;
  });
  const open = () => new Set(opened.filter(isOpen)).size;
  return { cache, opened, open };
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

/** A use that lasts until it is let go. */
function hold(cache: FdCache, key: number) {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const done = cache.use(key, async (fd) => {
    await gate;
    return isOpen(fd);
  });
  return { done, release };
}

test('the least recently used are closed, those in use are not', async () => {
  const { cache, opened, open } = given();
  const held = hold(cache, 0);
  for (let key = 1; key < 40; key++) await cache.use(key, async () => {});
  assert.equal(open(), 16);
  assert.ok(isOpen(opened[0]!));
  await cache.use(39, async () => {});
  await cache.use(0, async () => {});
  assert.equal(opened.length, 40, 'the most recent and the held one are still there');
  held.release();
  assert.ok(await held.done);
  await cache.close();
  assert.equal(open(), 0);
});

test('what is dropped or closed in use is closed behind its user', async () => {
  const { cache, open } = given();
  const [one, two] = [hold(cache, 1), hold(cache, 2)];
  cache.drop(1);
  let closed = false;
  const closing = Promise.all([cache.close(), cache.close()]).then(() => {
    closed = true;
  });
  await tick();
  assert.equal(open(), 2);
  assert.equal(closed, false);
  one.release();
  assert.ok(await one.done);
  assert.equal(open(), 1);
  two.release();
  assert.ok(await two.done);
  await closing;
  assert.equal(open(), 0);
});
