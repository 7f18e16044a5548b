/** The tuner against simulated paths: what it ends with, not when. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { MAX_DATAGRAM_LANES, MAX_STREAM_LANES, MAX_WEBRTC_LANES } from '../../src/base/limits.ts';
import { type Targets, Tuner } from '../../src/lanes/tuner.ts';

const ALONE = { free: true, shared: false, bears: false };

interface Simulated {
  /** Bytes a second that so many lanes carry. */
  carries: (lanes: Targets, now: number) => number;
  /** Of these, what streams carry. */
  streams?: (lanes: Targets) => number;
  datagram?: boolean;
  stream?: boolean;
  /** The other side is a page. */
  channel?: boolean;
  roundTrip?: number;
  seconds?: number;
  fixed?: number;
  /** Lanes that the path can open at most. */
  most?: Omit<Targets, 'channel'>;
  /** Seconds that opening the first lane took. */
  opened?: number;
  free?: (now: number) => boolean;
  shared?: (now: number) => boolean;
  bears?: (now: number) => boolean;
}

function run(path: Simulated): { targets: Targets; tuner: Tuner; seen: Targets[] } {
  const { channel = false, roundTrip = 0.005, seconds = 120, fixed, most, carries } = path;
  const { datagram = !channel, stream = !channel } = path;
  const tuner = new Tuner(fixed);
  const seen: Targets[] = [];
  if (path.opened !== undefined) tuner.opened(path.opened);
  for (let now = 0; now < seconds; now += 0.5) {
    const { targets } = tuner;
    const lanes = {
      stream: stream ? Math.min(targets.stream, most?.stream ?? Infinity) : 0,
      datagram: datagram ? Math.min(targets.datagram, most?.datagram ?? Infinity) : 0,
      channel: channel ? targets.channel : 0,
    };
    const free = path.free?.(now) ?? true;
    const rate = carries(lanes, now);
    const streams = path.streams?.(lanes) ?? (lanes.stream > 0 ? rate / 5 : 0);
    const shared = path.shared?.(now) ?? false;
    const possible = { stream, datagram, channel };
    const bears = path.bears?.(now) ?? false;
    tuner.sample({ now, rate, streams, lanes, possible, roundTrip, free, shared, bears });
    seen.push({ ...tuner.targets });
  }
  return { targets: { ...tuner.targets }, tuner, seen };
}

test('a fast clean network: four TCP lanes, and nothing is tried', () => {
  const { targets, seen } = run({ carries: () => 500e6 });
  assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
  assert.ok(seen.every(({ datagram }) => datagram === 0));
});

/** A rate as losses and other traffic leave it. */
function uneven(carries: Simulated['carries']): Simulated['carries'] {
  let turn = 0;
  return (lanes, now) => carries(lanes, now) * (0.95 + 0.1 * (turn++ % 2));
}

test('a link that TCP keeps full at an even rate: more TCP is tried and taken back, UDX is not', () => {
  const { targets, seen } = run({ carries: () => 10e6, seconds: 30 });
  assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
  assert.ok(seen.every(({ datagram }) => datagram === 0));
  assert.ok(
    seen.some(({ stream }) => stream > 4),
    'it was tried',
  );
});

test('a slow link that one lane fills: what was tried is taken back', () => {
  const { targets, seen } = run({ carries: uneven(() => 4e6), seconds: 35 });
  assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
  assert.ok(
    seen.some(({ datagram }) => datagram > 0),
    'it was tried',
  );
  assert.ok(
    seen.some(({ stream }) => stream > 4),
    'it was tried',
  );
});

/** A full link on which others have their part: each lane, and each of them, has as much. UDX takes all but a tenth. */
const beside = (others: number, link: number): Simulated => ({
  carries: uneven(({ stream, datagram }) => link * (datagram > 0 ? 0.9 : stream / (stream + others))),
  streams: ({ stream, datagram }) => (datagram > 0 ? 0.1 * link : (link * stream) / (stream + others)),
});

test('beside others on a full link nothing stays that only takes from them', () => {
  for (const others of [1, 2, 5]) {
    const { targets, seen } = run({ ...beside(others, 60e6), roundTrip: 0.06 });
    assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
    assert.ok(seen.every(({ datagram }) => datagram === 0));
  }
  const slow = run({ ...beside(2, 4e6), roundTrip: 0.06 });
  assert.ok(
    slow.seen.some(({ datagram }) => datagram > 0),
    'it was tried',
  );
  assert.deepEqual(slow.targets, { stream: 4, datagram: 0, channel: 2 });
});

