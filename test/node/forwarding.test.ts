/** What the router forwards for several networks of one process. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Forwarding, Forwards } from '../../src/node/network/forwarding.ts';
import type { Transport } from '../../src/transports/transport.ts';
import type { Address } from '../../src/wire/candidate.ts';

/** A router that forwards each port from 1000 above it. */
function router() {
  const asked: string[] = [];
  const forwards = new Forwards(undefined, ({ tcp, udp, onMapped }) => {
    const [protocol, port] = tcp === undefined ? (['udp', udp!] as const) : (['tcp', tcp] as const);
    asked.push(`${protocol} ${port}`);
    queueMicrotask(() => onMapped(protocol, { host: '192.0.2.1', port: port + 1000 }, 'PCP'));
    return { close: async () => void asked.push(`${protocol} ${port} back`) };
  });
  return { asked, forwards };
}

function network(forwards: Forwards, ports: { tcp: number; udp?: number }) {
  const at: Record<string, Address | undefined> = {};
  let changes = 0;
  const transports = (['tcp', 'udp'] as const).map(
    (protocol): Transport => ({
      ...{ describe: () => undefined, hear: () => {}, paths: () => [], close: () => {} },
      port: () => (ports[protocol] ? { protocol, port: ports[protocol] } : undefined),
      forwarded: (address) => {
        at[protocol] = address;
      },
    }),
  );
  const forwarding = new Forwarding(forwards, transports, () => changes++);
  return { forwarding, at, ports, changed: () => changes };
}

it('a port that several networks share is asked for once, and given back by the last of them', async () => {
  const { asked, forwards } = router();
  const [a, b] = [network(forwards, { tcp: 1, udp: 2 }), network(forwards, { tcp: 1, udp: 3 })];
  for (const { forwarding } of [a, b]) forwarding.update();
  await Promise.resolve();
  const late = network(forwards, { tcp: 1 });
  late.forwarding.update();
  assert.deepEqual(asked, ['tcp 1', 'udp 2', 'udp 3']);
  assert.deepEqual(
    [a, b, late].map(({ at }) => at.tcp?.port),
    [1001, 1001, 1001],
  );
  assert.deepEqual([a.at.udp?.port, b.at.udp?.port], [1002, 1003]);
  await a.forwarding.close();
  assert.deepEqual(asked.slice(3), ['udp 2 back']);
  await b.forwarding.close();
  await late.forwarding.close();
  assert.deepEqual(asked.slice(4).sort(), ['tcp 1 back', 'udp 3 back']);
});

it('a port that a network no longer listens on is given back, and its new one asked for', async () => {
  const { asked, forwards } = router();
  const { forwarding, ports, at } = network(forwards, { tcp: 1 });
  forwarding.update();
  await Promise.resolve();
  forwarding.update();
  assert.deepEqual(asked, ['tcp 1']);
  ports.tcp = 5;
  forwarding.update();
  await Promise.resolve();
  assert.deepEqual(asked, ['tcp 1', 'tcp 1 back', 'tcp 5']);
  assert.equal(at.tcp?.port, 1005);
  await forwarding.close();
  forwarding.update();
  assert.deepEqual(asked.slice(3), ['tcp 5 back']);
});
