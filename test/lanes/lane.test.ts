/** When a lane is given up: after silence in answer to a ping, and not because this side has not looked for a while. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { type Clock, realClock } from '../../src/base/clock.ts';
import { Lane } from '../../src/lanes/lane.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { memoryPipes } from './memory-pipe.ts';

/** What browsers leave of the timers of a page that nobody looks at. */
const ONCE_A_MINUTE = 60_000;

function laneOn(pipe: Pipe, clock: Clock = realClock) {
  const seen: { closed?: Error & { code?: string } } = {};
  const lane = new Lane(
    1,
    pipe,
    {
      message: () => {},
      land: () => ({ put: () => {}, take: () => false, cut: () => {} }),
      closed: (_lane, error) => {
        seen.closed = error;
      },
    },
    clock,
  );
  lane.start();
  return { lane, seen };
}

/** A clock whose waits are looked at seldom, and late. */
function seldom() {
  const clock = new VirtualClock();
  const pass = async (milliseconds: number) => {
    clock.jump(milliseconds);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, pass };
}

test('two pages in the background, whose timers come once a minute, keep a quiet lane', async () => {
  const { clock, pass } = seldom();
  const [near, far] = memoryPipes();
  const ends = [laneOn(near, clock), laneOn(far, clock)];
  await pass(0);
  for (let minute = 0; minute < 10; minute++) await pass(ONCE_A_MINUTE);
  assert.deepEqual(
    ends.map(({ seen }) => seen.closed),
    [undefined, undefined],
  );
  for (const { lane } of ends) lane.close();
});

test('one whose other side has gone is given up at the second look', async () => {
  const { clock, pass } = seldom();
  const [near] = memoryPipes();
  const { seen } = laneOn(near, clock);
  await pass(ONCE_A_MINUTE);
  await pass(ONCE_A_MINUTE);
  assert.equal(seen.closed?.code, 'TIMEOUT');
});

test('a word goes before all data that is queued, and waits for one message at most', async () => {
  const [near, far] = memoryPipes();
  const written: string[] = [];
  const begun: (() => void)[] = [];
  // What the far end hears, in order; the near pipe takes a message only when it is let.
  const slow: Pipe = {
    ...near,
    write: (bytes, done) => void begun.push(() => near.write(bytes, done)),
    start: (data, closed) => near.start(data, closed),
    destroy: () => near.destroy(),
  };
  const { lane } = laneOn(slow);
  const other = new Lane(
    2,
    far,
    {
      message: (_lane, { type }) => void written.push(type),
      land: () => ({ put: () => {}, take: () => false, cut: () => {} }),
      closed: () => {},
    },
    realClock,
  );
  other.start();
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const letGo = async (count: number) => {
    for (let i = 0; i < count; i++) {
      begun.shift()?.();
      for (let wait = 0; wait < 4; wait++) await turn();
    }
  };
  // The ping that it begins with.
  await letGo(1);
  for (let page = 0; page < 20; page++)
    void lane.send({ type: 'page', page, bytes: new Uint8Array(100_000) }).catch(() => {});
  const word = lane.send({ type: 'status', seq: 1, state: 'cancelled', code: '', text: '' });
  for (let step = 0; step < 30 && !written.includes('status'); step++) await letGo(1);
  await word;
  assert.ok(written.filter((type) => type === 'page').length <= 1, written.join());
  await letGo(30);
  assert.equal(written.length, 21);
  lane.close();
  other.close();
});

test('a large piece is written from where it is, after its header and with nothing between', async () => {
  const [near] = memoryPipes();
  const written: { bytes: Uint8Array; done: (error?: Error | null) => void }[] = [];
  const { lane } = laneOn({
    ...near,
    write: (bytes, done) => void written.push({ bytes, done }),
    start: (data, closed) => near.start(data, closed),
    destroy: () => near.destroy(),
  });
  // The ping that it begins with.
  written[0]!.done();
  const chunk = new Uint8Array(1 << 20).fill(7);
  const data = chunk.subarray(300_000, 600_000);
  const hash = new Uint8Array(32);
  const header = { type: 'blocks' as const, index: 3, length: chunk.length, hash, offset: 0 };
  const sent = lane.send({ ...header, bytes: data.length, form: 'data', data });
  const word = lane.send({ type: 'status', seq: 1, state: 'cancelled', code: '', text: '' });
  written[1]!.done();
  written[2]!.done();
  await sent;
  const [, head, body, status] = written.map(({ bytes }) => bytes);
  assert.ok(head!.length < 100, `${head!.length} bytes of header`);
  assert.equal(body, data);
  written[3]!.done();
  await word;
  assert.ok(status!.length < 100);
  const before = lane.carried;
  // A small one is one write, since that costs less.
  const small = lane.send({ ...header, bytes: 1000, form: 'data', data: data.subarray(0, 1000) });
  assert.equal(written.length, 5);
  assert.ok(written[4]!.bytes.length > 1000);
  written[4]!.done();
  await small;
  assert.equal(lane.carried - before, written[4]!.bytes.length);
  lane.close();
});

test('a lane that closes between the header and the data of a piece rejects it, and writes no more', async () => {
  const [near] = memoryPipes();
  const written: ((error?: Error | null) => void)[] = [];
  const { lane } = laneOn({
    ...near,
    write: (_bytes, done) => void written.push(done),
    start: (data, closed) => near.start(data, closed),
    destroy: () => near.destroy(),
  });
  written[0]!();
  const data = new Uint8Array(100_000);
  const header = {
    type: 'blocks' as const,
    index: 0,
    length: data.length,
    hash: new Uint8Array(32),
    offset: 0,
  };
  const sent = lane.send({ ...header, bytes: data.length, form: 'data', data });
  assert.equal(written.length, 2);
  lane.close();
  written[1]!();
  await assert.rejects(sent);
  assert.equal(written.length, 2);
});

test('a pong says whether what its side sends bears losses, as of then', async () => {
  const { clock, pass } = seldom();
  const [near, far] = memoryPipes();
  let bears = false;
  const sending: Pipe = Object.assign(far, { bearsLosses: () => bears });
  const [receiver, sender] = [laneOn(near, clock).lane, laneOn(sending, clock).lane];
  await pass(0);
  assert.equal(receiver.bearsLosses, false);
  bears = true;
  await pass(ONCE_A_MINUTE);
  assert.equal(receiver.bearsLosses, true);
  assert.equal(sender.bearsLosses, false, 'of the other way nothing is said');
  bears = false;
  await pass(ONCE_A_MINUTE);
  assert.equal(receiver.bearsLosses, false);
  receiver.close();
  sender.close();
});

test('each pong answers the oldest ping, so that a path that is slower than pings come does not look short', async () => {
  const { clock, pass } = seldom();
  const [near, far] = memoryPipes();
  const write = far.write.bind(far);
  far.write = (bytes, done) => {
    const later = bytes.slice();
    clock.after(1_500, () => write(later, () => {}));
    done();
  };
  const [lane, other] = [laneOn(near, clock).lane, laneOn(far, clock).lane];
  for (let tenth = 0; tenth < 100; tenth++) await pass(100);
  assert.ok(lane.roundTrip >= 1_500 && lane.roundTrip < 2_000, `${lane.roundTrip} ms`);
  lane.close();
  other.close();
});
