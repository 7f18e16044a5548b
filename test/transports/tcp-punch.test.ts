/** Punching's parts on loopback; that it gets through NATs, test/lab/punch.heavy.test.ts shows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import test, { after, afterEach, before } from 'node:test';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { xorAddress } from '../../src/nat/stun/attributes.ts';
import { ATTRIBUTE, decodeStun, encodeStun } from '../../src/nat/stun/message.ts';
import { laneContext, tlsClient, tlsServer } from '../../src/secure/tls.ts';
import { startStun } from '../../src/server/stun.ts';
import {
  MAX_PUNCHED,
  openPunchPorts,
  PunchBudget,
  PunchPort,
  type PunchPorts,
  pairs,
} from '../../src/transports/punched/ports.ts';
import {
  Puncher,
  PunchListener,
  punch,
  punchPath,
  type SecurePunched,
} from '../../src/transports/punched/punch.ts';
import type { Address } from '../../src/wire/candidate.ts';

const HOST = '127.0.0.1';
const closers: (() => unknown)[] = [];
const certificate = await makeCertificate();
const context = laneContext(certificate.cert, certificate.key);
let stun: Awaited<ReturnType<typeof startStun>>;
let at: Address;

before(async () => {
  stun = await startStun({ ports: [0, 0], host: HOST });
  at = { host: HOST, port: stun.ports[1] };
});
after(() => stun.close());
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listening(
  handle: (socket: Socket) => void,
  port = 0,
): Promise<{ server: Server; address: Address }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { server, address: { host: HOST, port: (server.address() as AddressInfo).port } };
}

async function opened(servers: Address[], onChange?: () => void, count = 4): Promise<PunchPorts> {
  const ports = await openPunchPorts(servers, { count, signal: new AbortController().signal, onChange });
  closers.push(() => ports.close());
  return ports;
}

async function learned(): Promise<PunchPort> {
  const port = new PunchPort(at, () => {});
  closers.push(() => port.close());
  await port.learn();
  assert.ok(port.mapped);
  return port;
}

/** A STUN server that says what it is told to. */
const lying = (mapped: (seen: Address) => Address) =>
  listening((socket) =>
    socket.on('data', (bytes: Buffer) => {
      const { transaction } = decodeStun(bytes)!;
      const seen = mapped({ host: HOST, port: socket.remotePort! });
      const value = xorAddress(seen, transaction);
      const attributes = [{ type: ATTRIBUTE.xorMappedAddress, value }];
      socket.write(encodeStun({ class: 'success', method: 1, transaction, attributes }));
    }),
  );

const never = () => new AbortController().signal;
const client: SecurePunched = async (socket, over) => ({
  pipe: await tlsClient(socket, over, certificate.fingerprint),
});

test('ports: each has its own mapping; nothing is dependent, and nothing changed', async () => {
  const ports = await opened([at], () => assert.fail('changed'));
  assert.equal(ports.dependent, false);
  assert.deepEqual(
    ports.candidates,
    ports.usable.map(({ local }) => ({ host: HOST, port: local })),
  );
  assert.equal(new Set(ports.candidates.map(({ port }) => port)).size, 4);
  assert.deepEqual(ports.mapped, ports.candidates);
});

test('ports: a server that sees another address at its other port tells that mappings depend on destinations', async () => {
  const { address: first } = await lying(({ port }) => ({ host: '192.0.9.1', port }));
  const { address: second } = await lying(({ port }) => ({ host: '192.0.9.1', port: (port % 60_000) + 1 }));
  const ports = await opened([first, second]);
  assert.equal(ports.dependent, true);
  assert.deepEqual(ports.candidates, []);
  assert.equal(ports.mapped.filter(Boolean).length, 4);
  const peer = [{ host: '192.0.9.9', port: 1 }];
  assert.deepEqual(pairs(ports, peer), []);
  assert.deepEqual(
    punchPath(ports, peer, context, () => ''),
    [],
  );
  const same = await opened([first, first]);
  assert.equal(same.dependent, false);
});

test('ports: a server that is not there yet is asked again, and what it says is told', async () => {
  const { server, address } = await listening(() => {});
  server.close();
  await once(server, 'close');
  const changed = deferred();
  const ports = await opened([address], () => changed.resolve(), 1);
  assert.deepEqual(ports.candidates, []);
  const again = await startStun({ ports: [0, address.port], host: HOST });
  closers.push(() => again.close());
  await changed.promise;
  assert.equal(ports.candidates.length, 1);
});

