/** A server that is told to end: nobody new, what is carried goes on, and `/readyz` says so. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { Health } from '../../src/server/health.ts';
import { relayWorld } from './relay-world.ts';

const LIMIT = { timeout: 60_000 };

test('/healthz and /readyz, and each check of a part of the server', () => {
  const health = new Health();
  const at = (path: string) => health.answers.get(path)!();
  assert.deepEqual(at('/readyz'), { status: 200, text: 'ready\n' });
  let reason: string | undefined;
  health.add(() => undefined);
  health.add(() => reason);
  assert.equal(health.unready, undefined);
  reason = 'The store is away.';
  assert.deepEqual(at('/readyz'), { status: 503, text: 'The store is away.\n' });
  assert.deepEqual(at('/healthz'), { status: 200, text: 'ok\n' }, 'it lives nevertheless');
});

test('while it drains, a pair goes on and nobody new gets in', LIMIT, () =>
  relayWorld({}, async (world) => {
    const { server } = world;
    const get = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return [answer.status, await answer.text()];
    };
    assert.deepEqual(await get('/readyz'), [200, 'ready\n']);
    const { host, guest, a } = await world.pair('7');
    const waiting = await world.relay(a.token, 1);
    const silent = new WebSocket(`ws://127.0.0.1:${server.port}/v1/relay`);
    await once(silent, 'open');
    const meetingEnds = once(a.socket, 'close');
    const silentEnds = once(silent, 'close');

    let drained = false;
    const draining = server.drain(50_000).then(() => {
      drained = true;
    });
    await Promise.all([meetingEnds, silentEnds, waiting.closed]);
    assert.deepEqual(await get('/readyz'), [503, 'This server is shutting down.\n']);
    assert.deepEqual(await get('/healthz'), [200, 'ok\n']);
    for (const place of ['host', 'join'] as const) await assert.rejects(world.seat(place, '8'), /503/);
    await assert.rejects(world.relay(a.token, 1), /503/);

    for (const [from, to] of [
      [host, guest],
      [guest, host],
    ] as const) {
      from.socket.send(Buffer.alloc(100_000, 7));
      assert.equal((await to.until(100_000)).length, 100_000);
    }
    assert.equal(drained, false);
    host.socket.close();
    await draining;
    assert.equal(server.counts().relayPairs, 0);
  }),
);

test('it waits no longer than it is told, and not at all where nothing is carried', LIMIT, async () => {
  await relayWorld({}, async (world) => {
    await world.seat('host', '7');
    await world.server.drain(50_000);
  });
  await relayWorld({}, async (world) => {
    const { host } = await world.pair('7');
    await world.server.drain(20);
    assert.equal(world.server.counts().relayPairs, 1, 'the time was over first');
    await world.server.close();
    assert.deepEqual(await host.closed, { code: 1001, reason: 'This server is shutting down.' });
  });
  await relayWorld({ relay: false }, (world) => world.server.drain(50_000));
});
