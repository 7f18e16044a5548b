/** Lanes and hashing in threads: what the session's thread sees of them, and what it does when they fail. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { blake3 } from '@noble/hashes/blake3.js';
import { realClock } from '../../src/base/clock.ts';
import type { BeelineError } from '../../src/base/errors.ts';
import { MIN_CHUNK } from '../../src/base/limits.ts';
import { HEADROOM, lend, type Slab } from '../../src/base/slab.ts';
import { type Certificate, makeCertificate } from '../../src/identity/certificate.ts';
import { Lane, type LaneOwner } from '../../src/lanes/lane.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { Threads, type WorkerFile } from '../../src/threads/threads.ts';
import type { Message } from '../../src/wire/messages.ts';
import { childModule } from '../child.ts';

const { path, node } = childModule('src/threads/worker.ts');
const file: WorkerFile = { url: pathToFileURL(path), node };
const never = new AbortController().signal;

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
  blocks: { slab: Slab; bytes: Uint8Array }[];
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
  const seen = { messages: [], blocks: [], closed: undefined } as unknown as Seen;
  const owner: LaneOwner = {
    message(_lane, message) {
      seen.messages.push(message);
      changed();
    },
    land: (_lane, { offset, bytes }) => ({
      put: () => assert.fail('a thread lends what comes'),
      take(slab) {
        seen.blocks.push({ slab, bytes: slab.bytes.slice(offset, offset + bytes) });
        changed();
        return keep;
      },
      cut() {},
    }),
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
  await from.seen.lane.send(blocks(3, data, 0, data), slab);
  const half = MIN_CHUNK / 2;
  await from.seen.lane.send(blocks(4, data, half, data.subarray(half)));
  const short = shared(1000).data;
  await from.seen.lane.send(blocks(5, short, 0, short));
  await from.seen.lane.send({ type: 'gone', entry: 7, code: 'X', text: 'y' });
  await to.until(() => to.seen.messages.length === 1 && to.seen.blocks.length === 3);
  const [whole, part, last] = to.seen.blocks;
  assert.deepEqual(Buffer.from(whole!.bytes), Buffer.from(data));
  assert.ok(whole!.slab.bytes.buffer instanceof SharedArrayBuffer);
  assert.deepEqual(Buffer.from(part!.bytes), Buffer.from(data.subarray(half)));
  assert.deepEqual(Buffer.from(last!.bytes), Buffer.from(short));
  assert.ok(to.seen.lane.received > 1.5 * MIN_CHUNK);
  // And back.
  await to.seen.lane.send({ type: 'written', below: 4 });
  await from.until(() => from.seen.messages.length === 1);
  for (const { slab } of to.seen.blocks) slab.release();
  to.seen.lane.close();
  await from.until(() => from.seen.closed !== undefined);
  assert.equal(to.seen.closed, 'cleanly');
});

test('a buffer that is given back is used again; who gives none back is sent no more', async () => {
  const [near, far] = await pipes();
  const given = laneOn(near, false);
  const from = laneOn(far);
  const { slab, data } = shared(MIN_CHUNK);
  for (let index = 0; index < 200; index++) await from.seen.lane.send(blocks(index, data, 0, data), slab);
  await given.until(() => given.seen.blocks.length === 200);
  // The main thread sees the same memory under another object each time, so what is written there tells.
  for (const [at, { slab: last }] of given.seen.blocks.entries()) last.bytes[0] = at;
  const places = new Set(given.seen.blocks.map(({ slab: { bytes } }) => bytes[0]));
  assert.ok(places.size < 127, `${places.size} buffers for 200 chunks, one at a time`);
  given.seen.lane.close();

  const [close, distant] = await pipes(sender.ports[1]);
  const kept = laneOn(close);
  const source = laneOn(distant);
  let sent = 0;
  const all = (async () => {
    for (; sent < 250; sent++) await source.seen.lane.send(blocks(sent, data, 0, data), slab);
  })();
  await kept.until(() => kept.seen.blocks.length >= 127);
  // What may be under way in the kernel's buffers, and in those of TLS.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(kept.seen.blocks.length <= 130, `${kept.seen.blocks.length} were lent`);
  for (const { slab } of kept.seen.blocks.splice(0)) slab.release();
  await kept.until(() => kept.seen.blocks.length >= 250 - 130);
  for (const { slab } of kept.seen.blocks) slab.release();
  await all;
  source.seen.lane.close();
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
