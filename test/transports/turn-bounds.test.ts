/** A hostile rendezvous server names a TURN server: where this side goes for it, and where it does not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { mayGoTo } from '../../src/base/nearness.ts';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { isServicePort } from '../../src/transports/near-lookup.ts';
import { allocate } from '../../src/transports/turn/allocation.ts';
import { boundedServer } from '../../src/transports/turn/server.ts';
import { FakeTurn, LOGIN } from './turn-fake.ts';

const PUBLIC = ['198.51.100.7', '2001:db8::7'];

test('a public rendezvous server leads to public addresses and to itself, nowhere into this network', () => {
  for (const address of ['203.0.113.9', '2001:db8:1::1', ...PUBLIC])
    assert.ok(mayGoTo(address, PUBLIC), address);
  for (const address of [
    ...['127.0.0.1', '10.0.0.1', '172.16.9.9', '192.168.1.1', '169.254.169.254', '100.64.0.1', '192.0.0.1'],
    ...['0.0.0.0', '224.0.0.1', '255.255.255.255', '::', '::1', 'fe80::1', 'fd00::1', 'ff02::1', 'fec0::1'],
    ...[
      '::ffff:10.0.0.1',
      '::ffff:127.0.0.1',
      '64:ff9b::a00:1',
      '64:ff9b::7f00:1',
      'fe80::1%eth0',
      'no address',
    ],
  ])
    assert.equal(mayGoTo(address, PUBLIC), false, address);
});

test('a rendezvous server in a private network may have its TURN server there', () => {
  assert.ok(mayGoTo('10.9.8.7', ['192.168.1.5']));
  assert.equal(mayGoTo('127.0.0.1', ['192.168.1.5']), false);
  assert.equal(mayGoTo('169.254.169.254', ['192.168.1.5', '169.254.1.1']), false);
  assert.ok(mayGoTo('169.254.1.1', ['169.254.1.1']), 'its own address');
  assert.ok(mayGoTo('127.0.0.1', ['::1']));
  assert.equal(mayGoTo('10.9.8.7', ['127.0.0.1']), false);
});

test('ports are those of TURN, of the web, and those that anybody may open', () => {
  for (const port of [3478, 5349, 443, 80, 1024, 49_152]) assert.ok(isServicePort(port), `${port}`);
  for (const port of [1, 22, 25, 53, 110, 389, 445, 631, 1023])
    assert.equal(isServicePort(port), false, `${port}`);
});

test('what is not allowed gets no connection, by address or by name', { timeout: 60_000 }, async (t) => {
  let connections = 0;
  const victim = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  victim.listen(0, '127.0.0.1');
  await once(victim, 'listening');
  t.after(() => victim.close());
  const { port } = victim.address() as AddressInfo;
  const { cert, key } = await makeCertificate();
  const ask = (url: string, rendezvous: string) =>
    allocate({
      server: { urls: [url], ...LOGIN },
      rendezvous,
      context: laneContext(cert, key),
      onPipe: (pipe) => pipe.destroy(),
      onLost: () => {},
      signal: AbortSignal.timeout(20_000),
    });
  const refused = (error: unknown) => error instanceof BeelineError && error.code !== 'TIMEOUT';
  for (const url of [
    `turn:127.0.0.1:${port}`,
    `turn:localhost:${port}`,
    `turns:localhost:${port}`,
    `turn:[::1]:${port}`,
  ])
    await assert.rejects(ask(url, '198.51.100.7'), refused, url);
  await assert.rejects(ask('turn:127.0.0.1:25', '127.0.0.1'), /not one for TURN/);
  assert.equal(connections, 0);
  // The same place, named by a server that is there itself.
  await assert.rejects(ask(`turn:localhost:${port}`, '127.0.0.1'));
  assert.ok(connections > 0);
  const fake = await FakeTurn.start();
  t.after(() => fake.stop());
  const allocation = await ask(fake.url, 'localhost');
  await allocation.close();
});

test('WebRTC gets the allowed addresses in the place of names', async () => {
  const urls = [
    'turn:localhost:3478',
    'turn:10.0.0.1',
    'turn:203.0.113.9:22',
    'turn:203.0.113.9?transport=tcp',
  ];
  urls.push('turns:203.0.113.9');
  const server = await boundedServer({ urls, ...LOGIN }, '198.51.100.7');
  assert.deepEqual(server.urls, ['turn:203.0.113.9:3478?transport=tcp']);
});
