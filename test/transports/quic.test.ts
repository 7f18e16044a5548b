/** QUIC on loopback: lanes, who may come in, and what strangers and a hostile peer can do to the port. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import type { BeelineError } from '../../src/base/errors.ts';
import { receive, send, type TransferEvent } from '../../src/index.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { type Engine, endOf, idOf, openEngine } from '../../src/transports/quic/engine.ts';
import { Quic, quic } from '../../src/transports/quic/transport.ts';
import type { Transport } from '../../src/transports/transport.ts';
import { freePort } from '../ports.ts';
import { seed } from '../seed.ts';
import { Reading, write } from './pipe-contract.ts';
import { factsOf, quicMissing, quicSides } from './quic-ends.ts';
import { makeFirst, openFirst, parametersOf } from './quic-forge.ts';
import { around } from './surroundings.ts';

/** Milliseconds of a test, and of a wait in it. */
const LIMIT = { timeout: 300_000 };
const OTHER = 'f'.repeat(64);
/** quinn sends three times what came, and finishes the packet with which it passes that. */
const PACKET = 1200;

/** Lanes that came in, one after another. */
class Arrivals {
  readonly pipes: Pipe[] = [];
  readonly fingerprints: string[] = [];
  #wake = () => {};

  readonly add = (pipe: Pipe, fingerprint: string): void => {
    this.pipes.push(pipe);
    this.fingerprints.push(fingerprint);
    this.#wake();
  };

  async next(count: number): Promise<Pipe> {
    while (this.pipes.length < count)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.pipes[count - 1]!;
  }
}

function engine(): Engine {
  const made = openEngine();
  assert.ok(made);
  return made;
}

const portOf = (transport: Transport): number => transport.port!()!.port;

/** A side that is dialled, and what has come in there. */
async function listening(t: TestContext) {
  const arrivals = new Arrivals();
  const sides = await quicSides({ onPipe: arrivals.add });
  t.after(() => sides.close());
  return { ...sides, arrivals };
}

/** The peer still gets a lane, and it carries both ways. Others that came in before may end meanwhile. */
async function works({ dial, arrivals }: Awaited<ReturnType<typeof listening>>): Promise<void> {
  const dialled = await dial();
  const here = new Reading(dialled);
  const said = randomBytes(100_000);
  await write(dialled, said);
  for (let count = 1; ; count++) {
    const arrived = await arrivals.next(count);
    const there = new Reading(arrived);
    await there.until(({ bytes, over }) => bytes === said.length || over);
    if (there.bytes < said.length) continue;
    await write(arrived, said);
    await here.until(({ bytes }) => bytes === said.length);
    assert.equal(here.sum, there.sum);
    dialled.destroy();
    return Promise.all([here, there].map((reading) => reading.until(({ over }) => over))).then(() => {});
  }
}

/** The handshakes that were begun take IDLE_MS to be given up; then the peer has its turn. */
async function admitted({ dial }: Awaited<ReturnType<typeof listening>>): Promise<void> {
  for (;;) {
    const lane = await dial().catch((error: BeelineError) => error.code);
    if (typeof lane !== 'string') return lane.destroy();
    assert.ok(['NO_PATH', 'TIMEOUT'].includes(lane), lane);
  }
}

