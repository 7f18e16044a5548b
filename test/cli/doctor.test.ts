/** `beeline doctor` as a command: its table, its lines for programs, its exit codes. */
import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { advice, detail, table } from '../../src/cli/commands/doctor.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { doctorArgs } from '../../src/cli/options.ts';
import { CHECKS, type Check, type CheckName, type Diagnosis } from '../../src/node/doctor/diagnosis.ts';
import { startServer } from '../../src/server/index.ts';
import { type FakeHost, fakeHost } from './fakes.ts';

for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'])
  for (const each of [name, name.toLowerCase()]) delete process.env[each];

const WHOLE: Required<Diagnosis> = {
  addresses: {
    ok: true,
    addresses: [
      { interface: 'eth0', address: '192.168.1.7', scope: 'private' },
      { interface: 'eth0', address: '2001:db8::7', scope: 'global' },
      { interface: 'eth0', address: 'fe80::7', scope: 'link-local' },
      { interface: 'vpn0', address: '100.64.0.9', scope: 'shared' },
    ],
  },
  lan: { ok: true, interfaces: ['eth0', 'wlan0'] },
  udx: { ok: true },
  router: { ok: true, ms: 43.2, protocol: 'UPnP', host: '198.51.100.7' },
  dht: { ok: true, ms: 312 },
  proxy: { ok: true, proxy: 'proxy.example:3128' },
  server: { ok: true, ms: 9.94, hosts: ['203.0.113.10'], relay: true, stun: [4848, 4849], turn: true },
  udp4: {
    ...{ ok: true, ms: 21, mapping: 'endpoint-independent', host: '198.51.100.7', filtering: 'dependent' },
  },
  tcp4: { ok: true, ms: 0.4, mapping: 'dependent', host: '198.51.100.7' },
  udp6: { ok: true, ms: 9.96, mapping: 'none', host: '2001:db8::7', filtering: 'open' },
  tcp6: { ok: true, ms: 3, mapping: 'unknown', host: '2001:db8::7' },
  relay: { ok: true, ms: 44, rate: 12_345_678 },
  turn: { ok: true, ms: 60, relayed: '203.0.113.10:50000' },
};

const HOSTILE = 'away\n\u001b[31m\u202e';

function person(env: Record<string, string> = {}): FakeHost {
  // Nothing of a test leaves its machine.
  return fakeHost({ env: { BEELINE_DHT: 'off', ...env } });
}

const lines = (host: FakeHost) =>
  host.stdout.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** A port at which every connection is kept and nothing is said. */
