/** What the router forwards for several networks of one process. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
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

it('a change that all its networks tell of has a port mapped anew once, and of two in one second the second counts too', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 10_000;
  t.mock.method(performance, 'now', () => now);
  const pass = async (ms: number) => {
    now += ms;
    t.mock.timers.tick(ms);
    await turn();
  };
  const { asked, forwards } = router();
  const all = [1, 2, 3].map(() => network(forwards, { tcp: 1 }));
  for (const { forwarding } of all) forwarding.update();
  await pass(5_000);
  const changed = () => {
    for (const { forwarding } of all) forwarding.anew();
  };
  changed();
  await turn();
  assert.deepEqual(asked.splice(0), ['tcp 1', 'tcp 1 back', 'tcp 1']);
  await pass(5_000);
  assert.deepEqual(asked, [], 'one change is one');
  changed();
  await pass(300);
  changed();
  await pass(300);
  assert.deepEqual(asked.splice(0), ['tcp 1 back', 'tcp 1']);
  await pass(5_000);
  assert.deepEqual(asked.splice(0), ['tcp 1 back', 'tcp 1']);
  assert.deepEqual(
    all.map(({ at }) => at.tcp?.port),
    [1001, 1001, 1001],
  );
  changed();
  await pass(10);
  changed();
  for (const { forwarding } of all) await forwarding.close();
  await pass(5_000);
  assert.equal(asked.at(-1), 'tcp 1 back', 'nothing is asked for after the end');
});

it('a second change while the old router does not answer leaves one mapping', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 10_000;
  t.mock.method(performance, 'now', () => now);
  const open = new Set<number>();
  let made = 0;
  let answer = () => {};
  const silent = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const forwards = new Forwards(undefined, () => {
    const id = ++made;
    open.add(id);
    return { close: () => silent.then(() => void open.delete(id)) };
  });
  const { forwarding } = network(forwards, { tcp: 1 });
  forwarding.update();
  for (let change = 0; change < 3; change++) {
    now += 2_000;
    forwarding.anew();
    await turn();
  }
  answer();
  await turn();
  assert.deepEqual([...open], [2]);
  await forwarding.close();
  assert.equal(open.size, 0);
});