test('losses: TCP lanes each carry little, and are doubled up to the cap', () => {
  const { targets } = run({ carries: ({ stream }) => stream * 0.5e6, datagram: false });
  assert.deepEqual(targets, { stream: MAX_STREAM_LANES, datagram: 0, channel: 2 });
});

test('a long lossy path gets UDX lanes without a trial, and more while they help', () => {
  const { seen, targets } = run({
    carries: lossy(({ stream, datagram }) => stream * 0.1e6 + Math.min(30e6, datagram * 5e6)),
    roundTrip: 0.1,
  });
  assert.equal(seen[5]!.datagram, 8);
  assert.equal(targets.datagram, 8, 'more brought nothing');
});

/** Losses at random moments: no two samples are alike. */
function lossy(carries: Simulated['carries']): Simulated['carries'] {
  let turn = 0;
  return (lanes, now) => carries(lanes, now) * (0.8 + 0.2 * (turn++ % 3));
}

test('more UDX lanes, as long as they help', () => {
  const { targets } = run({ carries: lossy(({ datagram }) => 1e6 + datagram * 2e6), roundTrip: 0.02 });
  assert.equal(targets.datagram, MAX_DATAGRAM_LANES);
});

test('a long clean path: UDX is let go where TCP does as well alone', () => {
  const { seen, targets } = run({
    carries: ({ stream, datagram }) => (datagram > 0 ? 22e6 : Math.min(24e6, stream * 6e6)),
    streams: ({ stream }) => Math.min(10e6, stream * 6e6),
    roundTrip: 0.1,
  });
  assert.ok(
    seen.slice(0, 4).every(({ datagram }) => datagram === 0),
    'TCP grows fast, and is left alone',
  );
  assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
});

test('a path that grows by itself is not taken for one on which a step helped', () => {
  let now = 0;
  const { targets } = run({
    carries: () => {
      now += 0.5;
      return Math.min(24e6, 2e6 * 1.3 ** now + 3e6);
    },
    roundTrip: 0.03,
    seconds: 35,
  });
  assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
});

test('a long path whose TCP would not do alone keeps its UDX', () => {
  const { targets } = run({
    carries: lossy(({ stream, datagram }) => Math.min(4e6, stream * 1e6) + Math.min(5e6, datagram * 1.25e6)),
    streams: ({ stream }) => Math.min(4e6, stream * 1e6),
    roundTrip: 0.1,
  });
  assert.equal(targets.datagram, 8);
});

test('where TCP carries next to nothing, two lanes of it stay in reserve, and more come when UDX is gone', () => {
  let gone = false;
  const path = {
    carries: lossy(({ stream, datagram }) => stream * 0.1e6 + datagram * 2e6),
    streams: ({ stream }: Targets) => stream * 0.1e6,
    roundTrip: 0.1,
  };
  const { tuner, targets } = run(path);
  assert.equal(targets.stream, 2);
  gone = true;
  const lanes = { stream: 2, datagram: 0, channel: 0 };
  const possible = { stream: true, datagram: !gone, channel: false };
  tuner.sample({ ...ALONE, now: 500, rate: 1, streams: 1, lanes, possible, roundTrip: 0.1 });
  assert.deepEqual(tuner.targets, { stream: 4, datagram: 0, channel: 2 });
});

test('a stall and the burst after it are no reason to keep what was tried', () => {
  const rates = [4.16e6, 3.84e6, 4e6, 0.4e6, 7.6e6];
  for (let first = 0; first < rates.length; first++) {
    let turn = first;
    const { seen, targets } = run({ carries: () => rates[turn++ % rates.length]!, seconds: 35 });
    assert.ok(seen.some(({ datagram }) => datagram > 0));
    assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
  }
});

test('what comes in bursts, or not at all, is not held back by the lanes: nothing is tried', () => {
  let turn = 0;
  for (const carries of [() => (turn++ % 4 === 0 ? 60e6 : 0), () => 0]) {
    const { seen } = run({ carries, seconds: 60 });
    assert.ok(
      seen.every(({ stream, datagram }) => stream === 4 && datagram === 0),
      'something was tried',
    );
  }
});

