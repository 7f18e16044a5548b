/** One sender and several receivers at a server, where nothing but the relay may carry. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import { startServer } from '../../src/server/index.ts';
import { folder, meeting } from './meeting.ts';

test('three receivers of one code get the file through the relay of a server', async (t) => {
  const server = await startServer({ port: 0, host: '127.0.0.1', stun: false });
  t.after(() => server.close());
  const from = folder(t);
  const bytes = Buffer.alloc(3 << 20, 'one offer, many receivers ');
  writeFileSync(join(from, 'film.bin'), bytes);
  const common = { lan: false, relay: 'only', server: server.url } as const;
  const sender = send([join(from, 'film.bin')], { ...common, receivers: 3 });
  const { code } = await meeting(sender);
  const places = [folder(t), folder(t), folder(t)];
  const receivers = places.map((to) => receive({ ...common, code, to, accept: 'all' }));
  await Promise.all([sender.done, ...receivers.map(({ done }) => done)]);
  for (const to of places) assert.ok(readFileSync(join(to, 'film.bin')).equals(bytes));
  const { relayBytes } = server.counts();
  assert.ok(relayBytes > 3 * bytes.length, `${relayBytes} relayed`);
});
