/** Downloads through an HTTP proxy, as the environment says: requests for http, tunnels for https, and what a proxy may refuse. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BeelineError } from '../../../src/base/errors.ts';
import { makeServerCertificate } from '../../server/certificates.ts';
import { answer, content, fetchInto, folder, names, serve } from './servers.ts';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const NAMES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const clear = () => {
  for (const name of NAMES.flatMap((each) => [each, each.toLowerCase()])) delete process.env[name];
};
clear();
afterEach(clear);

const CREDENTIALS = `Basic ${Buffer.from('me:hunter2').toString('base64')}`;

interface Proxy {
  readonly port: number;
  /** What it was asked for, each with its credentials. */
  readonly asked: { what: string; credentials: string | undefined }[];
}

/** @param strict it wants the right credentials @param hosts names that it knows, with their ports */
async function proxy(t: TestContext, strict = false, hosts: Record<string, number> = {}): Promise<Proxy> {
  const sockets = new Set<Duplex>();
  const keep = <T extends Duplex>(socket: T): T => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy());
  };
  const asked: Proxy['asked'] = [];
  const refused = (what: string, { headers }: IncomingMessage) => {
    const credentials = headers['proxy-authorization'];
    asked.push({ what, credentials });
    return strict && credentials !== CREDENTIALS;
  };
  const to = (host: string, port: number) =>
    host in hosts ? { host: '127.0.0.1', port: hosts[host]! } : { host, port };
  const front = createServer((given, response) => {
    if (refused(given.url!, given)) return void response.writeHead(407).end();
    const { hostname, port, pathname } = new URL(given.url!);
    const { 'proxy-authorization': _, ...headers } = given.headers;
    const asking = request({ ...to(hostname, Number(port)), path: pathname, headers }, (from) => {
      response.writeHead(from.statusCode!, from.headers);
      from.pipe(response);
    });
    asking.on('error', () => response.destroy());
    response.on('error', () => asking.destroy());
    asking.end();
  });
  front.on('connection', keep);
  front.on('connect', (given: IncomingMessage, client: Duplex) => {
    keep(client);
    if (refused(given.url!, given))
      return void client.end('HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n');
    const [host, port] = given.url!.split(':');
    const upstream = keep(connect(to(host!, Number(port))));
    upstream.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  t.after(() => {
    front.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (front.address() as AddressInfo).port, asked };
}

interface Secure {
  readonly port: number;
  /** The path of its certificate. */
  readonly cert: string;
  readonly requests: IncomingMessage[];
}

/** @param host what its certificate is for */
async function secure(t: TestContext, host: string): Promise<Secure> {
  const { cert, key } = await makeServerCertificate([host]);
  const path = join(folder(t), 'cert.pem');
  writeFileSync(path, cert);
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Duplex>();
  const server = createTlsServer({ cert, key }, (given, response) => {
    requests.push(given);
    response.on('error', () => {});
    answer(given, response);
  });
  server.on('connection', (socket: Duplex) => sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, cert: path, requests };
}

/** The command, since Node reads what it trusts when it starts. */
async function command(
  t: TestContext,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ status: number | null; said: string }> {
  const home = folder(t);
  const flags = ['--config-dir', join(home, 'config'), '--no-receipt'];
  const child = spawn(process.execPath, [MAIN, 'receive', ...args, ...flags], {
    env: { ...process.env, ...env },
    timeout: 60_000,
  });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part) => parts.push(part));
  child.stderr.on('data', (part) => parts.push(part));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, said: Buffer.concat(parts).toString() };
}

test('an http URL goes through HTTP_PROXY with its credentials, of which the server hears nothing', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t);
  const { port, asked } = await proxy(t, true);
  process.env.HTTP_PROXY = `http://me:hunter2@127.0.0.1:${port}`;
  const { transfer, events } = fetchInto(t, to, url, { lanes: 3 });
  await transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  assert.ok(asked.length > 0 && asked.length === requests.length);
  for (const one of asked) assert.deepEqual(one, { what: url, credentials: CREDENTIALS });
  for (const { headers } of requests) assert.equal(headers['proxy-authorization'], undefined);
  assert.ok(!JSON.stringify(events).includes('hunter2'));
});

