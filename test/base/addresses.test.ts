import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  behindNat64,
  familyOf,
  ipBytes,
  ipText,
  isAddress,
  needsZone,
  plainHost,
  scopeOf,
  spelled,
  within,
} from '../../src/base/addresses.ts';
import { seed } from '../seed.ts';

const numRuns = 2_000;

test('what is an address is what the operating system takes for one', () => {
  const piece = fc.constantFrom(
    '0',
    '1',
    'f',
    'ffff',
    '1.2.3.4',
    '10',
    '255',
    '256',
    '01',
    '0x7f',
    'g',
    ':',
    '::',
    '.',
  );
  const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6(), fc.string()), (host) => {
      const family = host.includes('%') ? 0 : isIP(host);
      assert.equal(isAddress(host), family !== 0, host);
      assert.equal(familyOf(host) ?? 0, isIP(host) && (host.includes('%') ? 6 : family), host);
    }),
    { seed, numRuns },
  );
});

test('spellings that old libraries take for other addresses are none', () => {
  // Who checks one address and connects to another has checked nothing.
  for (const host of [
    '127.1',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '2130706433',
    '::0x7f.0.0.1',
    '::ffff:0177.0.0.1',
    '1.2.3.4 ',
  ])
    assert.equal(isAddress(host), false, host);
  assert.equal(spelled('::127.0.0.1'), '::7f00:1', 'an IPv4-compatible address is not IPv4');
  assert.equal(scopeOf('::ffff:7f00:1'), 'loopback');
  assert.equal(isAddress(`${'0:'.repeat(50_000)}1`), false);
});

test('an address keeps its bytes through any spelling', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (host) => {
      const bytes = ipBytes(host)!;
      assert.deepEqual(ipBytes(ipText(bytes)), bytes);
      assert.equal(spelled(host), ipText(bytes));
    }),
    { seed, numRuns },
  );
  assert.equal(plainHost('::FFFF:192.0.2.1'), '192.0.2.1');
  for (const host of ['lab2.example', 'fe80::1%eth0', '2001:DB8::1', '192.0.2.1'])
    assert.equal(plainHost(host), host, host);
});

test('scopes, zones, subnets and NAT64', () => {
  for (const host of ['0.0.0.0', '0.1.2.3', '::']) assert.equal(scopeOf(host), 'none', host);
  for (const host of ['224.0.0.1', '240.0.0.1', '255.255.255.255', 'ff02::fb'])
    assert.equal(scopeOf(host), 'many', host);
  assert.deepEqual(['fe80::1', 'febf::1%br-0.7'].map(needsZone), [true, true]);
  assert.deepEqual(['169.254.1.1', 'fec0::1', 'router'].map(needsZone), [false, false, false]);
  const isHere = within(['192.168.1.7/24', 'fd00::1/64', 'nonsense', '10.0.0.1/33']);
  assert.deepEqual(
    ['192.168.1.200', '::ffff:192.168.1.9', 'fd00::9', '192.168.2.1', 'fd00:0:0:1::9', '10.0.0.1', 'x'].map(
      isHere,
    ),
    [true, true, true, false, false, false, false],
  );
  assert.equal(behindNat64('64:ff9b::10.0.0.1'), '10.0.0.1');
  assert.equal(behindNat64('64:ff9b:0:1::10.0.0.1'), '64:ff9b:0:1::a00:1');
});
