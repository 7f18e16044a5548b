/** Receivers who help each other, message by message: what one of them may do to another, and what it may not. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { BLOCK_BYTES } from '../../src/base/limits.ts';
import { Offer } from '../../src/offer/offer.ts';
import { Holder } from '../../src/sync/chunks.ts';
import { Fetching } from '../../src/sync/fetching.ts';
import { Helper } from '../../src/sync/helper.ts';
import { Origin } from '../../src/sync/origin.ts';
import type { Source } from '../../src/sync/ports.ts';
import { Limiter } from '../../src/sync/rate.ts';
import type { BlockRange, BlocksHeader, Message } from '../../src/wire/messages.ts';
import { hashing } from '../hashing.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, entry, FakeLane, hashOf, MemorySink, MemorySource, turn } from './harness.ts';

const data = new Uint8Array(CHUNK).fill(7);
const hash = hashOf(data);

/** A receiver of so many like chunks, whose hashes it knows, with a helper that has them all and a lane to each. */
async function world(count: number) {
  const clock = new VirtualClock();
  const sink = new MemorySink();
  const offer = Offer.of('files', [entry('f', count * CHUNK)], CHUNK);
  await sink.open(offer.entries);
  const told = { complete: 0, lied: 0 };
  const fetching = new Fetching(
    {
      ...{ offer, sink, shares: false, shared: () => false },
      ports: {
        ...{ ...hashing, allocate: (bytes: number) => new Uint8Array(bytes), clock, limit: undefined },
        ...{
          awaits: () => {},
          progress: () => {},
          resumed: () => {},
          kept: () => {},
          stalled: () => false,
          random: () => 0,
        },
      },
      ...{ down: () => {}, more: () => {}, anew: () => {} },
      complete: () => told.complete++,
      lied: () => told.lied++,
      fail: (error) => assert.fail(error),
    },
    false,
  );
  for (let chunk = 0; chunk < count; chunk++) offer.hashes.set(chunk, hash);
  const holder = new Holder();
  fetching.join(holder);
  fetching.holds(
    holder,
    Array.from({ length: count }, (_, chunk) => chunk),
  );
  const [helping, origin] = [new FakeLane(1), new FakeLane(2)];
  fetching.addLane(helping, holder);
  const header = (range: BlockRange, more: Partial<BlocksHeader> = {}): BlocksHeader => {
    const offset = range.from * BLOCK_BYTES;
    const bytes = Math.min(CHUNK, range.to * BLOCK_BYTES) - offset;
    return { index: range.index, length: CHUNK, form: 'data', hash, offset, bytes, ...more };
  };
  const answer = async (lane: FakeLane) => {
    for (const range of lane.asked())
      fetching.land(lane, header(range)).put(data.subarray(0, header(range).bytes));
    await turn();
  };
  return { clock, sink, fetching, holder, helping, origin, header, answer, told };
}

test('zeros of a wrong length end a helper, and what it owed comes from the origin', async () => {
  const { fetching, holder, helping, origin, header, answer, told } = await world(1);
  const [range] = helping.asked();
  const zeros = header(range!, { form: 'zeros', length: CHUNK - 1, bytes: 0 });
  assert.throws(() => fetching.zeros(helping, zeros), { code: 'PROTOCOL' });
  fetching.removeLane(helping);
  fetching.leave(holder);
  fetching.addLane(origin);
  for (let round = 0; round < 10 && told.complete === 0; round++) await answer(origin);
  assert.ok(told.complete > 0, 'the chunk never came');
  await fetching.stop();
});

test('a helper that means other chunks by their numbers is told from an honest one, also by zeros', async () => {
  const { fetching, helping, header, told } = await world(20);
  let asked = 0;
  for (let ranges = helping.asked(); ranges.length > 0 && told.lied === 0; ranges = helping.asked())
    for (const range of ranges) {
      asked++;
      fetching.zeros(helping, header(range, { form: 'zeros', hash: hashOf(hash), bytes: 0 }));
    }
  assert.ok(told.lied > 0, `${asked} chunks that are not the origin's, and it is asked on`);
  await fetching.stop();
});

test('a helper of whose chunks one has changed is not asked for that one again, and is no liar', async () => {
  const { fetching, helping, header, origin, answer, told } = await world(2);
  const other = { hash: hashOf(hash) };
  let frames = 0;
  for (let ranges = helping.asked(); ranges.length > 0; ranges = helping.asked())
    // In pieces of a block, each a frame of its own.
    for (const range of ranges)
      for (let from = range.from; from < range.to; from++) {
        const piece = header({ ...range, from, to: from + 1 }, range.index === 0 ? other : {});
        fetching.land(helping, piece).put(data.subarray(0, piece.bytes));
        frames++;
      }
  assert.ok(frames > 2 && frames < 100, `${frames} frames`);
  assert.equal(told.lied, 0);
  fetching.addLane(origin);
  for (let round = 0; round < 10 && told.complete === 0; round++) await answer(origin);
  assert.ok(told.complete > 0, 'the chunk never came');
  await fetching.stop();
});