test('a name that this machine does not know is the proxy to look up', async (t) => {
  const to = folder(t);
  const { port: at } = await serve(t);
  const { port, asked } = await proxy(t, false, { 'inside.invalid': at });
  process.env.http_proxy = `127.0.0.1:${port}`;
  await fetchInto(t, to, 'http://inside.invalid/file.bin').transfer.done;
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  assert.equal(asked[0]!.what, 'http://inside.invalid/file.bin');
});

test('NO_PROXY is heeded for each URL', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t);
  const { port, asked } = await proxy(t);
  process.env.HTTP_PROXY = `http://127.0.0.1:${port}`;
  process.env.NO_PROXY = '127.0.0.1';
  await fetchInto(t, to, url).transfer.done;
  assert.ok(requests.length > 0);
  assert.deepEqual(asked, []);
});

test('a proxy that refuses, one that is not there and one that makes no sense are told apart, without the password', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t);
  const { port } = await proxy(t, true);
  const cases: [by: string, what: string, reason: string][] = [
    [`http://me:hunter2x@127.0.0.1:${port}`, url, 'PROXY_FAILED'],
    [`http://me:hunter2x@127.0.0.1:${port}`, 'https://inside.invalid/x', 'PROXY_FAILED'],
    ['http://me:hunter2@127.0.0.1:1', url, 'HTTP_AWAY'],
    ['ftp://me:hunter2@127.0.0.1:1', url, 'PROXY_MALFORMED'],
  ];
  for (const [by, what, reason] of cases) {
    process.env.ALL_PROXY = by;
    await assert.rejects(fetchInto(t, to, what).transfer.done, (error: BeelineError) => {
      assert.equal(error.reason, reason, `${by} ${what}: ${error.code}: ${error.message}`);
      assert.ok(!error.message.includes('hunter2'));
      return true;
    });
  }
  assert.deepEqual(requests, []);
  assert.deepEqual(names(to), []);
});

test('an https URL goes through a tunnel, and what is said in it is for the server alone', async (t) => {
  const to = folder(t);
  const server = await secure(t, 'inside.invalid');
  const { port, asked } = await proxy(t, true, { 'inside.invalid': server.port });
  const { status, said } = await command(t, ['https://inside.invalid:4443/file.bin', '--to', to], {
    HTTPS_PROXY: `http://me:hunter2@127.0.0.1:${port}`,
    NODE_EXTRA_CA_CERTS: server.cert,
  });
  assert.equal(status, 0, said);
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
  for (const one of asked) assert.deepEqual(one, { what: 'inside.invalid:4443', credentials: CREDENTIALS });
  for (const { headers } of server.requests) assert.equal(headers['proxy-authorization'], undefined);
  assert.ok(asked.length > 0 && !said.includes('hunter2'));
});

test('protects from: a server whose certificate nobody trusts, or that is for another name', async (t) => {
  const to = folder(t);
  const { port, requests, cert } = await secure(t, 'other.example');
  const url = `https://127.0.0.1:${port}/file.bin`;
  for (const [env, why] of [
    [{}, /self-signed/],
    [{ NODE_EXTRA_CA_CERTS: cert }, /127\.0\.0\.1/],
  ] as const) {
    const { status, said } = await command(t, [url, '--to', to, '--wait', '60'], env);
    assert.notEqual(status, 0);
    assert.match(said, /The certificate of 127\.0\.0\.1:\d+ is not accepted/);
    assert.match(said, why);
    assert.match(said, /set NODE_EXTRA_CA_CERTS to its file \(PEM\)/);
  }
  assert.deepEqual(requests, []);
  assert.deepEqual(names(to), []);
});

test('a certificate that NODE_EXTRA_CA_CERTS names is trusted', async (t) => {
  const to = folder(t);
  const { port, cert } = await secure(t, 'localhost');
  const args = [`https://localhost:${port}/file.bin`, '--to', to, '--lanes', '3'];
  const { status, said } = await command(t, args, { NODE_EXTRA_CA_CERTS: cert });
  assert.equal(status, 0, said);
  assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
});
