import assert from 'node:assert/strict';
import { generateKeyPairSync, hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex, utf8Encode } from '../../src/base/bytes.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { parseCode } from '../../src/identity/code.ts';
import { fromDevices } from '../../src/identity/device-secret.ts';
import { fromCode } from '../../src/identity/secret.ts';
import { fromPsk } from '../../src/identity/standing-secret.ts';
import { exchange, generatePrivatePem, readPrivatePem } from '../../src/identity/x25519.ts';

const isUsage = (thrown: unknown) => thrown instanceof BeelineError && thrown.code === 'USAGE';
const keyPair = () => readPrivatePem(generatePrivatePem())!;

test('a code gives its own nameplate and the password as bytes', () => {
  assert.deepEqual(fromCode(parseCode('7-Caf\u00e9')), {
    way: 'code',
    nameplate: '7',
    password: utf8Encode('caf\u00e9'),
  });
});

test('a pre-shared key gives both sides the same, and every key something else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), (key) => {
      const secret = fromPsk(key);
      assert.equal(secret.way, 'psk');
      assert.match(secret.nameplate, /^p[a-z2-7]{15}$/);
      assert.equal(secret.password.length, 32);
      assert.deepEqual(fromPsk(key.slice()), secret);
      const other = key.slice();
      other[0]! ^= 1;
      assert.notEqual(fromPsk(other).nameplate, secret.nameplate);
      assert.notDeepEqual(fromPsk(other).password, secret.password);
    }),
  );
  assert.throws(() => fromPsk(new Uint8Array(15)), isUsage);
});

test('the derivation is HKDF-SHA256 as the protocol document says', () => {
  const key = new Uint8Array(16).fill(7);
  const expected = hkdfSync('sha256', key, '', utf8Encode('beeline psk password\0'), 32);
  assert.deepEqual(fromPsk(key).password, new Uint8Array(expected));
});

test('two devices derive the same from either end, a third one does not', () => {
  const [a, b, c] = [keyPair(), keyPair(), keyPair()];
  const atA = fromDevices(a, b.publicKey, 'sender');
  assert.equal(atA.way, 'device');
  assert.match(atA.nameplate, /^d[a-z2-7]{15}$/);
  assert.deepEqual(fromDevices(b, a.publicKey, 'receiver'), atA);
  // The other way round they are others, so that a device that sends and waits at the same time does not meet itself.
  const back = fromDevices(b, a.publicKey, 'sender');
  assert.deepEqual(fromDevices(a, b.publicKey, 'receiver'), back);
  assert.notEqual(back.nameplate, atA.nameplate);
  assert.notDeepEqual(back.password, atA.password);
  const atC = fromDevices(c, b.publicKey, 'sender');
  assert.notEqual(atC.nameplate, atA.nameplate);
  assert.notDeepEqual(atC.password, atA.password);
});

test('X25519 is that of RFC 7748 section 6.1', () => {
  const alicePrivate = fromHex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
  const bobPublic = fromHex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
  const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
  assert.equal(toHex(exchange(alicePrivate, bobPublic)), shared);
});

test('keys of small order or wrong length are refused, and the error has no secret', () => {
  const { privateKey, publicKey } = keyPair();
  const one = new Uint8Array(32);
  one[0] = 1;
  for (const bad of [new Uint8Array(32), one, new Uint8Array(31), new Uint8Array(33), new Uint8Array()])
    assert.throws(
      () => fromDevices({ privateKey, publicKey }, bad, 'sender'),
      (thrown) => isUsage(thrown) && (thrown as BeelineError).cause === undefined,
      toHex(bad),
    );
  assert.throws(() => exchange(new Uint8Array(5), publicKey), isUsage);
});

test('only X25519 private keys are read from PEM', () => {
  assert.equal(readPrivatePem(''), undefined);
  assert.equal(readPrivatePem('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'), undefined);
  const other = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  assert.equal(readPrivatePem(other), undefined);
});
