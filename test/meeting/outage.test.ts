/** A server that is gone for a while: both sides are together again soon after it is back, whoever comes first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openMailbox } from '../../src/meeting/mailbox.ts';
import { startServer } from '../../src/server/index.ts';

/** Seconds that the server is away. */
const AWAY = 6;

test('a server gone for 6 s costs little more than these 6 s', { timeout: 60_000 }, async () => {
  const options = { host: '127.0.0.1', relay: false, stun: false } as const;
  let server = await startServer({ ...options, port: 0 });
  const { port, url } = server;
  const heard: string[] = [];
  const side = (role: 'host' | 'guest') =>
    openMailbox({
      ...{ role, url, nameplate: '7', deadline: 20_000 },
      onMessage: (body) => heard.push(`${role} ${body}`),
      onPeer: (present) => heard.push(`${role} ${present}`),
      onLost: (error) => heard.push(`${role} ${error.code}`),
    });
  const host = await side('host');
  const guest = await side('guest');
  await server.close();
  await sleep(1000 * AWAY);
  heard.length = 0;
  const back = performance.now();
  server = await startServer({ ...options, port });
  while (!heard.includes('host true') || !heard.includes('guest true')) {
    assert.ok(!heard.some((line) => line.endsWith('NO_PEER')), heard.join());
    // Two pauses of at most 2.25 s each, the guest's behind the host's, and room for a busy machine.
    assert.ok(performance.now() - back < 8000, heard.join());
    await sleep(20);
  }
  host.close();
  guest.close();
  await server.close();
});
