/** What `limit` promises, on a clock of the test's own. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Limiter } from '../../src/transfer/rate.ts';
import { randomFrom, seed } from '../seed.ts';

const LIMIT = 512_000;
const SECONDS = 60;
const random = randomFrom(seed);

/** Lanes that share a limit for a minute; returns what went, and when. @param pause seconds before a lane's next piece */
async function share(lanes: number, piece: () => number, pause: () => number) {
  let now = 0;
  const asleep: { until: number; wake: () => void }[] = [];
  const sleep = (seconds: number) =>
    new Promise<void>((wake) => void asleep.push({ until: now + seconds, wake }));
  const limiter = new Limiter({ limit: LIMIT, now: () => now, sleep });
  const gone: { at: number; bytes: number }[] = [];
  const lane = async () => {
    while (now < SECONDS) {
      const bytes = piece();
      await limiter.pass(bytes);
      gone.push({ at: now, bytes });
      await sleep(pause());
    }
  };
  const running = Array.from({ length: lanes }, lane);
  for (;;) {
    await new Promise((settled) => setImmediate(settled));
    asleep.sort((a, b) => a.until - b.until);
    const next = asleep.shift();
    if (!next) break;
    now = next.until;
    next.wake();
  }
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
