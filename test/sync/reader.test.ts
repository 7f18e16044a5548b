/** Chunk buffers at who serves many: what each peer is sure to get, whatever another one pins. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Origin } from '../../src/sync/origin.ts';
import { ChunkReader, type Lease } from '../../src/sync/reader.ts';
import type { Message } from '../../src/wire/messages.ts';
import { hashing } from '../hashing.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, FakeLane, hashOf, MemorySource } from './harness.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** As many buffers as a pool has for chunks of 1 MiB. */
const SIZE = 32;

function world() {
  const read: number[] = [];
  const reader = new ChunkReader({
    chunkSize: 1024 * 1024,
    digest: hashOf,
    allocate: () => new Uint8Array(1024),
    read: async (index, into) => {
      read.push(index);
      into.fill(index + 1);
      return 100;
    },
  });
  return { reader, read };
}

/** Whether there is a buffer for it. */
async function has({ loaded }: Lease): Promise<boolean> {
  await turn();
  return (await Promise.race([loaded, turn()])) !== undefined;
}

test('a receiver that reads nothing keeps no other from its buffers', async () => {
  const { reader } = world();
  const [hog, other] = [reader.user(), reader.user()];
  const pinned = Array.from({ length: SIZE + 10 }, (_, index) => hog.lease(index));
  assert.ok(await has(pinned[SIZE - 1]!));
  assert.ok(!(await has(pinned[SIZE]!)), 'it has all there are, and waits');
  const mine = [other.lease(100), other.lease(101), other.lease(102)];
  assert.deepEqual([await has(mine[0]!), await has(mine[1]!), await has(mine[2]!)], [true, true, false]);
  assert.equal(other.ahead(103), undefined, 'what is only read ahead does not wait');
  mine[0]!.release();
  assert.ok(await has(mine[2]!));
});

test('chunks that others are sent too count for each, so that pinning them is no way around that', async () => {
  const { reader, read } = world();
  const pinned: Lease[] = [];
  const users = Array.from({ length: 17 }, () => reader.user());
  const hog = users.pop()!;
  // It pins whatever the others are sent.
  for (let round = 0; round < 20; round++)
    for (const [at, user] of users.entries()) {
      const index = round * 16 + at;
      const lease = user.lease(index);
      pinned.push(hog.lease(index));
      assert.ok(await has(lease), `user ${at} waits in round ${round}`);
      lease.release();
    }
  assert.ok(read.length >= 320);
  let held = 0;
  for (const lease of pinned) if (await has(lease)) held++;
  assert.ok(held <= SIZE, `${held} buffers for one`);
});

test('chunks of 4 MiB for 16 who read nothing take no more buffers than there are and one for each', async () => {
  let buffers = 0;
  const reader = new ChunkReader({
    chunkSize: 4 * 1024 * 1024,
    digest: hashOf,
    allocate: () => {
      buffers++;
      return new Uint8Array(1024);
    },
    read: async () => 10,
  });
  for (let user = 0; user < 16; user++) {
    const mine = reader.user();
    const leases = Array.from({ length: 20 }, (_, index) => mine.lease(user * 20 + index));
    assert.ok(await has(leases[0]!), `user ${user} has none`);
  }
  assert.ok(buffers <= 32, `${buffers} buffers`);
});

test('for one that has left nothing more is read, and what waited longest goes on', async () => {
  const { reader, read } = world();
  const [one, other] = [reader.user(), reader.user()];
  const pinned = Array.from({ length: SIZE }, (_, index) => one.lease(index));
  for (let index = 100; index < 110; index++) other.lease(index);
  const waits = one.lease(50);
  await turn();
  assert.deepEqual(read.slice(SIZE), [100, 101]);
  other.close();
  for (const lease of pinned) lease.release();
  assert.equal((await waits.loaded)?.index, 50);
  assert.deepEqual(read.slice(SIZE), [100, 101, 50]);
});

test('a chunk is read once for receivers that are sent it about the same time', async () => {
  const { reader, read } = world();
  const users = [reader.user(), reader.user(), reader.user()];
  for (let index = 0; index < 20; index++)
    // One after the other, each when the one before has it all.
    for (const user of users) {
      const lease = user.lease(index);
      const loaded = await lease.loaded;
      loaded!.sent += 100;
      lease.release();
    }
  assert.deepEqual(
    read,
    Array.from({ length: 20 }, (_, index) => index),
  );
});

test('a receiver that is started again has only its own chunks read anew', async () => {
  const { reader, read } = world();
  const [one, other] = [reader.user(), reader.user()];
  for (const [user, index] of [
    [one, 1],
    [other, 2],
  ] as const) {
    const lease = user.lease(index);
    await lease.loaded;
    lease.release();
  }
  one.restart();
  for (const index of [1, 2]) await other.lease(index).loaded;
  assert.deepEqual(read, [1, 2, 1]);
});

/** Counts what comes, and takes it or never does. */
class Taking extends FakeLane {
  came = 0;
  constructor(
    id: number,
    readonly takes: boolean,
  ) {
    super(id);
  }
  override async send(message: Message): Promise<void> {
    if (message.type !== 'blocks') return;
    this.came += message.data.length;
    if (!this.takes) await new Promise(() => {});
  }
}

test('an origin one of whose receivers takes nothing, on as many lanes as it likes, serves the other one to the end', async () => {
  const count = 60;
  const source = new MemorySource({ f: new Uint8Array(count * CHUNK).fill(1) });
  const origin = new Origin(source, CHUNK, {
    ...{ ...hashing, allocate: (bytes: number) => new Uint8Array(bytes), clock: new VirtualClock() },
    ...{ limit: undefined, sha256: false, update: false, gone: () => {} },
  });
  const nobody = {
    ...{ awaits: () => {}, progress: () => {}, resumed: () => {}, kept: () => {} },
    ...{ accepted: () => {}, confirmed: () => {}, complete: () => {}, fail: () => {} },
  };
  const ranges = (from: number) =>
    Array.from({ length: count }, (_, at) => ({ index: (from + at) % count, from: 0, to: 64 }));
  const hog = origin.peer(nobody);
  const stuck = Array.from({ length: 40 }, (_, id) => new Taking(id, false));
  for (const [at, lane] of stuck.entries()) {
    hog.addLane(lane);
    hog.message(lane, { type: 'get', spare: false, ranges: ranges(at) });
  }
  await turn();
  const [peer, lane] = [origin.peer(nobody), new Taking(99, true)];
  peer.addLane(lane);
  peer.message(lane, { type: 'get', spare: false, ranges: ranges(0) });
  for (let i = 0; i < 20_000 && lane.came < count * CHUNK; i++) await turn();
  assert.equal(lane.came, count * CHUNK);
  const { reads } = source;
  for (const each of stuck) hog.removeLane(each);
  for (let i = 0; i < 100; i++) await turn();
  assert.equal(source.reads, reads, 'for lanes that are gone nothing is read');
  for (const each of [hog, peer]) each.stop();
});
