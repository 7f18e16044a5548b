/** Peers and strangers that say too much, too slowly, or without end. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { Writer } from '../../src/base/bytes.ts';
import {
  LANE_DEADLINE,
  LANE_OPEN_DEADLINE,
  MAX_CONTROL_FRAME,
  MAX_ENTRIES,
  MAX_MANIFEST,
  MAX_PAGE,
  MAX_PAGES,
} from '../../src/base/limits.ts';
import { Lane } from '../../src/lanes/lane.ts';
import { encodePages } from '../../src/offer/manifest.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { HTTP_DEADLINE } from '../../src/server/limits.ts';
import type { Running } from '../../src/session/transfer.ts';
import { ManifestPull } from '../../src/sync/manifest-pull.ts';
import type { Message } from '../../src/wire/messages.ts';
import { encodeMessage, HEADER_LENGTH } from '../../src/wire/messages.ts';
import { memoryPipes } from '../lanes/memory-pipe.ts';
import { file } from '../node/files/helpers.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { CHUNK, offerOf, type Script } from './bad-sender.ts';
import { ending, LIMIT, meet, realSender, shorten, tree, world } from './world.ts';

const MiB = 1024 * 1024;

/** A frame's five bytes. */
const header = (length: number, type: number) => new Writer().u32(length).u8(type).done();
const OFFER = encodeMessage(offerOf([file('a', 1)], 1));

/** Writes the same bytes again and again, as fast as they are taken, until the pipe ends or `most` bytes are out. */
function flood(pipe: Pipe, bytes: Uint8Array, most: number): void {
  let left = most;
  const next = (error?: Error | null) => {
    left -= bytes.length;
    if (!error && left > 0) pipe.write(bytes, next);
  };
  pipe.write(bytes, next);
}

test('protects from: a flood of frames', LIMIT, async (t) => {
  const times = (message: Message, count: number) =>
    Buffer.concat(Array.from({ length: count }, () => encodeMessage(message)));
  const gone = Buffer.concat(
    Array.from({ length: 20_000 }, (_, entry) => encodeMessage({ type: 'gone', entry, code: '', text: '' })),
  );
  // Each is millions of frames or more than the receiver may keep.
  const floods: Record<string, [Uint8Array, number, string]> = {
    pings: [times({ type: 'ping' }, 20_000), 2_000_000 * HEADER_LENGTH, 'PROTOCOL'],
    'files that are gone': [
      Buffer.concat([encodeMessage(offerOf([file('a', 1)], 1, { entries: 100_000 })), gone]),
      gone.length,
      'PROTOCOL',
    ],
    'statuses, and then a wrong one': [
      Buffer.concat([
        ...Array.from({ length: 200_000 }, (_, seq) =>
          encodeMessage({ type: 'status', seq, state: seq % 2 ? 'paused' : 'running', code: '', text: '' }),
        ),
        header(1, 200),
      ]),
      1,
      'PROTOCOL',
    ],
    'pongs, offers and a wrong one': [
      Buffer.concat([
        times({ type: 'pong', bearsLosses: false }, 500_000),
        times(offerOf([file('a', 1)], 1), 50_000),
        header(1, 200),
      ]),
      1,
      'PROTOCOL',
    ],
  };
  for (const [what, [bytes, most, expected]] of Object.entries(floods)) {
    const place = world(t);
    global.gc?.();
    const before = process.memoryUsage().rss;
    // The pipe is never read, so that answers pile up at the receiver.
    const script: Script = { pipe: (pipe) => flood(pipe, bytes, most), entries: [file('a', 1)] };
    const { receiver } = await meet(t, script, { to: place.to, lanes: 1 });
    assert.equal(await ending(receiver), expected, what);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 200 * MiB, `${what}: ${Math.round(grown / MiB)} MiB more`);
    assert.deepEqual(tree(place.to), {});
  }
});

test('protects from: a flood of strangers who prove nothing', LIMIT, async (t) => {
  const asBefore = shorten(t, LANE_OPEN_DEADLINE, 300);
  assert.equal(HTTP_DEADLINE, LANE_OPEN_DEADLINE, 'one of them is not shortened');
  const place = world(t);
  const { sender, port, join: receiver } = await realSender(t, join(place.outside, 'precious'));
  let closed = 0;
  const strangers = Array.from({ length: 300 }, (_, i) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {}).on('close', () => closed++);
    // Silent, half of a TLS hello, half of a request.
    socket.on(
      'connect',
      () => void (i % 3 && socket.write(i % 3 === 1 ? Buffer.of(0x16, 3, 1) : 'GET / HT')),
    );
    return socket;
  });
  t.after(() => strangers.forEach((socket) => void socket.destroy()));
  while (closed < strangers.length) await new Promise((resolve) => setTimeout(resolve, 20));
  asBefore();
  assert.equal(await ending(receiver({ to: place.to })), '');
  assert.equal(await ending(sender), '');
});

