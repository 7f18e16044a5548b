/** With what the chunks of an offer are hashed: who decides, and that nobody changes it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realClock } from '../../src/base/clock.ts';
import type { HashName } from '../../src/offer/hashing.ts';
import { encodePages } from '../../src/offer/manifest.ts';
import { ChunkHashes } from '../../src/offer/merkle.ts';
import type { Extent } from '../../src/offer/space.ts';
import type { PeerPorts } from '../../src/sync/engine-ports.ts';
import { Origin } from '../../src/sync/origin.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import { DIGESTS, hashingWith } from '../hashing.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, FakeLane, MemorySink, MemorySource, Pair } from './harness.ts';

const random = randomFrom(seed);
const BOTH: readonly HashName[] = ['blake3', 'sha256'];
const COMMON: readonly HashName[] = ['sha256'];
const nothing = () => {};
const progress = { awaits: nothing, progress: nothing, resumed: nothing, kept: nothing, complete: nothing };
const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
};

/** Keeps the hash that each chunk came with. */
class Keeping extends MemorySink {
  readonly hashes = new Map<number, Uint8Array>();
  override async write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash?: Uint8Array,
  ): Promise<void> {
    this.hashes.set(chunk, hash!);
    await super.write(chunk, extents, data);
  }
}

describe('what chunks are hashed with', () => {
  const zeros = new Uint8Array(CHUNK);
  const content = Buffer.concat([randomBytes(random, CHUNK), zeros, randomBytes(random, 1000)]);

  for (const [sender, receiver, expected] of [
    [BOTH, BOTH, 'blake3'],
    [BOTH, COMMON, 'sha256'],
    [COMMON, BOTH, 'sha256'],
    [BOTH, [...BOTH].reverse(), 'blake3'],
    [[...BOTH].reverse(), BOTH, 'sha256'],
  ] as const)
    it(`is ${expected} where the sender says ${sender} and the receiver ${receiver}`, async () => {
      const sink = new Keeping();
      const pair = new Pair(new MemorySource({ f: content }), sink, undefined, realClock, {
        sender,
        receiver,
      });
      assert.deepEqual(pair.receiver.hashes(), receiver);
      pair.connect();
      await pair.done;
      assert.equal(pair.outcome.error, undefined);
      assert.deepEqual(pair.outcome.sent, pair.outcome.received);
      for (const [chunk, hash] of sink.hashes) {
        const data = content.subarray(chunk * CHUNK, (chunk + 1) * CHUNK);
        assert.deepEqual(Buffer.from(hash), Buffer.from(DIGESTS[expected](data)), `chunk ${chunk}`);
      }
      assert.deepEqual([...sink.hashes.keys()].sort(), [0, 1, 2]);
      // A new process of the sender is to hash so too.
      assert.deepEqual(pair.receiver.hashes(), [expected]);
    });

  it('stays when the sender comes back without what made it fast', async () => {
    const fast = { sender: BOTH, receiver: BOTH };
    const sink = new Keeping();
    const pair = new Pair(new MemorySource({ f: content }), sink, undefined, realClock, fast);
    const write = sink.write.bind(sink);
    const written = new Promise<void>((resolve) => {
      sink.write = (...args) => {
        setImmediate(resolve);
        return write(...args);
      };
    });
    pair.connect();
    await written;
    pair.outcome.sent = undefined;
    fast.sender = COMMON;
    pair.restartSender(new MemorySource({ f: content }));
    pair.connect();
    await pair.done;
    assert.equal(pair.outcome.error, undefined);
    assert.deepEqual(pair.outcome.sent, pair.outcome.received);
    assert.deepEqual(
      Buffer.from(sink.hashes.get(2)!),
      Buffer.from(DIGESTS.blake3(content.subarray(2 * CHUNK))),
    );
  });

  const originOf = (fast: readonly HashName[], clock: VirtualClock) =>
    new Origin(new MemorySource({ f: content }), CHUNK, {
      ...{
        ...hashingWith(...fast),
        allocate: (bytes: number) => new Uint8Array(bytes),
        clock,
        limit: undefined,
      },
      ...{ sha256: false, update: false, gone: nothing },
    });
  const peerOf = (origin: Origin, complete: PeerPorts['complete'] = nothing) =>
    origin.peer({
      ...{ ...progress, accepted: nothing, confirmed: nothing, complete },
      fail: (error) => {
        throw error;
      },
    });
  /** What a receiver that comes is told: of the offer, and of its first chunk. */
  const told = async (peer: ReturnType<typeof peerOf>, hashes: readonly HashName[]) => {
    const lane = new FakeLane();
    peer.heard(hashes);
    peer.addLane(lane);
    peer.message(lane, { type: 'get-hash', chunks: [0, 1] });
    await turns();
    const [offer] = lane.all('offer');
    return { offered: offer?.hash, hashes: lane.all('hash').map(({ hash }) => Buffer.from(hash)) };
  };
  const ofContent = (hash: HashName) => ({
    offered: hash,
    hashes: [content.subarray(0, CHUNK), zeros].map((data) => Buffer.from(DIGESTS[hash](data))),
  });

  it('is for all who receive it what the first one had a say in', async () => {
    for (const [first, later, expected] of [
      [BOTH, COMMON, 'blake3'],
      [COMMON, BOTH, 'sha256'],
    ] as const) {
      const origin = originOf(BOTH, new VirtualClock());
      const [one, other] = [peerOf(origin), peerOf(origin)];
      assert.deepEqual(await told(one, first), ofContent(expected));
      assert.deepEqual(await told(other, later), ofContent(expected));
      one.restart();
      assert.deepEqual(await told(one, later), ofContent(expected));
      // The other one has ended, and the first comes back once more.
      other.stop();
      one.restart();
      assert.deepEqual(await told(one, later), ofContent(expected));
    }
  });

  it('changes if the only receiver comes back as a program that hashes otherwise', async () => {
    const peer = peerOf(originOf(BOTH, new VirtualClock()));
    for (const [hashes, expected] of [
      [BOTH, 'blake3'],
      [COMMON, 'sha256'],
      [BOTH, 'blake3'],
    ] as const) {
      assert.deepEqual(await told(peer, hashes), ofContent(expected));
      peer.restart();
    }
  });

  it('stays as it was offered to a receiver that says something else in a later hello', async () => {
    for (const [first, later] of [
      [BOTH, COMMON],
      [COMMON, BOTH],
    ] as const) {
      const roots: Uint8Array[] = [];
      const peer = peerOf(originOf(BOTH, new VirtualClock()), ({ root }) => roots.push(root));
      const expected = first === BOTH ? 'blake3' : 'sha256';
      assert.deepEqual(await told(peer, first), ofContent(expected));
      // Chunks 0 and 1 have been told of by now, and chunk 2 comes only after this.
      const lane = new FakeLane(2);
      peer.heard(later);
      peer.addLane(lane);
      assert.equal(lane.all('offer')[0]?.hash, expected);
      peer.message(lane, { type: 'get-hash', chunks: [2] });
      await turns();
      const hashes = new ChunkHashes();
      for (const index of [0, 1, 2])
        hashes.set(index, DIGESTS[expected](content.subarray(index * CHUNK, (index + 1) * CHUNK)));
      const pages = encodePages(new MemorySource({ f: content }).entries);
      const root = hashes.root(expected, pages, 3, () => false);
      peer.message(lane, { type: 'finish', root, gone: [] });
      await turns();
      assert.deepEqual(roots.map(Buffer.from), [Buffer.from(root)]);
    }
  });

  it('is of one kind in the receipt of a new process, whatever the old one was told and has asked for', async () => {
    const roots: Uint8Array[] = [];
    const peer = peerOf(originOf(BOTH, new VirtualClock()), ({ root }) => roots.push(root));
    const old = new FakeLane(1);
    peer.heard(BOTH);
    peer.addLane(old);
    peer.message(old, { type: 'get-hash', chunks: [0, 1] });
    await turns();
    // It is being read while the process ends.
    peer.message(old, { type: 'get-hash', chunks: [2] });
    peer.removeLane(old);
    peer.restart();
    const lane = new FakeLane(2);
    peer.heard(COMMON);
    peer.addLane(lane);
    peer.message(lane, { type: 'get-hash', chunks: [0, 1, 2] });
    await turns();
    const hashes = new ChunkHashes();
    for (const { index, hash } of lane.all('hash')) hashes.set(index, hash);
    const root = hashes.root('sha256', encodePages(new MemorySource({ f: content }).entries), 3, () => false);
    assert.deepEqual(Buffer.from(hashes.get(2)!), Buffer.from(DIGESTS.sha256(content.subarray(2 * CHUNK))));
    peer.message(lane, { type: 'finish', root, gone: [] });
    await turns();
    assert.deepEqual(roots.map(Buffer.from), [Buffer.from(root)]);
  });

  it('is what is here already, if the receiver has asked for some of it', async () => {
    const peer = peerOf(originOf(BOTH, new VirtualClock()));
    assert.deepEqual(await told(peer, ['sha256']), ofContent('sha256'));
  });
});

