/** `diagnose` against real servers on loopback, against none, and against such as are none. */
import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { WebSocketServer } from 'ws';
import { BeelineError, type ErrorCode } from '../../src/base/errors.ts';
import type { Mapper } from '../../src/nat/mapping/mapper.ts';
import { diagnose } from '../../src/node/doctor/diagnose.ts';
import type { Check, CheckName, Diagnosis } from '../../src/node/doctor/diagnosis.ts';
import { Examination } from '../../src/node/doctor/examination.ts';
import { localAddresses } from '../../src/node/doctor/local.ts';
import { askMappers } from '../../src/node/doctor/router.ts';
import { startServer } from '../../src/server/index.ts';
import { testDht } from '../dht-net.ts';
import { freePort } from '../ports.ts';

const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
]);
for (const name of PROXIES) delete process.env[name];

const found = <N extends CheckName>(diagnosis: Diagnosis, name: N) => {
  const check = diagnosis[name] as Check<N> | undefined;
  assert.ok(check?.ok, `${name}: ${JSON.stringify(check)}`);
  return check;
};
const failure = (diagnosis: Diagnosis, name: CheckName) => {
  const check = diagnosis[name] as Check | undefined;
  assert.ok(check && !check.ok, `${name}: ${JSON.stringify(check)}`);
  return check;
};

async function listening(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** The machine's own router is not asked: what it answers, nobody here knows. */
const look = (server?: string) => diagnose({ server, portMap: false });

describe('doctor: a server', { timeout: 60_000 }, () => {
  it('that does everything: all of it is found to work', async (t) => {
    const server = await startServer({ port: 0, host: '127.0.0.1' });
    t.after(() => server.close());
    const told: CheckName[] = [];
    const diagnosis = await diagnose({
      server: `http://127.0.0.1:${server.port}`,
      portMap: false,
      onCheck: (name, check) => {
        told.push(name);
        assert.equal(typeof check.ok, 'boolean');
      },
    });
    const { hosts, relay, stun, turn, ms } = found(diagnosis, 'server');
    assert.deepEqual({ hosts, relay, turn }, { hosts: ['127.0.0.1'], relay: true, turn: false });
    assert.deepEqual(stun, [...server.stunPorts]);
    assert.ok(ms! >= 0 && ms! < 5000);
    assert.equal(found(diagnosis, 'udp4').mapping, 'none');
    assert.equal(found(diagnosis, 'udp4').host, '127.0.0.1');
    assert.equal(found(diagnosis, 'tcp4').mapping, 'none');
    assert.ok(found(diagnosis, 'relay').rate > 0);
    assert.deepEqual([...told].sort(), Object.keys(diagnosis).sort());
    for (const absent of ['turn', 'udp6', 'tcp6', 'router', 'proxy'] as const)
      assert.ok(!(absent in diagnosis), absent);
  });

  it('that only lets people meet: nothing else is looked for', async (t) => {
    const server = await startServer({ port: 0, host: '127.0.0.1', relay: false, stun: false });
    t.after(() => server.close());
    const diagnosis = await look(server.url);
    const { relay, stun } = found(diagnosis, 'server');
    assert.deepEqual({ relay, stun }, { relay: false, stun: [] });
    for (const absent of ['relay', 'turn', 'udp4', 'tcp4'] as const)
      assert.ok(!(absent in diagnosis), absent);
  });

  it('whose TURN server is not there: that it does not work, and the rest does', async (t) => {
    const turn = await unused(t);
    const server = await startServer({
      ...{ port: 0, host: '127.0.0.1' },
      turn: { urls: [`turn:127.0.0.1:${turn}`], secret: 'a secret of both' },
    });
    t.after(() => server.close());
    const diagnosis = await look(server.url);
    assert.equal(found(diagnosis, 'server').turn, true);
    assert.match(failure(diagnosis, 'turn').reason, new RegExp(`127\\.0\\.0\\.1:${turn}`));
    found(diagnosis, 'relay');
  });

  it('that is not there', async (t) => {
    const diagnosis = await look(`ws://127.0.0.1:${await unused(t)}`);
    assert.match(failure(diagnosis, 'server').reason, /Cannot reach/);
    for (const absent of ['relay', 'udp4', 'tcp4', 'turn'] as const)
      assert.ok(!(absent in diagnosis), absent);
    found(diagnosis, 'udx');
  });

  it('that accepts and is silent: given up in time', async (t) => {
    const port = await listening(t, createServer());
    assert.equal(failure(await look(`ws://127.0.0.1:${port}`), 'server').code, 'TIMEOUT');
  });

  it('that is another kind of server', async (t) => {
    const port = await listening(
      t,
      createHttpServer((_request, response) => response.end('<h1>Welcome to nginx!</h1>')),
    );
    assert.match(failure(await look(`ws://127.0.0.1:${port}`), 'server').reason, /Is it a Beeline server\?/);
  });

  for (const [what, answer] of [
    ['garbage', 'hello'],
    [
      'services that are none',
      '{"t":"hosted","v":2,"guests":1,"present":[],"nameplate":"7","token":"x","services":7}',
    ],
    ['another version', '{"t":"refused","code":"VERSION","message":"Update \\u001b[31mme."}'],
  ] as const)
    it(`that says ${what}`, async (t) => {
      const http = createHttpServer();
      new WebSocketServer({ server: http }).on('connection', (socket) => socket.send(answer));
      const port = await listening(t, http);
      const { code, reason } = failure(await look(`ws://127.0.0.1:${port}`), 'server');
      assert.ok(code === 'PROTOCOL' || code === 'VERSION', code);
      assert.doesNotMatch(reason, /\u001b/);
    });

  it('that offers what it does not have: each is found out, and the check ends', async (t) => {
    const http = createHttpServer();
    const token = '0123456789abcdef'.repeat(2);
    const services = { relay: true, stun: [await unused(t)] };
    new WebSocketServer({ server: http }).on('connection', (socket, request) => {
      // The relay pairs nobody; the meeting delivers nothing.
      if (request.url?.endsWith('/relay')) return;
      socket.on('message', (data) => {
        const { t: kind } = JSON.parse(String(data));
        if (kind === 'host')
          socket.send(
            JSON.stringify({ t: 'hosted', v: 2, guests: 1, present: [], nameplate: '7', token, services }),
          );
        if (kind === 'join') socket.send(JSON.stringify({ t: 'joined', v: 2, token, services }));
      });
    });
    const port = await listening(t, http);
    const diagnosis = await look(`ws://127.0.0.1:${port}`);
    assert.equal(found(diagnosis, 'server').ms, undefined);
    failure(diagnosis, 'relay');
    failure(diagnosis, 'udp4');
    failure(diagnosis, 'tcp4');
  });

  it('behind a proxy: goes through it, and says so', async (t) => {
    const server = await startServer({ port: 0, host: '127.0.0.1' });
    t.after(() => server.close());
    const http = createHttpServer();
    let tunnels = 0;
    http.on('connect', (request, socket: Socket) => {
      tunnels++;
      const there = connect(Number(request.url!.split(':').at(-1)), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(there).pipe(socket);
      });
      for (const [one, other] of [[socket, there] as const, [there, socket] as const])
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
    });
    const port = await listening(t, http);
    process.env.HTTP_PROXY = `http://user:word@127.0.0.1:${port}`;
    t.after(() => delete process.env.HTTP_PROXY);
    const diagnosis = await look(`http://127.0.0.1:${server.port}`);
    assert.equal(found(diagnosis, 'proxy').proxy, `127.0.0.1:${port}`);
    found(diagnosis, 'server');
    found(diagnosis, 'relay');
    // Both places at the meeting and both ends of the relay.
    assert.equal(tunnels, 4);
    assert.doesNotMatch(JSON.stringify(diagnosis), /word/);
  });

  it('behind a proxy that is none: the server is not reached, and the proxy is the reason', async (t) => {
    process.env.HTTP_PROXY = 'ftp://user:word@127.0.0.1:9';
    t.after(() => delete process.env.HTTP_PROXY);
    const diagnosis = await look('http://127.0.0.1:9');
    assert.equal(failure(diagnosis, 'proxy').code, 'USAGE');
    failure(diagnosis, 'server');
    assert.doesNotMatch(JSON.stringify(diagnosis), /word/);
  });
});

