/** Relayed lanes where a side is a page: sealed, by the page's own code over `ws`, whose WebSocket has a page's interface. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { before, test } from 'node:test';
import type { SecureContext } from 'node:tls';
import { WebSocketServer, WebSocket as WsWebSocket } from 'ws';
import { CREDIT_WINDOW } from '../../src/base/credit.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { relayListener, relayPath } from '../../src/browser/relay.ts';
import { openRelayLink, type WebSocketMaker } from '../../src/browser/relay-link.ts';
import { type Certificate, makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import type { LaneSecret } from '../../src/secure/sealed/records.ts';
import { laneContext } from '../../src/secure/tls.ts';
import type { RelayListener, RelayPath } from '../../src/transports/relay/links.ts';
import {
  nodeRelayListener,
  nodeRelayPath,
  type SealedPeer,
} from '../../src/transports/relay/node-transport.ts';
import { CLOSE } from '../../src/wire/relay.ts';
import { forever, Heard, settled, write } from '../secure/sealed-ends.ts';
import { type RelayWorld, relayWorld } from '../server/relay-world.ts';

const MiB = 2 ** 20;
const isError =
  (code: string, pattern = /./) =>
  (error: unknown) =>
    error instanceof BeelineError && error.code === code && pattern.test(error.message);

const PageWebSocket = WsWebSocket as unknown as WebSocketMaker;
type Kind = 'node' | 'page';
const FINGERPRINTS = { sender: 'a'.repeat(64), receiver: 'b'.repeat(64) };

let certificates: Record<'sender' | 'receiver', Certificate & { context: SecureContext }>;
before(async () => {
  const make = async () => {
    const certificate = await makeCertificate();
    return { ...certificate, context: laneContext(certificate.cert, certificate.key) };
  };
  certificates = { sender: await make(), receiver: await make() };
});

interface Meeting {
  listener: RelayListener;
  /** As a page or a program that knows that a side has no TLS would, with these halves. */
  receiver(kind: Kind, halves?: { sender: Uint8Array; receiver: Uint8Array }): RelayPath;
  /** A program that knows another program. */
  tls(): RelayPath;
  next(): Promise<{ pipe: Pipe; fingerprint: string | undefined }>;
  halves: { sender: Uint8Array; receiver: Uint8Array };
  logged: string[];
  /** The receiver's token. */
  guest: string;
}