describe('lanes over QUIC', { skip: quicMissing, ...LIMIT }, () => {
  it('tell who and where they are, over IPv4 and IPv6, dialled by either side', async (t) => {
    for (const host of ['127.0.0.1', '::1']) {
      const [atSender, atReceiver] = [new Arrivals(), new Arrivals()];
      const sides = await quicSides({ onPipe: atSender.add }, { onPipe: atReceiver.add }, host);
      t.after(() => sides.close());
      for (const [from, arrivals] of [
        [sides.receiver, atSender],
        [sides.sender, atReceiver],
      ] as const) {
        const [path] = from.paths();
        assert.ok(path, `a path over ${host}`);
        const pipe = await path.open(new AbortController().signal);
        const arrived = await arrivals.next(1);
        assert.deepEqual([pipe.kind, pipe.remote], ['quic', path.name]);
        assert.equal(arrived.local, path.name);
        assert.deepEqual(arrivals.fingerprints, [sides.pin]);
      }
    }
  });

  it('no lane leads to another key than the one in the hello, nor with another certificate pinned', async (t) => {
    const { sender, receiver, pin, arrivals } = await listening(t);
    const described = sender.describe() as { at: string[]; key: string };
    const open = () => receiver.paths()[0]!.open(new AbortController().signal);
    receiver.hear({ ...described, key: engine().key }, factsOf(pin));
    await assert.rejects(open(), { code: 'AUTHENTICATION' });
    receiver.hear(described, factsOf(OTHER));
    await assert.rejects(open(), { code: 'AUTHENTICATION' });
    receiver.hear(undefined, factsOf(pin));
    assert.deepEqual(receiver.paths(), [], 'a peer without QUIC');
    receiver.hear(described, factsOf(pin));
    const pipe = await open();
    await arrivals.next(1);
    pipe.destroy();
    assert.equal(arrivals.pipes.length, 1, 'only the last one came in');
  });

  it('a stranger with a key of his own gets no lane, however often he tries', async (t) => {
    const side = await listening(t);
    const strangers = engine().dial('ipv4');
    t.after(() => strangers.abort());
    const all = await Promise.allSettled(
      Array.from({ length: 100 }, async () => {
        const connection = await strangers.outboundConnection('127.0.0.1', portOf(side.sender));
        const stream = await connection.outboundStream();
        await stream.write(Uint8Array.of(1));
        // Ends only when the other side ends it.
        return stream.read(1);
      }),
    );
    assert.ok(
      all.every(({ status }) => status === 'rejected'),
      'each of them was ended',
    );
    assert.equal(side.arrivals.pipes.length, 0);
    await works(side);
  });

  it('who dials before the peer is known waits, and is let in only if he is the peer', async (t) => {
    const arrivals = new Arrivals();
    const transport = quic.make(await around('sender', { hosts: () => ['127.0.0.1'], onPipe: arrivals.add }));
    t.after(() => transport.close());
    transport.start?.();
    const [peer, stranger] = [engine(), engine()];
    const [early, other] = [peer.dial('ipv4'), stranger.dial('ipv4')];
    t.after(() => {
      early.abort();
      other.abort();
    });
    const [theirs, his] = await Promise.all(
      [early, other].map(async (client) => {
        const connection = await client.outboundConnection('127.0.0.1', portOf(transport));
        const stream = await connection.outboundStream();
        await stream.write(Uint8Array.of(1));
        return { connection, stream };
      }),
    );
    assert.equal(arrivals.pipes.length, 0);
    transport.hear({ at: [], key: peer.key }, factsOf(OTHER));
    const arrived = await arrivals.next(1);
    assert.deepEqual(arrivals.fingerprints, [OTHER]);
    await write(arrived, Uint8Array.of(7));
    assert.deepEqual(await theirs!.stream.read(1), Uint8Array.of(7));
    await assert.rejects(his!.stream.read(1));
    assert.equal(endOf(theirs!.connection).port, portOf(transport));
  });

  it('a peer opens one stream a connection, and one without a beginning is ended in time', async (t) => {
    const arrivals = new Arrivals();
    const transport = quic.make(await around('sender', { hosts: () => ['127.0.0.1'], onPipe: arrivals.add }));
    t.after(() => transport.close());
    transport.start?.();
    const peer = engine();
    transport.hear({ at: [], key: peer.key }, factsOf(OTHER));
    const client = peer.dial('ipv4');
    t.after(() => client.abort());
    const connect = () => client.outboundConnection('127.0.0.1', portOf(transport));
    // More than there is room for: the oldest make way.
    const mute: Awaited<ReturnType<typeof connect>>[] = [];
    for (let i = 0; i < 40; i++) mute.push(await connect());
    const wrong = await connect();
    const stream = await wrong.outboundStream();
    await stream.write(Uint8Array.of(2));
    await assert.rejects(stream.read(1), 'another first byte');
    const right = await connect();
    await (await right.outboundStream()).write(Uint8Array.of(1));
    await arrivals.next(1);
    const second = right.outboundStream().then(() => 'a second stream');
    second.catch(() => {});
    const soon = new Promise((resolve) => setTimeout(() => resolve('none'), 300));
    assert.equal(await Promise.race([second, soon]), 'none');
    for (const connection of mute) await assert.rejects(connection.inboundStream());
    assert.equal(arrivals.pipes.length, 1);
  });

  it('garbage to the port is hardly answered, and lanes go on', async (t) => {
    const side = await listening(t);
    const lane = await side.dial();
    const arrived = new Reading(await side.arrivals.next(1));
    const socket = await bound(t);
    let [answers, back, out] = [0, 0, 0];
    socket.on('message', ({ length }) => {
      answers++;
      back += length;
    });
    console.log(`# seed ${seed}`);
    for (let i = 0; i < 2000; i++) {
      const bytes = randomBytes(1 + ((i * 7) % 1400));
      // A third look like the long header of version 1, a third like a short one.
      if (i % 3 === 0) bytes.set([0xc0, 0, 0, 0, 1].slice(0, bytes.length));
      if (i % 3 === 1) bytes[0] = 0x40;
      if (i % 3 === 2) bytes[0] = bytes[0]! & 0x3f;
      // And some like a version that nobody has.
      if (i % 30 === 0) bytes.set([0xc0, 0x0a, 0x0a, 0x0a, 0x0a, 8].slice(0, bytes.length));
      out += bytes.length;
      await sent(socket, bytes, portOf(side.sender));
      if (i % 100 === 0) await write(lane, new Uint8Array(1000));
    }
    await arrived.until(({ bytes }) => bytes === 20_000);
    lane.destroy();
    side.arrivals.pipes.length = 0;
    await works(side);
    // Resets in answer to short headers, and the version in answer to another one, both shorter than what they answer.
    console.log(`# ${answers} answers of ${back} bytes to 2000 packets of ${out}`);
    assert.ok(back < out / 10, `${back} bytes in answer to ${out}`);
  });

  it('many handshakes that nobody goes on with: little is sent to where they came from, and the peer gets in', async (t) => {
    const side = await listening(t);
    const firsts = await initials(t, 64);
    const sockets = await Promise.all(firsts.map(() => bound(t)));
    const [out, back] = [new Array<number>(64).fill(0), new Array<number>(64).fill(0)];
    for (const [i, socket] of sockets.entries()) {
      socket.on('message', (bytes) => {
        back[i]! += bytes.length;
      });
      out[i]! += firsts[i]!.length;
      await sent(socket, firsts[i]!, portOf(side.sender));
    }
    await admitted(side);
    for (const [i, bytes] of back.entries())
      assert.ok(bytes <= 3 * out[i]! + PACKET, `${bytes} bytes in answer to ${out[i]} (RFC 9000, 8.1)`);
    assert.ok(
      back.some((bytes) => bytes > 0),
      'they were handshakes',
    );
    await works(side);
  });

  it('first packets with altered transport parameters, and thousands of good ones, end nothing', async (t) => {
    const side = await listening(t);
    const lane = await side.dial();
    const arrived = new Reading(await side.arrivals.next(1));
    const first = openFirst((await initials(t, 1))[0]!);
    const { from, to } = parametersOf(first.hello);
    const socket = await bound(t);
    const answered = new Promise<void>((resolve) => socket.once('message', () => resolve()));
    await sent(socket, makeFirst(first), portOf(side.sender));
    await answered;
    const random = fc.sample(fc.tuple(fc.integer({ min: from, max: to - 1 }), fc.nat(255)), {
      numRuns: 1000,
      seed,
    });
    for (const [at, byte] of random) {
      const hello = Buffer.from(first.hello);
      hello[at] = byte;
      await sent(socket, makeFirst({ ...first, hello }), portOf(side.sender));
    }
    // The last one ends within its number: one such packet ends a process that has quinn-proto before 0.11.14 (CVE-2026-31812). These are
    // max_datagram_frame_size, min_ack_delay, and those of RFC 9000 that are numbers.
    const ids = [
      [0x20],
      [0xc0, 0, 0, 0, 0xff, 0x04, 0xde, 0x1b],
      ...[1, 3, 4, 6, 8, 10, 11, 14].map((id) => [id]),
    ];
    for (const end of ids.flatMap((id) => [0x40, 0x80, 0xc0].map((byte) => [...id, 1, byte]))) {
      const hello = Buffer.from(first.hello).fill(0, from, to);
      const rest = to - from - 4 - end.length;
      // Before it a parameter that nobody knows, of whatever length is left.
      hello.set([0x7f, 0xff, 0x40 | (rest >> 8), rest & 0xff], from);
      hello.set(end, to - end.length);
      await sent(socket, makeFirst({ ...first, hello }), portOf(side.sender));
    }
    await write(lane, new Uint8Array(1000));
    await arrived.until(({ bytes }) => bytes === 1000);
    lane.destroy();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 5000; i++) await sent(socket, makeFirst(first), portOf(side.sender));
    const more = (process.memoryUsage().rss - before) / 2 ** 20;
    console.log(`# ${more.toFixed(0)} MiB for 5000 beginnings`);
    assert.ok(more < 100, `${more} MiB`);
    await admitted(side);
    await works(side);
  });

  it('an opening that is called off, or leads to nobody, leaves nothing open', async (t) => {
    const side = await listening(t);
    for (let i = 0; i < 20; i++) {
      const control = new AbortController();
      const opening = side.dial(control.signal);
      setTimeout(() => control.abort(), i / 4);
      await opening.then(
        (pipe) => pipe.destroy(),
        (error) => assert.equal(error.code, 'NO_PATH'),
      );
    }
    await works(side);
    const described = side.sender.describe() as { at: string[]; key: string };
    side.receiver.hear({ ...described, at: [`127.0.0.1:${await freePort()}`] }, factsOf(side.pin));
    await assert.rejects(side.dial(), { code: 'NO_PATH' });
  });

  it('a side that closes ends its lanes, and lets its ports go', async (t) => {
    const side = await listening(t);
    const lane = new Reading(await side.dial());
    const port = portOf(side.sender);
    await side.arrivals.next(1);
    await side.sender.close();
    await lane.until(({ over }) => over);
    const socket = createSocket('udp4');
    t.after(() => socket.close());
    await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(port, '0.0.0.0', resolve));
  });

  it('carries a whole transfer by itself, lanes both ways', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'beeline-quic-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const data = randomBytes(20_000_000);
    writeFileSync(join(dir, 'file'), data);
    const common = { lan: false, at: `127.0.0.1:${await freePort()}`, transports: [quic] };
    const code = '7-velvet-canyon';
    const sender = send([join(dir, 'file')], { ...common, code });
    const kinds = new Set<string>();
    sender.subscribe((event: TransferEvent) => event.event === 'lane' && kinds.add(event.kind));
    await new Promise<void>((resolve) => sender.subscribe(({ event }) => event === 'code' && resolve()));
    const receiver = receive({ ...common, code, to: join(dir, 'to'), accept: () => true });
    const [sent, received] = await Promise.all([sender.done, receiver.done]);
    assert.equal(sent.root, received.root);
    assert.deepEqual([...kinds], ['quic']);
    assert.ok(readFileSync(join(dir, 'to', 'file')).equals(data));
  });
});

