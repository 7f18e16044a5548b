/** Sealed lanes as pipes: bytes both ways, flow control, ends. What hostile ones do is in sealed-hostile.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREDIT_STEP, CREDIT_WINDOW } from '../../src/base/credit.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { sealedClient, sealedServer } from '../../src/secure/sealed/handshake.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { forever, Heard, lane, secrets, settled, wire, write } from './sealed-ends.ts';

const MiB = 2 ** 20;
const isError =
  (...codes: string[]) =>
  (error: unknown) =>
    error instanceof BeelineError && codes.includes(error.code);

test('bytes both ways at once, in order, in pieces of any size, with readers that pause', async () => {
  const random = randomFrom(seed);
  // The wire cuts anywhere, so that records and greetings arrive in pieces and together.
  const cutting = wire((bytes, _from, deliver) => {
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + Math.floor(random() * (random() < 0.1 ? 40 : 100_000));
      deliver(bytes.subarray(at, at + length));
      at += length;
    }
  });
  const { client, server } = await lane(cutting);
  assert.deepEqual([client.kind, client.local, client.remote], ['wire', 'client', 'server']);
  const total = 24 * MiB;
  const one = async (from: typeof client, to: typeof client) => {
    const sent = randomBytes(random, total);
    const heard = new Heard(to);
    heard.onData = () => {
      if (random() > 0.1) return;
      to.pause();
      setTimeout(() => to.resume(), random() * 5);
    };
    for (let at = 0; at < total; ) {
      const length = Math.floor(random() * (random() < 0.7 ? 3000 : 2 * MiB));
      const part = Buffer.from(sent.subarray(at, at + length));
      await write(from, part);
      // It is ours again.
      part.fill(0);
      at += length;
    }
    await heard.until(total);
    assert.ok(heard.all.equals(sent));
  };
  await Promise.all([one(client, server), one(server, client)]);
});

test('a reader that stops stops the writer within the window, both ways at once', async () => {
  const ends = await lane();
  const heard = { client: new Heard(ends.client), server: new Heard(ends.server) };
  for (const pipe of Object.values(ends)) pipe.pause();
  const block = Buffer.alloc(256 * 1024, 'x');
  const all = 24 * MiB;
  const taken = { client: 0, server: 0 };
  const writing = (['client', 'server'] as const).map(async (end) => {
    for (; taken[end] < all; taken[end] += block.length) await write(ends[end], block);
  });
  // Less than that means that it hangs, and the test with it.
  const full = () => Object.values(taken).every((bytes) => bytes >= CREDIT_WINDOW - 2 * MiB);
  while (!full()) await new Promise((resolve) => setTimeout(resolve, 5));
  await settled(() => taken.client + taken.server);
  for (const end of ['client', 'server'] as const) {
    assert.ok(taken[end] <= CREDIT_WINDOW, `${taken[end]} bytes were taken for a reader that reads none`);
    assert.equal(heard[end].bytes, 0);
  }
  for (const pipe of Object.values(ends)) pipe.resume();
  await Promise.all(writing);
  await Promise.all([heard.client.until(all), heard.server.until(all)]);
});

test('who has stopped reading can write as much as the other side reads', async () => {
  const { client, server } = await lane();
  const far = new Heard(server);
  new Heard(client);
  client.pause();
  for (let i = 0; i < 24; i++) await write(client, Buffer.alloc(MiB));
  await far.until(24 * MiB);
});

test('before it is started a pipe keeps what comes', async () => {
  const { client, server } = await lane();
  await write(client, Buffer.from('early'));
  await settled(() => 0);
  const heard = new Heard(server);
  await heard.until(5);
  assert.equal(heard.all.toString(), 'early');
});

test('destroying a pipe in order is heard as the end, behind all that was sent', async () => {
  const { client, server } = await lane();
  const far = new Heard(server);
  const near = new Heard(client);
  server.pause();
  await write(client, Buffer.alloc(3 * MiB));
  client.destroy();
  client.destroy();
  assert.equal(await near.closed, undefined);
  await settled(() => far.bytes);
  assert.equal(far.bytes, 0);
  server.resume();
  assert.equal(await far.closed, undefined);
  assert.equal(far.bytes, 3 * MiB);
  await assert.rejects(write(server, Buffer.alloc(1)), isError('NO_PATH'));
});

test('nothing follows the end, not even a grant for the bytes at which the reader closed it', async () => {
  const { client, server } = await lane();
  const near = new Heard(client);
  const far = new Heard(server);
  far.onData = () => {
    // The grant for this much is due as soon as these bytes are taken.
    if (far.bytes === CREDIT_STEP) server.destroy();
  };
  await write(client, Buffer.alloc(CREDIT_STEP));
  assert.equal(await far.closed, undefined);
  assert.equal(await near.closed, undefined);
});

test('a pipe that is destroyed in the middle of a write, or with an error, was cut off for the other side', async () => {
  for (const error of [undefined, new BeelineError('PROTOCOL', 'no')]) {
    const { client, server } = await lane();
    const far = new Heard(server);
    const near = new Heard(client);
    const writing = error
      ? undefined
      : assert.rejects(write(client, Buffer.alloc(32 * MiB)), isError('NO_PATH'));
    client.destroy(error);
    await writing;
    assert.equal(await near.closed, error);
    assert.ok(isError('NO_PATH')(await far.closed));
  }
});

test('an end that is told to a pipe which was not started yet is told when it starts', async () => {
  const { client, server } = await lane();
  client.destroy();
  await settled(() => 0);
  assert.equal(await new Heard(server).closed, undefined);
  assert.equal(await new Heard(client).closed, undefined);
});

test('silence ends the handshake, and so does whoever gives up', async () => {
  const { client, server } = secrets();
  const a = wire();
  await assert.rejects(sealedClient(a.client, client, forever, 20), isError('TIMEOUT'));
  await assert.rejects(write(a.client, Buffer.alloc(1)), /dead/);
  await assert.rejects(
    sealedServer(wire().server, () => server, forever, 20),
    isError('TIMEOUT'),
  );
  for (const early of [true, false]) {
    const race = new AbortController();
    if (early) race.abort();
    const b = wire();
    const opening = assert.rejects(sealedClient(b.client, client, race.signal), isError('NO_PATH'));
    race.abort();
    await opening;
    await assert.rejects(write(b.client, Buffer.alloc(1)), /dead/);
  }
  const gone = wire();
  const opening = assert.rejects(
    sealedServer(gone.server, () => server, forever),
    isError('NO_PATH'),
  );
  gone.client.destroy();
  await opening;
});

test('what lies in shared memory, as chunks of a sender with threads do, goes as all else', async () => {
  const { client, server } = await lane(wire());
  const heard = new Heard(client);
  const bytes = new Uint8Array(new SharedArrayBuffer(200_000), 100, 150_000);
  bytes.set(randomBytes(randomFrom(seed), bytes.length));
  const sent = Buffer.from(bytes);
  await write(server, bytes);
  await heard.until(sent.length);
  assert.ok(heard.all.equals(sent));
});