test('ports: a lost connection to the server is made again from the same port, and told only if that changed', async () => {
  const sockets: Socket[] = [];
  const from = new Set<number>();
  const answer = await listening((socket) => {
    sockets.push(socket);
    from.add(socket.remotePort!);
    socket.on('data', (bytes: Buffer) => {
      const { transaction } = decodeStun(bytes)!;
      const value = xorAddress({ host: '192.0.9.1', port: 1000 + (sockets.length > 2 ? 1 : 0) }, transaction);
      const attributes = [{ type: ATTRIBUTE.xorMappedAddress, value }];
      socket.write(encodeStun({ class: 'success', method: 1, transaction, attributes }));
    });
  });
  const changes: number[] = [];
  const ports = await opened([answer.address], () => changes.push(sockets.length), 1);
  const { local } = ports.usable[0]!;
  for (const expected of [2, 3]) {
    sockets.at(-1)!.destroy();
    await until(() => sockets.length === expected);
  }
  await until(() => changes.length === 1);
  assert.deepEqual(changes, [3]);
  assert.deepEqual(from, new Set([local]));
  assert.equal(ports.candidates[0]!.port, 1001);
});

test('ports: closing, or the end of the session, ends them', async () => {
  const life = new AbortController();
  const ports = await openPunchPorts([at], { count: 2, signal: life.signal });
  life.abort();
  ports.close();
  const gone = await openPunchPorts([at], { count: 2, signal: life.signal });
  assert.deepEqual(gone.candidates, []);
});

test('pairs: the n-th with the n-th of its family, at most eight, never where no STUN server looks from', async () => {
  const port = (family: 4 | 6, local: number) => ({ family, local }) as PunchPort;
  const [a, b, c] = [port(4, 1), port(4, 2), port(6, 3)];
  const ports = { usable: [a, b, c], dependent: false } as unknown as PunchPorts;
  const [v4, v6] = [
    (n: number) => ({ host: `192.0.9.${n}`, port: n }),
    (n: number) => ({ host: `2001:db9::${n}`, port: n }),
  ];
  assert.deepEqual(pairs(ports, [v6(1), v4(2), v6(3), v4(4), v4(5)]), [
    { port: a, to: v4(2) },
    { port: b, to: v4(4) },
    { port: c, to: v6(1) },
  ]);
  const nowhere = [
    '127.0.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '169.254.1.1',
    '::1',
    '::',
    'fe80::1',
    'ff02::1',
    '::ffff:127.0.0.1',
  ];
  assert.deepEqual(
    pairs(
      ports,
      nowhere.slice(0, 5).map((host) => ({ host, port: 1 })),
    ),
    [],
  );
  assert.deepEqual(
    pairs(
      ports,
      nowhere.slice(5).map((host) => ({ host, port: 1 })),
    ),
    [],
  );
  const many = {
    usable: Array.from({ length: 20 }, (_, i) => port(4, i + 1)),
    dependent: false,
  } as unknown as PunchPorts;
  assert.equal(
    pairs(
      many,
      Array.from({ length: 20 }, (_, i) => v4(i + 1)),
    ).length,
    MAX_PUNCHED,
  );
});

test('budget: a peer that asks without end is tried a bounded number of times', () => {
  const budget = new PunchBudget();
  let tries = 0;
  while (budget.take()) tries++;
  assert.ok(tries >= PunchBudget.most && tries < PunchBudget.most + PunchBudget.perSecond, `${tries}`);
});

test('tries: go on after refusals until somebody is there, from the port whose mapping is known', async () => {
  const { server, address } = await listening(() => {});
  server.close();
  await once(server, 'close');
  const port = await learned();
  const trying = new Puncher(port, address, new PunchBudget()).next(never());
  await new Promise((resolve) => setTimeout(resolve, 100));
  const from = deferred<number>();
  await listening((socket) => from.resolve(socket.remotePort!), address.port);
  const socket = await trying;
  closers.push(() => socket.destroy());
  assert.equal(await from.promise, port.local);
});

test('tries: few go to an address that refuses them all', async () => {
  const { server, address } = await listening(() => {});
  server.close();
  await once(server, 'close');
  const budget = new PunchBudget();
  const end = new AbortController();
  setTimeout(() => end.abort(), 1_500);
  await assert.rejects(new Puncher(await learned(), address, budget).next(end.signal), { code: 'NO_PATH' });
  let left = 0;
  while (budget.take()) left++;
  assert.ok(PunchBudget.most - left < 64, `${PunchBudget.most - left} tries`);
});

