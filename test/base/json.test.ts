import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { count, hex, list, only, readJson, record, text, tryJson, version } from '../../src/base/json.ts';
import { decodeSeatMessage } from '../../src/wire/watch.ts';

const SCHEMA = only({
  v: version(2, (theirs) => new RangeError(`version ${theirs}`)),
  name: text(4),
  of: v.optional(only({ key: hex(2), ports: list(count(9, 1), 2) })),
});
const read = (value: unknown) =>
  readJson(SCHEMA, typeof value === 'string' ? value : JSON.stringify(value), (fault) => new Error(fault));

test('what fits a schema is read, and nothing beside it', () => {
  const good = { v: 2, name: 'abcd', of: { key: '00ff', ports: [1, 9] } };
  assert.deepEqual(read(good), good);
  assert.equal(tryJson(SCHEMA, '{'), undefined);
  assert.deepEqual(tryJson(v.object({ a: v.string() }), '{"a":"b","c":1}'), { a: 'b' });
});

test('a fault is told in our words, and in none of theirs', () => {
  const rest = { v: 2, name: 'a' };
  for (const [value, fault] of [
    ['{"v":2', 'text that is not JSON'],
    ['[]', "no 'v'"],
    ['null', 'JSON of another shape'],
    [{ name: 'a' }, "no 'v'"],
    [{ v: '2', name: 'a' }, "a malformed 'v'"],
    [{ v: 1e9, name: 'a' }, "a malformed 'v'"],
    [{ v: 2.5, name: 'a' }, "a malformed 'v'"],
    [{ v: 2, name: 'abcde' }, "a malformed 'name'"],
    [{ ...rest, '\u001b[2J': 1 }, 'an unknown field'],
    // Names that every object has.
    [{ ...rest, constructor: 1 }, 'an unknown field'],
    ['{"v":2,"name":"a","__proto__":1}', 'an unknown field'],
    [{ ...rest, of: { key: '00FF', ports: [] } }, "a malformed 'of.key'"],
    [{ ...rest, of: { key: '00ff', ports: [1, 1, 1] } }, "a malformed 'of.ports'"],
    [{ ...rest, of: { key: '00ff', ports: [1, 10] } }, "a malformed 'of.ports.1'"],
  ] as const)
    assert.throws(() => read(value), { name: 'Error', message: fault }, JSON.stringify(value));
});

test("another version is told before what only that version's schema has", () => {
  assert.throws(() => read({ v: 3, name: 5, more: 1 }), { name: 'RangeError', message: 'version 3' });
  assert.throws(() => decodeSeatMessage('{"t":"host","v":9,"what":"new"}'), { code: 'VERSION' });
});

test('a record has few names, of one form', () => {
  const fits = (value: unknown) => v.is(record(/^[a-z]+$/, 2), value);
  assert.deepEqual([{}, { a: 1, b: null }].map(fits), [true, true]);
  assert.deepEqual([[], null, 'a', { A: 1 }, { a: 1, b: 2, c: 3 }].map(fits), [
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('a long list costs a look at its length', () => {
  let looked = 0;
  const item = v.custom<number>(() => ++looked > 0);
  assert.equal(tryJson(list(item, 8), JSON.stringify(Array(100_000).fill(0))), undefined);
  assert.equal(looked, 0);
});
