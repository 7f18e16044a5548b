import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8Encode } from '../../src/base/bytes.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { fromBase32, toBase32 } from '../../src/identity/base32.ts';
import { formatDeviceKey, parseDeviceKey } from '../../src/identity/device-key.ts';

const isUsage = (thrown: unknown) => thrown instanceof BeelineError && thrown.code === 'USAGE';
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

test('base32 is that of RFC 4648 section 10', () => {
  for (const [plain, text] of [
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ] as const) {
    assert.equal(toBase32(utf8Encode(plain)), text);
    assert.deepEqual(fromBase32(text), utf8Encode(plain));
  }
});

test('base32 reads only what it would write', () => {
  for (const text of ['a', 'mz', 'mzx', 'mzxw6a', 'MY', 'm1', 'my======', 'm y'])
    assert.equal(fromBase32(text), undefined, text);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'abcz2347'), maxLength: 20 }), (text) => {
      const bytes = fromBase32(text);
      if (bytes) assert.equal(toBase32(bytes), text);
    }),
  );
});

test('a device key survives being written and read, in any case and with space around', () => {
  fc.assert(
    fc.property(key, (bytes) => {
      const text = formatDeviceKey(bytes);
      assert.match(text, /^bl1[a-z2-7]{58}$/);
      assert.deepEqual(parseDeviceKey(text), bytes);
      assert.deepEqual(parseDeviceKey(`\n ${text.toUpperCase()} `), bytes);
    }),
  );
});

test('one wrong, missing, added or swapped character is caught', () => {
  const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
  fc.assert(
    fc.property(key, fc.integer({ min: 3, max: 60 }), fc.integer({ min: 1, max: 31 }), (bytes, at, step) => {
      const text = formatDeviceKey(bytes);
      const other = ALPHABET[(ALPHABET.indexOf(text[at]!) + step) % 32]!;
      assert.throws(() => parseDeviceKey(text.slice(0, at) + other + text.slice(at + 1)), isUsage);
      assert.throws(() => parseDeviceKey(text.slice(0, at) + text.slice(at + 1)), isUsage);
      assert.throws(() => parseDeviceKey(text.slice(0, at) + other + text.slice(at)), isUsage);
      const swapped = text.slice(0, at) + (text[at + 1] ?? '') + text[at]! + text.slice(at + 2);
      if (swapped !== text) assert.throws(() => parseDeviceKey(swapped), isUsage);
    }),
  );
});

test('garbage is refused with USAGE', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((text) => `bl1${text}`),
      ),
      (text) => {
        assert.throws(() => parseDeviceKey(text), isUsage);
      },
    ),
  );
  assert.throws(() => parseDeviceKey('bl1'.padEnd(1_000_000, 'a')), isUsage);
});