test('a trial in which every lane falls silent is over', () => {
  const carries = uneven(({ stream }) => stream * 1e6);
  const tuner = new Tuner();
  let now = 0;
  for (; now < 60 && tuner.targets.stream === 4; now += 0.5) {
    const lanes = { ...tuner.targets, datagram: 0, channel: 0 };
    const possible = { stream: true, datagram: false, channel: false };
    tuner.sample({
      ...ALONE,
      now,
      rate: carries(lanes, now),
      streams: 1e6,
      lanes,
      possible,
      roundTrip: 0.005,
    });
  }
  assert.equal(tuner.targets.stream, 8, 'nothing was tried');
  const lanes = { stream: 0, datagram: 0, channel: 0 };
  const possible = { stream: false, datagram: false, channel: false };
  tuner.sample({ ...ALONE, now, rate: 0, streams: 0, lanes, possible, roundTrip: 0 });
  assert.equal(tuner.targets.stream, 4);
});

test('what a step disturbed recovers before the next one is judged by it', () => {
  let lost = 0;
  let early = false;
  let turn = 0;
  const { seen } = run({
    carries: ({ stream, datagram }) => {
      // UDX takes the place of streams, which need 10 s to find it again.
      lost = datagram > 0 ? 20 : Math.max(0, lost - 1);
      early ||= stream > 4 && lost > 0;
      return 4e6 * (datagram > 0 ? 0.9 : 1 - lost / 25) * (0.95 + 0.1 * (turn++ % 2));
    },
    seconds: 100,
  });
  assert.ok(
    seen.some(({ datagram }) => datagram > 0) && seen.some(({ stream }) => stream > 4),
    'both were tried',
  );
  assert.ok(!early, 'a step was tried while what the last one cost was not yet made up for');
});

test('without any TCP, UDX carries alone', () => {
  const { seen } = run({ carries: ({ datagram }) => datagram * 1e6, stream: false });
  assert.equal(seen[0]!.datagram, 4);
});

test('a number given by the person is kept', () => {
  const { seen } = run({ carries: ({ stream }) => stream * 1e6, fixed: 2 });
  assert.ok(seen.every(({ stream, datagram }) => stream === 2 && datagram === 0));
  assert.ok(
    run({ carries: () => 1e6, fixed: 2, stream: false }).seen.every(({ datagram }) => datagram === 2),
  );
});

test('what a pause or an end makes slow is no judgement', () => {
  const { seen } = run({
    carries: ({ datagram }) => (datagram > 0 ? 20e6 : 1e6),
    roundTrip: 0.1,
    free: (now) => now % 2 < 1,
  });
  assert.ok(seen.slice(5).every(({ stream, datagram }) => stream <= 8 && datagram >= 4));
});

test('a path that carries only two lanes is not asked for more and more', () => {
  const { targets } = run({
    carries: ({ stream }) => stream * 1e6,
    datagram: false,
    most: { stream: 2, datagram: 0 },
  });
  assert.equal(targets.stream, 4);
});

test('a page: two connections, and four where more carry more', () => {
  const clean = run({ carries: () => 20e6, channel: true });
  assert.equal(clean.targets.channel, 2);
  assert.ok(
    clean.seen.some(({ channel }) => channel > 2),
    'it was tried',
  );
  const lossy = run({ carries: ({ channel }) => channel * 0.5e6, channel: true });
  assert.equal(lossy.targets.channel, MAX_WEBRTC_LANES);
  const fixed = run({ carries: ({ channel }) => channel * 0.5e6, channel: true, fixed: 3 });
  assert.ok(fixed.seen.every(({ channel }) => channel === 3));
  assert.equal(run({ carries: () => 1e6, channel: true, fixed: 9 }).targets.channel, MAX_WEBRTC_LANES);
});

test('a very long path, by what opening a lane took, begins with more streams; once they carry well these go again, a few at a time', () => {
  for (const [opened, roundTrip, first] of [
    [0.2, 0.1, 8],
    [0.4, 0.2, 16],
  ] as const) {
    const { seen, targets } = run({ carries: uneven(() => 20e6), opened, roundTrip, seconds: 60 });
    assert.equal(seen[0]!.stream, first);
    const counts = seen.map(({ stream }) => stream);
    const down = counts.slice(0, counts.indexOf(4) + 1);
    assert.deepEqual(
      [...new Set(down)],
      first === 8 ? [8, 6, 4] : [16, 12, 9, 6, 4],
      'not all of them at once',
    );
    assert.ok(down.length < 30, 'they go soon');
    assert.deepEqual(targets, { stream: 4, datagram: 0, channel: 2 });
  }
  assert.equal(run({ carries: () => 20e6, opened: 0.1, roundTrip: 0.05, seconds: 1 }).seen[0]!.stream, 4);
  assert.equal(run({ carries: () => 20e6, opened: 0.4, fixed: 3, roundTrip: 0.2 }).targets.stream, 3);
});

