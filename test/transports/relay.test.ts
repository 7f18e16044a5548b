/** Lanes through the server's relay: both ends of them, with TLS or sealed, against a real server. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { before, test } from 'node:test';
import type { SecureContext } from 'node:tls';
import { BeelineError } from '../../src/base/errors.ts';
import { type Certificate, makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { startServer } from '../../src/server/index.ts';
import { nodeRelayListener, nodeRelayPath, relay } from '../../src/transports/relay/node-transport.ts';
import { relayStream } from '../../src/transports/relay/stream.ts';
import { meetingAt, type PeerFacts } from '../../src/transports/transport.ts';
import { helloOf } from '../hello.ts';
import { freePort } from '../ports.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { RelayWorld, relayWorld } from '../server/relay-world.ts';
import { around } from './surroundings.ts';

const MiB = 2 ** 20;
const isError =
  (code: string, pattern = /./) =>
  (error: unknown) =>
    error instanceof BeelineError && error.code === code && pattern.test(error.message);

/** A pipe's other end: what came, and its end. */
class Heard {
  readonly closed: Promise<Error | undefined>;
  readonly hash = createHash('sha256');
  bytes = 0;
  #wake = () => {};

  constructor(pipe: Pipe) {
    this.closed = new Promise((resolve) => {
      pipe.start((bytes) => {
        this.hash.update(bytes);
        this.bytes += bytes.length;
        this.#wake();
      }, resolve);
    });
  }

  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }
}

