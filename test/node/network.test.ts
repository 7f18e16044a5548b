/** What a side knows of how to reach the other: whom it dials, what it gives up and takes up again, and what it keeps to itself. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { Forwards, mapsPort } from '../../src/node/network/forwarding.ts';
import { StunLookup } from '../../src/node/network/lookup.ts';
import { Network, type NetworkOptions } from '../../src/node/network/network.ts';
import { changeOf } from '../../src/node/network/roaming.ts';
import { laneContext } from '../../src/secure/tls.ts';
import type { Path } from '../../src/transports/path.ts';
import { Udx } from '../../src/transports/udx/transport.ts';
import type { Address } from '../../src/wire/candidate.ts';
import type { Hello } from '../../src/wire/signal.ts';
import { helloOf } from '../hello.ts';
import { freePort } from '../ports.ts';
import { around } from '../transports/surroundings.ts';

const certificate = makeCertificate();

async function common(role: 'sender' | 'receiver') {
  const { cert, key, fingerprint } = await certificate;
  const context = laneContext(cert, key);
  return {
    role,
    context,
    pin: () => fingerprint,
    onPipe: () => {},
    onChange: () => {},
    onLack: () => {},
    forwards: new Forwards(undefined),
    met: () => [],
    guest: () => undefined,
    fingerprint: 'ef'.repeat(32),
    log: undefined,
  };
}

/** A side's network without a server, and the paths that it has. */
async function network(t: TestContext, options: NetworkOptions['options']) {
  const offered: Path[][] = [];
  const onPaths = (paths: Path[]) => void offered.push(paths);
  const made = new Network({ ...(await common('receiver')), options, onPaths });
  made.start(0);
  t.after(() => made.close());
  return { network: made, paths: () => offered.at(-1) ?? [] };
}

const hello = (transports: Hello['transports']): Hello => helloOf({ transports });
const named = (paths: readonly Path[]) => paths.map(({ kind, name }) => `${kind} ${name}`);

describe('the addresses that a peer names', () => {
  it('are dialled if they are addresses of one machine', async (t) => {
    const { network: side, paths } = await network(t, { relay: 'auto' });
    for (const text of ['999.1.2.3:80', '010.1.2.3:80', '[1:2:3]:80', 'a.example:80'])
      assert.throws(() => side.peer(hello({ tcp: { at: [text] } })), { code: 'PROTOCOL' }, text);
    // What is an address, but of no one machine elsewhere, is left alone.
    const many = ['224.0.0.251:80', '[ff02::1]:80', '0.0.0.0:80', '[fe80::1]:80'];
    side.peer(hello({ tcp: { at: [...many, '[2001:DB8::1]:80'] } }));
    assert.deepEqual(named(paths()), ['tcp [2001:db8::1]:80']);
  });

  it('are not dialled by who wants relays only, whatever they are called', async (t) => {
    const there = hello({ turn: ['127.0.0.1:80'], tcp: { at: ['127.0.0.1:80'] }, udx: undefined });
    const auto = await network(t, { relay: 'auto' });
    auto.network.peer(there);
    assert.deepEqual(named(auto.paths()), ['tcp 127.0.0.1:80', 'turn 127.0.0.1:80']);
    const only = await network(t, { relay: 'only' });
    only.network.peer(there);
    assert.deepEqual(only.paths(), []);
    const { transports, hosts } = only.network.hello();
    assert.deepEqual({ transports, hosts }, { transports: {}, hosts: [] });
    const never = await network(t, { relay: 'never' });
    never.network.peer(there);
    assert.deepEqual(named(never.paths()), ['tcp 127.0.0.1:80']);
  });

  it('are not flooded, however often it names others', async (t) => {
    const { network: side, paths } = await network(t, { relay: 'auto' });
    let came = 0;
    const server = createServer((socket) => {
      came++;
      socket.on('error', () => {}).destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as { port: number };
    const open = (path: Path) => path.open(new AbortController().signal);
    for (let i = 0; i < 20; i++) {
      const hosts = Array.from({ length: 40 }, (_, j) => `127.0.${i}.${j + 1}:${port}`);
      side.peer(hello({ tcp: { at: hosts } }));
      await Promise.allSettled(paths().map(open));
      side.peer(hello({ tcp: { at: [`127.0.0.1:${port}`] } }));
      await Promise.allSettled(paths().map(open));
    }
    await assert.rejects(
      open(paths()[0]!),
      (error) => error instanceof BeelineError && /Too many/.test(error.message),
    );
    // Those to 127.0.0.1: one of each round until all were spent.
    assert.ok(came > 5 && came < 600, `${came} connections`);
  });
});

describe('a network that changes', () => {
  it('is another one only if the world is reached from elsewhere', () => {
    const v4 = ['10.0.0.2:0', ''];
    assert.equal(changeOf(v4, v4, true), 'aside');
    assert.equal(changeOf(v4, v4, false), 'aside');
    assert.equal(changeOf(v4, ['10.0.0.3:0', ''], true), 'moved');
    assert.equal(changeOf(v4, ['', ''], true), 'moved');
    assert.equal(changeOf(['', ''], v4, false), 'joined');
    assert.equal(changeOf(v4, ['10.0.0.2:0', '[2001:db8::2]:0'], false), 'joined');
    // Nothing leads to the world: any address may be the one.
    assert.equal(changeOf(['', ''], ['', ''], true), 'moved');
    assert.equal(changeOf(['', ''], ['', ''], false), 'joined');
  });

  it('twice in a moment leaves no UDP port behind', async () => {
    const ports = new Set<number>();
    const side: Udx = new Udx({
      ...(await around('receiver')),
      onChange: () => side.port() && ports.add(side.port()!.port),
    });
    await side.open();
    await Promise.all([side.open(), side.open(), side.open()]);
    assert.ok(side.port() !== undefined && ports.size >= 2);
    await side.close();
    for (const port of ports) {
      const socket = createSocket({ type: 'udp6', ipv6Only: false });
      await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(port, resolve));
      socket.close();
    }
  });

  it('looks a server up again whose name led nowhere at first', async (t) => {
    let asked = 0;
    t.mock.method(dns, 'lookup', async () => {
      if (asked++ === 0) throw new Error('EAI_AGAIN');
      return [{ address: '127.0.0.1', family: 4 }];
    });
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    const port = await freePort();
    const servers = await new Promise<Address[]>((resolve) => {
      const lookup = new StunLookup('http://server.example', () => [port], resolve);
      t.after(() => lookup.close());
      lookup.again();
    });
    assert.deepEqual([servers, asked], [[{ host: '127.0.0.1', port }], 2]);
  });
});

it('a router is asked for the sake of a server only, and not of one on this machine', () => {
  assert.ok(!mapsPort({}), 'a meeting point of its own');
  assert.ok(!mapsPort({ portMap: false, server: 'https://meet.example' }));
  for (const url of ['http://localhost:4848', 'ws://127.0.0.1:1', 'https://[::1]:443/x', 'wss://LOCALHOST'])
    assert.ok(!mapsPort({ server: url }), url);
  for (const url of ['http://localhost.example', 'ws://128.0.0.1', 'https://[::2]', 'https://meet.example'])
    assert.ok(mapsPort({ server: url }), url);
});
