/** The ports of a peer's threads go before its main one, as long as they answer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { contextOf } from '../../src/secure/tls.ts';
import { listen } from '../../src/transports/tcp/listen.ts';
import { tcp } from '../../src/transports/tcp/transport.ts';
import { formatAddress } from '../../src/wire/candidate.ts';
import { around } from './surroundings.ts';

const never = new AbortController().signal;

async function world(t: TestContext) {
  const [ours, theirs] = await Promise.all([makeCertificate(), makeCertificate()]);
  const options = { host: '127.0.0.1', context: contextOf(theirs), onPipe: () => {} };
  const [main, thread] = await Promise.all([listen(options), listen(options)]);
  t.after(() => Promise.all([main.close(), thread.close()]));
  const met = { host: '127.0.0.1', port: main.port };
  const transport = tcp.make(
    await around('receiver', { context: contextOf(ours), pin: () => theirs.fingerprint }),
  );
  t.after(() => transport.close());
  const hear = (...threads: number[]) => {
    const description = { at: [], ...(threads.length > 0 && { threads }) };
    transport.hear(description, { fingerprint: '', tls: true, seal: '', hosts: [], met: [met] });
    return transport.paths()[0]!;
  };
  const lane = async (path = transport.paths()[0]!) => {
    const pipe = await path.open(never);
    t.after(() => pipe.destroy());
    return { kind: pipe.kind, remote: pipe.remote, threaded: false };
  };
  return { main: formatAddress(met), thread: thread.port, hear, lane };
}

test('a lane to the main port is outdated once the peer has threads, and one to a thread is not', async (t) => {
  const { main, thread, hear, lane } = await world(t);
  const alone = hear();
  const first = await lane(alone);
  assert.equal(first.remote, main);
  assert.equal(alone.outdated!(first), false);
  const path = hear(thread);
  assert.equal(path.outdated!(first), true);
  const next = await lane(path);
  assert.equal(next.remote, formatAddress({ host: '127.0.0.1', port: thread }));
  assert.equal(path.outdated!(next), false);
});

test('where threads do not answer, lanes to the main port are as good as any', async (t) => {
  const { main, hear, lane } = await world(t);
  // It takes connections, and says nothing.
  const silent = createServer((socket) => socket.on('error', () => {}));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const path = hear((silent.address() as AddressInfo).port);
  const [one, two] = [await lane(path), await lane(path)];
  assert.deepEqual([one.remote, two.remote], [main, main]);
  assert.equal(path.outdated!(one), false);
});

test('a port that refuses is not tried again', async (t) => {
  const { main, hear, lane } = await world(t);
  const gone = createServer();
  gone.listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  const path = hear(port);
  const one = await lane(path);
  assert.equal(one.remote, main);
  assert.equal(path.outdated!(one), false);
});

test('a thread that answers late gets the next lanes', async (t) => {
  const { main, thread, hear, lane } = await world(t);
  // On the way to the thread, the first connection waits until the main port has the lane.
  const held: (() => void)[] = [];
  let connections = 0;
  const way = createServer((socket) => {
    socket.on('error', () => {});
    const on = () => {
      const further = connect({ host: '127.0.0.1', port: thread });
      further.on('error', () => socket.destroy());
      socket.pipe(further).pipe(socket);
    };
    if (++connections <= 2) held.push(on);
    else on();
  });
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  t.after(() => way.close());
  const path = hear((way.address() as AddressInfo).port);
  const lanes = await Promise.all([lane(path), lane(path)]);
  assert.deepEqual(new Set(lanes.map(({ remote }) => remote)), new Set([main]));
  assert.equal(path.outdated!(lanes[0]!), false);
  for (const on of held) on();
  for (let i = 0; !path.outdated!(lanes[0]!); i++) {
    assert.ok(i < 400, 'never outdated');
    await sleep(25);
  }
  assert.notEqual((await lane(path)).remote, main);
});
