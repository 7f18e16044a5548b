import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipBytes, ipText } from '../../../src/base/addresses.ts';
import { BeelineError } from '../../../src/base/errors.ts';
import {
  errorCode,
  plainAddress,
  readErrorCode,
  readPlainAddress,
  readXorAddress,
  xorAddress,
} from '../../../src/nat/stun/attributes.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  hasIntegrity,
  looksLikeStun,
  MAX_STUN,
  METHOD,
  newTransaction,
  type StunMessage,
} from '../../../src/nat/stun/message.ts';

/** Those that encode adds or decode treats in a way of their own. */
const OWN: number[] = [ATTRIBUTE.messageIntegrity, ATTRIBUTE.fingerprint];
const transaction = fc.uint8Array({ minLength: 12, maxLength: 12 });
const message: fc.Arbitrary<StunMessage> = fc.record(
  {
    class: fc.constantFrom('request', 'indication', 'success', 'error'),
    method: fc.integer({ min: 0, max: 0xfff }),
    transaction,
    attributes: fc.array(
      fc.record(
        {
          type: fc.integer({ min: 0, max: 0xffff }).filter((type) => !OWN.includes(type)),
          value: fc.uint8Array({ maxLength: 120 }),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 10 },
    ),
  },
  { noNullPrototype: true },
);
const numRuns = Number(process.env.RUNS ?? 100);
const request = (attributes: StunMessage['attributes']): StunMessage => ({
  class: 'request',
  method: METHOD.binding,
  transaction: newTransaction(),
  attributes,
});

test('every message survives encoding and decoding, with and without key and fingerprint', () => {
  const key = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined });
  fc.assert(
    fc.property(message, key, fc.boolean(), (sent, key, fingerprint) => {
      const bytes = encodeStun(sent, { key, fingerprint });
      assert.ok(looksLikeStun(bytes));
      const got = decodeStun(bytes)!;
      const added = [...(key ? [OWN[0]] : []), ...(fingerprint ? [OWN[1]] : [])];
      assert.deepEqual(
        got.attributes.slice(sent.attributes.length).map(({ type }) => type),
        added,
      );
      assert.deepEqual({ ...got, attributes: got.attributes.slice(0, sent.attributes.length) }, sent);
      assert.equal(hasIntegrity(bytes, key ?? new Uint8Array(1)), key !== undefined);
      if (key) assert.ok(!hasIntegrity(bytes, Uint8Array.of(...key, 1)));
    }),
    { numRuns },
  );
});

test('nothing makes decoding throw, and what is decoded encodes again', () => {
  const damaged = fc
    .tuple(
      message,
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
      fc.boolean(),
      fc.integer({ min: -9, max: 9 }),
    )
    .map(([sent, changes, fingerprint, cut]) => {
      const bytes = encodeStun(sent, { fingerprint, key: Uint8Array.of(1) });
      for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
      return cut < 0 ? bytes.slice(0, cut) : Uint8Array.of(...bytes, ...new Uint8Array(cut));
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 3000 })), (bytes) => {
      looksLikeStun(bytes);
      hasIntegrity(bytes, Uint8Array.of(1));
      const got = decodeStun(bytes);
      if (!got) return;
      readErrorCode(got);
      for (const { value } of got.attributes) readXorAddress(value, got.transaction);
      const attributes = got.attributes.filter(({ type }) => !OWN.includes(type));
      assert.deepEqual(decodeStun(encodeStun({ ...got, attributes }))?.attributes, attributes);
    }),
    { numRuns: Number(process.env.RUNS ?? 2000) },
  );
});

test('a message of the largest size is taken, a larger one is neither made nor taken', () => {
  const most = encodeStun(request([{ type: 0x8000, value: new Uint8Array(MAX_STUN - 24) }]));
  assert.equal(most.length, MAX_STUN);
  assert.ok(decodeStun(most));
  const more = Uint8Array.of(...most, 0x80, 0, 0, 0);
  new DataView(more.buffer).setUint16(2, more.length - 20);
  assert.equal(decodeStun(more), undefined);
  assert.throws(
    () => encodeStun(request([{ type: 0x8000, value: new Uint8Array(MAX_STUN - 23) }])),
    (error: unknown) => error instanceof BeelineError && error.code === 'PROTOCOL',
  );
});