describe('doctor: diagnose', { timeout: 60_000 }, () => {
  it('without a server looks at this machine only', async () => {
    const diagnosis = await look();
    assert.deepEqual(Object.keys(diagnosis), ['addresses', 'lan', 'udx']);
  });

  it('throws USAGE for what is no URL, before anything is looked at', async () => {
    const onCheck = () => assert.fail('looked');
    await assert.rejects(diagnose({ server: 'beeline.example', onCheck }), { code: 'USAGE' });
    await assert.rejects(diagnose({ server: 'ftp://beeline.example', onCheck }), { code: 'USAGE' });
  });

  it('stops when told to, with the reason given, and tells nothing more', async (t) => {
    const port = await listening(t, createServer());
    const stop = new AbortController();
    const reason = new BeelineError('INTERRUPTED', 'Interrupted.');
    let stopped = false;
    const running = diagnose({
      server: `ws://127.0.0.1:${port}`,
      portMap: false,
      signal: stop.signal,
      onCheck: () => {
        assert.ok(!stopped);
        setImmediate(() => {
          stopped = true;
          stop.abort(reason);
        });
      },
    });
    await assert.rejects(running, reason);
    await assert.rejects(diagnose({ signal: AbortSignal.abort() }), { code: 'INTERRUPTED' });
  });

  it('lists addresses with their interfaces and scopes, without loopback', () => {
    const entry = (family: 'IPv4' | 'IPv6', address: string, internal = false) => ({
      ...{ address, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 },
    });
    const listing = {
      lo: [entry('IPv4', '127.0.0.1', true)],
      wlan0: [entry('IPv4', '100.64.0.9'), entry('IPv6', 'fe80::9')],
    } as unknown as Parameters<typeof localAddresses>[0];
    assert.deepEqual(localAddresses(listing).addresses, [
      { interface: 'wlan0', address: '100.64.0.9', scope: 'shared' },
      { interface: 'wlan0', address: 'fe80::9', scope: 'link-local' },
    ]);
    assert.throws(() => localAddresses({ lo: listing!.lo }), { code: 'NO_PATH' });
  });
});