async function met(world: RelayWorld, sender: Kind, nameplate = '7'): Promise<Meeting> {
  const { url } = world.server;
  const host = await world.seat('host', nameplate);
  const guest = await world.seat('join', nameplate);
  const halves = { sender: randomBytes(32), receiver: randomBytes(32) };
  const arrived: { pipe: Pipe; fingerprint: string | undefined }[] = [];
  let wake = () => {};
  const onPipe = (pipe: Pipe, fingerprint?: string) => {
    arrived.push({ pipe, fingerprint });
    wake();
  };
  const logged: string[] = [];
  const log = { debug: (fields: object) => void logged.push(JSON.stringify(fields)) };
  const seat = () => ({ token: host.token, guest: 1 });
  const secret = (): LaneSecret => ({ own: halves.sender, peer: halves.receiver, role: 'sender' });
  const sealed = (): SealedPeer => ({ secret: secret(), fingerprint: FINGERPRINTS.receiver });
  const { context } = certificates.sender;
  const listener =
    sender === 'node'
      ? nodeRelayListener({ url, seat, context, sealed, onPipe, log })
      : relayListener({ server: url, seat, secret, onPipe, log, WebSocket: PageWebSocket });
  return {
    ...{ listener, halves, logged, guest: guest.token },
    receiver(kind, { sender, receiver } = halves) {
      const secret = (): LaneSecret => ({ own: receiver, peer: sender, role: 'receiver' });
      const seat = () => ({ token: guest.token });
      if (kind === 'page') return relayPath({ server: url, seat, secret, WebSocket: PageWebSocket });
      const sealed = () => ({ secret: secret(), fingerprint: FINGERPRINTS.sender });
      const { context } = certificates.receiver;
      return nodeRelayPath({ url, seat, context, sealed, pin: () => FINGERPRINTS.sender });
    },
    tls: () =>
      nodeRelayPath({
        ...{ url, seat: () => ({ token: guest.token }), context: certificates.receiver.context },
        sealed: () => undefined,
        pin: () => certificates.sender.fingerprint,
      }),
    async next() {
      while (arrived.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return arrived.shift()!;
    },
  };
}

async function until(wanted: () => boolean): Promise<void> {
  while (!wanted()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const PAIRS: [Kind, Kind][] = [
  ['page', 'node'],
  ['node', 'page'],
  ['page', 'page'],
];

for (const [receiver, sender] of PAIRS)
  test(`${receiver} receives from ${sender}: 16 MiB each way, a pause, the end`, () =>
    relayWorld({}, async (world) => {
      const { listener, receiver: receiverOf, next } = await met(world, sender);
      const path = receiverOf(receiver);
      assert.deepEqual([path.kind, path.most, path.name], ['relay', 4, `127.0.0.1:${world.server.port}`]);
      path.prepare();
      const [mine, { pipe: theirs, fingerprint }] = await Promise.all([path.open(forever), next()]);
      assert.equal(fingerprint, sender === 'node' ? FINGERPRINTS.receiver : undefined);
      assert.deepEqual([mine.kind, mine.remote, theirs.kind], ['relay', path.name, 'relay']);
      const heard = [new Heard(mine), new Heard(theirs)];
      const block = randomBytes(4 * MiB);
      const expected = createHash('sha256');
      for (let i = 0; i < 4; i++) expected.update(block);
      const digest = expected.digest('hex');
      await Promise.all(
        [mine, theirs].map(async (pipe) => {
          for (let i = 0; i < 4; i++) await write(pipe, block);
        }),
      );
      await Promise.all(heard.map((each) => each.until(16 * MiB)));
      for (const { all } of heard) assert.equal(createHash('sha256').update(all).digest('hex'), digest);

      // Whoever is paused, on whichever side, stops the other, although nothing on the way may.
      for (const [reader, writer, at] of [
        [mine, theirs, heard[0]!],
        [theirs, mine, heard[1]!],
      ] as const) {
        reader.pause();
        const before = at.bytes;
        let written = 0;
        const writing = (async () => {
          for (; written < 16; written++) await write(writer, block.subarray(0, MiB));
        })();
        await until(() => written >= 6);
        await settled(() => written);
        assert.ok(written * MiB <= CREDIT_WINDOW, `${written} MiB were taken`);
        assert.equal(at.bytes, before);
        reader.resume();
        await writing;
        await at.until(before + 16 * MiB);
      }

      mine.destroy();
      assert.deepEqual(await Promise.all(heard.map(({ closed }) => closed)), [undefined, undefined]);
      listener.close();
      path.close();
      await until(() => world.counts().relayConnections === 0);
    }));

/** A server that is no relay, or a bad one. */
async function badServer(act: (socket: WsWebSocket) => void, use: (url: string) => Promise<void>) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    act(socket);
  });
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    await use(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
}

const TOKEN = 'a'.repeat(32);
const paired = JSON.stringify({ t: 'paired' });

// First: a socket of an earlier test that closes under a mocked clock would keep its real timer, and the process with it for 30 s.
test('a page waits for a silent server, and for the other side, no longer than it may', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const silent = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const connected = new Promise<void>((resolve) => silent.once('connection', () => resolve()));
  const opening = assert.rejects(
    openRelayLink(`ws://127.0.0.1:${port}`, { token: TOKEN }, forever, PageWebSocket),
    isError('NO_PATH', /did not answer in time/),
  );
  await connected;
  t.mock.timers.tick(10_000);
  await opening;
  silent.close();
  let greeted = () => {};
  const heard = new Promise<void>((resolve) => {
    greeted = resolve;
  });
  await badServer(
    (socket) => socket.on('message', greeted),
    async (url) => {
      const opening = assert.rejects(
        openRelayLink(url, { token: TOKEN }, forever, PageWebSocket),
        isError('NO_PATH', /did not come within 60 s/),
      );
      await heard;
      t.mock.timers.tick(60_000);
      await opening;
    },
  );
});

