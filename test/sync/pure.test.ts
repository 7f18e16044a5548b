import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { Bitfield } from '../../src/base/bitfield.ts';
import { TokenBucket } from '../../src/base/bucket.ts';
import { BLOCK_BYTES } from '../../src/base/limits.ts';
import { chunkLeaf, merkleRoot, pageLeaf } from '../../src/offer/merkle.ts';
import { Offer } from '../../src/offer/offer.ts';
import { ByteSpace, chooseChunkSize } from '../../src/offer/space.ts';
import { Chunks, type Claim, Holder } from '../../src/sync/chunks.ts';
import { RateMeter } from '../../src/sync/rate.ts';
import { Scheduler } from '../../src/sync/scheduler.ts';
import { SlabPool } from '../../src/sync/slabs.ts';
import { isZero } from '../../src/sync/zeros.ts';
import type { BlockRange } from '../../src/wire/messages.ts';

const runs = Number(process.env.RUNS ?? 500);
const CHUNK = 1 << 20;
const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

test('the byte space covers each file exactly once, in order, small files unsplit', () => {
  const size = fc.oneof(
    fc.constant(0),
    fc.nat(5000),
    fc.nat(3 * CHUNK),
    fc.constantFrom(CHUNK - 1, CHUNK, CHUNK + 1),
  );
  fc.assert(
    fc.property(fc.array(size, { maxLength: 40 }), (sizes) => {
      const space = new ByteSpace(sizes, CHUNK);
      const covered = sizes.map(() => 0);
      for (let chunk = 0; chunk < space.chunks; chunk++) {
        let at = 0;
        for (const extent of space.extents(chunk)) {
          assert.equal(extent.at, at);
          assert.equal(extent.offset, covered[extent.entry], 'pieces of a file come in order');
          if (sizes[extent.entry]! < CHUNK)
            assert.equal(extent.length, sizes[extent.entry], 'a small file is whole');
          covered[extent.entry]! += extent.length;
          at += extent.length;
          const { first, end } = space.chunksOf(extent.entry);
          assert.ok(first <= chunk && chunk < end);
        }
        assert.ok(at <= CHUNK);
        assert.equal(space.length(chunk), at);
      }
      assert.deepEqual(covered, sizes);
      assert.equal(
        space.bytes,
        sizes.reduce((a, b) => a + b, 0),
      );
    }),
    { numRuns: runs },
  );
});

test('chunk sizes grow with the transfer and stay powers of two', () => {
  assert.equal(chooseChunkSize(0), CHUNK);
  assert.equal(chooseChunkSize(100 * 2 ** 30), CHUNK);
  assert.equal(chooseChunkSize(300 * 2 ** 30), 4 * CHUNK);
  assert.equal(chooseChunkSize(2 ** 50), 4 * CHUNK);
});

test('a stream has no end until it is told, and only one', () => {
  const space = new ByteSpace([0], CHUNK, true);
  assert.equal(space.bytes, undefined);
  assert.deepEqual(space.extents(7), [{ entry: 0, offset: 7 * CHUNK, length: CHUNK, at: 0 }]);
  space.end(CHUNK + 3);
  assert.equal(space.chunks, 2);
  assert.equal(space.length(1), 3);
  assert.throws(() => space.end(CHUNK), { code: 'PROTOCOL' });
  assert.throws(() => space.extents(2), { code: 'PROTOCOL' });
});

/** RFC 9162, 2.1.1, by its recursive definition. */
function recursiveRoot(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha(new Uint8Array());
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha(Uint8Array.of(1), recursiveRoot(leaves.slice(0, k)), recursiveRoot(leaves.slice(k)));
}

test('the Merkle root is that of RFC 9162 for any number of leaves', () => {
  for (let n = 0; n < 70; n++) {
    const leaves = Array.from({ length: n }, (_, i) => chunkLeaf('sha256', sha(Uint8Array.of(i))));
    assert.deepEqual(Buffer.from(merkleRoot(leaves)), Buffer.from(recursiveRoot(leaves)));
  }
  const hash = sha(Uint8Array.of(9));
  assert.deepEqual(Buffer.from(chunkLeaf('sha256', hash)), sha(Uint8Array.of(0), hash));
  assert.notDeepEqual(chunkLeaf('sha256', hash), pageLeaf(hash));
});

