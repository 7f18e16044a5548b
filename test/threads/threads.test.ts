/** Lanes and hashing in threads: what the session's thread sees of them, and what it does when they fail. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { blake3 } from '@noble/hashes/blake3.js';
import { realClock } from '../../src/base/clock.ts';
import type { BeelineError } from '../../src/base/errors.ts';
import { BLOCK_BYTES, MIN_CHUNK } from '../../src/base/limits.ts';
import { HEADROOM, lend, type Slab } from '../../src/base/slab.ts';
import { type Certificate, makeCertificate } from '../../src/identity/certificate.ts';
import { Lane, type LaneOwner } from '../../src/lanes/lane.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { Threads, type WorkerFile } from '../../src/threads/threads.ts';
import type { News, Order } from '../../src/threads/words.ts';
import { encodeMessage, type Message } from '../../src/wire/messages.ts';
import { childModule } from '../child.ts';

const { path, node } = childModule('src/threads/worker.ts');
const file: WorkerFile = { url: pathToFileURL(path), node };
const never = new AbortController().signal;
setMaxListeners(0, never);

interface Side {
  certificate: Certificate;
  threads: Threads;
  ports: number[];
  /** Resolves with the next pipe that comes in from whoever has this certificate. */
  arrival: (from: Certificate) => Promise<Pipe>;
}

async function side(count: number): Promise<Side> {
  const certificate = await makeCertificate();
  const waiting = new Map<string, (pipe: Pipe) => void>();
  const early: { pipe: Pipe; fingerprint: string }[] = [];
  const threads = new Threads({
    ...{ count, identity: certificate, file },
    onPipe(pipe, fingerprint) {
      const next = waiting.get(fingerprint);
      waiting.delete(fingerprint);
      if (next) next(pipe);
      else early.push({ pipe, fingerprint });
    },
  });
  const arrival = ({ fingerprint }: Certificate) =>
    new Promise<Pipe>((resolve) => {
      const at = early.findIndex((one) => one.fingerprint === fingerprint);
      if (at >= 0) resolve(early.splice(at, 1)[0]!.pipe);
      else waiting.set(fingerprint, resolve);
    });
  return { certificate, threads, ports: await threads.listen('127.0.0.1'), arrival };
}

let sender: Side;
let receiver: Side;
before(async () => {
  [sender, receiver] = await Promise.all([side(2), side(2)]);
});
after(() => Promise.all([sender.threads.close(), receiver.threads.close()]));

/** A lane between the two, one end after the other. */
async function pipes(port = sender.ports[0]!): Promise<[Pipe, Pipe]> {
  const to = { host: '127.0.0.1', port };
  return Promise.all([
    receiver.threads.dial(to, sender.certificate.fingerprint, never),
    sender.arrival(receiver.certificate),
  ]);
}

interface Seen {
  messages: Message[];
  blocks: { slab: Slab | undefined; bytes: Uint8Array }[];
  parts: number[];
  cuts: number;
  closed: (Error & { code?: string }) | 'cleanly' | undefined;
  lane: Lane;
}

/** Called back for whatever a lane hears; `until` waits for it. */
function laneOn(pipe: Pipe, keep = true, more: Partial<LaneOwner> = {}) {
  const wake = new Set<() => void>();
  const changed = () => {
    for (const go of wake) go();
    wake.clear();
  };
  const seen = { messages: [], blocks: [], parts: [], cuts: 0, closed: undefined } as unknown as Seen;
  const owner: LaneOwner = {
    message(_lane, message) {
      seen.messages.push(message);
      changed();
    },
    land({ id: _ }, { bytes }) {
      const parts: Uint8Array[] = [];
      return {
        put(part) {
          parts.push(part.slice());
          seen.parts.push(part.length);
          const whole = Buffer.concat(parts);
          if (whole.length === bytes) seen.blocks.push({ slab: undefined, bytes: whole });
          changed();
        },
        take(slab) {
          seen.blocks.push({ slab, bytes: slab.bytes.slice(0, bytes) });
          changed();
          return keep;
        },
        cut() {
          seen.cuts += 1;
        },
      };
    },
    closed(_lane, error) {
      seen.closed = error ?? 'cleanly';
      changed();
    },
    ...more,
  };
  seen.lane = new Lane(1, pipe, owner, realClock);
  seen.lane.start();
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise<void>((resolve) => wake.add(resolve));
  };
  return { seen, until };
}