it('without its native part QUIC says what is missing, and nothing to the peer', async () => {
  const lacks: string[] = [];
  const onLack = ({ reason }: BeelineError) => lacks.push(String(reason));
  const transport = new Quic(await around('receiver', { onLack }), () => undefined);
  transport.start();
  transport.hear({ at: ['127.0.0.1:1'], key: OTHER }, factsOf(OTHER));
  assert.deepEqual([transport.describe(), transport.paths(), transport.port()], [undefined, [], undefined]);
  assert.deepEqual(lacks, ['UDP_NO_ENGINE']);
  await transport.close();
});

it('a key has the name that libp2p gives it', () => {
  // Of RFC 8032's first test vector; made with js-libp2p.
  const key = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
  assert.match(idOf(key), /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/);
});

async function bound(t: TestContext): Promise<Socket> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket;
}

function sent(socket: Socket, bytes: Uint8Array, port: number): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.send(bytes, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
  );
}

/** The first packets of so many handshakes, each with a key and a connection of its own. */
async function initials(t: TestContext, count: number): Promise<Buffer[]> {
  const sink = await bound(t);
  const found = new Map<number, Buffer>();
  const all = new Promise<void>((resolve) => {
    sink.on('message', (bytes, { port }) => {
      if (!found.has(port)) found.set(port, bytes);
      if (found.size === count) resolve();
    });
  });
  for (let i = 0; i < count; i++) {
    const client = engine().dial('ipv4');
    t.after(() => client.abort());
    client.outboundConnection('127.0.0.1', sink.address().port).catch(() => {});
  }
  await all;
  return [...found.values()];
}
