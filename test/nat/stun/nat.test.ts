import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { BeelineError } from '../../../src/base/errors.ts';
import { answerBinding } from '../../../src/nat/stun/answer.ts';
import { type Mapping, natKind, probeTcp, probeUdp } from '../../../src/nat/stun/nat.ts';
import { startStun } from '../../../src/server/stun.ts';
import type { Address } from '../../../src/wire/candidate.ts';

const isError = (code: string) => (error: unknown) => error instanceof BeelineError && error.code === code;
const HOST = '127.0.0.1';

test('the kinds of mapping', () => {
  const kind = (ports: number[], local = 1) =>
    natKind({
      answers: ports.map((port) => ({ mapped: { host: '198.51.100.1', port }, roundTrip: port })),
      isLocal: ({ port }) => port === local,
    });
  const cases: [number[], Mapping][] = [
    [[], 'unknown'],
    [[1], 'none'],
    [[1, 1], 'none'],
    [[2], 'unknown'],
    [[2, 2], 'endpoint-independent'],
    [[2, 3], 'dependent'],
    [[1, 2], 'dependent'],
  ];
  for (const [ports, mapping] of cases) {
    assert.equal(kind(ports).mapping, mapping, ports.join());
    assert.equal(kind(ports).blocked, ports.length === 0);
  }
  assert.equal(kind([3, 2]).roundTrip, 2);
});

for (const host of [HOST, '::1'])
  test(`no NAT on loopback, over ${host}`, async (t) => {
    const stun = await startStun({ ports: [0, 0], host }).catch((error) => error as BeelineError);
    if (stun instanceof BeelineError) return t.skip(stun.message);
    const main = createServer((socket) => stun.accept(socket));
    await new Promise<void>((done) => main.listen(stun.ports[0], host, done));
    try {
      const servers = stun.ports.map((port) => ({ host, port }));
      const udp = await probeUdp(servers);
      assert.equal(udp.mapping, 'none');
      assert.equal(udp.filtering, 'open');
      assert.equal(udp.mapped?.host, host);
      const tcp = await probeTcp(servers);
      assert.equal(tcp.mapping, 'none');
      assert.equal(tcp.mapped?.host, host);
    } finally {
      await stun.close();
      main.close();
    }
  });

/** UDP servers that see what a NAT would make of the client's port, and never answer from another port. */
async function behind(natOf: (server: number) => number | undefined, other?: Address) {
  const sockets = await Promise.all(
    [0, 1].map(async (server) => {
      const socket = createSocket('udp4');
      socket.on('message', (bytes, from) => {
        const port = natOf(server);
        if (port === undefined) return;
        const seen = { host: '198.51.100.1', port };
        const answer = answerBinding(bytes, { from: seen, other, canChange: true });
        if (answer && !answer.changePort) socket.send(answer.bytes, from.port, from.address);
      });
      await new Promise<void>((done) => socket.bind(0, HOST, done));
      return socket;
    }),
  );
  const servers = sockets.map((socket) => ({ host: HOST, port: socket.address().port }));
  return { servers, close: () => sockets.forEach((socket) => void socket.close()) };
}

test('a cone and a symmetric NAT, and silence about filtering from a server that cannot tell', async () => {
  const cone = await behind(() => 5_000, { host: HOST, port: 1 });
  const symmetric = await behind((server) => 5_000 + server);
  try {
    const [a, b] = await Promise.all([probeUdp(cone.servers), probeUdp(symmetric.servers)]);
    assert.deepEqual([a.mapping, a.filtering], ['endpoint-independent', 'dependent']);
    assert.deepEqual([b.mapping, b.filtering], ['dependent', 'unknown']);
    assert.ok(!a.blocked && !b.blocked);
  } finally {
    cone.close();
    symmetric.close();
  }
});

test('blocked, aborted, and no servers', async () => {
  const nobody = await behind(() => undefined);
  const [udp, tcp] = await Promise.all([probeUdp(nobody.servers), probeTcp(nobody.servers)]);
  assert.deepEqual(udp, { blocked: true, mapping: 'unknown', filtering: 'unknown' });
  assert.deepEqual(tcp, { blocked: true, mapping: 'unknown' });
  const signal = AbortSignal.abort();
  await assert.rejects(probeUdp(nobody.servers, signal), isError('CANCELLED'));
  await assert.rejects(probeTcp(nobody.servers, signal), isError('CANCELLED'));
  await assert.rejects(probeUdp([]), isError('USAGE'));
  await assert.rejects(probeTcp([]), isError('USAGE'));
  nobody.close();
});