/** Makes the other end's bytes welcome, as a receiver's question does. */
async function ask(lane: Lane, count: number): Promise<void> {
  const most = MIN_CHUNK / BLOCK_BYTES;
  for (let index = 0, left = count; left > 0; index++, left -= most)
    await lane.send({ type: 'get', spare: false, ranges: [{ index, from: 0, to: Math.min(most, left) }] });
}
const words = ({ messages }: Seen) => messages.filter(({ type }) => type !== 'get');

/** A chunk in shared memory, as the reader of a sender has it. */
function shared(length: number): { slab: Slab; data: Uint8Array } {
  const slab = lend(new Uint8Array(new SharedArrayBuffer(HEADROOM + length)), () => {});
  slab.bytes.set(randomBytes(length));
  return { slab, data: slab.bytes };
}

const blocks = (index: number, data: Uint8Array, offset: number, part: Uint8Array) => ({
  ...{ type: 'blocks' as const, index, length: data.length, hash: new Uint8Array(32), form: 'data' as const },
  ...{ offset, bytes: part.length, data: part },
});

test('blocks of any size and words cross between two threads, and lie where they belong', async () => {
  const [near, far] = await pipes();
  const [to, from] = [laneOn(near), laneOn(far)];
  const { slab, data } = shared(MIN_CHUNK);
  await ask(to.seen.lane, 200);
  await from.seen.lane.send(blocks(3, data, 0, data), slab);
  const half = MIN_CHUNK / 2;
  await from.seen.lane.send(blocks(4, data, half, data.subarray(half)));
  const short = shared(1000).data;
  await from.seen.lane.send(blocks(5, short, 0, short));
  await from.seen.lane.send({ type: 'gone', entry: 7, code: 'X', text: 'y' });
  await to.until(() => words(to.seen).length === 1 && to.seen.blocks.length === 3);
  const [whole, part, last] = to.seen.blocks;
  assert.deepEqual(Buffer.from(whole!.bytes), Buffer.from(data));
  assert.ok(whole!.slab!.bytes.buffer instanceof SharedArrayBuffer);
  assert.deepEqual(Buffer.from(part!.bytes), Buffer.from(data.subarray(half)));
  assert.deepEqual(Buffer.from(last!.bytes), Buffer.from(short));
  assert.ok(to.seen.lane.received > 1.5 * MIN_CHUNK);
  // And back.
  await to.seen.lane.send({ type: 'written', below: 4 });
  await from.until(() => words(from.seen).length === 1);
  for (const { slab: lent } of to.seen.blocks) lent?.release();
  to.seen.lane.close();
  await from.until(() => from.seen.closed !== undefined);
  assert.equal(to.seen.closed, 'cleanly');
});

test('a buffer that is given back is used again', async () => {
  const [near, far] = await pipes();
  const given = laneOn(near, false);
  const from = laneOn(far);
  const { slab, data } = shared(MIN_CHUNK);
  await ask(given.seen.lane, 200 * (MIN_CHUNK / BLOCK_BYTES));
  for (let index = 0; index < 200; index++) await from.seen.lane.send(blocks(index, data, 0, data), slab);
  await given.until(() => given.seen.blocks.length === 200);
  // The main thread sees the same memory under another object each time, so what is written there tells.
  const lent = given.seen.blocks.flatMap(({ slab: one }) => one ?? []);
  for (const [at, { bytes }] of lent.entries()) bytes[0] = at;
  const places = new Set(lent.map(({ bytes }) => bytes[0]));
  assert.ok(lent.length > 100 && places.size < 100, `${places.size} buffers for ${lent.length} chunks`);
  given.seen.lane.close();
});

