import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handedOver, handOver, takeBack } from '../../web/handed.ts';

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

const one = (id: string, at = 1, complete = true) => ({ id, at, complete });

test('what was given to the downloads is known again, and not what was begun at another time or is a part', () => {
  storage();
  assert.equal(handedOver(one('a')), false);
  handOver(one('a'));
  handOver(one('a'));
  assert.ok(handedOver(one('a')));
  for (const other of [one('b'), one('a', 2), one('a', 1, false)]) assert.equal(handedOver(other), false);
});

test('what is received once more is to be saved again, and nothing is remembered of it', () => {
  const all = storage();
  handOver(one('a'));
  handOver(one('b'));
  takeBack(one('a'));
  assert.equal(handedOver(one('a')), false);
  assert.ok(handedOver(one('b')));
  takeBack(one('b'));
  assert.equal(all.size, 0);
});

test('whatever stands there, and where nothing is stored, nobody fails', () => {
  for (const text of ['', 'x', 'null', '{}', '7', '[1,null,{}]', '{"a 1":0}']) {
    storage(text);
    assert.equal(handedOver(one('a')), false, text);
    handOver(one('a'));
    assert.ok(handedOver(one('a')), text);
  }
  const refuses = () => {
    throw new Error('Denied.');
  };
  Object.assign(globalThis, { localStorage: { getItem: refuses, setItem: refuses, removeItem: refuses } });
  handOver(one('a'));
  takeBack(one('a'));
  assert.equal(handedOver(one('a')), false);
});

test('two hundred are remembered, the latest', () => {
  const all = storage();
  for (let n = 0; n < 250; n++) handOver(one(`k${n}`));
  assert.equal(JSON.parse(all.get(KEY)!).length, 200);
  assert.ok(handedOver(one('k249')));
  assert.equal(handedOver(one('k49')), false);
});