describe('an origin that changes what it hashes with', () => {
  const pages = encodePages(new MemorySource({ f: new Uint8Array(10) }).entries);
  const offer = {
    ...{
      type: 'offer' as const,
      version: 3,
      kind: 'files' as const,
      entries: 1,
      pages: pages.length,
      bytes: 10,
    },
    ...{ chunkSize: CHUNK, hash: 'blake3' as HashName, sha256: false, update: false },
  };
  const receiverOf = () => {
    const errors: (string | undefined)[] = [];
    const receiver = new Receiver({
      ...{ ...hashingWith(...BOTH), ...progress, allocate: (bytes) => new Uint8Array(bytes) },
      ...{
        clock: new VirtualClock(),
        random: () => 0,
        limit: undefined,
        gone: nothing,
        stalled: () => false,
      },
      open: () => new Promise(() => {}),
      fail: (error) => errors.push(error.reason),
    });
    const lane = new FakeLane();
    receiver.addLane(lane);
    receiver.message(lane, offer);
    return { receiver, lane, errors };
  };

  it('is refused on the lane that says so', () => {
    const { receiver, lane } = receiverOf();
    receiver.message(lane, offer);
    assert.throws(() => receiver.message(lane, { ...offer, hash: 'sha256' }), {
      code: 'BAD_MANIFEST',
      reason: 'OFFER_MALFORMED',
    });
  });

  it('and is another offer, if it is a new process', async () => {
    const { receiver, lane, errors } = receiverOf();
    for (const [page, bytes] of pages.entries()) receiver.message(lane, { type: 'page', page, bytes });
    await turns();
    receiver.restart();
    assert.deepEqual(receiver.hashes(), ['blake3']);
    receiver.message(lane, { ...offer, hash: 'sha256' });
    assert.deepEqual(errors, ['OFFER_OTHER']);
  });
});