test('blocks that were not asked for end the lane before they are held, whoever sends how many', async () => {
  const strangers: [Pipe, Pipe][] = [];
  while (strangers.length < 40) strangers.push(await pipes());
  const [near, far] = await pipes();
  const [honest, other] = [laneOn(near), laneOn(far)];
  const { data } = shared(4 * MIN_CHUNK);
  const header = encodeMessage(blocks(0, data, 0, data));
  const ends = strangers.map(([to, from]) => {
    from.write(Buffer.concat([header, data.subarray(0, 1000)]), () => {});
    return laneOn(to);
  });
  await Promise.all(ends.map(({ seen, until }) => until(() => seen.closed !== undefined)));
  for (const { seen } of ends) assert.equal((seen.closed as BeelineError).code, 'PROTOCOL');
  for (const [, from] of strangers) from.destroy();
  await honest.seen.lane.send({ type: 'written', below: 1 });
  await other.until(() => words(other.seen).length === 1);
  honest.seen.lane.close();
});

test('what comes slowly is handed on as it comes, and what has come of it is not lost with its lane', async () => {
  const [near, far] = await pipes();
  const to = laneOn(near);
  const { data } = shared(MIN_CHUNK);
  await ask(to.seen.lane, MIN_CHUNK / BLOCK_BYTES);
  const frame = Buffer.concat([encodeMessage(blocks(0, data, 0, data)), data]);
  const write = (bytes: Uint8Array) => new Promise<void>((resolve) => far.write(bytes, () => resolve()));
  await write(frame.subarray(0, 5000));
  await to.until(() => to.seen.parts.length > 0);
  assert.ok(to.seen.lane.silence < 15_000);
  await write(frame.subarray(5000, 40_000));
  const came = () => to.seen.parts.reduce((sum, part) => sum + part, 0);
  await to.until(() => came() > 30_000);
  await write(frame.subarray(40_000, 60_000));
  far.destroy();
  await to.until(() => to.seen.closed !== undefined);
  assert.equal(came(), 60_000 - (frame.length - data.length));
  assert.equal(to.seen.cuts, 1);
  assert.equal(to.seen.blocks.length, 0);
});

test('who says more than is heard is not read until it is', async () => {
  // A worker alone, whose session says nothing.
  const identity = await makeCertificate();
  const worker = new Worker(file.url, { workerData: identity, execArgv: node });
  const news: News[] = [];
  let wake = () => {};
  worker.on('message', (said: News) => {
    news.push(said);
    wake();
  });
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise<void>((resolve) => (wake = resolve));
  };
  const order = (given: Order) => worker.postMessage(given);
  const find = <I extends News['is']>(is: I) => news.find((one): one is News & { is: I } => one.is === is);
  order({ do: 'listen', host: '127.0.0.1', strangers: 10 });
  await until(() => find('listening') !== undefined);
  const to = { host: '127.0.0.1', port: find('listening')!.port! };
  const pipe = await sender.threads.dial(to, identity.fingerprint, never);
  await until(() => find('came') !== undefined);
  const { pipe: number } = find('came')!;
  order({ do: 'start', pipe: number });
  const page = encodeMessage({ type: 'page', page: 0, bytes: new Uint8Array(100_000) });
  let wrote = false;
  pipe.write(Buffer.concat(Array.from({ length: 600 }, () => page)), () => {
    wrote = true;
    wake();
  });
  const said = () => news.filter(({ is }) => is === 'message').length;
  await until(() => said() >= 10);
  // Time enough for it to read on, if it did.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(said() <= 20, `${said()} messages of 100 kB are waiting`);
  assert.equal(wrote, false);
  const going = setInterval(() => order({ do: 'heard', pipe: number, bytes: 500_000 }), 1);
  await until(() => said() === 600 && wrote);
  clearInterval(going);
  pipe.destroy();
  await worker.terminate();
});