test('tries: a port stuck in an old connection to the same peer, or taken by another program, is changed', async () => {
  const { address } = await listening(() => {});
  const stuck = await learned();
  const before = stuck.local;
  const old = connect({ ...address, localPort: before, family: 4 });
  await once(old, 'connect');
  closers.push(() => old.destroy());
  const socket = await new Puncher(stuck, address, new PunchBudget()).next(never());
  closers.push(() => socket.destroy());
  assert.notEqual(stuck.local, before);
  assert.equal(socket.localPort, stuck.local);
  // The server is asked again meanwhile.
  await until(() => stuck.mapped?.port === stuck.local);

  const taken = await learned();
  const first = taken.local;
  taken.letGo();
  const other = createServer();
  // The kernel may need a moment to forget the connection that was let go.
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        other.once('error', () => resolve(false)).listen(first, () => resolve(true));
      }),
  );
  closers.push(() => other.close());
  const again = await new Puncher(taken, address, new PunchBudget()).next(never());
  closers.push(() => again.destroy());
  assert.notEqual(taken.local, first);
});

test('lane: one at a time on a port, which is free again when it is gone', async () => {
  const { address } = await listening((socket) => {
    const over = { kind: 'punched', local: '', remote: '', context, signal: never() } as const;
    tlsServer(socket, over).then(({ pipe }) =>
      pipe.start(
        (bytes) => pipe.write(Uint8Array.from(bytes), () => {}),
        () => {},
      ),
    );
  });
  const port = await learned();
  const target = { port, to: address, budget: new PunchBudget(), context, secure: client };
  for (const failure of [undefined, new Error('cut')]) {
    const lane = await punch(target, never());
    assert.equal(lane.pipe.kind, 'punched');
    await assert.rejects(punch(target, never()), { code: 'NO_PATH', message: /carries a lane/ });
    const echo = deferred<number>();
    lane.pipe.start(
      (bytes) => echo.resolve(bytes.length),
      () => {},
    );
    lane.pipe.write(new Uint8Array(5), () => {});
    assert.equal(await echo.promise, 5);
    lane.pipe.destroy(failure);
    await lane.closed;
  }
});

test('lane: a stranger at the address is an error at once, a silent one is given up when nobody waits', async () => {
  const stranger = await makeCertificate();
  const { address } = await listening((socket) => {
    const strange = laneContext(stranger.cert, stranger.key);
    const over = { kind: 'punched', local: '', remote: '', context: strange, signal: never() } as const;
    tlsServer(socket, over).catch(() => {});
  });
  const port = await learned();
  const target = { port, to: address, budget: new PunchBudget(), context, secure: client };
  await assert.rejects(punch(target, never()), { code: 'AUTHENTICATION' });
  const { address: silent } = await listening(() => {});
  const end = new AbortController();
  const waiting = assert.rejects(punch({ ...target, to: silent }, end.signal), { code: 'NO_PATH' });
  setTimeout(() => end.abort(), 200);
  await waiting;
  assert.ok(port.take(), 'free again');
});

test('lane: a peer that hangs up after connecting is tried again', async () => {
  let connections = 0;
  const { address } = await listening((socket) => {
    if (++connections < 3) return void socket.resetAndDestroy();
    const over = { kind: 'punched', local: '', remote: '', context, signal: never() } as const;
    tlsServer(socket, over).catch(() => {});
  });
  const target = { port: await learned(), to: address, budget: new PunchBudget(), context, secure: client };
  const lane = await punch(target, never());
  assert.equal(connections, 3);
  lane.pipe.destroy();
});

test('listener: a closed one tries nothing, and none tries this machine itself', async () => {
  let connections = 0;
  const { address } = await listening(() => connections++);
  const port = await learned();
  const ports = { usable: [port], dependent: false, budget: new PunchBudget() } as unknown as PunchPorts;
  const listener = new PunchListener({ ports, context, onPipe: () => assert.fail('no TLS was spoken') });
  listener.attempt({ peer: [address] });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(connections, 0);
  listener.close();
  listener.attempt({ peer: [{ host: '192.0.9.1', port: 9 }] });
  assert.ok(port.take(), 'nothing has the port');
});

function deferred<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; !(await holds()); i++) {
    assert.ok(i < 1_000, 'it never came');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