async function silent(t: TestContext): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function unused(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('cli: doctor, in words', () => {
  it('has a row for each check, in one order, the texts below one another', () => {
    assert.deepEqual(table(WHOLE), [
      "Addresses      192.168.1.7 (eth0, private), 2001:db8::7 (eth0, public), 100.64.0.9 (vpn0, a provider's NAT, or a VPN)",
      'Local network  senders can be found by mDNS (eth0, wlan0)',
      'UDP lanes      available',
      'Router         maps ports by UPnP, its address outside is 198.51.100.7, 43 ms',
      'DHT            answers, 312 ms: two who are not on the same network meet over it',
      'Proxy          proxy.example:3128',
      'Server         answers, round trip 9.9 ms; offers a relay, STUN (ports 4848 and 4849), TURN',
      'UDP over IPv4  cone NAT, the same port for all destinations, lets packets in only from where this side sent to, seen as 198.51.100.7, round trip 21 ms',
      'TCP over IPv4  symmetric NAT, another port for each destination, seen as 198.51.100.7, round trip 0.4 ms',
      'UDP over IPv6  no NAT, lets packets in from anybody, seen as 2001:db8::7, round trip 10 ms',
      'TCP over IPv6  a NAT of unknown kind, seen as 2001:db8::7, round trip 3.0 ms',
      'Relay          works, round trip 44 ms, at least 12.3 MB/s',
      'TURN           works, gave 203.0.113.10:50000, 60 ms',
    ]);
    assert.deepEqual(Object.keys(WHOLE), CHECKS);
  });

  it('tells what failed, leaves out what was not looked at, and shortens what is long', () => {
    const { server, udx } = WHOLE;
    const failed: Check = { ok: false, code: 'SERVER', reason: 'Nobody is there.' };
    assert.deepEqual(table({ udx, server: failed }), [
      'UDP lanes  available',
      'Server     no: Nobody is there.',
    ]);
    assert.deepEqual(table({}), []);
    const bare = { ...server, ms: undefined, relay: false, stun: [4848], turn: false } as Check;
    assert.equal(detail('server', bare), 'answers; offers STUN (port 4848)');
    assert.equal(detail('server', { ...bare, stun: [] } as Check), 'answers; offers a meeting point only');
    const many = Array.from({ length: 11 }, (_, i) => ({
      ...{ interface: 'docker0', address: `172.17.0.${i}`, scope: 'private' as const },
    }));
    assert.match(
      detail('addresses', { ok: true, addresses: many } as Check),
      /172\.17\.0\.7 .*, and 3 more$/,
    );
    const lonely = [{ interface: 'eth0', address: 'fe80::1', scope: 'link-local' as const }];
    assert.match(
      detail('addresses', { ok: true, addresses: lonely } as Check),
      /^fe80::1 \(eth0, this link only\)$/,
    );
    assert.deepEqual(advice([]), []);
    assert.deepEqual(advice(['Do it.']), ['', 'Advice:', '- Do it.']);
  });

  it('has words for every check', () => {
    for (const name of CHECKS) assert.match(detail(name, WHOLE[name] as Check), /^[a-z0-9]/, name);
  });
});

describe('cli: doctor', { timeout: 60_000 }, () => {
  it('reads its flags and the environment', () => {
    const env = { BEELINE_SERVER: 'ws://from.env' };
    assert.deepEqual(doctorArgs([], {}), { json: false, server: undefined, portMap: true, dht: true });
    assert.deepEqual(doctorArgs(['--json', '--no-port-map', '--no-dht'], env), {
      ...{ json: true, server: 'ws://from.env', portMap: false, dht: false },
    });
    assert.equal(doctorArgs(['--server', 'wss://flag'], env).server, 'wss://flag');
  });

  it('wrong usage is 2', async () => {
    for (const argv of [
      ['here'],
      ['--server'],
      ['--server', 'nonsense'],
      ['--server', 'ftp://host'],
      ['--lanes', '3'],
    ]) {
      const host = person();
      assert.equal(await dispatch(['doctor', ...argv], host), 2, argv.join(' '));
      assert.equal(host.stdout.text, '');
      assert.notEqual(host.stderr.text, '');
    }
    assert.equal(await dispatch(['doctor'], person({ BEELINE_SERVER: 'nonsense' })), 2);
  });

  it('--help has its flags', async () => {
    const host = person();
    assert.equal(await dispatch(['doctor', '--help'], host), 0);
    for (const word of ['--server URL', '--no-port-map', '--json', 'BEELINE_SERVER', 'HTTPS_PROXY'])
      assert.ok(host.stdout.text.includes(word), word);
  });

  it('without a server: looks at this machine, says so, 0', async () => {
    const host = person();
    assert.equal(await dispatch(['doctor', '--no-port-map'], host), 0);
    assert.match(host.stdout.text, /^Addresses +/m);
    assert.match(host.stdout.text, /^UDP lanes +/m);
    assert.doesNotMatch(host.stdout.text, /^(Server|Router|Relay) /m);
    assert.match(host.stdout.text, /\n\nAdvice:\n(?:- .*\n)*- No server was asked/);
    assert.equal(host.stderr.text, '');
  });

  it('with one: the table for people, the events for programs, 0', async (t) => {
    const server = await startServer({ port: 0, host: '127.0.0.1' });
    t.after(() => server.close());
    const argv = ['doctor', '--no-port-map', '--server', server.url];
    const host = person();
    assert.equal(await dispatch(argv, host), 0);
    assert.match(host.stdout.text, /^Server +answers, round trip [\d.]+ ms; offers a relay, STUN \(ports/m);
    assert.match(host.stdout.text, /^Relay +works, round trip [\d.]+ ms, at least [\d.]+ [kMG]?B\/s$/m);
    assert.match(host.stdout.text, /^UDP over IPv4 +no NAT/m);

    const program = person({ BEELINE_SERVER: server.url });
    assert.equal(await dispatch(['doctor', '--no-port-map', '--json'], program), 0);
    assert.equal(program.stderr.text, '');
    const events = lines(program);
    const last = events.pop();
    const names = events.map(({ event, name, ok, detail }) => {
      assert.equal(event, 'check');
      assert.equal(typeof ok, 'boolean');
      assert.equal(typeof detail, 'string');
      return name as CheckName;
    });
    const { event, advice: advised, ...checks } = last;
    assert.equal(event, 'diagnosis');
    assert.deepEqual(names.toSorted(), Object.keys(checks).toSorted());
    assert.deepEqual(
      Object.keys(checks),
      CHECKS.filter((name) => name in checks),
    );
    assert.ok(names.includes('relay') && names.includes('tcp4'));
    assert.ok(Array.isArray(advised) && advised.every((line: unknown) => typeof line === 'string'));
    assert.equal(typeof checks.relay.rate, 'number');
    assert.equal(events.find(({ name }) => name === 'relay').ms, checks.relay.ms);
  });

  it('with one that is not there: 6, and still what could be looked at', async () => {
    const url = `ws://127.0.0.1:${await unused()}`;
    const host = person();
    assert.equal(await dispatch(['doctor', '--no-port-map', '--server', url], host), 6);
    assert.match(host.stdout.text, /^Server +no: Cannot reach/m);
    assert.match(host.stdout.text, /^UDP lanes +/m);
    assert.match(host.stdout.text, /^- The server cannot be reached/m);
    const program = person();
    assert.equal(await dispatch(['doctor', '--no-port-map', '--json', '--server', url], program), 6);
    const failed = lines(program).find(({ name }) => name === 'server');
    assert.deepEqual([failed.ok, failed.code], [false, 'SERVER']);
    assert.equal(lines(program).at(-1).event, 'diagnosis');
  });

  it('shows nothing of what a server says that would steer a terminal', async (t) => {
    const http = createHttpServer((_request, response) => {
      response.writeHead(503, { 'content-type': 'text/plain' }).end(HOSTILE);
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    t.after(() => http.close());
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    for (const flags of [[], ['--json']]) {
      const host = person();
      assert.equal(await dispatch(['doctor', '--no-port-map', '--server', url, ...flags], host), 6);
      assert.match(host.stdout.text, /away .*HTTP 503/);
      assert.doesNotMatch(host.stdout.text + host.stderr.text, /[\u0000-\u0009\u000b-\u001f\u202e]/);
    }
  });

  for (const flags of [[], ['--json']])
    it(`Ctrl-C ends it at once with 130 ${flags.join('')}`, async (t) => {
      const host = person();
      const url = `ws://127.0.0.1:${await silent(t)}`;
      const running = dispatch(['doctor', '--no-port-map', '--server', url, ...flags], host);
      while (process.listenerCount('SIGINT') === 0) await new Promise((resolve) => setImmediate(resolve));
      process.emit('SIGINT');
      assert.equal(await running, 130);
      assert.match(host.stderr.text, /^beeline: Interrupted\./m);
      if (flags.length === 0) assert.equal(host.stdout.text, '');
      else assert.equal(lines(host).at(-1).code, 'INTERRUPTED');
      assert.equal(process.listenerCount('SIGINT'), 0);
    });
});
