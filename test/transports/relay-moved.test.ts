/** The relay of a server of several instances: clients are sent on to the one that carries them, and nowhere else. */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import type { AddressInfo, LookupFunction } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { BeelineError } from '../../src/base/errors.ts';
import { openRelayLink, type WebSocketMaker } from '../../src/browser/relay-link.ts';
import type { MeetingStore } from '../../src/server/meeting-store.ts';
import { MemoryHub } from '../../src/server/memory-store.ts';
import { createRendezvous, type Rendezvous } from '../../src/server/rendezvous.ts';
import { movedLookup } from '../../src/transports/relay/moved.ts';
import { relayStream } from '../../src/transports/relay/stream.ts';
import { movedUrl } from '../../src/websocket/url.ts';
import { RELAY_PATH, RENDEZVOUS_PATH } from '../../src/wire/rendezvous.ts';

const PageWebSocket = WebSocket as unknown as WebSocketMaker;
const never = () => new AbortController().signal;
const isError =
  (code: string, pattern = /./) =>
  (error: unknown) =>
    error instanceof BeelineError && error.code === code && pattern.test(error.message);

interface Running {
  url: string;
  http: Server;
  rendezvous: Rendezvous;
  store: MeetingStore;
}

async function listening(): Promise<{ http: Server; origin: string }> {
  const http = createServer();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return { http, origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

/** Instances that share a store. @param loads what each says that it carries @param front has them at `/i/0` and so on */
async function instances(t: TestContext, loads: number[], front = ''): Promise<Running[]> {
  const hub = new MemoryHub();
  return Promise.all(
    loads.map(async (load, i) => {
      const { http, origin } = await listening();
      const url = front === '' ? origin : `${front}/i/${i}`;
      const store = hub.enter({ url, load: () => load });
      const rendezvous = createRendezvous({ relay: true, store });
      rendezvous.serve(http);
      t.after(async () => {
        await rendezvous.close();
        http.close();
        http.closeAllConnections();
      });
      return { url, http, rendezvous, store };
    }),
  );
}

async function seat(t: TestContext, { url }: Running, message: object): Promise<string> {
  const socket = new WebSocket(url + RENDEZVOUS_PATH);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const answered = once(socket, 'message');
  socket.send(JSON.stringify({ v: 2, nameplate: '7', ...message }));
  return JSON.parse(String((await answered)[0])).token;
}

/** What the relay of an instance says to a first text. */
async function ask(t: TestContext, { url }: Running, hello: object): Promise<string> {
  const socket = new WebSocket(url + RELAY_PATH);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const answered = Promise.race([
    once(socket, 'message').then(([data]) => String(data)),
    once(socket, 'close').then(([, reason]) => `closed: ${reason}`),
  ]);
  socket.send(JSON.stringify({ t: 'relay', v: 1, ...hello }));
  return answered;
}

test('both sides are sent to the instance with the least to carry, whichever each reaches', async (t) => {
  const all = await instances(t, [5, 1, 9]);
  const [a, b, c] = [all[0]!, all[1]!, all[2]!];
  const host = await seat(t, a, { t: 'host' });
  const guest = await seat(t, c, { t: 'join' });
  const [from, to] = await Promise.all([
    relayStream(c.url, { token: host, guest: 1 }, never()),
    relayStream(a.url, { token: guest }, never()),
  ]);
  const heard = once(to, 'data');
  from.write('across');
  assert.equal(String((await heard)[0]), 'across');
  assert.equal(b.rendezvous.relay?.counts.relayPairs, 1);
  for (const other of [a, c]) assert.equal(other.rendezvous.relay?.counts.relayPairs, 0);
  assert.ok(b.url.endsWith(from.remote));
  for (const stream of [from, to]) stream.destroy();

  const page = openRelayLink(
    a.url.replace('http', 'ws') + RELAY_PATH,
    { token: guest },
    never(),
    PageWebSocket,
  );
  await assert.rejects(page, isError('NO_PATH', /names another host/));
});

test('a page is sent to another instance at its own host', async (t) => {
  const { http: front, origin } = await listening();
  const all = await instances(t, [5, 1], origin);
  front.on('upgrade', (request, socket, head) => {
    const [, i, path] = /^\/i\/(\d)(\/.*)$/.exec(request.url!)!;
    request.url = path!;
    all[Number(i)]!.http.emit('upgrade', request, socket, head);
  });
  t.after(() => front.close());
  const [a, b] = all as [Running, Running];
  const host = await seat(t, a, { t: 'host' });
  const guest = await seat(t, b, { t: 'join' });
  const [page, program] = await Promise.all([
    openRelayLink(a.url.replace('http', 'ws') + RELAY_PATH, { token: guest }, never(), PageWebSocket),
    relayStream(b.url, { token: host, guest: 1 }, never()),
  ]);
  const came = once(program, 'data');
  page.write(new TextEncoder().encode('from a page'), () => {});
  assert.equal(String((await came)[0]), 'from a page');
  assert.equal(b.rendezvous.relay?.counts.relayPairs, 1);
  for (const stream of [page, program]) stream.destroy();
});

test('an instance dies: the next lane finds another one, though the meeting has lost its home', async (t) => {
  const [a, b] = (await instances(t, [1, 5])) as [Running, Running];
  const host = await seat(t, a, { t: 'host' });
  const guest = await seat(t, b, { t: 'join' });
  a.store.leave();
  a.http.closeAllConnections();
  a.http.close();
  const [from, to] = await Promise.all([
    relayStream(b.url, { token: host, guest: 1 }, never()),
    relayStream(b.url, { token: guest }, never()),
  ]);
  const heard = once(to, 'data');
  from.write('still');
  assert.equal(String((await heard)[0]), 'still');
  for (const stream of [from, to]) stream.destroy();
});

test('a place that was left ends what waits for it at another instance', async (t) => {
  const [a, b] = (await instances(t, [5, 1])) as [Running, Running];
  const host = await seat(t, a, { t: 'host' });
  const waiting = relayStream(a.url, { token: host, guest: 1 }, never());
  waiting.catch(() => {});
  while (b.rendezvous.relay!.counts.relayConnections === 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  await seat(t, b, { t: 'host', token: host });
  await assert.rejects(waiting, isError('NO_PATH', /was left, or taken/));
});

test('protects from: tickets that are made up, used twice, or shown at another instance', async (t) => {
  const [a, b, c] = (await instances(t, [5, 1, 9])) as [Running, Running, Running];
  const host = await seat(t, a, { t: 'host' });
  const moved = async () => {
    const said = JSON.parse(await ask(t, a, { token: host, guest: 1 }));
    assert.deepEqual({ ...said, ticket: '' }, { t: 'moved', url: b.url, ticket: '' });
    return String(said.ticket);
  };
  const refusal = /^closed: This ticket for the relay is not good/;
  assert.match(await ask(t, b, { ticket: '0'.repeat(32) }), refusal);
  assert.match(await ask(t, c, { ticket: await moved() }), refusal);
  const ticket = await moved();
  // It waits for the guest: nothing is said.
  void ask(t, b, { ticket });
  while (b.rendezvous.relay!.counts.relayConnections === 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.match(await ask(t, b, { ticket }), refusal);
  for (const bad of [{ ticket: 'x' }, { ticket, guest: 1 }, { ticket, token: host }, {}])
    assert.match(await ask(t, b, bad), /^closed: /);
  assert.equal(b.rendezvous.relay!.counts.relayPairs, 0);
});

/** A server that answers each first text at its relay with the next of these. */
async function liar(t: TestContext, answers: (port: number) => object[]) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const all = answers(port);
  let asked = 0;
  server.on('connection', (socket) => {
    socket.on('message', () => socket.send(JSON.stringify(all[Math.min(asked++, all.length - 1)])));
  });
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${port}`, asked: () => asked };
}

test('protects from: a server that sends its clients from place to place, or to what is no place', async (t) => {
  const ticket = '0'.repeat(32);
  const seatOf = { token: ticket };
  const round = await liar(t, (port) => [{ t: 'moved', url: `ws://127.0.0.1:${port}`, ticket }]);
  await assert.rejects(
    relayStream(round.url, seatOf, never()),
    isError('PROTOCOL', /from one place to the next/),
  );
  assert.equal(round.asked(), 2);
  await assert.rejects(
    openRelayLink(round.url + RELAY_PATH, seatOf, never(), PageWebSocket),
    isError('NO_PATH', /from one place to the next/),
  );
  for (const url of [
    'http://u:p@127.0.0.1',
    'http://127.0.0.1/?x',
    'file:///etc',
    'gopher://h',
    'http://',
    'http://127.0.0.1:4848/admin/reboot?now',
    'http://127.0.0.1:4848/a%20b',
    'http://127.0.0.1:4848/a:b@c',
    `http://127.0.0.1:4848/${'x'.repeat(32)}`,
    'http://127.0.0.1:4848/x//y',
    'x'.repeat(257),
  ]) {
    const { url: at, asked } = await liar(t, () => [{ t: 'moved', url, ticket }]);
    await assert.rejects(relayStream(at, seatOf, never()), isError('PROTOCOL'), url);
    await assert.rejects(openRelayLink(at + RELAY_PATH, seatOf, never(), PageWebSocket), BeelineError, url);
    assert.equal(asked(), 2);
  }
  const from = 'wss://meet.example/v1/relay';
  assert.throws(() => movedUrl('http://a.meet.example', from), isError('PROTOCOL'));
  assert.throws(() => movedUrl('ws://a.meet.example', from), isError('PROTOCOL'));
  assert.equal(movedUrl('https://meet.example/i/1', from), 'wss://meet.example/i/1/v1/relay');
  assert.equal(movedUrl('https://a.example', 'ws://meet.example/v1/relay'), 'wss://a.example/v1/relay');
});

const FROM = 'ws://meet.example/v1/relay';
const PUBLIC = '198.51.100.7';
const refusal = isError('PROTOCOL', /in a network that the server itself is not in/);
const found = async (lookup: LookupFunction, name: string) =>
  new Promise((resolve, reject) =>
    lookup(name, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses))),
  );

