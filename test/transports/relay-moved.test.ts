/** The relay of a server of several instances: clients are sent on to the one that carries them, and nowhere else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { BeelineError } from '../../src/base/errors.ts';
import { openRelayLink, type WebSocketMaker } from '../../src/browser/relay-link.ts';
import type { MeetingStore } from '../../src/server/meeting-store.ts';
import { MemoryHub } from '../../src/server/memory-store.ts';
import { createRendezvous, type Rendezvous } from '../../src/server/rendezvous.ts';
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

/** Instances that share a store. @param loads what each says that it carries */
async function instances(t: TestContext, loads: number[]): Promise<Running[]> {
  const hub = new MemoryHub();
  return Promise.all(
    loads.map(async (load) => {
      const http = createServer();
      http.listen(0, '127.0.0.1');
      await once(http, 'listening');
      const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
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

  const [page, program] = await Promise.all([
    openRelayLink(a.url.replace('http', 'ws') + RELAY_PATH, { token: guest }, never(), PageWebSocket),
    relayStream(b.url, { token: host, guest: 1 }, never()),
  ]);
  const came = once(program, 'data');
  page.write(new TextEncoder().encode('from a page'), () => {});
  assert.equal(String((await came)[0]), 'from a page');
  for (const stream of [from, to, page, program]) stream.destroy();
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