test('what is not the protocol ends the lane with PROTOCOL, and so does what its owner refuses', async () => {
  const [near, far] = await pipes();
  const to = laneOn(near);
  far.write(new Uint8Array(64).fill(255), () => {});
  await to.until(() => to.seen.closed !== undefined);
  assert.equal((to.seen.closed as BeelineError).code, 'PROTOCOL');
  assert.equal((to.seen.closed as BeelineError).reason, 'PEER_MALFORMED');

  const [close, distant] = await pipes();
  const refusing = laneOn(close, true, {
    land() {
      throw new Error('nobody asked');
    },
  });
  const from = laneOn(distant);
  const { data, slab } = shared(MIN_CHUNK);
  await ask(refusing.seen.lane, 64);
  from.seen.lane.send(blocks(1, data, 0, data), slab).catch(() => {});
  await refusing.until(() => refusing.seen.closed !== undefined);
  assert.equal((refusing.seen.closed as BeelineError).code, 'PROTOCOL');
});

test('a wrong pin, a closed port and a dial that is given up fail as they do without threads', async () => {
  const stranger = await side(1);
  const { threads, certificate } = stranger;
  const to = { host: '127.0.0.1', port: sender.ports[0]! };
  await assert.rejects(threads.dial(to, 'f'.repeat(64), never), { code: 'AUTHENTICATION' });
  await assert.rejects(threads.dial({ ...to, port: 1 }, certificate.fingerprint, never), {
    code: 'NO_PATH',
    reason: 'ADDRESS_UNREACHABLE',
  });
  const control = new AbortController();
  const dialling = threads.dial({ host: '192.0.2.77', port: 9 }, certificate.fingerprint, control.signal);
  control.abort();
  await assert.rejects(dialling, { reason: 'LANE_OUTPACED' });
  await threads.close();
});

test('chunks are hashed in the threads, many at a time', async () => {
  const chunks = Array.from({ length: 40 }, () => shared(MIN_CHUNK).data);
  const hashes = await Promise.all(chunks.map((data) => sender.threads.hash('sha256', data)));
  for (const [at, data] of chunks.entries())
    assert.deepEqual(Buffer.from(hashes[at]!), createHash('sha256').update(data).digest());
  const [data] = chunks as [Uint8Array];
  const made = await sender.threads.hash('blake3', data);
  assert.deepEqual(Buffer.from(made), Buffer.from(blake3(data.slice())));
});

test('threads that end by themselves take their lanes with them; nothing is given to them any more', async () => {
  const certificate = await makeCertificate();
  const lost: Error[] = [];
  let gone = () => {};
  const all = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const threads = new Threads({
    ...{ count: 2, identity: { ...certificate, cert: 'no certificate' }, file },
    onPipe: () => {},
    onLost(error) {
      lost.push(error);
      if (lost.length === 2) gone();
    },
  });
  const hashing = threads.hash('sha256', shared(100).data);
  const listening = threads.listen('127.0.0.1');
  await assert.rejects(hashing);
  assert.deepEqual(await listening, []);
  await all;
  assert.equal(threads.some, false);
  await assert.rejects(threads.hash('sha256', shared(100).data));
  await assert.rejects(threads.dial({ host: '127.0.0.1', port: 1 }, 'f', never));
  await threads.close();
});

test('closing ends lanes, dials and hashing that are under way', async () => {
  const one = await side(1);
  const dialling = one.threads.dial(
    { host: '127.0.0.1', port: sender.ports[0]! },
    sender.certificate.fingerprint,
    never,
  );
  const [pipe, other] = await Promise.all([dialling, sender.arrival(one.certificate)]);
  const { seen } = laneOn(pipe);
  const far = laneOn(other);
  const never2 = one.threads.dial({ host: '192.0.2.77', port: 9 }, 'f'.repeat(64), never);
  const rejected = assert.rejects(never2);
  await one.threads.close();
  await rejected;
  assert.ok(seen.closed);
  await assert.rejects(seen.lane.send({ type: 'written', below: 1 }), { code: 'NO_PATH' });
  await far.until(() => far.seen.closed !== undefined);
});
