/** A program's primitives and a page's do the same, and refuse the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { primitives as here } from '#crypto';
import { fromHex, toHex, utf8Encode } from '../../src/base/bytes.ts';
import { primitives as native } from '../../src/crypto/native.ts';
import { primitives as noble } from '../../src/crypto/noble.ts';
import { ORDER } from '../../src/crypto/primitives.ts';

const BOTH = Object.entries({ native, noble });
const bytes = (value: bigint) => fromHex(value.toString(16).padStart(64, '0'));
/** SP 800-186, 3.2.1.3. */
const G = fromHex(
  '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
    '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
);
const FIELD = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;

const scalars = fc.oneof(
  fc.bigInt({ min: 1n, max: ORDER - 1n }),
  // Where the ways of computing have their corners.
  fc.constantFrom(1n, 2n, 3n, ORDER - 1n, ORDER - 2n, (ORDER - 1n) / 2n, (ORDER + 1n) / 2n),
);

test('tests and programs have the native ones', () => {
  assert.equal(here, native);
});

test('hash, MAC and key derivation are what the standards show', () => {
  for (const [name, { sha256, hmac, hkdf }] of BOTH) {
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    assert.equal(toHex(sha256(utf8Encode('abc'))), abc, name);
    // RFC 4231, 4.3.
    const mac = hmac(utf8Encode('Jefe'), utf8Encode('what do ya want for nothing?'));
    assert.equal(toHex(mac), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', name);
    // RFC 5869, A.3.
    const okm = hkdf(new Uint8Array(22).fill(0x0b), new Uint8Array(), 42);
    const shown = '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8';
    assert.equal(toHex(okm), shown, name);
  }
});

test('both hash, authenticate and derive alike', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.integer({ min: 1, max: 96 }), (a, b, length) => {
      assert.deepEqual(native.sha256(a), noble.sha256(a));
      assert.deepEqual(native.hmac(a, b), noble.hmac(a, b));
      assert.deepEqual(native.hkdf(a, b, length), noble.hkdf(a, b, length));
    }),
  );
});

test('each opens what the other sealed, and nothing that was changed', () => {
  const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(fixed(32), fixed(12), fc.uint8Array(), fc.nat(), (key, nonce, plain, at) => {
      const sealed = native.seal(key, nonce, plain);
      assert.deepEqual(sealed, noble.seal(key, nonce, plain));
      const bent = sealed.slice();
      bent[at % bent.length]! ^= 1;
      for (const [name, { open }] of BOTH) {
        assert.deepEqual(open(key, nonce, sealed), plain, name);
        for (const wrong of [bent, sealed.subarray(1), sealed.subarray(0, 15), new Uint8Array()])
          assert.throws(() => open(key, nonce, wrong), name);
      }
    }),
  );
});

test('both multiply alike, corners included', () => {
  fc.assert(
    fc.property(scalars, scalars, (k, l) => {
      const point = noble.p256.multiply(bytes(l), G);
      assert.deepEqual(native.p256.multiply(bytes(k), point), noble.p256.multiply(bytes(k), point));
    }),
    { numRuns: 60 },
  );
});

test('both add alike: different points, one point twice, and opposites', () => {
  const some = fc.array(scalars, { minLength: 2, maxLength: 2 });
  fc.assert(
    fc.property(some, ([k, l]) => {
      const [a, b] = [noble.p256.multiply(bytes(k!), G), noble.p256.multiply(bytes(l!), G)];
      for (const other of [a, b, noble.p256.negate(a), native.p256.negate(b)])
        assert.deepEqual(native.p256.add(a, other), noble.p256.add(a, other));
      assert.equal(native.p256.add(a, native.p256.negate(a)), undefined);
      assert.deepEqual(native.p256.negate(a), noble.p256.negate(a));
    }),
    { numRuns: 30 },
  );
});

test('a multiple is the sum of its parts', () => {
  fc.assert(
    fc.property(scalars, scalars, (k, l) => {
      const { add, multiply } = native.p256;
      const sum = (k + l) % ORDER;
      const whole = sum === 0n ? undefined : multiply(bytes(sum), G);
      assert.deepEqual(add(multiply(bytes(k), G), multiply(bytes(l), G)), whole);
    }),
  );
});

test('what is no point or no scalar is refused by both', () => {
  const off = G.slice();
  off[64]! ^= 1;
  const beyond = new Uint8Array([4, ...bytes(FIELD + 5n), ...G.subarray(33)]);
  const compressed = new Uint8Array([3, ...G.subarray(1, 33)]);
  const hybrid = new Uint8Array([7, ...G.subarray(1)]);
  const points = [new Uint8Array(), new Uint8Array(65), new Uint8Array([4, ...new Uint8Array(64)])];
  for (const [name, { p256 }] of BOTH) {
    for (const point of [
      ...points,
      off,
      beyond,
      compressed,
      hybrid,
      G.subarray(1),
      new Uint8Array([...G, 0]),
    ]) {
      assert.throws(() => p256.multiply(bytes(2n), point), `${name} multiplies ${toHex(point)}`);
      assert.throws(() => p256.add(G, point), `${name} adds ${toHex(point)}`);
      assert.throws(() => p256.add(point, G), `${name} adds to ${toHex(point)}`);
      assert.throws(() => p256.negate(point), `${name} negates ${toHex(point)}`);
    }
    for (const scalar of [
      bytes(0n),
      bytes(ORDER),
      bytes(2n ** 256n - 1n),
      bytes(1n).subarray(1),
      new Uint8Array(33),
    ])
      assert.throws(() => p256.multiply(scalar, G), `${name} multiplies by ${toHex(scalar)}`);
  }
});

test('random bytes are of the wanted length, and others each time', () => {
  for (const [name, { randomBytes }] of BOTH) {
    assert.equal(randomBytes(48).length, 48, name);
    assert.notDeepEqual(randomBytes(32), randomBytes(32), name);
  }
});
