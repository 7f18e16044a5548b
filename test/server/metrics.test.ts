/** What a server counts, who may read it, and that no stranger makes it longer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { REASONS } from '../../src/base/reasons.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { serveMetrics } from '../../src/server/metrics-listener.ts';
import { RelayWorld, relayWorld } from './relay-world.ts';

const LIMIT = { timeout: 60_000 };
const METRICS = { host: '127.0.0.1', port: 0 };

const read = async (server: RunningServer, path = '/metrics') => {
  const answer = await fetch(new URL(path, server.metricsUrl), { headers: { connection: 'close' } });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
};

/** Each sample of ours: its name with labels, and its value. */
const samples = (text: string) =>
  new Map(
    [...text.matchAll(/^(beeline_\S+(?:\{.*\})?) (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]),
  );

test('they say what happens at meetings, at the relay, at STUN and to those who are refused', LIMIT, () =>
  relayWorld(
    {
      metrics: METRICS,
      stun: true,
      turn: { urls: ['turn:t.example'], secret: 'hush' },
      limits: { joinsPerHour: 3 },
    },
    async (world) => {
      const { server } = world;
      const { host, guest, a, b } = await world.pair('7');
      host.socket.send(Buffer.alloc(1000));
      await guest.until(1000);
      a.socket.send(JSON.stringify({ t: 'keep', guest: 1 }));
      await assert.rejects(world.seat('join', '8'));
      await assert.rejects(world.seat('join', '9'));
      await assert.rejects(world.seat('join', '7'));
      await assert.rejects(
        world
          .relay('00'.repeat(16))
          .then(({ closed }) => closed)
          .then(({ code }) => Promise.reject(code)),
      );
      const binding = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.alloc(12, 7)]);
      const stun = connect(server.port, '127.0.0.1', () => stun.write(binding));
      await once(stun, 'data');
      stun.destroy();
      b.socket.ping();
      await once(b.socket, 'pong');

      const { type, text } = await read(server);
      assert.match(type!, /^text\/plain; version=0\.0\.4/);
      const found = samples(text);
      const expected: [name: string, value: number][] = [
        ['beeline_ready', 1],
        ['beeline_meetings', 1],
        ['beeline_meetings_opened_total', 1],
        ['beeline_connections', 2],
        ['beeline_messages_total{type="host"}', 1],
        ['beeline_messages_total{type="join"}', 4],
        ['beeline_messages_total{type="keep"}', 1],
        ['beeline_messages_total{type="drop"}', 0],
        ['beeline_refusals_total{at="rendezvous",code="NO_PEER",reason="NOBODY_SENDS"}', 2],
        ['beeline_refusals_total{at="rendezvous",code="SERVER",reason="SERVER_BUSY"}', 1],
        ['beeline_refusals_total{at="relay",code="policy",reason=""}', 1],
        ['beeline_relay_pairs', 1],
        ['beeline_relay_pairs_total', 1],
        ['beeline_relay_bytes_total', 1000],
        ['beeline_turn_credentials_total', 2],
        ['beeline_stun_total{over="tcp"}', 1],
        ['beeline_stun_total{over="udp"}', 0],
      ];
      for (const [name, value] of expected) assert.equal(found.get(name), value, name);
      for (const name of [
        'process_cpu_seconds_total',
        'nodejs_eventloop_lag_p99_seconds',
        'process_resident_memory_bytes',
      ])
        assert.match(text, new RegExp(`^${name} `, 'm'), name);
      assert.doesNotMatch(text, /hush|127\.0\.0\.1|turn:/, 'no secret, no address');
      const docs = readFileSync('docs/server.md', 'utf8');
      const documented = new Set([...docs.matchAll(/`(beeline_\w+)/g)].map(([, name]) => name!));
      const served = new Set([...text.matchAll(/^# TYPE (beeline_\w+)/gm)].map(([, name]) => name!));
      assert.deepEqual([...documented].sort(), [...served].sort(), 'docs/server.md has each of them');
    },
  ),
);

test('protects from: a stranger who makes the numbers longer by words of his own', LIMIT, () =>
  relayWorld({ metrics: METRICS, limits: { joinsPerHour: 1e6, mailboxesPerHour: 1e6 } }, async (world) => {
    const { server } = world;
    const say = async (path: string, headers: Record<string, string>, ...texts: string[]) => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers });
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('open', () => {
        for (const text of texts) socket.send(text);
        socket.close();
      });
      await closed;
    };
    const series = async () => (await read(server)).text.split('\n').filter((line) => /^beeline/.test(line));
    const storm = async (round: number) => {
      for (let i = 0; i < 20; i++) {
        const own = `x${round}-${i}"\n{}`;
        await say(
          '/v1/rendezvous',
          {},
          JSON.stringify({ t: 'join', v: 2, nameplate: String(100 * round + i + 1) }),
        );
        await say('/v1/rendezvous', {}, JSON.stringify({ t: own, v: 2, reason: own, code: own }));
        await say('/v1/rendezvous', {}, own, JSON.stringify({ t: 'join', v: 100 + i, nameplate: '1' }));
        await say(
          '/v1/relay',
          {},
          JSON.stringify({ t: 'relay', v: 1, token: `${round}${i}`.padStart(32, '0') }),
        );
        await say('/v1/relay', {}, own);
        await say(`/none-${round}-${i}`, {});
        await say('/v1/rendezvous', { origin: `https://${round}-${i}.example` });
        await fetch(`http://127.0.0.1:${server.port}/p-${round}-${i}?q`, {
          headers: { 'user-agent': own.replace('\n', '') },
        });
      }
    };
    await storm(1);
    const names = (lines: string[]) => lines.map((line) => line.slice(0, line.lastIndexOf(' '))).sort();
    const first = names(await series());
    await storm(2);
    assert.deepEqual(names(await series()), first, 'what is new to the server makes nothing new here');
    for (const [, reason] of first.join('\n').matchAll(/reason="(\w+)"/g))
      assert.ok(reason! in REASONS, reason);
  }),
);

