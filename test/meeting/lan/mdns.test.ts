/** Real multicast, on the loopback interface only. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { announce } from '../../../src/meeting/lan/announce.ts';
import { find, taken } from '../../../src/meeting/lan/find.ts';
import { multicastInterfaces } from '../../../src/meeting/lan/interfaces.ts';
import { LanLinks } from '../../../src/meeting/lan/links.ts';
import { records } from '../../../src/meeting/lan/records.ts';
import { childModule } from '../../child.ts';
import { on } from '../../platform.ts';

const interfaces = ['127.0.0.1'];
/** Other tests and programs may announce on the same link. */
const unique = () => `t${process.pid}x${Math.random().toString(36).slice(2, 10)}`;

async function multicastWorks(context: TestContext): Promise<boolean> {
  const links = new LanLinks('answer', { packet() {} }, interfaces);
  await links.refresh();
  const works = links.all.length > 0;
  links.close();
  if (!works) context.skip('no multicast on the loopback interface, or port 5353 is not to be shared');
  return works;
}

const ANNOUNCER = childModule('test/meeting/lan/announcer.ts');

async function announcer(
  nameplate: string,
  port: number,
): Promise<{ instance: string; process: ChildProcess }> {
  const child = spawn(process.execPath, [...ANNOUNCER.node, ANNOUNCER.path, nameplate, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [instance] = await once(createInterface({ input: child.stdout! }), 'line');
  return { instance, process: child };
}

test('a sender in another process is found, named as taken, and gone after its goodbye', async (context) => {
  if (!(await multicastWorks(context))) return;
  const nameplate = unique();
  const child = await announcer(nameplate, 4242);
  const stop = new AbortController();
  const seen: unknown[] = [];
  const left = find({
    nameplate,
    timeout: 20_000,
    signal: stop.signal,
    interfaces,
    onFound: (address) => {
      seen.push(address);
      stop.abort();
    },
  });
  const instances = await left;
  assert.deepEqual(seen, [{ host: '127.0.0.1', port: 4242, instance: child.instance }]);
  assert.deepEqual([...instances.keys()], [child.instance]);
  // One look lasts a second, which a busy machine may sleep through.
  for (let looks = 0; !(await taken(1000, { interfaces })).has(nameplate); looks++) assert.ok(looks < 30);

  const exited = once(child.process, 'exit');
  child.process.stdin!.end();
  assert.deepEqual(await exited, [0, null]);
  assert.ok(!(await taken(200, { interfaces })).has(nameplate));
});

test('a sender that comes later is heard without asking; two of one nameplate are told apart', async (context) => {
  if (!(await multicastWorks(context))) return;
  const nameplate = unique();
  const stop = new AbortController();
  const instances = new Set<string>();
  const looking = find({
    nameplate,
    timeout: 20_000,
    signal: stop.signal,
    interfaces,
    onFound: ({ instance }) => {
      instances.add(instance);
      if (instances.size === 2) stop.abort();
    },
  });
  const first = await announce({ nameplate, port: 1001, interfaces });
  const second = await announce({ nameplate, port: 1001, interfaces });
  await looking;
  assert.deepEqual(instances, new Set([first.instance, second.instance]));
  assert.notEqual(first.instance, second.instance);
  await Promise.all([first.close(), second.close()]);
});

test('senders that start together never share a name, and one that comes later takes another', async (context) => {
  if (!(await multicastWorks(context))) return;
  const prefix = unique();
  const choose = () => {
    let next = 0;
    return () => `${prefix}n${next++}`;
  };
  const start = (port: number) => announce({ nameplate: choose(), port, interfaces });
  const together = await Promise.all(Array.from({ length: 12 }, (_, i) => start(1001 + i)));
  const later = await start(2001);
  const names = [...together, later].map(({ nameplate }) => nameplate);
  assert.equal(new Set(names).size, 13, names.join());
  await Promise.all([...together, later].map((each) => each.close()));
});

test('a stranger that says every name is taken does not keep a sender from having one', async (context) => {
  if (!(await multicastWorks(context))) return;
  const prefix = unique();
  const stranger = new LanLinks(
    'answer',
    {
      packet(packet, _source, link) {
        for (const { name } of packet.questions) {
          const nameplate = name.split('.')[0]!;
          if (nameplate.startsWith(prefix))
            void link.respond(records({ nameplate, port: 1, label: 'zz' }, ['127.0.0.1'], 'announce'));
        }
      },
    },
    interfaces,
  );
  await stranger.refresh();
  let asked = 0;
  const ours = await announce({ nameplate: () => `${prefix}n${asked++}`, port: 1001, interfaces });
  assert.ok(asked > 1, 'others were tried');
  assert.equal(ours.nameplate, `${prefix}n${asked - 1}`);
  await ours.close();
  stranger.close();
});

test('nobody there: the search ends at its timeout with nothing, and another nameplate is not it', async (context) => {
  if (!(await multicastWorks(context))) return;
  const other = await announce({ nameplate: unique(), port: 1001, interfaces });
  const found = await find({
    nameplate: unique(),
    timeout: 150,
    interfaces,
    onFound: () => assert.fail('found'),
  });
  assert.equal(found.size, 0);
  await other.close();
  const none = await find({ nameplate: unique(), timeout: 20, interfaces: ['no such'], onFound() {} });
  assert.equal(none.size, 0);
});

test('garbage on the port neither stops nor misleads a search', async (context) => {
  if (!(await multicastWorks(context))) return;
  const nameplate = unique();
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.setMulticastInterface('127.0.0.1');
  const throwIn = (bytes: Buffer) => socket.send(bytes, 5353, '224.0.0.251');
  const sender = await announce({ nameplate, port: 4242, interfaces });
  const label = Buffer.from('\x08_beeline\x04_tcp\x05local\0', 'latin1');
  const header = (counts: number[]) => {
    const bytes = Buffer.alloc(12);
    for (const [i, count] of counts.entries()) bytes.writeUInt16BE(count, 2 * i);
    return bytes;
  };
  const loop = Buffer.concat([header([0, 0x8400, 0, 1, 0, 0]), Buffer.from([0xc0, 12]), label]);
  const truncated = Buffer.concat([header([0, 0x8400, 0, 60, 0, 0]), label]);
  const query = Buffer.concat([header([7, 0, 40, 0, 0, 0]), label, Buffer.from([0, 12, 0, 1])]);
  for (const bytes of [loop, truncated, query, Buffer.alloc(60_000, label), Buffer.alloc(0), label])
    for (let i = 0; i < 5; i++) throwIn(bytes);
  const stop = new AbortController();
  const hosts: string[] = [];
  await find({
    nameplate,
    timeout: 20_000,
    signal: stop.signal,
    interfaces,
    onFound: ({ host }) => {
      hosts.push(host);
      stop.abort();
    },
  });
  assert.deepEqual(hosts, ['127.0.0.1']);
  await sender.close();
  socket.close();
});

test('interfaces: one way in per family, on-link sources only', () => {
  const info = (address: string, family: 'IPv4' | 'IPv6', prefix: number, internal = false) => ({
    address,
    family,
    internal,
    cidr: `${address}/${prefix}`,
    netmask: '',
    mac: '',
    scopeid: family === 'IPv6' ? 2 : undefined,
  });
  const listing = {
    lo: [info('127.0.0.1', 'IPv4', 8, true), info('::1', 'IPv6', 128, true)],
    net0: [info('192.0.2.5', 'IPv4', 24), info('2001:db8::5', 'IPv6', 64), info('fe80::5', 'IPv6', 64)],
    tun0: [info('10.9.0.1', 'IPv4', 32)],
  } as never;
  const found = multicastInterfaces(undefined, listing);
  assert.deepEqual(
    found.map(({ name, family, address }) => `${name}/${family} ${address}`),
    ['lo/4 127.0.0.1', 'net0/4 192.0.2.5', 'net0/6 fe80::5', 'tun0/4 10.9.0.1'],
  );
  const [lo, v4, v6, tun] = found;
  assert.ok(lo!.isOnLink('127.9.9.9') && !lo!.isOnLink('192.0.2.5'));
  assert.ok(v4!.isOnLink('192.0.2.77') && !v4!.isOnLink('192.0.3.77') && !v4!.isOnLink('fe80::1%net0'));
  assert.ok(v6!.isOnLink(`fe80::1%${v6!.zone}`) && !v6!.isOnLink('fe80::1%net1'));
  assert.ok(v6!.isOnLink('2001:db8::9') && !v6!.isOnLink('2001:db8:1::9') && !v6!.isOnLink('192.0.2.77'));
  assert.ok(tun!.isOnLink('10.1.2.3'));
  assert.deepEqual(multicastInterfaces(['net0'], listing).length, 2);
});

test('interfaces: what follows % in an address is a name, and on Windows a number', async () => {
  const info = {
    address: 'fe80::5',
    family: 'IPv6',
    internal: false,
    cidr: 'fe80::5/64',
    netmask: '',
    mac: '',
    scopeid: 12,
  };
  const listing = { 'Ethernet 2': [info] } as never;
  for (const [platform, zone] of [
    ['win32', '12'],
    ['darwin', 'Ethernet 2'],
  ] as const) {
    const [found] = await on(platform, () => multicastInterfaces(undefined, listing));
    assert.equal(found!.zone, zone);
    assert.ok(found!.isOnLink(`fe80::1%${zone}`) && !found!.isOnLink('fe80::1%13'));
  }
});