test('a helper that brings a few bytes now and then does not keep the origin from being asked', async () => {
  const { clock, fetching, helping, origin, header, answer, told } = await world(4);
  // Fast at first.
  for (let round = 0; round < 2; round++) await answer(helping);
  const ranges = helping.asked();
  const landing = fetching.land(helping, header(ranges[0]!));
  fetching.addLane(origin);
  for (let second = 0; second < 120 && told.complete === 0; second++) {
    landing.put(data.subarray(0, 64));
    await clock.pass(1000);
    await answer(origin);
  }
  assert.ok(told.complete > 0, 'the origin brought nothing in two minutes');
  await fetching.stop();
});

test('what was asked of a helper that pauses still lands, and nothing more is asked of it', async () => {
  const { fetching, holder, helping, header } = await world(40);
  const ranges = helping.asked();
  assert.ok(ranges.length > 0);
  holder.paused = true;
  for (const range of ranges)
    fetching.land(helping, header(range)).put(data.subarray(0, header(range).bytes));
  await turn();
  assert.deepEqual(helping.asked(), []);
  holder.paused = false;
  fetching.pump();
  assert.ok(helping.asked().length > 0);
  await fetching.stop();
});

test('what two holders have is left to the other when one leaves, and to the origin after both', async () => {
  const { fetching, origin } = await world(1);
  const count = 50_000;
  const offer = Offer.of('files', [entry('f', count * CHUNK)], CHUNK);
  const { Chunks } = await import('../../src/sync/chunks.ts');
  const chunks = new Chunks({
    ...{
      offer,
      window: Number.POSITIVE_INFINITY,
      most: 32,
      comparable: () => false,
      shares: false,
      random: () => 0.4,
    },
  });
  const [one, other] = [new Holder(), new Holder()];
  for (const holder of [one, other]) {
    chunks.join(holder);
    for (let chunk = 0; chunk < count; chunk++) chunks.holds(holder, chunk);
  }
  assert.equal(chunks.claim(16), undefined, 'all is left to the holders');
  chunks.leave(one);
  assert.equal(chunks.claim(16), undefined, 'the other has all of it');
  chunks.leave(other);
  assert.ok(chunks.claim(16));
  fetching.addLane(origin);
  await fetching.stop();
});

test('the hash of a chunk that the origin was asked for and others have is asked too: it may go away before it brings it', async () => {
  const offer = Offer.of('files', [entry('f', 2 * CHUNK)], CHUNK);
  const { Chunks } = await import('../../src/sync/chunks.ts');
  const chunks = new Chunks({
    ...{ offer, window: Number.POSITIVE_INFINITY, most: 32, shares: false },
    ...{ comparable: () => false, random: () => 0 },
  });
  const asked = chunks.claim(256);
  assert.deepEqual(asked, { what: 'blocks', index: 0, from: 0, to: CHUNK / BLOCK_BYTES, spare: false });
  const holder = new Holder();
  chunks.join(holder);
  chunks.holds(holder, 0);
  assert.deepEqual(chunks.claimHash(), { what: 'hash', index: 0 });
  assert.equal(chunks.claimHash(), undefined, 'once');
  chunks.told(0, hash);
  assert.equal(chunks.claim(256, holder), undefined, 'the origin still owes it');
  chunks.unclaim({ index: 0, from: 0, to: CHUNK / BLOCK_BYTES });
  assert.deepEqual(chunks.claim(256, holder), asked);
});

test('a flood of last words is answered one after the other, each with one root at a time', async () => {
  let looks = 0;
  let running = 0;
  let most = 0;
  class Watched extends MemorySource {
    override async changed(): Promise<string[]> {
      looks++;
      return [];
    }
  }
  const source = new Watched({ a: data });
  const clock = new VirtualClock();
  const origin = new Origin(source, CHUNK, {
    ...{ ...hashing, allocate: (bytes: number) => new Uint8Array(bytes), clock, limit: undefined },
    ...{ sha256: false, update: false, gone: () => {} },
  });
  const rooting = origin.offer.rooting.bind(origin.offer);
  origin.offer.rooting = function* (...args) {
    most = Math.max(most, ++running);
    yield;
    const root = yield* rooting(...args);
    running--;
    return root;
  };
  const peer = origin.peer({
    ...{
      awaits: () => {},
      progress: () => {},
      resumed: () => {},
      kept: () => {},
      accepted: () => {},
      confirmed: () => {},
    },
    ...{ complete: () => {}, fail: () => {} },
  });
  const lane = new FakeLane(1);
  peer.addLane(lane);
  const finish = () => peer.message(lane, { type: 'finish', root: new Uint8Array(32), gone: [] });
  for (let i = 0; i < 64; i++) finish();
  assert.throws(finish, { code: 'PROTOCOL' });
  for (let i = 0; i < 50; i++) await turn();
  assert.equal(most, 1);
  assert.ok(looks <= 2, `${looks} looks`);
  peer.stop();
});