test('decoding costs a time that grows with the length, not its square', () => {
  // Each attribute is looked at once: 507 empty ones, and the digest only where a key is checked.
  const many = Array.from({ length: 507 }, () => ({ type: ATTRIBUTE.username, value: new Uint8Array(0) }));
  const bytes = encodeStun(request(many));
  let looks = 0;
  const counted = new Proxy(DataView.prototype.getUint16, {
    apply(target, view, args) {
      looks++;
      return Reflect.apply(target, view, args);
    },
  });
  const original = DataView.prototype.getUint16;
  DataView.prototype.getUint16 = counted;
  try {
    assert.equal(decodeStun(bytes)?.attributes.length, 507);
    hasIntegrity(bytes, Uint8Array.of(1));
  } finally {
    DataView.prototype.getUint16 = original;
  }
  assert.ok(looks > 507 && looks < 5 * 507, `${looks} reads`);
});

test('what follows MESSAGE-INTEGRITY is not believed, and FINGERPRINT is last', () => {
  const key = Uint8Array.of(7);
  const sealed = encodeStun(request([{ type: ATTRIBUTE.priority, value: new Uint8Array(4) }]), { key });
  const forged = Uint8Array.of(...sealed, 0, ATTRIBUTE.useCandidate, 0, 0);
  new DataView(forged.buffer).setUint16(2, forged.length - 20);
  assert.ok(hasIntegrity(forged, key));
  const got = decodeStun(forged)!;
  assert.equal(attributeOf(got, ATTRIBUTE.useCandidate), undefined);
  assert.ok(attributeOf(got, ATTRIBUTE.priority));

  const printed = encodeStun(request([]), { fingerprint: true });
  const longer = Uint8Array.of(...printed, 0x80, 0x22, 0, 0);
  new DataView(longer.buffer).setUint16(2, longer.length - 20);
  assert.equal(decodeStun(longer), undefined);
});

test('decoded values are copies: a socket may reuse its buffer', () => {
  const bytes = Buffer.from(encodeStun(request([{ type: ATTRIBUTE.username, value: Uint8Array.of(1) }])));
  const got = decodeStun(bytes)!;
  const before = structuredClone(got);
  bytes.fill(0xff);
  assert.deepEqual(got, before);
});

test('addresses survive, IPv4 in IPv6 becomes IPv4, and malformed ones are undefined', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65535 }), transaction, (host, port, transaction) => {
      const expected = { host: ipText(ipBytes(host)!), port };
      assert.deepEqual(readXorAddress(xorAddress({ host, port }, transaction), transaction), expected);
      assert.deepEqual(readPlainAddress(plainAddress({ host, port })), expected);
    }),
    { numRuns },
  );
  const id = newTransaction();
  assert.equal(xorAddress({ host: '::ffff:192.0.2.1', port: 1 }, id).length, 8);
  for (const bad of [
    [],
    [0, 1, 0, 1],
    [0, 2, 0, 1, 1, 2, 3, 4],
    [0, 3, 0, 1, 1, 2, 3, 4],
    [0, 1, 0, 0, 1, 2, 3, 4],
  ])
    assert.equal(readPlainAddress(Uint8Array.from(bad)), undefined);
  assert.equal(readXorAddress(undefined, id), undefined);
  for (const host of ['example.org', '', '1.2.3', '::g', '1.2.3.4.5'])
    assert.throws(() => xorAddress({ host, port: 1 }, id), BeelineError);
});

test('IPv6 text is what the operating system shows', () => {
  for (const [given, shown] of [
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:c000:221', '192.0.2.33'],
  ] as const)
    assert.equal(ipText(ipBytes(given)!), shown);
});

test('an error code survives, and its reason is fit for a terminal', () => {
  const of = (value: Uint8Array): StunMessage => ({
    ...request([{ type: ATTRIBUTE.errorCode, value }]),
    class: 'error',
  });
  assert.deepEqual(readErrorCode(of(errorCode(438, 'Stale Nonce'))), { code: 438, reason: 'Stale Nonce' });
  assert.deepEqual(readErrorCode(of(errorCode(400, '\u001b[2J\u202ex'))), { code: 400, reason: ' [2J x' });
  assert.equal(readErrorCode(of(errorCode(400, 'x'.repeat(900))))?.reason.length, 127);
  for (const bad of [[], [0, 0, 4], [0, 0, 2, 0], [0, 0, 7, 0], [0, 0, 4, 100]])
    assert.equal(readErrorCode(of(Uint8Array.from(bad))), undefined);
  assert.equal(readErrorCode(request([])), undefined);
});
