import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { clientAddress } from '../../src/server/address.ts';
import { Holdings, Windowed } from '../../src/server/counts.ts';

test("only a trusted proxy's own entry is believed", () => {
  const request = (forwarded?: string, remoteAddress = '192.0.2.9') =>
    ({
      socket: { remoteAddress },
      headers: { 'x-forwarded-for': forwarded },
    }) as unknown as IncomingMessage;
  assert.equal(clientAddress(request('203.0.113.1'), false), '192.0.2.9');
  for (const near of [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '::1',
    '::ffff:127.0.0.1',
    'fd00::7',
  ])
    assert.equal(clientAddress(request('10.0.0.1, 203.0.113.1', near), true), '203.0.113.1', near);
  // Whoever comes straight from the internet may write what he likes into it.
  for (const far of ['192.0.2.9', '172.32.0.1', '2001:db8::1'])
    assert.equal(clientAddress(request('203.0.113.1', far), true), far, far);
  // An IPv4 address is the same one over a socket for IPv6.
  assert.equal(clientAddress(request('203.0.113.1', '::ffff:192.0.2.9'), true), '192.0.2.9');
  assert.equal(clientAddress(request('203.0.113.1, nonsense', '127.0.0.1'), true), '127.0.0.1');
  assert.equal(clientAddress(request(undefined, '127.0.0.1'), true), '127.0.0.1');
});

test('counts forget what is over and stay bounded', () => {
  const holdings = new Holdings();
  holdings.add('a');
  holdings.add('a');
  holdings.remove('a');
  assert.equal(holdings.of('a'), 1);
  holdings.remove('a');
  assert.equal(holdings.of('a'), 0);

  const windowed = new Windowed(100, 3);
  assert.deepEqual([windowed.hit('a', 0), windowed.hit('a', 99), windowed.hit('a', 100)], [1, 2, 1]);
  assert.equal(windowed.wait('a', 150), 50);
  for (const key of ['b', 'c', 'd', 'e']) windowed.hit(key, 150);
  assert.equal(windowed.size, 3);
  windowed.sweep(250);
  assert.equal(windowed.size, 0);
});
