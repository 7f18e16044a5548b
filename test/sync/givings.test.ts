/** What an origin has given to whom, and what receivers make of it: each chunk leaves the origin about once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Bitfield } from '../../src/base/bitfield.ts';
import { MAX_HOLDS } from '../../src/base/limits.ts';
import { Offer } from '../../src/offer/offer.ts';
import { Chunks, Holder } from '../../src/sync/chunks.ts';
import { Givings } from '../../src/sync/givings.ts';
import { MapNews } from '../../src/sync/map-news.ts';
import { Origin } from '../../src/sync/origin.ts';
import type { Message } from '../../src/wire/messages.ts';
import { hashing } from '../hashing.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, entry, FakeLane, MemorySource, turn } from './harness.ts';

const offerOf = (count: number) => Offer.of('files', [entry('f', count * CHUNK)], CHUNK);

function chunksOf(count: number, random = () => 0.5) {
  const offer = offerOf(count);
  const window = Number.POSITIVE_INFINITY;
  const chunks = new Chunks({ offer, window, most: 32, shares: true, random, comparable: () => false });
  return { offer, chunks };
}

test('who shares is told what others were given, a few times a second, and that it is nobodys when they leave', async () => {
  const clock = new VirtualClock();
  const hashed = new Bitfield();
  const givings = new Givings(clock, offerOf(20).space, hashed);
  const [one, other] = [givings.join(), givings.join()];
  const lane = new FakeLane(1);
  one.addLane(lane);
  for (let chunk = 0; chunk < 9; chunk++) other.give(chunk);
  hashed.add(3);
  givings.hashed(3);
  await turn();
  assert.deepEqual(lane.sent, [], 'nothing is told before its time');
  await clock.pass(200);
  const told = { type: 'given', first: 0, bits: Uint8Array.of(255, 1, 0), hashed: Uint8Array.of(8, 0, 0) };
  assert.deepEqual(lane.sent, [told]);
  assert.deepEqual([one.others(8), other.others(8)], [true, false]);
  const next = new FakeLane(2);
  one.addLane(next);
  await turn();
  assert.deepEqual(next.sent, [told], 'a new lane is told all');
  one.give(8);
  other.end();
  await clock.pass(200);
  assert.deepEqual(lane.all('given').at(-1)!.bits, Uint8Array.of(0, 1, 0));
  assert.equal(one.others(0), false);
  one.end();
});

test('a lane that takes nothing has one message of a map on its way, and hears the latest when it goes on', async () => {
  const clock = new VirtualClock();
  const map = new Bitfield();
  const news = new MapNews({
    clock,
    space: { chunks: 8 * MAX_HOLDS },
    message: (from, to) => ({ type: 'holds', first: from * 8, bits: map.bytes(from, to) }),
  });
  let take = () => {};
  let sent = 0;
  let last: Message | undefined;
  class Slow extends FakeLane {
    override async send(message: Message): Promise<void> {
      sent++;
      last = message;
      await new Promise<void>((resolve) => {
        take = resolve;
      });
    }
  }
  const lane = new Slow(1);
  news.addLane(lane);
  for (let chunk = 0; chunk < 1000; chunk++) {
    map.add(chunk);
    news.changed(chunk);
    if (chunk % 10 === 0) await clock.pass(200);
  }
  assert.equal(sent, 1);
  for (let i = 0; i < 3; i++) {
    take();
    await turn();
    await clock.pass(200);
  }
  assert.equal(sent, 3, 'the two halves of the map, and what changed meanwhile in one');
  assert.ok(last?.type === 'holds' && last.bits.length <= 4 * 32, 'only the pages that changed');
  news.removeLane(lane);
  news.stop();
});

const NOBODY = {
  ...{ awaits: () => {}, progress: () => {}, resumed: () => {}, kept: () => {} },
  ...{ accepted: () => {}, confirmed: () => {}, complete: () => {}, fail: () => {} },
};

test('an origin declines what it has given to another who shares, unless it is asked for all the same', async () => {
  const clock = new VirtualClock();
  const origin = new Origin(new MemorySource({ f: new Uint8Array(2 * CHUNK).fill(1) }), CHUNK, {
    ...{ ...hashing, allocate: (bytes: number) => new Uint8Array(bytes), clock, limit: undefined },
    ...{ sha256: false, update: false, gone: () => {}, swarm: { random: () => 0 } },
  });
  const [one, other, alone] = [1, 2, 3].map((id) => {
    const [peer, lane] = [origin.peer(NOBODY), new FakeLane(id)];
    peer.addLane(lane);
    return { peer, lane };
  });
  for (const { peer, lane } of [one!, other!]) peer.message(lane, { type: 'share' });
  const range = { index: 0, from: 0, to: 2 };
  const ask = async ({ peer, lane }: NonNullable<typeof one>, spare: boolean) => {
    lane.sent.length = 0;
    peer.message(lane, { type: 'get', spare, ranges: [range] });
    for (let i = 0; i < 10; i++) await turn();
    return [lane.all('blocks').length > 0, lane.all('lacks').length];
  };
  assert.deepEqual(await ask(one!, true), [true, 0]);
  assert.deepEqual(await ask(one!, true), [true, 0], 'what it was given itself is not declined');
  assert.deepEqual(await ask(other!, true), [false, 1]);
  assert.deepEqual(await ask(alone!, true), [true, 0], 'nobody would give it to one that does not share');
  assert.deepEqual(await ask(other!, false), [true, 0]);
  for (const { peer } of [one!, other!, alone!]) peer.stop();
});

test('of the origin is asked first what nobody has been given, and the rest only when others bring nothing', () => {
  const { chunks } = chunksOf(24);
  chunks.given(0, Uint8Array.of(0xff, 0xff, 0), new Uint8Array(3));
  const fresh = new Set<number>();
  for (let claim = chunks.claim(1000); claim; claim = chunks.claim(1000)) {
    assert.ok(claim.what === 'blocks' && claim.spare);
    fresh.add(claim.index);
  }
  assert.deepEqual(
    [...fresh].sort((a, b) => a - b),
    [16, 17, 18, 19, 20, 21, 22, 23],
  );
  const claim = chunks.claim(1000, undefined, true);
  assert.ok(claim?.what === 'blocks' && !claim.spare && claim.index < 16);
  chunks.given(0, Uint8Array.of(0xff, 0x7f, 0), new Uint8Array(3));
  assert.equal(chunks.claim(1000)?.index, 15, 'it is nobodys again');
});

test('what is declined is left to others, and not asked for again and again, in however many parts it was asked for', () => {
  const { chunks, offer } = chunksOf(1);
  const [one, other] = [chunks.claim(10), chunks.claim(54)];
  assert.ok(one?.what === 'blocks' && other?.what === 'blocks');
  for (const part of [one, other]) {
    chunks.unclaim(part);
    chunks.decline(0);
    assert.equal(chunks.claim(64), undefined);
  }
  const holder = new Holder();
  offer.hashes.set(0, new Uint8Array(32));
  chunks.join(holder);
  chunks.holds(holder, 0);
  assert.equal(chunks.claim(64, holder)?.index, 0);
  assert.equal(chunks.claim(64), undefined);
});

test('what the fewest have is asked for first', () => {
  const { chunks, offer } = chunksOf(8);
  const holders = [new Holder(), new Holder(), new Holder()];
  for (const [at, holder] of holders.entries()) {
    chunks.join(holder);
    for (let chunk = 0; chunk < 8; chunk++) {
      offer.hashes.set(chunk, new Uint8Array(32));
      if (at === 0 || chunk !== 5) chunks.holds(holder, chunk);
    }
  }
  assert.equal(chunks.claim(64, holders[0])?.index, 5);
});

test('the hash of a chunk that was given to others is asked for before anybody offers it, and none of one that does not exist', () => {
  const { chunks } = chunksOf(12);
  chunks.given(8, Uint8Array.of(0xff), Uint8Array.of(0xff));
  const asked: number[] = [];
  for (let claim = chunks.claimHash(); claim; claim = chunks.claimHash()) asked.push(claim.index);
  assert.deepEqual(asked, [8, 9, 10, 11]);
});
