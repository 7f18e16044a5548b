/** `--proxy`: a whole transfer through a SOCKS proxy, of which nothing goes past it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
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

test('a transfer with --proxy on both sides opens nothing but connections to the proxy', async (t) => {
  const dir = scratch(t);
  const proxy = await socksProxy({ names: { 'server.test': '127.0.0.1' } });
  t.after(() => proxy.close());
  const server = await startServer({ port: 0, host: '127.0.0.1' });
  t.after(() => server.close());
  writeFileSync(join(dir, 'file.bin'), Buffer.alloc(300_000, 7));
  const recorder = join(dir, 'recorder.cjs');
  writeFileSync(recorder, RECORDER);
  const record = (name: string) => {
    const path = join(dir, name);
    writeFileSync(path, '');
    const env = {
      BEELINE_RECORD: path,
      NODE_OPTIONS: `--require ${recorder}`,
      NODE_DISABLE_COMPILE_CACHE: '1',
      BEELINE_DHT: '',
    };
    return {
      env: {
        ...env,
        XDG_CONFIG_HOME: join(dir, `config-${name}`),
        XDG_STATE_HOME: join(dir, `state-${name}`),
      },
      path,
    };
  };
  const [one, two] = [record('one'), record('two')];
  const place = [
    '--server',
    `ws://server.test:${server.port}`,
    '--proxy',
    `socks5://127.0.0.1:${proxy.port}`,
  ];
  const sender = new Command(['send', join(dir, 'file.bin'), ...place], { env: one.env });
  const { code } = await sender.until('code');
  const receiver = new Command(['receive', String(code), '--yes', '--to', join(dir, 'got'), ...place], {
    env: two.env,
  });
  const [sent, got] = await Promise.all([sender.exited, receiver.exited]);
  assert.deepEqual([sent.status, got.status], [0, 0], sent.stderr + got.stderr);
  assert.ok(readFileSync(join(dir, 'got/file.bin')).equals(Buffer.alloc(300_000, 7)));
  for (const { path } of [one, two]) {
    const seen = [...new Set(readFileSync(path, 'utf8').trim().split('\n'))];
    assert.deepEqual(seen, [`tcp 127.0.0.1:${proxy.port}`]);
  }
  // The proxy is asked for the server by its name, and for nothing else.
  assert.deepEqual([...new Set(proxy.asked)], [`server.test:${server.port}`]);
});
