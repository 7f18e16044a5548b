/** What `limit` promises, on a clock of the test's own. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { seconds, sleep } from '../../src/protocol/clock.ts';
import { Limiter } from '../../src/transfer/rate.ts';
import { randomFrom, seed } from '../seed.ts';
import { VirtualClock } from '../virtual-clock.ts';

const LIMIT = 512_000;
const SECONDS = 60;
const random = randomFrom(seed);

/** Lanes that share a limit for a minute; returns what went, and when. @param pause seconds before a lane's next piece */
async function share(lanes: number, piece: () => number, pause: () => number) {
  const clock = new VirtualClock();
  const limiter = new Limiter({ limit: LIMIT, clock });
  const gone: { at: number; bytes: number }[] = [];
  const lane = async () => {
    while (seconds(clock) < SECONDS) {
      const bytes = piece();
      await limiter.pass(bytes);
      gone.push({ at: seconds(clock), bytes });
      await sleep(clock, pause() * 1000);
    }
  };
  const running = Array.from({ length: lanes }, lane);
  await clock.pass(0);
  while (clock.waiting > 0) await clock.pass(1000);
  await Promise.all(running);
  return gone;
}

const sum = (gone: { bytes: number }[]) => gone.reduce((bytes, piece) => bytes + piece.bytes, 0);

function assertEven(gone: { at: number; bytes: number }[]) {
  for (const { at: from } of gone) {
    const bytes = sum(gone.filter(({ at }) => at >= from && at < from + 0.5));
    assert.ok(bytes <= LIMIT * 0.71, `${bytes} bytes within half a second of ${from} s`);
  }
}

test('a limit holds within each half second when lanes always have something, and is used up', async () => {
  const gone = await share(
    4,
    () => 65_536,
    () => 0,
  );
  assertEven(gone);
  assert.ok(sum(gone) > LIMIT * SECONDS * 0.99, `${sum(gone)} bytes in a minute`);
});

test('a limit holds within each half second after pauses too, for pieces of any size', async () => {
  const sizes = () => 1 + Math.floor(random() * 65_536);
  for (const lanes of [1, 2, 6]) assertEven(await share(lanes, sizes, () => (random() < 0.1 ? 4 : 0)));
});