const NOBODY = {
  ...{ awaits: () => {}, progress: () => {}, resumed: () => {}, kept: () => {} },
  ...{ accepted: () => {}, confirmed: () => {}, complete: () => {}, fail: () => {} },
};

test('a page that is on its way is not sent twice on a lane, and a flood of requests for pages ends it', async () => {
  const entries = Array.from({ length: 25_000 }, (_, i) => entry(`${i}`.padEnd(900, 'x'), 0));
  const source: Source = {
    ...{ entries, kind: 'files', length: 0, read: async () => 0 },
    ...{ digests: async () => new Map(), close: async () => {} },
  };
  const origin = new Origin(source, CHUNK, {
    ...{ ...hashing, allocate: (bytes: number) => new Uint8Array(bytes), clock: new VirtualClock() },
    ...{ limit: undefined, sha256: false, update: false, gone: () => {} },
  });
  let taken = () => {};
  const sent: number[] = [];
  class Slow extends FakeLane {
    override async send(message: Message): Promise<void> {
      if (message.type !== 'page') return;
      sent.push(message.page);
      await new Promise<void>((resolve) => {
        taken = resolve;
      });
    }
  }
  const peer = origin.peer(NOBODY);
  const lane = new Slow(1);
  peer.addLane(lane);
  const ask = (page: number) => peer.message(lane, { type: 'get-page', page });
  for (let i = 0; i < 100; i++) ask(0);
  assert.deepEqual(sent, [0]);
  taken();
  await turn();
  ask(0);
  assert.deepEqual(sent, [0, 0]);
  assert.ok(origin.offer.pages.length > 70, `${origin.offer.pages.length} pages`);
  assert.throws(() => origin.offer.pages.forEach((_, page) => void ask(page)), { code: 'PROTOCOL' });
  assert.equal(sent.length, 65);
  peer.stop();
});

test('a small first page goes with the offer until somebody asks for it, and not twice to one who asked before it came', () => {
  const sent: string[] = [];
  class Told extends FakeLane {
    override async send(message: Message): Promise<void> {
      sent.push(`${this.id} ${message.type}`);
    }
  }
  const origin = new Origin(new MemorySource({ f: new Uint8Array(1) }), CHUNK, {
    ...{ digest: () => hashOf, hashes: () => ['sha256'] as const, computes: [], clock: new VirtualClock() },
    ...{
      allocate: (bytes: number) => new Uint8Array(bytes),
      limit: undefined,
      sha256: false,
      update: false,
      gone: () => {},
    },
  });
  const peer = origin.peer(NOBODY);
  const [one, two, three] = [new Told(1), new Told(2), new Told(3)];
  const said = (act: () => void) => {
    sent.length = 0;
    act();
    return [...sent];
  };
  assert.deepEqual(
    said(() => peer.addLane(one)),
    ['1 offer', '1 page'],
  );
  assert.deepEqual(
    said(() => peer.addLane(two)),
    ['2 offer', '2 page'],
  );
  const ask = (lane: FakeLane) => peer.message(lane, { type: 'get-page', page: 0 });
  assert.deepEqual(
    said(() => ask(one)),
    [],
  );
  // It does not come: it asks once more.
  assert.deepEqual(
    said(() => ask(one)),
    ['1 page'],
  );
  assert.deepEqual(
    said(() => peer.addLane(three)),
    ['3 offer'],
  );
  assert.deepEqual(
    said(() => ask(three)),
    ['3 page'],
  );
  // A new process of the receiver knows nothing.
  peer.removeLane(one);
  peer.restart();
  assert.deepEqual(
    said(() => peer.addLane(one)),
    ['1 offer', '1 page'],
  );
  peer.stop();
});

test('a member that owes something now and then is not taken for a silent one, however often', async () => {
  const clock = new VirtualClock();
  let failed = 0;
  let awaits = false;
  const helper = new Helper(
    { clock, ...hashing, allocate: (bytes) => new Uint8Array(bytes), limit: undefined },
    { fail: () => failed++, asks: () => {}, content: () => {}, ended: () => {} },
  );
  const fetching = {
    ...{ join: () => {}, leave: () => {}, addLane: () => {}, removeLane: () => {} },
    ...{ turns: 10, awaits: () => awaits },
  } as unknown as Fetching;
  const offer = Offer.of('files', [entry('f', CHUNK)], CHUNK);
  helper.begin({ offer, fetching, reader: undefined, uplink: new Limiter({ clock, limit: undefined }) });
  for (let minute = 0; minute < 30; minute++) {
    awaits = true;
    await clock.pass(10_000);
    awaits = false;
    await clock.pass(50_000);
  }
  assert.equal(failed, 0);
  awaits = true;
  await clock.pass(120_000);
  assert.ok(failed > 0, 'one that owes for two minutes is');
  helper.stop();
});