test('a path that only seemed very long, since a packet was lost when the lane was opened, has as many as others', () => {
  const { seen } = run({ carries: () => 90e6, opened: 1.1, roundTrip: 0.02, seconds: 5 });
  assert.equal(seen.at(-1)!.stream, 4);
  assert.ok(seen.every(({ datagram }) => datagram === 0));
});

test('TCP that bears losses keeps what a very long path began with, and needs no UDX; when it bears them no more, it goes', () => {
  const soaring: Simulated = {
    carries: lossy(({ stream }, now) => Math.min(stream * 3e6, 0.05e6 * 4 ** now)),
    roundTrip: 0.2,
    opened: 0.4,
    seconds: 60,
    bears: (now) => now >= 2,
  };
  for (const datagram of [true, false]) {
    const { seen, targets } = run({ ...soaring, datagram });
    assert.ok(seen.every((one) => one.datagram === 0 && one.stream === MAX_STREAM_LANES));
    assert.equal(targets.stream, MAX_STREAM_LANES);
  }
  const nearer = run({ ...soaring, roundTrip: 0.1, opened: 0.1 });
  assert.equal(nearer.seen[0]!.stream, 4);
  assert.equal(nearer.targets.stream, 8, 'though the first lane did not tell');
  assert.equal(run({ ...soaring, roundTrip: 0.05, opened: 0.1, seconds: 4 }).targets.stream, 4);
  const { seen } = run({ ...soaring, bears: (now) => now >= 2 && now < 20, seconds: 30 });
  assert.equal(seen[39]!.stream, MAX_STREAM_LANES);
  assert.ok(
    seen.slice(50).every(({ stream }) => stream === 4),
    'and more are not tried at once',
  );
});

test('TCP of a very long path that does not carry much in time: UDX comes, and the early streams go again if it is of no use', () => {
  const carries = lossy(
    ({ datagram }, now) => Math.min(1e6, 0.05e6 * 4 ** now) + Math.min(30e6, datagram * 5e6),
  );
  const path: Simulated = { carries, streams: () => 1e6, roundTrip: 0.2, opened: 0.4, seconds: 40 };
  const { seen, targets } = run(path);
  assert.ok(seen.slice(0, 4).every(({ datagram }) => datagram === 0));
  assert.ok(seen.findIndex(({ datagram }) => datagram === 8) < 10, 'within five seconds');
  assert.equal(targets.datagram, 8);
  const useless = run({ ...path, carries: lossy(() => 1e6) });
  assert.ok(useless.seen.slice(20).some(({ stream, datagram }) => stream === 4 && datagram === 0));
});

/** A line of 20 Mbit/s that looks long behind its own queue; UDX takes most of it and loses much of what it sends. */
const HOME = {
  carries: ({ datagram }: Targets) => (datagram > 0 ? 2.0e6 : 2.35e6),
  streams: ({ datagram }: Targets) => (datagram > 0 ? 0.4e6 : 2.35e6),
  roundTrip: 0.025,
};

test('a home line that TCP fills: no UDX lane joins it, though its queue makes it look long', () => {
  const { targets, seen } = run(HOME);
  assert.ok(seen.every(({ datagram }) => datagram === 0));
  assert.equal(targets.datagram, 0);
});

test('UDX that a long path began with goes again, if the whole does not carry more for it', () => {
  // So uneven that nobody sees that it is full.
  const { targets, seen } = run({ ...HOME, carries: lossy(HOME.carries), roundTrip: 0.06, seconds: 40 });
  assert.ok(seen.some(({ datagram }) => datagram > 0));
  assert.equal(targets.datagram, 0);
});

test('a line that is shared with other receivers: few lanes and no trials, whatever each would win', () => {
  const carries = uneven(({ stream, datagram }) => (stream + datagram) * 1e6);
  const { seen } = run({ carries, roundTrip: 0.1, shared: () => true });
  for (const targets of seen) assert.deepEqual(targets, { stream: 2, datagram: 0, channel: 1 });
});

test('a shared line to which only UDP leads', () => {
  const { targets } = run({ carries: () => 1e6, stream: false, datagram: true, shared: () => true });
  assert.equal(targets.datagram, 2);
});

test('when others come during a trial, it is over', () => {
  const carries = uneven(({ stream }) => stream * 1e6);
  const { seen, targets } = run({ carries, datagram: false, shared: (now) => now >= 30 });
  assert.ok(
    seen.some(({ stream }) => stream > 4),
    'something was tried',
  );
  assert.equal(targets.stream, 2);
});