test('the have-map holds what was added and knows its first gap', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5000)), (indices) => {
      const have = new Bitfield();
      const model = new Set<number>();
      for (const index of indices) {
        assert.equal(have.add(index), !model.has(index));
        model.add(index);
      }
      let gap = 0;
      while (model.has(gap)) gap++;
      assert.equal(have.count, model.size);
      assert.equal(have.firstMissing, gap);
      for (let i = 0; i < 5010; i++) assert.equal(have.has(i), model.has(i));
    }),
    { numRuns: Math.min(runs, 2000) },
  );
});

test('whatever lanes do, the scheduler brings every wanted chunk, and asks for nothing else', () => {
  const step = fc.record({
    lane: fc.nat(3),
    what: fc.constantFrom('ask', 'ask', 'ask', 'arrive', 'arrive', 'write', 'die', 'come'),
  });
  const run = (total: number, steps: { lane: number; what: string }[], window: number, most: number) => {
    const size = total * CHUNK - 5;
    const entry = { path: 'f', kind: 'file', size, mode: 0, mtime: 0, target: '', version: '' } as const;
    const offer = Offer.of('files', [entry], CHUNK);
    const { space } = offer;
    const chunks = new Chunks({
      offer,
      window,
      most,
      comparable: (chunk) => chunk % 5 === 1,
      shares: false,
      random: () => 0,
    });
    const unwanted = (chunk: number) => chunk % 7 === 3;
    chunks.restart([], () => {
      const map = new Bitfield();
      for (let chunk = 0; chunk < total; chunk++) if (unwanted(chunk)) map.add(chunk);
      return map;
    });
    const scheduler = new Scheduler(chunks, () => false);
    const owed = new Map<number, Claim[]>([[0, []]]);
    const writing: number[] = [];
    const written = new Set<number>();
    const hash = new Uint8Array(32);
    scheduler.addLane(0, 0);
    let now = 0;
    const arrive = (lane: number, mine: Claim[]) => {
      const claim = mine[0]!;
      const { index } = claim;
      const length = space.length(index);
      if (claim.what === 'hash') {
        mine.shift();
        assert.ok(scheduler.answered(lane, 'hash', index, 0, now));
        assert.equal(scheduler.answered(lane, 'hash', index, 0, now), undefined, 'once only');
        if (chunks.comparing(index)) chunks.differs(index);
        return;
      }
      const block = claim.from;
      assert.ok(scheduler.begins(lane, { index, from: block, to: block + 1 }));
      claim.from++;
      if (claim.from === claim.to) mine.shift();
      const life = chunks.arriving(index, length, hash);
      const whole = life && chunks.took(life, block);
      scheduler.came(lane, index, block + 1, BLOCK_BYTES, now);
      assert.equal(scheduler.begins(lane, { index, from: block, to: block + 1 }), undefined, 'once only');
      if (!whole) return;
      chunks.write(index);
      assert.ok(!writing.includes(index) && !written.has(index), `chunk ${index} is written twice`);
      writing.push(index);
    };
    const act = (lane: number, what: string) => {
      now += 0.01;
      const mine = owed.get(lane);
      if (what === 'come' && !mine) {
        owed.set(lane, []);
        scheduler.addLane(lane, now);
      } else if (what === 'die' && mine && owed.size > 1) {
        owed.delete(lane);
        scheduler.removeLane(lane);
      } else if (what === 'ask' && mine) {
        for (const claim of scheduler.ask(lane, now)) {
          const { index } = claim;
          assert.ok(index < total && !unwanted(index) && !chunks.down.has(index) && !writing.includes(index));
          assert.ok(index < chunks.down.firstMissing + window + total / 6 + 1);
          mine.push(claim);
        }
      } else if (what === 'arrive' && mine && mine.length > 0) arrive(lane, mine);
      else if (what === 'write' && writing.length > 0) {
        const index = writing.shift()!;
        written.add(index);
        assert.ok(chunks.written(index, hash, space.length(index)));
        // Sinks in order cannot pass what nobody wants.
        if (unwanted(chunks.down.firstMissing)) chunks.down.add(chunks.down.firstMissing);
      }
      const open = new Set([...owed.values()].flat().map(({ index }) => index));
      for (const index of writing) open.add(index);
      assert.ok(chunks.writing === writing.length);
      assert.ok(chunks.arrived >= chunks.bytes);
    };
    for (const { lane, what } of steps) act(lane, what);
    for (let i = 0; i < total * 400 && !(window > total && written.size + total / 7 >= total); i++)
      for (const lane of [...owed.keys()]) for (const what of ['ask', 'arrive', 'write']) act(lane, what);
    for (let chunk = 0; chunk < total && window > total; chunk++)
      assert.ok(written.has(chunk) || unwanted(chunk), `chunk ${chunk} of ${total} never came`);
  };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(step, { maxLength: 300 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 8 }),
      run,
    ),
    { numRuns: Math.min(runs, 2000) },
  );
});

