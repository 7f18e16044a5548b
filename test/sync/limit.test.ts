/** What `limit` promises, on a clock of the test's own. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { seconds, sleep } from '../../src/base/clock.ts';
import { Limiter } from '../../src/sync/rate.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, MemorySink, MemorySource, Pair } from './harness.ts';

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

test("zeros cost nothing of a receiver's limit", { timeout: 60_000 }, async () => {
  // 24 MiB at the limit would take 49 s. What is not zeros takes half a second.
  const data = randomBytes(random, LIMIT);
  const source = new MemorySource({ hole: new Uint8Array(24 * CHUNK), data });
  const sink = new MemorySink();
  const pair = new Pair(source, sink, LIMIT);
  pair.connect();
  pair.connect();
  const begun = performance.now();
  await pair.done;
  const took = (performance.now() - begun) / 1000;
  assert.equal(pair.outcome.error, undefined);
  for (const [i, file] of source.files.entries()) assert.ok(Buffer.compare(file, sink.files[i]!) === 0);
  assert.ok(took < 20, `${took} s`);
  assert.ok(took > 0.5, `${took} s for what does count`);
});

test('what did not go is given back to a limit, and no more than a pause would have saved up', async () => {
  const clock = new VirtualClock();
  const limiter = new Limiter({ limit: 1000, clock });
  let gone = 0;
  const pass = async (bytes: number) => {
    void limiter.pass(bytes).then(() => gone++);
    await clock.pass(0);
  };
  await pass(200);
  limiter.giveBack(200);
  await pass(200);
  limiter.giveBack(5000);
  await pass(200);
  assert.equal(gone, 3);
  await pass(100);
  await clock.pass(90);
  assert.equal(gone, 3, 'nothing is left of it');
  await clock.pass(20);
  assert.equal(gone, 4);
});