test("a page's write is done when its WebSocket holds little, by a look or by a message that comes", async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  type Listener = (event: { data?: unknown; code?: number; reason?: string }) => void;
  const listeners: Record<string, Listener> = {};
  const sent: Uint8Array[] = [];
  const fake = {
    binaryType: '',
    bufferedAmount: 0,
    send: (data: string | Uint8Array) => typeof data !== 'string' && sent.push(data.slice()),
    close: () => {},
    addEventListener: (type: string, listener: Listener) => {
      listeners[type] = listener;
    },
  };
  function Fake() {
    return fake;
  }
  const opening = openRelayLink(
    'ws://x.example',
    { token: TOKEN },
    forever,
    Fake as unknown as WebSocketMaker,
  );
  listeners.open!({});
  listeners.message!({ data: paired });
  const link = await opening;
  new Heard(link);
  let done = 0;
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const give = async () => {
    fake.bufferedAmount = 4 * MiB;
    link.write(randomBytes(300_000), () => done++);
    await turn();
  };
  await give();
  assert.deepEqual(
    sent.map(({ length }) => length),
    [131_072, 131_072, 37_856],
  );
  t.mock.timers.tick(1000);
  await turn();
  assert.equal(done, 0);
  fake.bufferedAmount = 0;
  t.mock.timers.tick(64);
  await turn();
  assert.equal(done, 1);
  await give();
  fake.bufferedAmount = 0;
  listeners.message!({ data: new ArrayBuffer(1) });
  await turn();
  assert.equal(done, 2);
  await give();
  link.destroy();
  await turn();
  assert.equal(done, 3, 'with an error');
});

test('a listening program takes TLS and sealed lanes at once, and tells whose they are', () =>
  relayWorld({}, async (world) => {
    const { listener, receiver, tls, next } = await met(world, 'node');
    const paths = [tls(), receiver('page'), tls(), receiver('node')];
    const expected = [certificates.receiver.fingerprint, FINGERPRINTS.receiver].flatMap((each) => [
      each,
      each,
    ]);
    const mine = await Promise.all(paths.map((path) => path.open(forever)));
    const theirs = [await next(), await next(), await next(), await next()];
    assert.deepEqual(theirs.map(({ fingerprint }) => fingerprint).sort(), expected.sort());
    // Which dial met which is for the relay to say: each hears its own bytes back.
    for (const { pipe } of theirs)
      pipe.start(
        (bytes) => pipe.write(bytes.slice(), () => {}),
        () => {},
      );
    for (const pipe of mine) {
      const heard = new Heard(pipe);
      const sent = randomBytes(1000);
      await write(pipe, Buffer.from(sent));
      await heard.until(1000);
      assert.ok(heard.all.equals(sent));
    }
    listener.close();
    for (const pipe of mine) pipe.destroy();
  }));

test('wrong halves open nothing at either kind of sender, and the next lane is not in the way of it', () =>
  relayWorld({}, async (world) => {
    for (const sender of ['node', 'page'] as const) {
      const { listener, receiver, next, halves, logged } = await met(
        world,
        sender,
        sender === 'node' ? '7' : '8',
      );
      const wrong = { ...halves, sender: randomBytes(32) };
      for (const kind of ['node', 'page'] as const)
        await assert.rejects(receiver(kind, wrong).open(forever), isError('AUTHENTICATION'));
      const [mine, { pipe }] = await Promise.all([receiver('page').open(forever), next()]);
      assert.ok(logged.length > 0);
      mine.destroy();
      pipe.destroy();
      listener.close();
      await until(() => world.counts().relayConnections === 0);
    }
  }));

test('a page whose lane was proven by a peer that has been followed by another lets it go', () =>
  relayWorld({}, async (world) => {
    const host = await world.seat('host', '7');
    const guest = await world.seat('join', '7');
    const [own, first, second] = [randomBytes(32), randomBytes(32), randomBytes(32)];
    let asked = 0;
    const listener = relayListener({
      ...{
        server: world.server.url,
        seat: () => ({ token: host.token, guest: 1 }),
        WebSocket: PageWebSocket,
      },
      secret: () => ({ own, peer: asked++ === 0 ? first : second, role: 'sender' }),
      onPipe: () => assert.fail('it is of the past'),
    });
    const path = relayPath({
      ...{ server: world.server.url, seat: () => ({ token: guest.token }), WebSocket: PageWebSocket },
      secret: () => ({ own: first, peer: own, role: 'receiver' }),
    });
    const pipe = await path.open(forever);
    assert.ok(isError('NO_PATH')(await new Heard(pipe).closed));
    listener.close();
  }));