test('protects from: a server of the internet that sends its clients into their own networks', async () => {
  for (const host of [
    ...['127.0.0.2', '2130706433', '10.0.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
    ...['[::1]', '[::ffff:10.0.0.1]', '[fd00::1]', '[fe80::1]', '[64:ff9b::7f00:1]'],
  ]) {
    const there = movedUrl(`http://${host}:4848`, FROM);
    await assert.rejects(movedLookup(there, FROM, PUBLIC), refusal, host);
  }
  // By a name, it is what the name leads to.
  const lookup = await movedLookup('ws://localhost:4848/v1/relay', FROM, PUBLIC);
  await assert.rejects(found(lookup, 'localhost'), refusal);
  for (const port of [22, 25, 631])
    await assert.rejects(
      movedLookup(`ws://203.0.113.9:${port}/v1/relay`, FROM, PUBLIC),
      isError('PROTOCOL', /on a port/),
    );
  // Its own port is one, and in its own network it may name what it likes.
  await movedLookup('ws://203.0.113.9:81/v1/relay', 'ws://meet.example:81/v1/relay', PUBLIC);
  await movedLookup('ws://203.0.113.9/v1/relay', FROM, PUBLIC);
  await movedLookup('ws://10.0.0.9:4848/v1/relay', FROM, '10.0.0.1');
});

test('protects from: an instance whose name leads elsewhere the second time', async (t) => {
  const at = await listening();
  t.after(() => at.http.close());
  let knocks = 0;
  at.http.on('upgrade', (_, socket) => {
    knocks++;
    socket.destroy();
  });
  const port = new URL(at.origin).port;
  const answers = ['10.0.0.1', '127.0.0.1', '10.0.0.1'];
  let asked = 0;
  const real = dns.lookup as (...all: unknown[]) => void;
  const fake = (...all: unknown[]) => {
    const [name, , done] = all as [string, object, (error: null, found: dns.LookupAddress[]) => void];
    if (name !== 'inner.example') return real(...all);
    done(null, [{ address: answers[asked++]!, family: 4 }]);
  };
  t.mock.method(dns, 'lookup', fake as typeof dns.lookup);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const ticket = '0'.repeat(32);
  const { url } = await liar(t, () => [{ t: 'moved', url: `http://inner.example:${port}`, ticket }]);
  const go = () => relayStream(url, { token: ticket }, never());
  await assert.rejects(go(), /in a network that the server itself is not in/);
  assert.deepEqual([asked, knocks], [1, 0]);
  // The server is at loopback itself: what the one lookup found is dialled.
  await assert.rejects(go(), BeelineError);
  assert.deepEqual([asked, knocks], [2, 1]);
});