/** A scheduler with one lane to the origin, which brings `rate` bytes a second for some seconds. */
function steady(crowd: boolean, rate: number, { total = 64, usual = 64, most = 64 } = {}) {
  const size = total * CHUNK;
  const entry = { path: 'f', kind: 'file', size, mode: 0, mtime: 0, target: '', version: '' } as const;
  const offer = Offer.of('files', [entry], CHUNK);
  const chunks = new Chunks({
    ...{ offer, window: Number.POSITIVE_INFINITY, most, usual, shares: true },
    ...{ comparable: () => false, random: () => 0 },
  });
  chunks.restart([], () => new Bitfield());
  const scheduler = new Scheduler<string>(chunks, () => crowd);
  const owed = new Map<string, BlockRange[]>();
  let now = 0;
  const blocks = (lane: string) => owed.get(lane)!.reduce((sum, { from, to }) => sum + to - from, 0);
  const come = (lane: string, holder?: Holder) => {
    owed.set(lane, []);
    scheduler.addLane(lane, now, holder);
  };
  const ask = (lane: string) => {
    const claims = scheduler.ask(lane, now);
    for (const claim of claims) if (claim.what === 'blocks') owed.get(lane)!.push({ ...claim });
    return claims;
  };
  /** One block comes on a lane. */
  const arrive = (lane: string) => {
    const [range] = owed.get(lane)!;
    const { index, from } = range!;
    const life = chunks.arriving(index, CHUNK, new Uint8Array(32))!;
    range!.from++;
    if (range!.from === range!.to) owed.get(lane)!.shift();
    if (chunks.took(life, from)) {
      chunks.write(index);
      chunks.written(index, new Uint8Array(32), CHUNK);
    }
    scheduler.came(lane, index, from + 1, BLOCK_BYTES, now);
  };
  const wait = (seconds: number) => {
    now += seconds;
  };
  const pass = (seconds: number, ...lanes: string[]) => {
    for (const end = now + seconds; now < end; ) {
      now += BLOCK_BYTES / rate;
      for (const lane of lanes) {
        ask(lane);
        if (owed.get(lane)!.length > 0) arrive(lane);
      }
    }
  };
  come('origin');
  return { chunks, come, ask, arrive, wait, pass, blocks };
}

test('where others fetch too, little is asked for ahead: a second of the rate, and three where this side is alone', () => {
  const ahead = (crowd: boolean) => {
    const { pass, blocks } = steady(crowd, 40 * BLOCK_BYTES);
    pass(8, 'origin');
    return blocks('origin') / 40;
  };
  const [alone, crowd] = [ahead(false), ahead(true)];
  assert.ok(alone > 1.4 && alone <= 3.1, `${alone} s alone`);
  assert.ok(crowd > 0.4 && crowd <= 1.1, `${crowd} s in a crowd`);
});

