/** A program's own transport carries a transfer, by nothing but its own file and a place in the list. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { receive, send, type TransferEvent } from '../../src/index.ts';
import { freePort } from '../ports.ts';
import { unixTransport } from './unix-transport.ts';

test('a transport of its own, over a Unix socket, carries a transfer', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'beeline-unix-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const data = Buffer.alloc(5_000_000, 'own transport ');
  writeFileSync(join(dir, 'file'), data);
  const port = await freePort();
  const common = { lan: false, at: `127.0.0.1:${port}`, transports: [unixTransport()] };
  const code = '7-velvet-canyon';
  const sender = send([join(dir, 'file')], { ...common, code });
  const ways = new Set<string>();
  const watch = (event: TransferEvent) => {
    if (event.event === 'lane') ways.add(`${event.kind} ${event.relayed ?? false}`);
    if (event.event === 'progress') for (const kind of Object.keys(event.by)) ways.add(`${kind} false`);
  };
  sender.subscribe(watch);
  await new Promise<void>((resolve) => sender.subscribe(({ event }) => event === 'code' && resolve()));
  const receiver = receive({ ...common, code, to: join(dir, 'to'), accept: () => true });
  receiver.subscribe(watch);
  const [sent, received] = await Promise.all([sender.done, receiver.done]);
  assert.equal(sent.root, received.root);
  assert.deepEqual([...ways], ['unix false']);
  assert.ok(readFileSync(join(dir, 'to', 'file')).equals(data));
});
