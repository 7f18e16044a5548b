/** When a TCP connection is given BBR, and that the kernel is really asked. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import test from 'node:test';
import { Congestion, type Counters, descriptorOf, socketOptions } from '../../src/secure/congestion.ts';
import { VirtualClock } from '../virtual-clock.ts';

const MS = 1000;

/** What a kernel with BBR, or without, has said of a connection so far, and was told. */
class Kernel {
  readonly asked: string[] = [];
  loaded = 0;
  #algorithm = 'cubic';
  #last: Counters | undefined;
  constructor(
    readonly left: Counters[],
    readonly able = true,
  ) {}
  counters(): Counters | undefined {
    this.#last = this.left.shift();
    return this.#last;
  }
  algorithm(): string {
    return this.#algorithm;
  }
  use(_descriptor: number, algorithm: string): boolean {
    this.asked.push(algorithm);
    if (this.able) this.#algorithm = algorithm;
    return this.able;
  }
}

/** A connection over a path, and what its kernel is told while it counts what `counters` say, one after the other. */
async function watched(
  remoteAddress: string,
  roundTripMs: number,
  counters: Counters[],
  { bytesWritten = 1e6, able = true, clock = new VirtualClock() } = {},
) {
  const kernel = new Kernel([...counters], able);
  const load = async () => {
    kernel.loaded++;
    return kernel;
  };
  const connection = { bytesWritten, destroyed: false, remoteAddress };
  const congestion = new Congestion(connection, { descriptor: () => 7, load, clock });
  congestion.measured(roundTripMs);
  congestion.sent();
  await clock.pass(1000 * counters.length + 1000);
  return kernel;
}

const seen = (retransmitted: number, rtt: number, { minRtt = 100, sent = 1000 } = {}): Counters => ({
  rtt: rtt * MS,
  minRtt: minRtt * MS,
  sent,
  retransmitted,
});
/** So many looks at the same. */
const times = (count: number, one: Counters) => Array.from({ length: count }, () => one);

test('a connection that loses packets without a queue is given BBR, once', async () => {
  const path = [seen(0, 101), seen(3, 102), seen(9, 103), seen(90, 180)];
  const { asked, loaded } = await watched('192.0.2.1', 100, path);
  assert.deepEqual([asked, loaded], [['bbr'], 1]);
  // Others to the same address need not lose anything first.
  assert.deepEqual((await watched('192.0.2.1', 100, [seen(0, 101)])).asked, ['bbr']);
  assert.deepEqual((await watched('192.0.2.2', 100, [seen(0, 101)])).asked, []);
});

test('one that loses packets at a full queue is not, though the queue is gone when they are sent again, nor one without losses', async () => {
  const full = [seen(5, 190), seen(9, 180), seen(9, 101), seen(14, 101), seen(20, 101)];
  assert.deepEqual((await watched('192.0.2.3', 100, full)).asked, []);
  assert.deepEqual((await watched('192.0.2.6', 100, times(30, seen(0, 101)))).asked, []);
});

test('losses long after the last queue are the path itself', async () => {
  const path = [seen(5, 190), ...times(10, seen(5, 101)), seen(9, 101)];
  assert.deepEqual((await watched('192.0.2.7', 100, path)).asked, ['bbr']);
});

test('a queue that another connection to the address sees, and a path that it has seen empty, count for all of them', async () => {
  const clock = new VirtualClock();
  const first = watched('192.0.2.8', 100, times(20, seen(0, 101)), { clock });
  const behind = times(19, seen(5, 190, { minRtt: 184 }));
  const second = await watched('192.0.2.8', 190, [seen(0, 190, { minRtt: 184 }), ...behind], { clock });
  await first;
  assert.deepEqual(second.asked, []);
});

test('losses so few that CUBIC bears them are none', async () => {
  const few = [seen(0, 101), seen(2, 101, { sent: 30_000 })];
  assert.deepEqual((await watched('192.0.2.9', 100, few)).asked, []);
  const one = [seen(0, 101), seen(1, 101)];
  assert.deepEqual((await watched('192.0.2.10', 100, one)).asked, []);
});

test('BBR is taken back once the path turns out to be shorter: it was a queue that never drained', async () => {
  const path = [seen(5, 190, { minRtt: 184 }), seen(5, 190, { minRtt: 184 }), seen(5, 110)];
  assert.deepEqual((await watched('192.0.2.11', 190, path)).asked, ['bbr', 'cubic']);
  assert.deepEqual((await watched('192.0.2.11', 190, times(3, seen(9, 110)))).asked, []);
});

test('on a short path, and where little is sent, nothing is loaded', async () => {
  assert.equal((await watched('192.0.2.4', 20, [seen(5, 100)])).loaded, 0);
  assert.equal((await watched('192.0.2.4', 100, [seen(5, 100)], { bytesWritten: 9 })).loaded, 0);
  // One that looks long behind what is queued for it is short for the kernel.
  assert.deepEqual((await watched('192.0.2.12', 100, times(3, seen(5, 20, { minRtt: 20 })))).asked, []);
});

test('a kernel that refuses is asked once', async () => {
  const path = [seen(5, 100), seen(9, 100)];
  assert.deepEqual((await watched('192.0.2.5', 100, path, { able: false })).asked, ['bbr']);
});

test('the kernel says of a real connection what it says', async (t) => {
  const options = await socketOptions();
  if (!options) return t.skip('koffi is not here, or this is no Linux');
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  t.after(() => socket.destroy());
  const descriptor = descriptorOf(socket);
  assert.ok(descriptor > 0);
  const shown = options.counters(descriptor)!;
  assert.equal(shown.retransmitted, 0);
  assert.ok(shown.minRtt < 1e6 && shown.rtt > 0 && shown.sent > 0 && shown.sent < 100, JSON.stringify(shown));
  const before = options.algorithm(descriptor)!;
  assert.match(before, /^[a-z0-9_]+$/);
  assert.equal(options.use(descriptor, 'no-such'), false);
  assert.equal(options.use(descriptor, before), true);
  assert.equal(options.algorithm(descriptor), before);
  assert.equal(options.counters(99_999), undefined);
  assert.equal(descriptorOf({ _handle: null }), -1);
});
