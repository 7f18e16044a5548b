/** When a TCP connection is given BBR, and that the kernel is really asked. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import test from 'node:test';
import { Congestion, type Counters, descriptorOf, socketOptions } from '../../src/secure/congestion.ts';
import { VirtualClock } from '../virtual-clock.ts';

const MS = 1000;

/** A connection over a path, and what becomes of it while the kernel counts what `counters` say, one after the other. */
async function watched(
  remoteAddress: string,
  roundTripMs: number,
  counters: Counters[],
  { bytesWritten = 1e6, able = true } = {},
) {
  const clock = new VirtualClock();
  let given = 0;
  let loaded = 0;
  const left = [...counters];
  const options = {
    counters: () => left.shift(),
    useBbr: () => {
      given++;
      return able;
    },
  };
  const load = async () => {
    loaded++;
    return options;
  };
  const connection = { bytesWritten, destroyed: false, remoteAddress };
  const congestion = new Congestion(connection, { descriptor: () => 7, load, clock });
  congestion.measured(roundTripMs);
  congestion.sent();
  await clock.pass(100 * counters.length + 100);
  return { given, loaded };
}

const lost = (retransmitted: number, rtt: number): Counters => ({
  rtt: rtt * MS,
  minRtt: 100 * MS,
  retransmitted,
});

test('a connection that loses packets without a queue is given BBR, once', async () => {
  const path = [lost(0, 101), lost(3, 102), lost(9, 103)];
  assert.deepEqual(await watched('192.0.2.1', 100, path), { given: 1, loaded: 1 });
  // Others to the same address need not lose anything first.
  assert.deepEqual(await watched('192.0.2.1', 100, [lost(0, 101)]), { given: 1, loaded: 1 });
  assert.deepEqual(await watched('192.0.2.2', 100, [lost(0, 101)]), { given: 0, loaded: 1 });
});

test('one that loses packets at a full queue is not, nor one without losses', async () => {
  assert.equal((await watched('192.0.2.3', 100, [lost(5, 190), lost(9, 180), lost(9, 101)])).given, 0);
});

test('on a short path, and where little is sent, nothing is loaded', async () => {
  assert.deepEqual(await watched('192.0.2.4', 20, [lost(5, 100)]), { given: 0, loaded: 0 });
  assert.deepEqual(await watched('192.0.2.4', 100, [lost(5, 100)], { bytesWritten: 9 }), {
    given: 0,
    loaded: 0,
  });
});

test('a kernel that refuses is asked once', async () => {
  assert.equal((await watched('192.0.2.5', 100, [lost(5, 100), lost(9, 100)], { able: false })).given, 1);
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
  const seen = options.counters(descriptor)!;
  assert.equal(seen.retransmitted, 0);
  assert.ok(seen.minRtt < 1e6 && seen.rtt > 0, JSON.stringify(seen));
  assert.equal(options.counters(99_999), undefined);
  assert.equal(descriptorOf({ _handle: null }), -1);
});
