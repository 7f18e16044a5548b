import assert from 'node:assert/strict';
import test from 'node:test';
import { parseTurnUrl, turnTargets } from '../../src/transports/turn/server.ts';

test('TURN URIs are read as RFC 7065 has them', () => {
  const read = (url: string) => {
    const parsed = parseTurnUrl(url);
    return parsed && `${parsed.secure ? 'tls ' : ''}${parsed.host} ${parsed.port}${parsed.udp ? ' udp' : ''}`;
  };
  const cases: [string, string | undefined][] = [
    ['turn:example.org', 'example.org 3478'],
    ['turns:example.org', 'tls example.org 5349'],
    ['TURN:Example.ORG:80', 'example.org 80'],
    ['turn:192.0.2.1:3478?transport=udp', '192.0.2.1 3478 udp'],
    ['turns:192.0.2.1?transport=TCP', 'tls 192.0.2.1 5349'],
    ['turn:[2001:db8::1]:443?transport=tcp', '2001:db8::1 443'],
    ['turn:[2001:db8::1]', '2001:db8::1 3478'],
    ['turn:2001:db8::1', undefined],
    ['turn:[192.0.2.1]', undefined],
    ['turn:[::1', undefined],
    ['stun:example.org', undefined],
    ['turn://example.org', undefined],
    ['turn:user@example.org', undefined],
    ['turn:example.org:0', undefined],
    ['turn:example.org:65536', undefined],
    ['turn:example.org?transport=sctp', undefined],
    ['turn:example.org\n', undefined],
    ['turn:', undefined],
    ['', undefined],
  ];
  for (const [url, expected] of cases) assert.equal(read(url), expected, url);
});

test('each place is tried once, those for TCP first', () => {
  const urls = [
    'turn:a?transport=udp',
    'nonsense',
    'turn:b',
    'turn:a:3478',
    'turns:a',
    'turn:a?transport=tcp',
  ];
  const places = turnTargets([...urls, 'turn:c?transport=udp']);
  assert.deepEqual(
    places.map(({ host, port, secure }) => `${host} ${port} ${secure}`),
    ['b 3478 false', 'a 3478 false', 'a 5349 true', 'c 3478 false'],
  );
  assert.deepEqual(turnTargets([]), []);
});
