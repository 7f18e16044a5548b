/** `--proxy`: whatever goes to a server goes through a SOCKS proxy, and nothing goes past it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startServer } from '../../src/server/index.ts';
import { scratch } from '../node/files/helpers.ts';
import { socksProxy } from '../socks-proxy.ts';
import { Command } from './command.ts';

/** Writes down every connection, datagram and name lookup of a process. */
const RECORDER = `
const { appendFileSync } = require('node:fs');
const say = (what) => appendFileSync(process.env.BEELINE_RECORD, what + '\\n');
const net = require('node:net');
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const [first] = Array.isArray(args[0]) ? args[0] : args;
  say('tcp ' + (first?.host ?? args[1] ?? '') + ':' + (first?.port ?? first));
  return connect.apply(this, args);
};
const dgram = require('node:dgram');
const send = dgram.Socket.prototype.send;
dgram.Socket.prototype.send = function (...args) { say('udp'); return send.apply(this, args); };
const dns = require('node:dns');
for (const api of [dns, dns.promises]) {
  const lookup = api.lookup;
  api.lookup = (name, ...args) => { if (!net.isIP(name)) say('dns ' + name); return lookup(name, ...args); };
}
`;

/** A server that only the proxy knows by its name, and commands whose every step outside is written down. */
async function behindProxy(t: TestContext) {
  const dir = scratch(t);
  const proxy = await socksProxy({ names: { 'server.test': '127.0.0.1' } });
  t.after(() => proxy.close());
  const server = await startServer({ port: 0, host: '127.0.0.1' });
  t.after(() => server.close());
  const recorder = join(dir, 'recorder.cjs');
  writeFileSync(recorder, RECORDER);
  const url = `ws://server.test:${server.port}`;
  const through = ['--proxy', `socks5://127.0.0.1:${proxy.port}`];
  /** @param name of the machine that it runs on */
  const start = (name: string, args: readonly string[]) => {
    const command = new Command(args, {
      env: {
        BEELINE_RECORD: join(dir, name),
        NODE_OPTIONS: `--require ${recorder}`,
        NODE_DISABLE_COMPILE_CACHE: '1',
        BEELINE_DHT: '',
        XDG_CONFIG_HOME: join(dir, `config-${name}`),
        XDG_STATE_HOME: join(dir, `state-${name}`),
      },
    });
    t.after(() => command.kill());
    return command;
  };
  const seen = (name: string) => [...new Set(readFileSync(join(dir, name), 'utf8').trim().split('\n'))];
  const atProxy = [`tcp 127.0.0.1:${proxy.port}`];
  return { dir, proxy, server, url, through, place: ['--server', url, ...through], start, seen, atProxy };
}

test('a transfer with --proxy on both sides opens nothing but connections to the proxy', async (t) => {
  const { dir, proxy, server, place, start, seen, atProxy } = await behindProxy(t);
  writeFileSync(join(dir, 'file.bin'), Buffer.alloc(300_000, 7));
  const sender = start('one', ['send', join(dir, 'file.bin'), ...place]);
  const { code } = await sender.until('code');
  const receiver = start('two', ['receive', String(code), '--yes', '--to', join(dir, 'got'), ...place]);
  await Promise.all([sender.ends(0), receiver.ends(0)]);
  assert.ok(readFileSync(join(dir, 'got/file.bin')).equals(Buffer.alloc(300_000, 7)));
  for (const name of ['one', 'two']) assert.deepEqual(seen(name), atProxy);
  // The proxy is asked for the server by its name, and for nothing else.
  assert.deepEqual([...new Set(proxy.asked)], [`server.test:${server.port}`]);
});

test('an inbox, an outbox and the doctor open nothing but connections to their proxy', async (t) => {
  const { dir, place, url, through, start, seen, atProxy } = await behindProxy(t);
  const keyOf = async (name: string) => {
    const { events } = await start(name, ['trust']).ends(0);
    return String(events.find(({ event }) => event === 'own')!.key);
  };
  const [desk, laptop] = [await keyOf('desk'), await keyOf('laptop')];
  await start('desk', ['trust', 'add', 'laptop', laptop]).ends(0);
  await start('laptop', ['trust', 'add', 'desk', desk]).ends(0);
  writeFileSync(join(dir, 'file.bin'), Buffer.alloc(300_000, 7));
  const send = ['send', join(dir, 'file.bin'), '--device', 'desk', '--later', ...place];
  const { events } = await start('laptop', send).ends(0);
  assert.equal(events.at(-1)!.event, 'queued');
  // Without a proxy it would go past that: it waits.
  const without = await start('laptop', ['outbox', 'send']).ends(1);
  assert.deepEqual(without.events, []);
  const listener = start('desk', ['listen', '--to', join(dir, 'in'), ...place]);
  await listener.until('watching');
  await start('laptop', ['outbox', 'send', ...through]).ends(0);
  await listener.until('done');
  assert.ok(readFileSync(join(dir, 'in/file.bin')).equals(Buffer.alloc(300_000, 7)));
  const doctor = await start('doctor', ['doctor', '--server', url, ...through]).ends(0);
  assert.deepEqual(
    doctor.events.flatMap(({ event, name, ok }) => (event === 'check' ? [[name, ok]] : [])).sort(),
    [
      ['addresses', true],
      ['proxy', true],
      ['relay', true],
      ['server', true],
    ],
  );
  for (const name of ['desk', 'laptop', 'doctor']) assert.deepEqual(seen(name), atProxy, name);
});
