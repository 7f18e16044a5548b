/** A session's mappings over its life: which protocol is kept, renewals, what fails, and the end. */
import assert from 'node:assert/strict';
import test, { mock } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { mapPorts, type PortMapper } from '../../src/nat/mapping/map-ports.ts';
import type { Gateway, MappedProtocol, Mapper, PortMapping } from '../../src/nat/mapping/mapper.ts';

const HOUR = 3600;

class FakeMapper implements Mapper {
  readonly calls: string[] = [];
  readonly protocol: Mapper['protocol'];
  works: boolean;
  host = '192.0.9.1';
  lifetime = HOUR;
  hangs = false;
  closed = false;

  constructor(protocol: Mapper['protocol'], works: boolean) {
    this.protocol = protocol;
    this.works = works;
  }

  async map(transport: MappedProtocol, port: number): Promise<PortMapping> {
    this.calls.push(`map ${transport} ${port}`);
    if (this.hangs) await new Promise(() => {});
    if (!this.works) throw new BeelineError('NO_PATH', 'The router refuses.');
    return { address: { host: this.host, port: port + 1 }, lifetime: this.lifetime };
  }

  async unmap(transport: MappedProtocol, port: number): Promise<void> {
    this.calls.push(`unmap ${transport} ${port}`);
    if (this.hangs) await new Promise(() => {});
  }

  close(): void {
    this.closed = true;
  }
}

/** Lets everything that is ready happen. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

function begin(mappers: FakeMapper[], ports: { tcp?: number; udp?: number } = { tcp: 10, udp: 20 }) {
  const told: string[] = [];
  const life = new AbortController();
  const state = { gateway: { gateway: '10.0.0.1', local: '10.0.0.2' } as Gateway | undefined, made: 0 };
  const session: PortMapper = mapPorts(
    {
      ...ports,
      signal: life.signal,
      onMapped: (transport, { host, port }, protocol) =>
        told.push(`${transport} ${host}:${port} ${protocol}`),
    },
    {
      find: async () => state.gateway,
      mappers: () => {
        state.made++;
        return [...mappers];
      },
    },
  );
  return { session, told, life, state };
}

test('the first protocol that works is kept, renewed at half its lifetime, and undone at the end', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const [pcp, pmp, upnp] = [
      new FakeMapper('PCP', false),
      new FakeMapper('NAT-PMP', true),
      new FakeMapper('UPnP', true),
    ];
    const { session, told } = begin([pcp, pmp, upnp]);
    await settle();
    assert.deepEqual(told, ['tcp 192.0.9.1:11 NAT-PMP', 'udp 192.0.9.1:21 NAT-PMP']);
    assert.deepEqual([pcp.closed, pmp.closed, upnp.closed], [true, false, true]);
    assert.deepEqual(upnp.calls, []);
    mock.timers.tick((HOUR / 2) * 1000 - 1);
    await settle();
    assert.equal(pmp.calls.length, 2);
    mock.timers.tick(1);
    await settle();
    assert.equal(pmp.calls.length, 4);
    assert.equal(told.length, 2, 'unchanged addresses are not told again');
    pmp.host = '192.0.9.7';
    mock.timers.tick((HOUR / 2) * 1000);
    await settle();
    assert.deepEqual(told.slice(2), ['tcp 192.0.9.7:11 NAT-PMP', 'udp 192.0.9.7:21 NAT-PMP']);
    await session.close();
    assert.deepEqual(pmp.calls.slice(-2), ['unmap tcp 10', 'unmap udp 20']);
    assert.equal(pmp.closed, true);
    assert.equal(pcp.calls.filter((call) => call.startsWith('unmap')).length, 0);
  } finally {
    mock.timers.reset();
  }
});

test('a renewal that fails once is tried again by who made the mapping; twice, and all protocols are', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const pcp = new FakeMapper('PCP', true);
    const { session, state } = begin([pcp], { tcp: 10 });
    await settle();
    pcp.works = false;
    mock.timers.tick((HOUR / 2) * 1000);
    await settle();
    mock.timers.tick(300_000);
    await settle();
    assert.equal(state.made, 1);
    mock.timers.tick(300_000);
    await settle();
    assert.equal(state.made, 2);
    await session.close();
  } finally {
    mock.timers.reset();
  }
});

test('no router, another router, and lifetimes of nothing', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const pcp = new FakeMapper('PCP', true);
    pcp.lifetime = 0;
    const { session, state, told } = begin([pcp], { udp: 20 });
    await settle();
    assert.equal(state.made, 1);
    mock.timers.tick(29_999);
    await settle();
    assert.equal(pcp.calls.length, 1, 'a router cannot make this side ask without end');
    state.gateway = undefined;
    mock.timers.tick(1);
    await settle();
    assert.equal(pcp.closed, true);
    state.gateway = { gateway: '10.9.0.1', local: '10.9.0.2' };
    mock.timers.tick(300_000);
    await settle();
    assert.equal(state.made, 2);
    assert.equal(told.length, 1);
    await session.close();
  } finally {
    mock.timers.reset();
  }
});

test('a router that hangs does not hold up the end, and an abort is an end', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const hanging = new FakeMapper('UPnP', true);
    hanging.hangs = true;
    const { session, life, told } = begin([hanging]);
    await settle();
    life.abort();
    const closed = session.close();
    mock.timers.tick(1_000);
    await closed;
    assert.deepEqual(hanging.calls, ['map tcp 10', 'map udp 20', 'unmap tcp 10', 'unmap udp 20']);
    assert.equal(hanging.closed, true);
    assert.deepEqual(told, []);
  } finally {
    mock.timers.reset();
  }
});

test('a router that never granted anything is told, and not waited for', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const silent = new FakeMapper('PCP', true);
    silent.hangs = true;
    const { session } = begin([silent]);
    await settle();
    // No time passes.
    await session.close();
    assert.deepEqual(silent.calls.slice(2), ['unmap tcp 10', 'unmap udp 20']);
  } finally {
    mock.timers.reset();
  }
});

test('nothing to map, or nobody there any more: the router is not asked', async () => {
  const pcp = new FakeMapper('PCP', true);
  await begin([pcp], {}).session.close();
  const life = new AbortController();
  life.abort();
  const find = () => assert.fail('it was looked for');
  await mapPorts({ tcp: 1, signal: life.signal, onMapped: () => {} }, { find, mappers: () => [pcp] }).close();
  await settle();
  assert.deepEqual(pcp.calls, []);
});