/** A port that nothing listens on: it is taken, and let go at the end. */
async function unused(t: TestContext): Promise<number> {
  const server = createServer();
  const port = await listening(t, server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('doctor: the router', { timeout: 90_000 }, () => {
  type Answer = { host: string } | { code: ErrorCode; message: string };
  const log: string[] = [];
  const mapper = (protocol: Mapper['protocol'], answer: Answer): Mapper => ({
    protocol,
    async map(transport, port) {
      log.push(`${protocol} map ${transport}`);
      if ('code' in answer) throw new BeelineError(answer.code, answer.message);
      return { address: { host: answer.host, port }, lifetime: 120 };
    },
    async unmap(transport) {
      log.push(`${protocol} unmap ${transport}`);
    },
    close() {
      log.push(`${protocol} close`);
    },
  });
  const ask = async (...mappers: Mapper[]) => {
    log.length = 0;
    const exam = new Examination();
    try {
      return await askMappers(mappers, exam, exam.signal);
    } finally {
      await exam.close();
    }
  };
  const silent: Answer = { code: 'TIMEOUT', message: 'No answer.' };

  it('maps by the first protocol that works, gives back, and closes all', async () => {
    const answer = await ask(
      ...[mapper('PCP', silent), mapper('NAT-PMP', { host: '203.0.113.5' }), mapper('UPnP', silent)],
    );
    assert.equal(answer.protocol, 'NAT-PMP');
    assert.equal(answer.host, '203.0.113.5');
    assert.ok(log.indexOf('NAT-PMP unmap tcp') > log.indexOf('NAT-PMP map tcp'));
    assert.ok(log.indexOf('NAT-PMP close') > log.indexOf('NAT-PMP unmap tcp'));
    assert.ok(log.includes('PCP close') && log.includes('UPnP close'));
    assert.ok(!log.includes('UPnP map tcp') && !log.includes('PCP unmap tcp'));
  });

  it('says who was silent and who refused, and takes back what a refuser may have mapped', async () => {
    const refused: Answer = { code: 'NO_PATH', message: 'The router has no address on the internet (UPnP).' };
    await assert.rejects(
      ask(...[mapper('PCP', silent), mapper('NAT-PMP', silent), mapper('UPnP', refused)]),
      /^BeelineError: No answer to PCP and NAT-PMP\. The router has no address on the internet \(UPnP\)\.$/,
    );
    assert.ok(log.includes('UPnP unmap tcp') && !log.includes('PCP unmap tcp'));
    assert.equal(log.filter((line) => line.endsWith('close')).length, 3);
  });
});

describe('doctor: an examination', { timeout: 90_000 }, () => {
  it('ends a probe that does not heed its signal, and keeps what was noted first', async () => {
    const stop = new AbortController();
    const exam = new Examination(undefined, stop.signal);
    const running = exam.bounded(() => new Promise(() => {}));
    stop.abort();
    await assert.rejects(running, { code: 'INTERRUPTED' });
    assert.throws(() => exam.throwIfStopped(), { code: 'INTERRUPTED' });
    await exam.close();
    const other = new Examination();
    other.note('udx', { ok: true });
    other.note('udx', { ok: false, code: 'NO_PATH', reason: 'Too late.' });
    assert.deepEqual(other.diagnosis, { udx: { ok: true } });
    await other.check('lan', () => Promise.reject(new Error('odd')));
    assert.deepEqual(other.diagnosis.lan, { ok: false, code: 'NO_PATH', reason: 'odd' });
    await other.close();
    await other.check('router', () => assert.fail('asked after the end'));
    assert.equal((other.diagnosis.router as Check).ok, false);
  });

  it('does not wait for what is never given back', async () => {
    const exam = new Examination();
    exam.returning(new Promise(() => {}));
    await exam.close();
  });
});

it('asks the DHT where there is no server, and says if none of its nodes answers', async (t) => {
  const { dht } = await testDht(t);
  const answered = await diagnose({ portMap: false, dht });
  assert.ok(found(answered, 'dht').ms > 0);
  const nobody = { bootstrap: [`127.0.0.1:${await freePort()}`] };
  assert.equal(failure(await diagnose({ portMap: false, dht: nobody }), 'dht').code, 'TIMEOUT');
  assert.equal((await diagnose({ portMap: false })).dht, undefined, 'unless it is asked for');
});