test('what may be asked for at a time is shared out by rate: no lane leaves none for the others', () => {
  // Eight chunks, while each lane alone would be asked for twelve.
  const lanes = ['origin', 'b', 'c', 'd'];
  const { come, pass, blocks, ask } = steady(false, 256 * BLOCK_BYTES, { total: 256, most: 8, usual: 8 });
  for (const lane of lanes.slice(1)) come(lane);
  pass(4, ...lanes);
  for (const lane of lanes) ask(lane);
  const owed = lanes.map(blocks);
  assert.ok(Math.min(...owed) >= 48, `blocks owed: ${owed}`);
});

test('on a long path more is asked for at a time, and on a short one no more than usual', () => {
  const ahead = (roundTrip: number) => {
    const { pass, blocks, ask, arrive, wait } = steady(false, 1024 * BLOCK_BYTES, { total: 1024, usual: 8 });
    ask('origin');
    wait(roundTrip);
    arrive('origin');
    pass(4, 'origin');
    return blocks('origin') / 64;
  };
  const [short, long] = [ahead(0.01), ahead(0.4)];
  assert.ok(short > 4 && short <= 8, `${short} chunks`);
  assert.ok(long > 20 && long <= 64, `${long} chunks`);
});

test('in a crowd no lane of the origin is asked for what another is slow with, only for what does not come at all', () => {
  const doubled = ({ crowd, silence, holder }: { crowd: boolean; silence: number; holder?: Holder }) => {
    const { come, ask, pass, chunks } = steady(crowd, 2000 * BLOCK_BYTES);
    holder?.has.add(0);
    for (let chunk = 0; chunk < 64; chunk++) chunks.offer.hashes.set(chunk, new Uint8Array(32));
    if (holder) chunks.join(holder);
    come('slow', holder);
    ask('slow');
    // All the rest has come by then, and the fast lane has nothing else to do.
    pass((64 * 64) / 2000 + silence, 'origin');
    ask('origin');
    return chunks.doubled > 0 || chunks.complete;
  };
  assert.equal(doubled({ crowd: false, silence: 0 }), true, 'alone');
  assert.equal(doubled({ crowd: true, silence: 0 }), false, 'in a crowd, at once');
  assert.equal(doubled({ crowd: true, silence: 5 }), true, 'in a crowd, of one that is silent');
  assert.equal(
    doubled({ crowd: true, silence: 0, holder: new Holder() }),
    true,
    'what another receiver owes',
  );
});

test('a slab pool never lends more than its budget, but what was promised, which it does not keep', () => {
  const pool = new SlabPool(4 * CHUNK);
  const lent = [];
  for (let slab = pool.take(); slab; slab = pool.take()) lent.push(slab);
  assert.equal(lent.length, 16);
  const promised = pool.extra();
  promised.release();
  assert.equal(pool.take(), undefined);
  lent[0]!.release();
  lent[0]!.release(); // twice is once
  assert.ok(pool.take());
  assert.equal(pool.take(), undefined);
  assert.deepEqual(
    [
      pool.usual,
      new SlabPool(CHUNK, undefined, 96 * 2 ** 20).usual,
      new SlabPool(CHUNK, undefined, 96 * 2 ** 20).size,
    ],
    [16, 32, 96],
  );
});

test('a token bucket keeps to its rate over time', () => {
  let now = 0;
  const bucket = new TokenBucket(1000, 200, { now: () => now * 1000 });
  let sent = 0;
  for (let i = 0; i < 100; i++) {
    now += bucket.pass(300) / 1000;
    sent += 300;
  }
  assert.ok(sent <= 1000 * now + 300 && sent >= 900 * now, `${sent} bytes in ${now} s`);
});

test('a rate meter forgets what was long ago', () => {
  const meter = new RateMeter(3);
  for (let t = 0; t <= 10; t += 0.1) meter.add(t < 5 ? 0 : (t - 5) * 100, t);
  assert.ok(Math.abs(meter.rate(10) - 100) < 5);
});

test('zeros are told from everything else', () => {
  assert.ok(isZero(new Uint8Array(1000)));
  for (const at of [0, 63, 64, 500, 996, 999]) {
    const bytes = new Uint8Array(1000);
    bytes[at] = 1;
    assert.ok(!isZero(bytes));
    assert.ok(!isZero(bytes.subarray(at & 3)) || at < (at & 3));
  }
});