test("what the relay says reaches a page's errors, and a page without a place or a hello dials nothing", () =>
  relayWorld({ limits: { relayMailboxBytes: MiB } }, async (world) => {
    const { listener, receiver, next } = await met(world, 'page');
    const path = receiver('page');
    const [mine, { pipe: theirs }] = await Promise.all([path.open(forever), next()]);
    const heard = [new Heard(mine), new Heard(theirs)];
    theirs.write(Buffer.alloc(2 * MiB), () => {});
    for (const { closed } of heard)
      assert.ok(isError('NO_PATH', /at most 1.05 MB for one meeting/)(await closed));
    listener.close();
    const options = { server: world.server.url, WebSocket: PageWebSocket };
    const secret = () => undefined;
    const placeless = relayPath({ ...options, seat: () => undefined, secret });
    await assert.rejects(placeless.open(forever), isError('NO_PATH', /no place/));
    const unknown = relayPath({ ...options, seat: () => ({ token: 'f'.repeat(32) }), secret });
    await assert.rejects(unknown.open(forever), isError('NO_PATH', /no such place/));
    const other = await met(world, 'node', '8');
    const mute = relayPath({ ...options, seat: () => ({ token: other.guest }), secret });
    await assert.rejects(mute.open(forever), isError('NO_PATH', /has not said hello/));
    other.listener.close();
  }));

test("a page's open that is given up leaves nothing", () =>
  relayWorld({}, async (world) => {
    const { listener, receiver } = await met(world, 'page');
    listener.close();
    await until(() => world.counts().relayConnections === 0);
    const race = new AbortController();
    const opening = assert.rejects(receiver('page').open(race.signal), isError('NO_PATH', /faster/));
    await until(() => world.counts().relayConnections === 1);
    race.abort();
    await opening;
    await until(() => world.counts().relayConnections === 0);
  }));

test('a server that is no relay gives a page no link, and one that misbehaves ends it', async () => {
  const greetings: [string | Buffer, RegExp][] = [
    ['hello', /no relay/],
    [Buffer.from(paired), /no relay/],
  ];
  for (const [greeting, pattern] of greetings)
    await badServer(
      (socket) => socket.send(greeting),
      (url) =>
        assert.rejects(
          openRelayLink(url, { token: TOKEN }, forever, PageWebSocket),
          isError('NO_PATH', pattern),
        ),
    );
  const misdeeds: [(socket: WsWebSocket) => void, RegExp | undefined][] = [
    [(socket) => socket.send('text'), /text among/],
    [(socket) => socket.send(Buffer.alloc(200_000)), /too long/],
    [(socket) => socket.close(CLOSE.busy, 'Too much\nof it.'), /failed: Too much of it/],
    [(socket) => socket.terminate(), /closed the connection/],
    [(socket) => socket.close(CLOSE.normal), undefined],
  ];
  for (const [misdeed, pattern] of misdeeds)
    await badServer(
      (socket) => {
        socket.send(paired);
        socket.on('message', (_data, isBinary) => isBinary && misdeed(socket));
      },
      async (url) => {
        const link = await openRelayLink(url, { token: TOKEN }, forever, PageWebSocket);
        const heard = new Heard(link);
        await write(link, Buffer.from('now'));
        const error = await heard.closed;
        if (pattern) assert.ok(isError('NO_PATH', pattern)(error), String(error));
        else assert.equal(error, undefined);
        assert.equal(link.failure, error);
        await link.gone;
        await assert.rejects(write(link, Buffer.alloc(1)), isError('NO_PATH'));
      },
    );
  // More than a page can hold before anybody reads it.
  await badServer(
    (socket) => {
      socket.send(paired);
      for (let i = 0; i < 20; i++) socket.send(Buffer.alloc(100_000));
    },
    async (url) => {
      const link = await openRelayLink(url, { token: TOKEN }, forever, PageWebSocket);
      await link.gone;
      assert.match(link.failure?.message ?? '', /more came/);
    },
  );
});