const write = (pipe: Pipe, bytes: Uint8Array) =>
  new Promise<void>((resolve, reject) => {
    pipe.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

type Side = Certificate & { context: SecureContext };

async function makeSide(): Promise<Side> {
  const certificate = await makeCertificate();
  return { ...certificate, context: laneContext(certificate.cert, certificate.key) };
}

let sender: Side;
let receiver: Side;
before(async () => {
  sender = await makeSide();
  receiver = await makeSide();
});

/** A sender that listens at the relay for one meeting, and the path of its receiver. */
async function met(world: RelayWorld, nameplate: string, pin = sender.fingerprint, most?: number) {
  const url = world.server.url;
  const a = await world.seat('host', nameplate);
  const b = await world.seat('join', nameplate);
  const tokens = { host: a.token as string | undefined, guest: b.token as string | undefined };
  const arrived: { pipe: Pipe; fingerprint: string }[] = [];
  const waiting: (() => void)[] = [];
  const logged: string[] = [];
  const listener = nodeRelayListener({
    url,
    seat: () => (tokens.host === undefined ? undefined : { token: tokens.host, guest: 1 }),
    context: sender.context,
    sealed: () => undefined,
    most,
    onPipe: (pipe, fingerprint) => {
      arrived.push({ pipe, fingerprint });
      for (const wake of waiting.splice(0)) wake();
    },
    log: { debug: (fields) => void logged.push(JSON.stringify(fields)) },
  });
  const path = nodeRelayPath({
    url: `${url}/v1/rendezvous`,
    seat: () => (tokens.guest === undefined ? undefined : { token: tokens.guest }),
    context: receiver.context,
    pin: () => pin,
    sealed: () => undefined,
  });
  const next = async () => {
    while (arrived.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    return arrived.shift()!;
  };
  return { a, b, tokens, listener, path, next, logged };
}

async function until(wanted: () => boolean): Promise<void> {
  while (!wanted()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const forever = new AbortController().signal;

// First: a socket of an earlier test that closes under a mocked clock would keep its real timer, and the process with it for 30 s.
test('a server that takes connections and says nothing is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const silent = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const connected = new Promise<Socket>((resolve) => silent.once('connection', resolve));
  const opening = relayStream(
    `http://127.0.0.1:${port}`,
    { token: '0'.repeat(32) },
    new AbortController().signal,
  );
  const refused = assert.rejects(opening, isError('NO_PATH', /did not answer in time/));
  const socket = await connected;
  t.mock.timers.tick(10_000);
  await refused;
  socket.destroy();
  silent.close();
});

test('64 MiB each way through the relay, under TLS, by several lanes; nothing is left afterwards', () =>
  relayWorld({}, async (world) => {
    const { listener, path, next } = await met(world, '7');
    assert.deepEqual([path.kind, path.most], ['relay', 4]);
    assert.equal(path.name, `127.0.0.1:${world.server.port}`);
    const random = randomFrom(seed);
    const lanes = await Promise.all(
      Array.from({ length: path.most }, async () => {
        const [mine, { pipe: theirs, fingerprint }] = await Promise.all([path.open(forever), next()]);
        assert.equal(fingerprint, receiver.fingerprint);
        assert.equal(mine.kind, 'relay');
        assert.equal(mine.remote, path.name);
        assert.match(mine.local, /^127\.0\.0\.1:\d+$/);
        return { mine, theirs };
      }),
    );
    // Which dial met which is for the relay to say; the sum over all lanes is what counts.
    const all = [...lanes.map(({ mine }) => mine), ...lanes.map(({ theirs }) => theirs)];
    const heard = all.map((pipe) => new Heard(pipe));
    const block = randomBytes(random, 4 * MiB);
    await Promise.all(
      all.map(async (pipe) => {
        for (let i = 0; i < 4; i++) await write(pipe, block);
      }),
    );
    await Promise.all(heard.map((each) => each.until(16 * MiB)));
    const expected = createHash('sha256');
    for (let i = 0; i < 4; i++) expected.update(block);
    const digest = expected.digest('hex');
    for (const each of heard) {
      assert.equal(each.bytes, 16 * MiB);
      assert.equal(each.hash.digest('hex'), digest);
    }
    for (const { mine } of lanes) mine.destroy();
    await Promise.all(heard.map(({ closed }) => closed));
    listener.close();
    const counts = world.counts;
    await until(() => counts().relayConnections === 0);
    assert.equal(counts().relayPairs, 0);
  }));

test('a reader that stops stops the writer, also through TLS and the relay', () =>
  relayWorld({ limits: { relayBuffer: 64 * 1024 } }, async (world) => {
    const { listener, path, next } = await met(world, '7');
    const [mine, { pipe: theirs }] = await Promise.all([path.open(forever), next()]);
    const heard = new Heard(mine);
    mine.pause();
    let written = 0;
    const all = 128;
    const block = Buffer.alloc(MiB, 'x');
    const writing = (async () => {
      for (; written < all; written++) await write(theirs, block);
    })();
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.ok(written < 64, `${written} MiB were taken for a reader that reads none`);
    mine.resume();
    await writing;
    await heard.until(all * MiB);
    listener.close();
    mine.destroy();
  }));

test('another certificate than the pinned one, no token, and a wrong one open nothing', () =>
  relayWorld({}, async (world) => {
    const wrong = await met(world, '7', 'f'.repeat(64));
    await assert.rejects(wrong.path.open(forever), isError('AUTHENTICATION'));
    const { listener, path, tokens } = await met(world, '8');
    tokens.guest = undefined;
    await assert.rejects(path.open(forever), isError('NO_PATH', /no place/));
    tokens.guest = 'f'.repeat(32);
    await assert.rejects(path.open(forever), isError('NO_PATH', /no such place/));
    for (const each of [listener, wrong.listener]) each.close();
  }));

test('an open that is given up leaves nothing', () =>
  relayWorld({}, async (world) => {
    const { listener, path } = await met(world, '7');
    listener.close();
    await until(() => world.counts().relayConnections === 0);
    const race = new AbortController();
    const opening = assert.rejects(path.open(race.signal), isError('NO_PATH', /faster/));
    await until(() => world.counts().relayConnections === 1);
    race.abort();
    await opening;
    await until(() => world.counts().relayConnections === 0);
    await assert.rejects(path.open(race.signal), isError('NO_PATH'));
  }));

test('a connection made ahead is used by the next open, and let go when it is not needed', () =>
  relayWorld({}, async (world) => {
    const { listener, path, next } = await met(world, '7');
    const pairs = () => world.counts().relayPairs;
    path.prepare();
    path.prepare();
    await until(() => pairs() === 1);
    const pipe = await path.open(forever);
    assert.equal(pairs(), 1, 'no second one');
    const far = await next();
    const heard = new Heard(far.pipe);
    await write(pipe, new Uint8Array(1000));
    await heard.until(1000);
    pipe.destroy();
    await heard.closed;
    path.prepare();
    await until(() => pairs() === 1);
    path.close();
    await until(() => pairs() === 0);
    // What was prepared and died in the meantime is no obstacle.
    path.prepare();
    listener.close();
    await until(() => world.counts().relayConnections === 0);
    path.close();
  }));

test("a limit's sentence ends the lane at both sides", () =>
  relayWorld({ limits: { relayMailboxBytes: MiB } }, async (world) => {
    const { listener, path, next } = await met(world, '7');
    const [mine, { pipe: theirs }] = await Promise.all([path.open(forever), next()]);
    const heard = [new Heard(mine), new Heard(theirs)];
    theirs.write(Buffer.alloc(2 * MiB), () => {});
    for (const { closed } of heard)
      assert.ok(isError('NO_PATH', /at most 1.05 MB for one meeting/)((await closed) ?? undefined));
    await assert.rejects(path.open(forever), isError('NO_PATH', /at most 1.05 MB/));
    listener.close();
  }));

test('a listener keeps one waiting, no more than it may have, and a new one when asked', () =>
  relayWorld({}, async (world) => {
    const { listener, path, next, tokens } = await met(world, '7', sender.fingerprint, 1);
    const [mine] = await Promise.all([path.open(forever), next()]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(world.counts().relayConnections, 2, 'one pair, and none waits while one is the most');
    const heard = new Heard(mine);
    mine.destroy();
    await heard.closed;
    const [again] = await Promise.all([path.open(forever), next()]);
    again.destroy();
    await until(() => world.counts().relayConnections === 1);
    const a = await world.seat('host', '7', tokens.host);
    tokens.host = a.token;
    listener.refresh();
    const [more] = await Promise.all([path.open(forever), next()]);
    more.destroy();
    listener.close();
  }));

test('a server that restarts is found again', async () => {
  const first = await startServer({ port: await freePort(), host: '127.0.0.1', stun: false });
  const world = new RelayWorld(first);
  const { listener, path, next, tokens, logged } = await met(world, '7');
  const [mine] = await Promise.all([path.open(forever), next()]);
  const heard = new Heard(mine);
  await world.close();
  assert.ok(isError('NO_PATH', /shutting down/)((await heard.closed) ?? undefined));
  await assert.rejects(path.open(forever), isError('NO_PATH', /Cannot reach the relay/));
  const again = new RelayWorld(await startServer({ port: first.port, host: '127.0.0.1', stun: false }));
  tokens.host = (await again.seat('host', '7')).token;
  tokens.guest = (await again.seat('join', '7')).token;
  const [lane] = await Promise.all([path.open(forever), next()]);
  assert.ok(logged.length > 0);
  lane.destroy();
  listener.close();
  await again.close();
});

test('a sender with three receivers waits at the relay for each, once that has proven itself', () =>
  relayWorld({}, async (world) => {
    const { url } = world.server;
    const host = await world.seat('host', '7', undefined, 4);
    const peer: PeerFacts = { ...helloOf(), met: [] };
    const sessions = await Promise.all(
      [1, 2, 3].map(async (number) => {
        const it = { number: undefined as number | undefined, pipes: [] as Pipe[], wake: () => {} };
        const onPipe = (pipe: Pipe) => {
          it.pipes.push(pipe);
          it.wake();
        };
        const ours = relay.make(await around('sender', { onPipe }));
        void ours.meet?.(meetingAt(url, host, () => it.number));
        const guest = await world.seat('join', '7');
        const theirs = relay.make(await around('receiver'));
        void theirs.meet?.(meetingAt(url, guest, () => 0));
        const prove = () => {
          it.number = number;
          ours.hear(undefined, peer);
        };
        const next = async () => {
          while (it.pipes.length === 0) await new Promise<void>((resolve) => (it.wake = resolve));
          return it.pipes.shift()!;
        };
        return { it, ours, theirs, prove, next };
      }),
    );
    // Each receiver waits, and the sender for nobody yet.
    await until(() => world.counts().relayConnections === 3);
    for (const { prove, theirs, next, it } of sessions.toReversed()) {
      prove();
      const [lane, arrived] = await Promise.all([theirs.paths()[0]!.open(forever), next()]);
      const heard = new Heard(arrived);
      await write(lane, Buffer.alloc(100));
      await heard.until(100);
      for (const other of sessions) if (other.it !== it) assert.deepEqual(other.it.pipes, []);
      lane.destroy();
    }
    // One that comes back as another guest: what waits is for that one from now on.
    const [first] = sessions;
    const again = await world.seat('join', '7');
    const theirs = relay.make(await around('receiver'));
    void theirs.meet?.(meetingAt(url, again, () => 0));
    first!.it.number = 4;
    first!.ours.hear(undefined, peer);
    const [lane] = await Promise.all([theirs.paths()[0]!.open(forever), first!.next()]);
    lane.destroy();
    for (const { ours, theirs } of sessions) await Promise.all([ours.close(), theirs.close()]);
    await theirs.close();
    await until(() => world.counts().relayConnections === 0);
  }));

test('a stream ends with its other end, having delivered what was sent', () =>
  relayWorld({}, async (world) => {
    const a = await world.seat('host', '7');
    const b = await world.seat('join', '7');
    const [host, guest] = await Promise.all([
      relayStream(world.server.url, { token: a.token, guest: 1 }, forever),
      relayStream(world.server.url, { token: b.token }, forever),
    ]);
    const sent = randomBytes(randomFrom(seed), 3 * MiB);
    guest.end(sent);
    const got: Buffer[] = [];
    for await (const part of host) got.push(part);
    assert.ok(Buffer.concat(got).equals(sent));
    assert.equal(host.failure, undefined);
  }));
