/** Meeting over a private DHT on loopback: the library's two sides, and strangers who know the nameplate. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { topicOf } from '../../src/meeting/dht/keys.ts';
import type { CommonOptions, Transfer } from '../../src/node/api.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import { type TestDht, testDht } from '../dht-net.ts';

const LIMIT = { timeout: 60_000 };
const CODE = '1234567-velvet-canyon';
const NAMEPLATE = '1234567';

/** Nothing of it leaves this machine. */
function options(t: TestContext, { dht }: TestDht): CommonOptions {
  const configDir = mkdtempSync(join(tmpdir(), 'beeline-test-'));
  t.after(() => rmSync(configDir, { recursive: true, force: true }));
  return { dht, lan: false, portMap: false, configDir };
}

const ending = (transfer: Transfer) =>
  transfer.done.then(
    () => '',
    (error: { code: string }) => error.code,
  );

async function textOf(transfer: Transfer): Promise<string> {
  let text = '';
  transfer.subscribe((event) => {
    if (event.event === 'text') text = event.text;
  });
  await transfer.done;
  return text;
}

/** Resolves when a sender is found under the nameplate. */
async function announced(net: TestDht, count = 1): Promise<void> {
  const node = await net.node();
  const keys = new Set<string>();
  for (const end = Date.now() + 20_000; keys.size < count; ) {
    assert.ok(Date.now() < end, 'it was not announced');
    for await (const { peers } of node.engine.lookup(topicOf(NAMEPLATE)))
      for (const { publicKey } of peers) keys.add(publicKey.toString('hex'));
  }
}

test('two who know nothing but a code meet', LIMIT, async (t) => {
  const net = await testDht(t);
  const sender = send({ text: 'over the DHT' }, options(t, net));
  const code = await new Promise<string>((resolve) =>
    sender.subscribe((event) => {
      if (event.event === 'code') resolve(event.code);
    }),
  );
  assert.match(code, /^\d{7}-/);
  const receiver = receive({ ...options(t, net), code, accept: 'all', wait: 40 });
  assert.equal(await textOf(receiver), 'over the DHT');
  assert.equal(await ending(sender), '');
});

test(
  'a receiver that starts first finds the sender, and a second one is told that it is over',
  LIMIT,
  async (t) => {
    const net = await testDht(t);
    const receiver = receive({ ...options(t, net), code: CODE, accept: 'all', wait: 40 });
    const text = textOf(receiver);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const sender = send({ text: 'later' }, { ...options(t, net), code: CODE });
    assert.equal(await text, 'later');
    assert.equal(await ending(sender), '');
  },
);

test('a wrong code burns it, and both hear so at once', LIMIT, async (t) => {
  const net = await testDht(t);
  const sender = send({ text: 'secret' }, { ...options(t, net), code: CODE });
  await announced(net);
  const receiver = receive({ ...options(t, net), code: `${NAMEPLATE}-wrong-words`, accept: 'all' });
  assert.equal(await ending(receiver), 'WRONG_CODE');
  assert.equal(await ending(sender), 'WRONG_CODE');
});

test('a pre-shared key: whoever lacks it is not even let in', LIMIT, async (t) => {
  const net = await testDht(t);
  const psk = new Uint8Array(32).fill(7);
  const sender = send({ text: 'for one' }, { ...options(t, net), psk });
  const stranger = receive({ ...options(t, net), psk: new Uint8Array(32).fill(8), accept: 'all' });
  const receiver = receive({ ...options(t, net), psk, accept: 'all', wait: 40 });
  assert.equal(await textOf(receiver), 'for one');
  assert.equal(await ending(sender), '');
  stranger.cancel();
  assert.equal(await ending(stranger), 'CANCELLED');
});

test('without the DHT, and without the local network, there is no place to meet', LIMIT, async () => {
  const receiver = receive({ code: CODE, lan: false, dht: false, accept: 'all' });
  assert.equal(await ending(receiver), 'USAGE');
});

test('where no node answers, it is said once, and the local network goes on', LIMIT, async (t) => {
  const net: TestDht = { dht: { bootstrap: ['127.0.0.1:9'] }, node: () => Promise.reject() };
  const receiver = receive({ ...options(t, net), code: CODE, accept: 'all' });
  const said: string[] = [];
  receiver.subscribe((event) => {
    if (event.event === 'warning') said.push(event.reason ?? '');
  });
  assert.equal(await ending(receiver), 'NO_PEER');
  assert.equal(said.filter((reason) => reason === 'DHT_SILENT').length, 1);
});