test('protects from: a stranger who drips', LIMIT, async (t) => {
  shorten(t, LANE_OPEN_DEADLINE, 300);
  const { port } = await realSender(t, join(world(t).outside, 'precious'));
  for (const first of [Buffer.of(0x16), Buffer.from('G')]) {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    const drip = setInterval(() => socket.write(first), 50);
    await new Promise((resolve) => socket.on('close', resolve));
    clearInterval(drip);
  }
});

test('protects from: a proven peer who drips what is waited for', LIMIT, async (t) => {
  const entries = [file('a', 3)];
  const page = encodeMessage({ type: 'page', page: 0, bytes: encodePages(entries)[0]! });
  for (const slow of ['offer', 'page'] as const) {
    const place = world(t);
    const drips: NodeJS.Timeout[] = [];
    const drip = (pipe: Pipe, bytes: Uint8Array) => {
      let at = 0;
      // Never the last byte.
      drips.push(
        setInterval(() => at < bytes.length - 1 && pipe.write(bytes.subarray(at, ++at), () => {}), 20),
      );
    };
    const script: Script = {
      entries,
      pipe: (pipe) => {
        if (slow === 'offer') return drip(pipe, OFFER);
        pipe.write(encodeMessage(offerOf(entries, 1)), () => drip(pipe, page));
      },
    };
    const { receiver } = await meet(t, script, { to: place.to, lanes: 1 });
    const { session } = receiver as Running;
    session.answer.ms = 400;
    assert.equal(await ending(receiver), 'TIMEOUT', slow);
    for (const timer of drips) clearInterval(timer);
    assert.deepEqual(tree(place.to), {});
  }
});

test('protects from: a lane that drips a frame and never ends it', LIMIT, async () => {
  for (const drips of [false, true]) {
    const clock = new VirtualClock();
    const [near, far] = memoryPipes();
    let closed: (Error & { code?: string }) | undefined;
    const lane = new Lane(
      1,
      near,
      {
        message: () => {},
        land: () => ({ put: () => {}, take: () => false, cut: () => {} }),
        closed: (_lane, error) => {
          closed = error;
        },
      },
      clock,
    );
    lane.start();
    // A control frame of 256 KiB at a byte in ten seconds would take a month.
    far.write(header(MAX_CONTROL_FRAME, 2), () => {});
    for (let i = 0; i < 60 && !closed; i++) {
      if (drips) far.write(new Uint8Array(1), () => {});
      await clock.pass((LANE_DEADLINE * 2) / 3);
    }
    const code = closed?.code;
    lane.close();
    assert.equal(code, 'TIMEOUT', drips ? 'a byte in ten seconds keeps a lane alive' : 'silence');
  }
});

test('protects from: a manifest that never ends', LIMIT, async (t) => {
  // As large as the bounds allow, in pages of one piece of memory.
  const fixed = {
    version: 1,
    kind: 'files' as const,
    chunkSize: CHUNK,
    hash: 'sha256' as const,
    sha256: false,
    update: false,
    bytes: 0,
  };
  const pull = new ManifestPull({ ...fixed, entries: MAX_ENTRIES, pages: MAX_PAGES });
  const most = new Uint8Array(MAX_PAGE);
  assert.throws(
    () => {
      for (let page = 0; page < MAX_PAGES; page++) pull.take(page, most);
    },
    { code: 'BAD_MANIFEST' },
  );
  assert.ok(pull.pages.length * MAX_PAGE <= MAX_MANIFEST);
  // One that announces pages and goes on being about to send the last.
  const place = world(t);
  const entries = Array.from({ length: 3000 }, (_, i) => file(`f${i}`.padEnd(200, 'x'), 0));
  const pages = encodePages(entries);
  const script: Script = {
    entries,
    pages,
    answer: (_lane, message) => !(message.type === 'get-page' && message.page === pages.length - 1),
  };
  const { receiver } = await meet(t, script, { to: place.to, lanes: 1 });
  const { session } = receiver as Running;
  session.answer.ms = 400;
  assert.equal(await ending(receiver), 'TIMEOUT');
  // One whose pages hold ever more than was announced.
  const { receiver: second } = await meet(t, { entries, offer: { entries: pages.length } }, { to: place.to });
  assert.equal(await ending(second), 'BAD_MANIFEST');
  assert.deepEqual(tree(place.to), {});
});
