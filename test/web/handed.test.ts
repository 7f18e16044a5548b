import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kept } from '../../src/browser/light.ts';
import { handedOver, handOver, withoutOld } from '../../web/handed.ts';

const DAY_MS = 24 * 3_600_000;
const KEY = 'beeline-handed';

/** What a browser stores for this site. */
function storage(first?: string) {
  const all = new Map<string, string>(first === undefined ? [] : [[KEY, first]]);
  Object.assign(globalThis, {
    localStorage: {
      getItem: (key: string) => all.get(key) ?? null,
      setItem: (key: string, value: string) => void all.set(key, value),
      removeItem: (key: string) => void all.delete(key),
    },
  });
  return all;
}

const removed: string[] = [];
const one = (id: string, at = 1, complete = true, remove?: () => Promise<void>) =>
  ({ id, at, complete, remove: remove ?? (async () => void removed.push(id)) }) as Kept;

/** As if it had been given away so long ago. */
function age(all: Map<string, string>, ms: number): void {
  const handed: Record<string, number> = JSON.parse(all.get(KEY)!);
  all.set(KEY, JSON.stringify(Object.fromEntries(Object.entries(handed).map(([key, at]) => [key, at - ms]))));
}

test('a copy is deleted a day after it was given to the downloads', async () => {
  const all = storage();
  const [a, b] = [one('a'), one('b')];
  assert.equal(handedOver(a), false);
  handOver(a);
  assert.ok(handedOver(a));
  assert.equal(handedOver(b), false);
  age(all, DAY_MS - 60_000);
  assert.deepEqual(await withoutOld([a, b]), [a, b]);
  age(all, 120_000);
  assert.deepEqual(await withoutOld([a, b]), [b]);
  assert.deepEqual(removed.splice(0), ['a']);
  assert.equal(all.size, 0, 'and nothing is remembered of it');
});

test('the same received anew, or a part of it, is no old copy', async () => {
  const all = storage();
  handOver(one('a', 1));
  age(all, 2 * DAY_MS);
  const [anew, part] = [one('a', 2), one('a', 1, false)];
  for (const kept of [anew, part]) {
    assert.equal(handedOver(kept), false);
    assert.deepEqual(await withoutOld([kept]), [kept]);
  }
  assert.deepEqual(removed, []);
});

test('what another tab has in use stays until the next time', async () => {
  const all = storage();
  const kept = one('a', 1, true, () => Promise.reject(new Error('in use')));
  handOver(kept);
  age(all, 2 * DAY_MS);
  assert.deepEqual(await withoutOld([kept]), [kept]);
  assert.deepEqual(await withoutOld([one('a')]), []);
  assert.deepEqual(removed.splice(0), ['a']);
});

test('whatever stands there, and where nothing is stored, nothing is deleted that was not given away', async () => {
  const kept = [one('a'), one('b')];
  for (const text of [
    '',
    'x',
    'null',
    '[]',
    '7',
    '{"a 1":"0"}',
    '{"a 1":null}',
    '[0,0]',
    '{"__proto__":0}',
  ]) {
    storage(text);
    assert.deepEqual(await withoutOld(kept), kept, text);
    assert.equal(handedOver(kept[0]!), false, text);
    handOver(kept[0]!);
    assert.ok(handedOver(kept[0]!), text);
  }
  const refuses = () => {
    throw new Error('Denied.');
  };
  Object.assign(globalThis, { localStorage: { getItem: refuses, setItem: refuses, removeItem: refuses } });
  handOver(kept[0]!);
  assert.deepEqual(await withoutOld(kept), kept);
  assert.deepEqual(removed, []);
});

test('two hundred are remembered, the latest', () => {
  const all = storage();
  for (let n = 0; n < 250; n++) handOver(one(`k${n}`));
  assert.equal(Object.keys(JSON.parse(all.get(KEY)!)).length, 200);
  assert.ok(handedOver(one('k249')));
  assert.equal(handedOver(one('k49')), false);
});
