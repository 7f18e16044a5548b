import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBuckets } from '../../../src/base/bucket.ts';
import { answerBinding, MAX_GROWTH } from '../../../src/nat/stun/answer.ts';
import { readErrorCode, readPlainAddress, readXorAddress } from '../../../src/nat/stun/attributes.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  METHOD,
  newTransaction,
  type StunClass,
} from '../../../src/nat/stun/message.ts';

const V6 = { host: '2001:db8:1111:2222:3333:4444:5555:6666', port: 65535 };
const request = (
  attributes: { type: number; value: Uint8Array }[] = [],
  kind: StunClass = 'request',
  method: number = METHOD.binding,
  fingerprint = false,
) => encodeStun({ class: kind, method, transaction: newTransaction(), attributes }, { fingerprint });
const ask = (bytes: Uint8Array, canChange = true) => answerBinding(bytes, { from: V6, other: V6, canChange });

test('no answer is more than MAX_GROWTH bytes longer than its request', () => {
  const attribute = fc.record({
    type: fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(...Object.values(ATTRIBUTE))),
    value: fc.uint8Array({ maxLength: 8 }),
  });
  let most = 0;
  fc.assert(
    fc.property(fc.array(attribute, { maxLength: 12 }), fc.boolean(), (attributes, fingerprint) => {
      const bytes = request(attributes, 'request', METHOD.binding, fingerprint);
      const answer = ask(bytes);
      if (!answer) return;
      assert.ok(decodeStun(answer.bytes));
      most = Math.max(most, answer.bytes.length - bytes.length);
    }),
    { examples: [[[], false]] },
  );
  assert.equal(most, MAX_GROWTH);
});

test('only Binding requests are answered', () => {
  for (const kind of ['indication', 'success', 'error'] as const)
    assert.equal(ask(request([], kind)), undefined);
  for (const method of [METHOD.allocate, METHOD.connect, 0, 0xfff])
    assert.equal(ask(request([], 'request', method)), undefined);
  assert.equal(ask(new Uint8Array(20)), undefined);
  const bytes = request();
  const answer = decodeStun(ask(bytes)!.bytes)!;
  assert.equal(answer.class, 'success');
  assert.deepEqual(readXorAddress(attributeOf(answer, ATTRIBUTE.xorMappedAddress), answer.transaction), V6);
  assert.deepEqual(readPlainAddress(attributeOf(answer, ATTRIBUTE.otherAddress)), V6);
  assert.equal(attributeOf(answer, ATTRIBUTE.fingerprint), undefined);
  const printed = decodeStun(ask(request([], 'request', METHOD.binding, true))!.bytes)!;
  assert.ok(attributeOf(printed, ATTRIBUTE.fingerprint));
});

test('what must be understood and is not, or cannot be done, is refused', () => {
  const change = (flags: number) => [{ type: ATTRIBUTE.changeRequest, value: Uint8Array.of(0, 0, 0, flags) }];
  assert.equal(ask(request(change(2)))?.changePort, true);
  assert.equal(ask(request(change(0)))?.changePort, false);
  assert.equal(ask(request([{ type: 0x8123, value: Uint8Array.of(1) }]))?.changePort, false);
  const refused = [ask(request(change(4))), ask(request(change(6))), ask(request(change(2)), false)];
  refused.push(ask(request([{ type: 0x7123, value: Uint8Array.of(1) }])));
  for (const answer of refused) {
    assert.equal(answer?.changePort, false);
    assert.equal(readErrorCode(decodeStun(answer!.bytes)!)?.code, 420);
  }
});

test('a rate limit gives its burst, then its rate, to each key, and forgets the longest unused', () => {
  let now = 0;
  const limit = new TokenBuckets(10, 3, 2, { now: () => now });
  const takes = (key: string, n: number) =>
    Array.from({ length: n }, () => limit.take(key)).filter(Boolean).length;
  assert.equal(takes('a', 9), 3);
  assert.equal(takes('b', 9), 3);
  now += 100;
  assert.equal(takes('a', 9), 1);
  now += 1e6;
  assert.equal(takes('a', 9), 3);
  takes('c', 9);
  assert.equal(limit.size, 2);
  assert.equal(takes('a', 9), 0, 'remembered: b was the longest unused');
  assert.equal(takes('b', 9), 3, 'forgotten');
});