test('strangers read none of it, unless the status page is for everybody', LIMIT, async () => {
  const without = await startServer({ port: 0, host: '127.0.0.1', stun: false });
  assert.equal(without.metricsUrl, undefined);
  for (const path of ['/metrics', '/status', '/status.css'])
    assert.equal((await fetch(`${without.url}${path}`)).status, 404, path);
  await without.close();
  const shown = await startServer({
    port: 0,
    host: '127.0.0.1',
    stun: false,
    status: true,
    metrics: METRICS,
  });
  const answer = await fetch(`${shown.url}/status`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-security-policy')!, /default-src 'none'/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  assert.equal((await fetch(`${shown.url}/status`, { method: 'POST' })).status, 405);
  assert.equal((await fetch(`${shown.url}/metrics`)).status, 404, 'numbers stay at their own address');
  assert.equal((await read(shown, '/status')).text.includes('<h1>'), true);
  for (const path of ['/', '/toString', '/metrics/', '/__proto__'])
    assert.equal((await read(shown, path)).status, 404, path);
  await shown.close();
  await assert.rejects(fetch(shown.metricsUrl!), 'its port is free again');
});

test(
  'an address for metrics that cannot be had is an error at the start, and nothing stays open',
  LIMIT,
  async () => {
    const first = await startServer({ port: 0, host: '127.0.0.1', stun: false, metrics: METRICS });
    const port = Number(new URL(first.metricsUrl!).port);
    await assert.rejects(
      startServer({ port: 0, host: '127.0.0.1', stun: false, metrics: { ...METRICS, port } }),
      {
        code: 'USAGE',
        message: /`metrics` is 127.0.0.1:\d+: it must be a port that is free/,
      },
    );
    await first.close();
  },
);

test('the status page has sums and limits for a person, and no more', LIMIT, () =>
  relayWorld({ status: true, limits: { relayRate: 5 * 2 ** 20 } }, async (world) => {
    const { server } = world;
    const page = async () => (await fetch(`${server.url}/status`)).text();
    const { host, guest } = await world.pair('7');
    host.socket.send(Buffer.alloc(3000));
    await guest.until(3000);
    const text = await page();
    const rows = new Map(
      [...text.matchAll(/<th scope="row">(.*?)<\/th><td>(.*?)<\/td>/g)].map(([, a, b]) => [a!, b!]),
    );
    assert.equal(rows.get('Up for'), 'less than a minute');
    assert.equal(rows.get('Connections at meetings'), '2 of at most 4000');
    assert.equal(rows.get('Relayed'), '2.93 KiB');
    assert.equal(rows.get('Relayed in a second, in all'), '5 MiB');
    assert.equal(rows.get('Relayed for one meeting'), '256 GiB');
    assert.doesNotMatch(text, /127\.0\.0\.1|<script|style=|token/);
    const other = new RelayWorld(server);
    const draining = server.drain(50_000);
    assert.match(
      await page(),
      /<title>Beeline server: not ready<\/title>[\s\S]*Not ready\. This server is shutting down\./,
    );
    host.socket.close();
    await draining;
    await other.close();
  }),
);

test('what cannot be written ends its request, and not the process', LIMIT, async (t) => {
  const text = (what: unknown) => what as string;
  const { url, close } = await serveMetrics(
    { ...METRICS, option: '--metrics-port' },
    {
      '/metrics': async () => ({ type: 'text/plain', text: 'fine' }),
      '/head': async () => ({ type: 'two\nlines', text: '' }),
      '/body': async () => ({ type: 'text/plain', text: text(7) }),
      '/none': () => Promise.reject(new Error('none')),
    },
  );
  t.after(close);
  const get = (path: string) => fetch(new URL(path, url), { headers: { connection: 'close' } });
  for (const path of ['/head', '/none']) assert.equal((await get(path)).status, 500, path);
  await assert.rejects(get('/body'));
  assert.equal(await (await get('/metrics')).text(), 'fine');
});
