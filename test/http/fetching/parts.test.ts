/** How the work is divided, and how many share it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ramp } from '../../../src/http/fetching/ramp.ts';
import { type Stretch, Stretches } from '../../../src/http/fetching/stretches.ts';

const MiB = 1024 * 1024;
const all = () => true;

test('whatever is taken, cut, given back and done: each byte is brought once', () => {
  const step = fc.record({ who: fc.nat(5), bytes: fc.nat(9 * MiB), back: fc.boolean(), rate: fc.nat(100) });
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 40 * MiB }), { minLength: 1, maxLength: 4 }),
      fc.array(step),
      (sizes, steps) => {
        const pieces = new Stretches(
          sizes.map((end, file) => ({ file, at: 0, end })),
          MiB,
        );
        const brought = sizes.map(() => [] as [number, number][]);
        const held = new Map<number, Stretch>();
        const bring = (piece: Stretch, bytes: number) => {
          const to = Math.min(piece.end, piece.at + bytes);
          if (to > piece.at) brought[piece.file]!.push([piece.at, to]);
          piece.at = to;
        };
        for (const { who, bytes, back, rate } of steps) {
          const piece = held.get(who) ?? pieces.take(rate, all);
          if (!piece) continue;
          held.set(who, piece);
          piece.rate = rate;
          bring(piece, bytes);
          if (!back && piece.at < piece.end) continue;
          pieces.giveBack(piece);
          held.delete(who);
        }
        for (const piece of held.values()) pieces.giveBack(piece);
        for (let piece = pieces.take(0, all); piece; piece = pieces.take(0, all)) {
          bring(piece, Number.POSITIVE_INFINITY);
          pieces.giveBack(piece);
        }
        for (const [file, size] of sizes.entries()) {
          let at = 0;
          for (const [from, to] of brought[file]!.sort(([a], [b]) => a - b)) {
            assert.equal(from, at);
            at = to;
          }
          assert.equal(at, size);
        }
      },
    ),
  );
});

test('a part is cut at a whole chunk, by what each brings', () => {
  const pieces = new Stretches([{ file: 0, at: 0, end: 100 * MiB }], MiB);
  const slow = pieces.take(0, all)!;
  slow.at = 1000;
  slow.rate = 1e6;
  const fast = pieces.take(9e6, all)!;
  assert.equal(fast.at % MiB, 0);
  assert.equal(fast.end, 100 * MiB);
  assert.equal(slow.end, fast.at);
  assert.ok(slow.end < 12 * MiB, `the slow one keeps ${slow.end}`);
});

test('there is something to do for a connection just where it would get something', () => {
  const pieces = new Stretches([{ file: 0, at: 0, end: 3 * MiB }], MiB);
  pieces.take(0, all)!.rate = 1000 * MiB;
  // For one that is slow the rest is done before it has begun.
  assert.equal(pieces.next(1, all), undefined);
  assert.equal(pieces.take(1, all), undefined);
  assert.equal(pieces.next(0, all), 0);
  assert.ok(pieces.take(0, all));
});

test('what is done soon is not divided', () => {
  const pieces = new Stretches([{ file: 0, at: 0, end: 1.5 * MiB }], MiB);
  const piece = pieces.take(0, all)!;
  piece.rate = 10e6;
  assert.equal(pieces.take(0, all), undefined);
  // It would take a quarter of an hour.
  piece.rate = 1000;
  assert.equal(pieces.take(10e6, all)?.at, MiB);
});

/** Runs it for so long, at the rate of so many connections. */
function climb(ramp: Ramp, seconds: number, rate: (lanes: number) => number): number {
  let bytes = 0;
  for (let now = 0; now < seconds; now += 0.1) {
    bytes += rate(ramp.target) * 0.1;
    ramp.sample(now, bytes, ramp.target);
  }
  return ramp.target;
}

test('where each connection brings the same, all are opened within two seconds', () => {
  assert.equal(
    climb(new Ramp(8), 2.5, (lanes) => lanes * 1e6),
    8,
  );
});

test('where one brings all there is, others are not kept on being opened', () => {
  const ramp = new Ramp(8);
  assert.ok(climb(ramp, 15, () => 1e8) <= 2);
});

test('a step that costs something is taken back', () => {
  assert.equal(
    climb(new Ramp(8), 5, (lanes) => 1e8 / lanes),
    1,
  );
});

test('a server that wants fewer gets half, and so many as were asked for stay', () => {
  const ramp = new Ramp(8);
  climb(ramp, 2.5, (lanes) => lanes * 1e6);
  ramp.fewer(2.5);
  assert.equal(ramp.target, 4);
  const fixed = new Ramp(8, 1, 5);
  assert.equal(
    climb(fixed, 3, () => 1),
    5,
  );
  fixed.fewer(3);
  assert.equal(fixed.target, 5);
});
