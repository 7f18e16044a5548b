/** A connection that is opened before the pin is known is a lane only for whoever holds the pinned certificate. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { contextOf } from '../../src/secure/tls.ts';
import { Ahead } from '../../src/transports/tcp/ahead.ts';
import { listen } from '../../src/transports/tcp/listen.ts';
import { tcp } from '../../src/transports/tcp/transport.ts';
import { around } from './surroundings.ts';

const never = new AbortController().signal;
const failsWith = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

interface Came {
  pipe: Pipe;
  fingerprint: string;
}

/** A listener, and whoever comes in. */
async function world(t: TestContext) {
  const [ours, theirs] = await Promise.all([makeCertificate(), makeCertificate()]);
  const waiting: ((came: Came) => void)[] = [];
  const came: Came[] = [];
  const listener = await listen({
    host: '127.0.0.1',
    context: contextOf(theirs),
    onPipe: (pipe, fingerprint) => {
      const one = { pipe, fingerprint };
      const next = waiting.shift();
      if (next) next(one);
      else came.push(one);
    },
  });
  t.after(() => listener.close());
  const next = () =>
    new Promise<Came>((resolve) => void (came.length ? resolve(came.shift()!) : waiting.push(resolve)));
  return { ours, theirs, to: { host: '127.0.0.1', port: listener.port }, next };
}

/** Resolves with what a pipe brings first, or when it is closed. */
const first = (pipe: Pipe) =>
  new Promise<string>((resolve) =>
    pipe.start(
      (bytes) => resolve(Buffer.from(bytes).toString()),
      () => resolve('closed'),
    ),
  );

test('it is the lane of whoever holds the pinned certificate, and of one taker', async (t) => {
  const { ours, theirs, to, next } = await world(t);
  const ahead = new Ahead(to, contextOf(ours));
  const { pipe: there, fingerprint } = await next();
  assert.equal(fingerprint, ours.fingerprint);
  // What the other side says before the pin is known waits for it.
  there.write(Buffer.from('early'), () => {});
  assert.equal(ahead.take({ ...to, port: to.port + 1 }, theirs.fingerprint, never), undefined);
  const pipe = await ahead.take(to, theirs.fingerprint, never)!;
  assert.equal(ahead.opened(to), false);
  assert.equal(ahead.take(to, theirs.fingerprint, never), undefined);
  assert.equal(await first(pipe), 'early');
  const said = first(there);
  pipe.write(Buffer.from('hello'), () => {});
  assert.equal(await said, 'hello');
  pipe.destroy();
});

test('a wrong certificate closes it before anything is said on it', async (t) => {
  const { ours, to, next } = await world(t);
  const ahead = new Ahead(to, contextOf(ours));
  const { pipe: there } = await next();
  const said = first(there);
  await assert.rejects(ahead.take(to, '00'.repeat(32), never)!, failsWith('AUTHENTICATION'));
  assert.equal(await said, 'closed');
});

test('one that nobody takes, or whose taker leaves, is closed', async (t) => {
  const { ours, theirs, to, next } = await world(t);
  const unwanted = new Ahead(to, contextOf(ours));
  const { pipe } = await next();
  unwanted.close();
  assert.equal(await first(pipe), 'closed');
  assert.equal(unwanted.take(to, theirs.fingerprint, never), undefined);

  // A server that says nothing: the connection opens, and TLS does not.
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket));
  t.after(() => mute.close());
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const { port } = mute.address() as AddressInfo;
  const ahead = new Ahead({ host: '127.0.0.1', port }, contextOf(ours));
  const [socket] = (await once(mute, 'connection')) as [Socket];
  const gone = new AbortController();
  const taken = ahead.take({ host: '127.0.0.1', port }, theirs.fingerprint, gone.signal)!;
  gone.abort();
  await assert.rejects(taken);
  socket.resume();
  if (!socket.closed)
    await once(
      socket.on('error', () => {}),
      'close',
    );
});

test('where it came to nothing, the address is dialled as ever', async (t) => {
  const { ours, theirs, to, next } = await world(t);
  // On the way to the listener, the first connection is lost.
  let connections = 0;
  const way = createServer((socket) => {
    socket.on('error', () => {});
    if (++connections === 1) return void socket.destroy();
    const on = connect(to);
    on.on('error', () => socket.destroy());
    socket.pipe(on).pipe(socket);
  });
  t.after(() => way.close());
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  const met = { host: '127.0.0.1', port: (way.address() as AddressInfo).port };
  const ahead = new Ahead(met, contextOf(ours));
  const surroundings = await around('receiver', {
    context: contextOf(ours),
    pin: () => theirs.fingerprint,
    ahead: () => ahead,
  });
  const transport = tcp.make(surroundings);
  transport.hear(undefined, { fingerprint: '', tls: true, seal: '', hosts: [], met: [met] });
  const [path] = transport.paths();
  assert.equal(path!.ready, false);
  const [lane] = await Promise.all([path!.open(never), next()]);
  lane.destroy();
  assert.equal(connections, 2);
});
