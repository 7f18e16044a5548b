/** Through an HTTP proxy by CONNECT: the mailbox and the relay, ws and wss, and what a proxy may refuse. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, test } from 'node:test';
import { inspect } from 'node:util';
import { BeelineError } from '../../src/base/errors.ts';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { openMailbox } from '../../src/meeting/mailbox.ts';
import { createRendezvous, startServer } from '../../src/server/index.ts';
import { relayStream } from '../../src/transports/relay/stream.ts';
import { dialWebSocket } from '../../src/websocket/dial.ts';
import { proxyFor } from '../../src/websocket/proxy.ts';
import { socksProxy } from '../socks-proxy.ts';

const NAMES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const clear = () => {
  for (const name of NAMES.flatMap((each) => [each, each.toLowerCase()])) delete process.env[name];
};
clear();
afterEach(clear);

const isError = (code: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof BeelineError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, pattern);
  assert.ok(!inspect(error, { depth: 10 }).includes('hunter2'), 'a password in a message, or in its cause');
  return true;
};

interface ProxyServer {
  port: number;
  /** What was asked for, in order: 'host:port'. */
  asked: string[];
  authorizations: (string | undefined)[];
  close(): void;
}

/** @param answer what it says instead of opening a tunnel, if anything; 'silence' for nothing at all */
async function proxy(answer?: string, front: Server = createServer()): Promise<ProxyServer> {
  const sockets = new Set<Duplex>();
  const it: ProxyServer = { port: 0, asked: [], authorizations: [], close };
  function keep<T extends Duplex>(socket: T): T {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    return socket;
  }
  front.on('connect', (request: IncomingMessage, client: Duplex) => {
    keep(client);
    it.asked.push(request.url!);
    it.authorizations.push(request.headers['proxy-authorization']);
    if (answer === 'silence') return;
    if (answer !== undefined) return void client.end(answer);
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url!)!;
    const upstream = keep(connect(Number(port), host));
    upstream.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  it.port = (front.address() as AddressInfo).port;
  function close() {
    front.close();
    for (const socket of sockets) socket.destroy();
  }
  return it;
}

const quiet = { onMessage() {}, onPeer() {}, onLost() {} };
const hosting = (url: string, deadline = 20_000) =>
  openMailbox({ role: 'host', deadline, url, nameplate: '7', ...quiet });

test('a mailbox and a relayed stream go through HTTP_PROXY, with its credentials', async () => {
  const server = await startServer({ port: 0, host: '127.0.0.1', stun: false });
  const through = await proxy();
  process.env.HTTP_PROXY = `http://us%40er:hunter2@127.0.0.1:${through.port}`;
  const host = await hosting(server.url);
  const guest = await openMailbox({
    role: 'guest',
    deadline: 20_000,
    url: server.url,
    nameplate: '7',
    ...quiet,
  });
  const forever = new AbortController();
  const [a, b] = await Promise.all([
    relayStream(server.url, { token: host.token, guest: 1 }, forever.signal),
    relayStream(server.url, { token: guest.token }, forever.signal),
  ]);
  // A signal that is aborted later has nothing to do with what was opened.
  forever.abort();
  a.write('through the tunnel');
  assert.equal(String((await once(b, 'data'))[0]), 'through the tunnel');
  assert.deepEqual(through.asked, Array(4).fill(`127.0.0.1:${server.port}`));
  const basic = `Basic ${Buffer.from('us@er:hunter2').toString('base64')}`;
  assert.deepEqual(through.authorizations, Array(4).fill(basic));
  a.destroy();
  for (const mailbox of [host, guest]) mailbox.close();
  await server.close();
  through.close();
});

test('wss goes through HTTPS_PROXY, also where the proxy itself speaks TLS', async () => {
  const { cert, key } = await makeCertificate();
  const rendezvous = createRendezvous();
  const secure = createTlsServer({ cert, key });
  rendezvous.handle(secure as unknown as Server);
  secure.listen(0, '127.0.0.1');
  await once(secure, 'listening');
  const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
  // What is tried here is the tunnel; the certificates are nobody's.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  process.removeAllListeners('warning');
  const proxies = [
    await proxy(),
    await proxy(undefined, createTlsServer({ cert, key }) as unknown as Server),
  ];
  for (const [i, each] of proxies.entries()) {
    process.env.https_proxy = `${i === 0 ? 'http' : 'https'}://127.0.0.1:${each.port}`;
    const mailbox = await hosting(url);
    assert.equal(each.asked.length, 1);
    mailbox.close();
  }
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.env.https_proxy = `http://127.0.0.1:${proxies[0]!.port}`;
  await assert.rejects(
    hosting(url),
    isError('SERVER', /^The certificate of .* is not accepted: self-signed/),
    'the server has to prove itself as ever',
  );
  await rendezvous.close();
  secure.close();
  secure.closeAllConnections();
  for (const each of proxies) each.close();
});

test('a refusal names the proxy and says what to do, without its password', async () => {
  const answers: [string, RegExp][] = [
    [
      'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n',
      /wants a name and a password/,
    ],
    [
      'HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno',
      /refused a tunnel to 127\.0\.0\.1:9 \(HTTP 403\).*NO_PROXY/,
    ],
    ['HTTP/1.1 200 OK\r\n\r\nbanner', /speaks out of turn/],
    ['nonsense\r\n\r\n', /cannot be reached/],
    ['', /cannot be reached/],
  ];
  for (const [answer, pattern] of answers) {
    const each = await proxy(answer);
    process.env.HTTP_PROXY = `http://me:hunter2@127.0.0.1:${each.port}`;
    const named = new RegExp(`The proxy 127\\.0\\.0\\.1:${each.port} ${pattern.source}`);
    await assert.rejects(hosting('http://127.0.0.1:9'), isError('SERVER', named), answer);
    each.close();
  }
  process.env.HTTP_PROXY = 'http://me:hunter2@127.0.0.1:1';
  await assert.rejects(hosting('http://127.0.0.1:9'), isError('SERVER', /127\.0\.0\.1:1 cannot be reached/));
  for (const bad of ['gopher://me:hunter2@h:1', 'http://me:%zz@h:1']) {
    process.env.HTTP_PROXY = bad;
    await assert.rejects(hosting('http://127.0.0.1:9'), isError('USAGE', /is not a URL such as/), bad);
  }
});

test('a proxy that never answers is waited for no longer than allowed, and its socket is closed', async () => {
  const mute = await proxy('silence');
  const closed: Promise<unknown>[] = [];
  const tcp = createTcpServer((socket: Socket) => {
    socket.on('error', () => {});
    closed.push(once(socket.resume(), 'close'));
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  for (const port of [mute.port, (tcp.address() as AddressInfo).port]) {
    process.env.HTTP_PROXY = `http://127.0.0.1:${port}`;
    await assert.rejects(hosting('http://127.0.0.1:9', 1000), isError('TIMEOUT', /./));
  }
  await Promise.all(closed);
  assert.equal(closed.length, 1);
  mute.close();
  tcp.close();
});

test('a proxy that never answers is left as soon as its caller has had enough', async () => {
  const tcp = createTcpServer((socket: Socket) => void socket.on('error', () => {}).resume());
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  process.env.HTTP_PROXY = `http://127.0.0.1:${(tcp.address() as AddressInfo).port}`;
  const stop = new AbortController();
  const options = { url: 'ws://127.0.0.1:9', name: 'x', maxPayload: 1, signal: stop.signal };
  const accepted = once(tcp, 'connection');
  const dialling = assert.rejects(
    dialWebSocket(options, () => {}),
    /had enough/,
  );
  const [socket] = (await accepted) as [Socket];
  const gone = new Promise((resolve) => socket.once('close', resolve));
  stop.abort(new Error('had enough'));
  await dialling;
  await gone;
  tcp.close();
});

test('the variables choose as they do elsewhere', async () => {
  const of = async (url: string) => {
    const found = await proxyFor(url);
    return found && `${found.secure ? 'https' : 'http'} ${found.host}:${found.port}`;
  };
  assert.equal(await of('ws://h/'), undefined);
  process.env.HTTPS_PROXY = 'http://secure.example';
  assert.equal(await of('ws://h/'), undefined);
  assert.equal(await of('wss://h/'), 'http secure.example:80');
  process.env.HTTPS_PROXY = 'secure.example:3128';
  assert.equal(await of('wss://h/'), 'http secure.example:3128', 'without a scheme it is http');
  process.env.ALL_PROXY = 'https://[::1]';
  assert.equal(await of('ws://h/'), 'https ::1:443');
  process.env.NO_PROXY = 'h,.example.org:8443';
  assert.equal(await of('wss://h/'), undefined);
  assert.equal(await of('wss://a.example.org:8443/'), undefined);
  assert.equal(await of('wss://a.example.org/'), 'http secure.example:3128');
});

test('addresses of a sender are dialled directly', async () => {
  const rendezvous = createRendezvous();
  const http = createServer();
  rendezvous.handle(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  process.env.ALL_PROXY = 'http://127.0.0.1:1';
  const addresses = [{ host: '127.0.0.1', port: (http.address() as AddressInfo).port }];
  const mailbox = await openMailbox({
    role: 'host',
    deadline: 20_000,
    find: async () => addresses,
    ...quiet,
  });
  mailbox.close();
  await rendezvous.close();
  http.close();
});

test('a proxy before the server says that it is away, or where else to go', async (t) => {
  let answer: [status: number, headers: Record<string, string>, body: string] = [502, {}, ''];
  const web = createServer((_request, response) => {
    const [status, headers, body] = answer;
    response.writeHead(status, headers).end(body);
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.after(() => web.close());
  const url = `ws://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const { signal } = new AbortController();
  const refused = (pattern: RegExp) =>
    assert.rejects(
      dialWebSocket({ url, name: 'the server', maxPayload: 1, signal }, () => {}),
      isError('SERVER', pattern),
    );
  for (const status of [502, 503, 504]) {
    answer = [status, { 'content-type': 'text/html' }, '<html>'];
    await refused(new RegExp(`^Cannot reach the server: the proxy .* away \\(HTTP ${status}\\)`));
  }
  answer = [503, { 'content-type': 'text/plain' }, 'It shuts down.'];
  await refused(/^Cannot reach the server: it says "It shuts down\." \(HTTP 503\)/);
  for (const status of [301, 302, 307, 308]) {
    answer = [status, { location: `https://b.example/\xe9${'x'.repeat(5000)}` }, ''];
    await refused(/^The server refused \(HTTP 30\d\): it redirects to "https:\/\/b\.example\/ x{200,300}"\./);
  }
  answer = [302, {}, ''];
  await refused(/Is it a Beeline server/);
});

test('a mailbox and a relayed stream go through a SOCKS proxy, which looks the name up', async (t) => {
  const server = await startServer({ port: 0, host: '127.0.0.1', stun: false });
  t.after(() => server.close());
  for (const scheme of ['socks5', 'socks5h', 'socks']) {
    const through = await socksProxy({ user: 'me:hunter2', names: { 'server.test': '127.0.0.1' } });
    process.env.ALL_PROXY = `${scheme}://me:hunter2@127.0.0.1:${through.port}`;
    const mailbox = await hosting(`ws://server.test:${server.port}/v1/rendezvous`);
    assert.deepEqual(through.asked, [`server.test:${server.port}`]);
    assert.deepEqual(through.users, ['me:hunter2']);
    mailbox.close();
    through.close();
  }
});

test('what a SOCKS proxy refuses, and one that is silent or away, is told without its password', async () => {
  const url = 'ws://server.test:4848/v1/rendezvous';
  const wrong = await socksProxy({ user: 'me:other' });
  process.env.ALL_PROXY = `socks5://me:hunter2@127.0.0.1:${wrong.port}`;
  // What a proxy refuses it refuses again; a connection that was not made may be made the next time.
  const refusal = (pattern: RegExp) => (error: Error) =>
    isError('SERVER', pattern)(error) && error.cause === undefined;
  await assert.rejects(hosting(url), refusal(/127\.0\.0\.1:\d+ gave no connection/));
  wrong.close();
  const refusing = await socksProxy({ reply: 2 });
  process.env.ALL_PROXY = `socks5://127.0.0.1:${refusing.port}`;
  await assert.rejects(hosting(url), refusal(/gave no connection: .*NotAllowed/));
  refusing.close();
  process.env.ALL_PROXY = 'socks5://me:hunter2@127.0.0.1:1';
  await assert.rejects(hosting(url), (error: Error) => {
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
    return isError('SERVER', /gave no connection: .*ECONNREFUSED/)(error);
  });
  const silent = await socksProxy({ silent: true });
  process.env.ALL_PROXY = `socks5://127.0.0.1:${silent.port}`;
  const stop = new AbortController();
  const dialled = dialWebSocket({ url, name: 'it', maxPayload: 10, signal: stop.signal }, () => {});
  const given = assert.rejects(dialled, isError('INTERRUPTED', /enough/));
  await silent.reached;
  stop.abort(new BeelineError('INTERRUPTED', 'enough'));
  await given;
  silent.close();
});

test('SOCKS proxies in the environment are read in each of their spellings', async () => {
  for (const [text, version, port] of [
    ['socks4://h', 4, 1080],
    ['socks4a://h:9', 4, 9],
    ['socks5h://[::1]:9', 5, 9],
  ] as const) {
    process.env.ALL_PROXY = text;
    const found = await proxyFor('ws://x/');
    assert.equal(found?.socks?.version, version);
    assert.equal(found?.port, port);
  }
});
