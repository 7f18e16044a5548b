/** A server's name in a network without name servers: what asks for it is given up with the session. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import test from 'node:test';
import { serverHosts } from '../../src/node/network/lookup.ts';

test('behind a proxy, a lookup that no name server answers ends with the session', {
  timeout: 10_000,
}, async (t) => {
  const silent = createSocket('udp4').bind(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const before = process.env.HTTPS_PROXY;
  process.env.HTTPS_PROXY = 'http://127.0.0.1:9';
  t.after(() => {
    if (before === undefined) delete process.env.HTTPS_PROXY;
    else process.env.HTTPS_PROXY = before;
  });
  const resolver = new Resolver({ timeout: 60_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${silent.address().port}`]);
  const end = new AbortController();
  const hosts = serverHosts('https://beeline.example', end.signal, resolver);
  // It asks the name server that it was given, and nobody else: the system's lookup could not be given up.
  await once(silent, 'message');
  end.abort();
  assert.deepEqual(await hosts, []);
});

test('an address is its own answer', async () => {
  const { signal } = new AbortController();
  assert.deepEqual(await serverHosts('http://127.0.0.1:1', signal), ['127.0.0.1']);
  assert.deepEqual(await serverHosts('http://[::1]:1', signal), ['::1']);
});
