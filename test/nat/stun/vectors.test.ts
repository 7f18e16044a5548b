/** The samples of RFC 5769. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainAddress, readXorAddress, xorAddress } from '../../../src/nat/stun/attributes.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  hasIntegrity,
  longTermKey,
  METHOD,
  shortTermKey,
} from '../../../src/nat/stun/message.ts';

const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const textOf = (value?: Uint8Array) => value && new TextDecoder().decode(value);

const TRANSACTION = bytesOf('b7e7a701bc34d686fa87dfae');
const KEY = shortTermKey('VOkJxbRl1RmTxUk/WvJxBt');

/** 2.1: short-term credentials and ICE attributes. Its padding is spaces. */
const REQUEST = bytesOf(`
  00010058 2112a442 b7e7a701 bc34d686 fa87dfae
  80220010 5354554e 20746573 7420636c 69656e74
  00240004 6e0001ff
  80290008 932ff9b1 51263b36
  00060009 6576746a 3a683676 59202020
  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  80280004 e57a3bcf`);
/** 2.2 */
const ANSWER_V4 = bytesOf(`
  0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
  8022000b 74657374 20766563 746f7220
  00200008 0001a147 e112a643
  00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
  80280004 c07d4c96`);
/** 2.3 */
const ANSWER_V6 = bytesOf(`
  01010048 2112a442 b7e7a701 bc34d686 fa87dfae
  8022000b 74657374 20766563 746f7220
  00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
  00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
  80280004 c8fb0b4c`);
/** 2.4: long-term credentials, zeros for padding. */
const LONG_TERM = bytesOf(`
  00010060 2112a442 78ad3433 c6ad72c0 29da412e
  00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
  0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
  0014000b 6578616d 706c652e 6f726700
  00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`);

test('2.1: the sample request', () => {
  const message = decodeStun(REQUEST)!;
  assert.equal(message.class, 'request');
  assert.equal(message.method, METHOD.binding);
  assert.deepEqual(message.transaction, TRANSACTION);
  assert.equal(textOf(attributeOf(message, ATTRIBUTE.software)), 'STUN test client');
  assert.equal(textOf(attributeOf(message, ATTRIBUTE.username)), 'evtj:h6vY');
  assert.deepEqual(attributeOf(message, ATTRIBUTE.priority), bytesOf('6e0001ff'));
  assert.deepEqual(attributeOf(message, ATTRIBUTE.iceControlled), bytesOf('932ff9b151263b36'));
  assert.ok(hasIntegrity(REQUEST, KEY));
  assert.ok(!hasIntegrity(REQUEST, shortTermKey('VOkJxbRl1RmTxUk/WvJxBT')));
});

for (const [name, bytes, host] of [
  ['2.2: the sample IPv4 response', ANSWER_V4, '192.0.2.1'],
  ['2.3: the sample IPv6 response', ANSWER_V6, '2001:db8:1234:5678:11:2233:4455:6677'],
] as const)
  test(name, () => {
    const message = decodeStun(bytes)!;
    assert.equal(message.class, 'success');
    assert.equal(textOf(attributeOf(message, ATTRIBUTE.software)), 'test vector');
    const value = attributeOf(message, ATTRIBUTE.xorMappedAddress)!;
    assert.deepEqual(readXorAddress(value, message.transaction), { host, port: 32853 });
    assert.deepEqual(xorAddress({ host, port: 32853 }, TRANSACTION), value);
    assert.equal(plainAddress({ host, port: 32853 }).length, value.length);
    assert.ok(hasIntegrity(bytes, KEY));
  });

test('2.4: the sample request with long-term authentication, read and made', () => {
  const username = '\u30de\u30c8\u30ea\u30c3\u30af\u30b9';
  const key = longTermKey(username, 'example.org', 'TheMatrIX');
  assert.ok(hasIntegrity(LONG_TERM, key));
  assert.ok(!hasIntegrity(LONG_TERM, longTermKey(username, 'example.org', 'TheMatrix')));
  const message = decodeStun(LONG_TERM)!;
  assert.equal(textOf(attributeOf(message, ATTRIBUTE.username)), username);
  assert.equal(textOf(attributeOf(message, ATTRIBUTE.realm)), 'example.org');
  assert.equal(textOf(attributeOf(message, ATTRIBUTE.nonce)), 'f//499k954d6OL34oL9FSTvy64sA');
  const attributes = message.attributes.filter(({ type }) => type !== ATTRIBUTE.messageIntegrity);
  assert.deepEqual(encodeStun({ ...message, attributes }, { key }), LONG_TERM);
});

test('a change anywhere in a sample is seen by its MESSAGE-INTEGRITY or its FINGERPRINT', () => {
  for (const sample of [REQUEST, ANSWER_V4, ANSWER_V6])
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const changed = sample.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const got = decodeStun(changed);
      // An attribute that became longer may have swallowed the checksum; the digest is gone then too.
      if (got && hasIntegrity(changed, KEY))
        assert.deepEqual(got.attributes, decodeStun(sample)!.attributes.slice(0, -1), `bit ${bit}`);
    }
});
